"""Docstrings in the numpydoc style, written as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

LISTS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Other Parameters", "Methods")
"""Sections whose lines are terms with definitions below them."""


def markdown(docstring: str) -> str:
    """Write a docstring, without its indentation, as Markdown.

    Parameters
    ----------
    docstring
        As `inspect.cleandoc` gives it.

    Returns
    -------
    str
        Paragraphs, a list for each section, and blocks of code; without headings.
    """
    pieces: list[str] = []
    title = ""
    for number, text in enumerate(re.split(r"^(\w[\w ]*)\n-{3,}\n", docstring, flags=re.MULTILINE)):
        if number % 2:
            title = text
        elif not title:
            pieces += _paragraphs(text)
        elif title in LISTS:
            pieces += [f"**{title}**", "\n".join(_terms(text))]
        else:
            pieces += [f"**{title}**", *_paragraphs(text)]
    return "\n\n".join(piece for piece in pieces if piece)


def _terms(text: str) -> Iterator[str]:
    for block in re.split(r"^(?=\S)", text.strip("\n"), flags=re.MULTILINE):
        if not block.strip():
            continue
        term, _, body = block.partition("\n")
        names, colon, kind = term.partition(" : ")
        words = ", ".join(f"`{name.strip()}`" for name in re.split(r",\s*(?![^\[]*\])", names))
        about = f" ({kind.strip()})" if colon else ""
        pieces = list(_paragraphs(textwrap.dedent(body)))
        rest = "".join("\n\n" + textwrap.indent(piece, "  ") for piece in pieces[1:])
        yield f"- {words}{about}" + (f": {pieces[0]}" if pieces else "") + rest


def _paragraphs(text: str) -> Iterator[str]:
    literal = False
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if not paragraph.strip():
            continue
        if literal and paragraph.startswith(" "):
            yield f"```text\n{textwrap.dedent(paragraph)}\n```"
            continue
        literal = paragraph.rstrip().endswith("::")
        if paragraph.startswith((">>> ", "... ")):
            yield f"```python\n{paragraph}\n```"
        elif paragraph.strip() != "::":
            yield _prose(re.sub(r"::$", ":", paragraph.rstrip()))


def _prose(paragraph: str) -> str:
    """Join lines but those of a list, and write code in the way of Markdown."""
    items = re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", paragraph)
    return "\n".join(" ".join(item.split()) for item in items).replace("``", "`")
