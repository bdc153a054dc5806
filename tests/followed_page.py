"""Pages that are followed word for word: their files are written, their commands are run, in their order.

What a block of code is for stands in comments on the lines above it: ``<!-- write: PATH -->`` writes it to that file,
``<!-- append: PATH -->`` adds it to one, ``<!-- find: PATH -->`` is a piece of one for which the next block, below
``<!-- in its place -->``, is written; ``<!-- exit code: N -->`` is how the commands end, and ``<!-- screen -->`` shows what
the ones before it wrote.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

_BLOCK = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    """A block of code: its language, its text, and the comments right above it."""

    language: str
    text: str
    marks: dict[str, str]


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of code of a page, in their order."""
    return [Block(match[2], match[3], _marks(match[1])) for match in _BLOCK.finditer(text)]


def _marks(comments: str) -> dict[str, str]:
    lines = [line[5:-4] for line in comments.splitlines() if line.startswith("<!--")]
    return dict(([*line.split(": ", 1), ""])[:2] for line in lines)


def numberless(text: str) -> list[str]:
    """Take the numbers, the rule of a table and the width of columns out of what was on a screen."""
    lines = re.sub(r"\d[\d,]*", "N", text.replace("─", "")).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip()]


@attrs.frozen
class Followed:
    """Where a page was followed, and what its commands wrote: their last line to stdout."""

    folder: Path
    environment: object
    output: dict[str, str]


def follow(text: str, folder: Path, environment: object, **settings: object) -> Followed:
    """Follow a page to its end; the first command that fails ends the test.

    Parameters
    ----------
    text
        The page.
    folder
        Where its reader stands.
    environment
        A `PluginEnvironment`.
    settings
        Become ``LIVERED_...``.
    """
    output = {}
    found: tuple[Path, str] | None = None
    for block in blocks_of(text):
        if "write" in block.marks:
            (folder / block.marks["write"]).write_text(block.text, encoding="utf-8")
        elif "append" in block.marks:
            with (folder / block.marks["append"]).open("a", encoding="utf-8") as file:
                file.write(block.text)
        elif "find" in block.marks:
            found = folder / block.marks["find"], block.text
            assert found[0].read_text(encoding="utf-8").count(block.text) == 1, block.text
        elif "in its place" in block.marks:
            path, old = found
            path.write_text(path.read_text(encoding="utf-8").replace(old, block.text), encoding="utf-8")
        elif block.language == "sh":
            done = environment.run(folder, block.text, **settings)
            wanted = int(block.marks.get("exit code", 0))
            assert done.returncode == wanted, f"{block.text}\n{done.stdout}{done.stderr}"
            output[block.text.splitlines()[-1]] = done.stdout.replace(f"{folder}/", "")
    return Followed(folder, environment, output)
