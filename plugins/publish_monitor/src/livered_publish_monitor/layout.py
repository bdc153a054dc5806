"""Figures side by side: one below the other, or one at a time behind tabs.

The tabs are radio buttons and rules of CSS: they work with the keyboard, and where scripts of a page are not run. A
panel that is not chosen keeps its width, so that plotly.js draws it in the right size; where the rules are taken out,
all panels show. A script remembers the tab for the next page, which the monitor puts in the place of this one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from livered_publish_monitor.page_text import for_html

PLOTLYJS_VERSION = "3.0.1"
"""The plotly.js for which pages are made: the newest that the monitor has."""

_CONFIG = {"displaylogo": False, "responsive": True, "typesetMath": False}
_STYLE = """\
<style>
.livered-tabs > input {{ position: absolute; opacity: 0; }}
.livered-tabs > label {{ display: inline-block; padding: 6px 14px; margin: 0; border-bottom: 3px solid #c8c8c8;
 cursor: pointer; color: #333; }}
.livered-tabs > input:checked + label {{ border-bottom-color: #1f5fa8; color: #000; font-weight: bold; }}
.livered-tabs > input:focus-visible + label {{ outline: 2px solid #1f5fa8; }}
.livered-panel {{ height: 0; overflow: hidden; visibility: hidden; }}
{chosen} {{ height: auto; overflow: visible; visibility: visible; }}
</style>"""
# Said once, before the figures: WebMon takes what stands from the first newPlot to the last script's end for the data.
_REMEMBER = """\
<script>
(function () {
  var tabs = document.querySelectorAll(".livered-tabs > input");
  tabs.forEach(function (tab) {
    try { if (sessionStorage.getItem("livered-tab") === tab.value) { tab.checked = true; } } catch (error) { return; }
    tab.addEventListener("change", function () {
      try { sessionStorage.setItem("livered-tab", tab.value); } catch (error) { return; }
    });
  });
})();
</script>"""


def graph(element_id: str, figure: dict[str, Any]) -> str:
    """Write a figure as an element and the script that draws it.

    Parameters
    ----------
    element_id
        Letters, digits and ``-``.
    figure
        ``data`` and ``layout``, of what JSON can hold.
    """
    height = int(figure["layout"]["height"])
    data, layout, config = (_json(part) for part in (figure["data"], figure["layout"], _CONFIG))
    return (
        f'<div id="{element_id}" class="plotly-graph-div" plotlyjs-version="{PLOTLYJS_VERSION}" '
        f'style="height: {height}px; width: 100%"></div>\n'
        f'<script>if (document.getElementById("{element_id}")) '
        f'{{ Plotly.newPlot("{element_id}", {data}, {layout}, {config}); }}</script>'
    )


def one_below_the_other(graphs: Sequence[str], names: Sequence[str]) -> str:
    """Show all figures.

    Parameters
    ----------
    graphs
        From `graph`.
    names
        Of each, from anywhere.
    """
    return "\n".join(
        f'<div class="livered-stacked"><div style="padding: 8px 0 0; font-weight: bold">{for_html(name)}</div>\n{element}</div>'
        for name, element in zip(names, graphs, strict=True)
    )


def behind_tabs(graphs: Sequence[str], names: Sequence[str], element_id: str) -> str:
    """Show one figure at a time.

    Parameters
    ----------
    graphs, names
        As of `one_below_the_other`.
    element_id
        What the identifiers of this page begin with.
    """
    tab_ids = [f"{element_id}-tab-{number}" for number in range(1, len(graphs) + 1)]
    chosen = ",\n".join(f"#{tab_id}:checked ~ .{tab_id}" for tab_id in tab_ids)
    tabs = [
        f'<input type="radio" id="{tab_id}" name="{element_id}-tab" value="{for_html(name)}"'
        f'{" checked" if number == 0 else ""}><label for="{tab_id}">{for_html(name)}</label>'
        for number, (tab_id, name) in enumerate(zip(tab_ids, names, strict=True))
    ]
    panels = [
        f'<div class="livered-panel {tab_id}">\n{element}\n</div>'
        for tab_id, element in zip(tab_ids, graphs, strict=True)
    ]
    parts = [
        _STYLE.format(chosen=chosen),
        '<div class="livered-tabs" role="group" aria-label="What is shown">',
        *tabs,
        _REMEMBER,
        *panels,
        "</div>",
    ]
    return "\n".join(parts)


def _json(value: Any) -> str:
    """Write JSON that is safe within a script: ASCII, and without the characters of tags and entities."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
