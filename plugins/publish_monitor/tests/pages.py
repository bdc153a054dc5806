"""What a browser makes of a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any


class Elements(HTMLParser):
    """Elements with their attributes, the text outside scripts and styles, and the scripts."""

    VOID = ("input",)

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.styles = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    def with_class(self, name: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of a class."""
        return [attributes for _, attributes in self.elements if name in str(attributes.get("class")).split()]


def figures_of(html: str) -> list[tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]]:
    """Data, layout and config of each figure, as the browser gets them."""
    figures = []
    for script in Elements(html).scripts:
        start = re.search(r'Plotly\.newPlot\("([^"]*)", ', script)
        if start is None:
            continue
        decode, found, position = json.JSONDecoder().raw_decode, [], start.end()
        for _ in range(3):
            value, position = decode(script, position)
            found.append(value)
            position += len(re.match(r"[,\s]*", script[position:])[0])  # type: ignore[index]
        assert script[position:] == "); }"
        figures.append((found[0], found[1], found[2]))
    return figures


def webmon_ascii(html: str) -> str | None:
    """The data that WebMon offers to download, by its rules: of a page with a single curve without gaps.

    Source: neutrons/data_workflow, ``report/view_util.py``.
    """
    found = re.search(r"newPlot\((.*)\).*</script>", html, re.DOTALL)
    if found is None:
        return None
    try:
        parts = json.loads("[" + found[1].replace("'", '"') + "]")
    except ValueError:
        return None
    traces = next((part for part in parts if isinstance(part, list)), [])
    if len(traces) != 1 or None in traces[0]["y"]:
        return None
    return "".join(f"{x:g} {y:g}\n" for x, y in zip(traces[0]["x"], traces[0]["y"], strict=True))
