"""docs/security.md: each promise names tests that are there, and each test here is named by its promise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
ROW = re.compile(r"^\| (S\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::([\w:]+)`")
ROWS = [(number, sentence, TEST.findall(tests)) for number, sentence, tests in ROW.findall(PAGE)]
LARGEST = 18_000
"""Characters that three pages hold."""


def found_in(path: Path) -> dict[str, list[str]]:
    """Find the tests in a file, and the promises with which each is marked."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(path.read_text()).body:
        group = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for each in group:
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
                found[prefix + each.name] = list(promises_of(each))
    return found


def promises_of(test: ast.FunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def marked() -> set[tuple[str, str, str]]:
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    return {
        (promise, str(file.relative_to(ROOT)), test)
        for file in files
        for test, promises in found_in(file).items()
        for promise in promises
    }


def test_promises_are_numbered_one_by_one_and_each_is_one_sentence():
    assert [number for number, _, _ in ROWS] == [f"S{n}" for n in range(1, len(ROWS) + 1)]
    assert len(ROWS) > 20
    for _, sentence, _ in ROWS:
        assert sentence.endswith("."), sentence
        assert len(sentence) < 400, sentence
    # A row that is not read as one would be held by nothing.
    assert len(ROWS) == len(re.findall(r"^\|\s*S\d", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("number", "tests"), [(number, tests) for number, _, tests in ROWS])
def test_each_promise_names_tests_that_are_there(number, tests):
    assert tests, f"no test holds {number}"
    for file, test in tests:
        path = ROOT / file
        assert path.is_file(), f"{number} names {file}, which is not there"
        assert test in found_in(path), f"{number} names {file}::{test}, which is not there"


def test_each_test_here_is_named_by_its_promise():
    here = str(Path(__file__).parent.relative_to(ROOT))
    named = {
        (number, file, test) for number, _, tests in ROWS for file, test in tests if file.startswith(here)
    }
    assert marked() == named


def test_each_test_here_is_marked_with_a_promise():
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file != Path(__file__):
            for test, promises in found_in(file).items():
                assert promises, f"{file.name}::{test} holds no promise"


def test_the_page_is_short_and_its_links_lead_somewhere():
    assert len(PAGE) < LARGEST
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
