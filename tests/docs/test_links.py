"""Every link from one file of the repository to another leads somewhere, on a code host as well as in the site."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from examples_support import REPOSITORY

PLACES = (
    "*.md",
    "docs/**/*.md",
    "examples/**/*.md",
    "plugins/**/*.md",
    "benchmarks/**/*.md",
    "tests/**/*.md",
)
FILES = sorted({path for place in PLACES for path in REPOSITORY.glob(place) if "egg-info" not in str(path)})
BLOCK = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
# A text may hold code and pictures, but no other link.
LINK = re.compile(r"\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:")


def links(text: str) -> Iterator[str]:
    """Give where the links and pictures of a text lead, but those to other sites."""
    prose = CODE.sub("code", BLOCK.sub("", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)))
    for found in (
        *LINK.findall(prose),
        *re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", prose),
        *DEFINITION.findall(prose),
    ):
        if not ELSEWHERE.match(found):
            yield found


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    """Give the anchors that a code host, and MyST, make of the headings of a file."""
    found: list[str] = []
    for heading in re.findall(
        r"^#{1,6} +(.*?)\s*#*$", BLOCK.sub("", path.read_text(encoding="utf-8")), re.MULTILINE
    ):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


def problem(page: Path, link: str) -> str:
    """Say why a link leads nowhere; empty when it leads somewhere."""
    place, _, anchor = unquote(link).partition("#")
    if place.startswith("/"):
        return "begins at the root of a machine or of a host"
    target = (page.parent / place).resolve() if place else page
    if not target.is_relative_to(REPOSITORY.resolve()):
        return "leads out of the repository"
    if not target.exists():
        return "leads to nothing"
    if anchor and (target.suffix != ".md" or anchor not in anchors(target)):
        return "names no heading of that page"
    return ""


def unclosed(text: str) -> int:
    """Give the line where a block of code begins that is not closed before another begins; 0 without one."""
    began, fence = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r" *(`{3,}|~{3,})(.*)$", line)
        if found is None:
            continue
        marks, words = found.groups()
        if not fence:
            began, fence = number, marks
        elif marks.startswith(fence):
            if words.strip():
                return began
            began, fence = 0, ""
    return began


@pytest.mark.parametrize("page", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_every_block_of_code_is_closed(page):
    # Sphinx takes what is behind for code, and says nothing.
    assert unclosed(page.read_text(encoding="utf-8")) == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("```sh\na\n```\n", 0),
        ("a\n```sh\nb\n", 2),
        ("```sh\na\n\n```python\nb\n```\n", 1),
        ("````md\n```sh\na\n```\n````\n", 0),
        ("~~~\n```sh\n~~~\n", 0),
    ],
)
def test_blocks_that_are_not_closed_are_found(text, line):
    assert unclosed(text) == line


@pytest.mark.parametrize("page", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    assert {link: why for link in links(text) if (why := problem(page, link))} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](b.md) and [`c`](d.md#e)", ["b.md", "d.md#e"]),
        ("[![picture](a.png)](b.md)", ["b.md", "a.png"]),
        ('[a](<b.md> "title")', ["b.md"]),
        ("[a](https://example.org/b) <https://example.org> [c](mailto:d@example.org)", []),
        ("`[a](b.md)` and ``[`c`](d.md)``", []),
        ("```text\n[a](b.md)\n```\n[c](d.md)", ["d.md"]),
        ("[a]: b.md", ["b.md"]),
        ("<!-- [a](b.md) -->", []),
    ],
)
def test_links_are_found_and_code_is_none(text, found):
    assert list(links(text)) == found


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("b.md", ""),
        ("b.md#two-words-and-code", ""),
        ("b.md#twice-1", ""),
        ("#here", ""),
        ("folder", ""),
        ("c.md", "leads to nothing"),
        ("b.md#three", "names no heading of that page"),
        ("#there", "names no heading of that page"),
        ("b.md#commented", "names no heading of that page"),
        ("/b.md", "begins at the root of a machine or of a host"),
        ("../../b.md", "leads out of the repository"),
    ],
)
def test_dead_links_are_found(tmp_path, monkeypatch, link, why):
    monkeypatch.setitem(globals(), "REPOSITORY", tmp_path)
    page = tmp_path / "a.md"
    page.write_text("# Here\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "b.md").write_text(
        "## Two words, and `code`\n\n## Twice\n\n## Twice\n\n```sh\n# commented\n```\n"
    )
    assert problem(page, link) == why
