"""Text from the beamline made safe for the page, and numbers written for people."""

from __future__ import annotations

import html

from livered_core.model.text import one_line

LONGEST_TEXT = 300
"""Most characters of one text from the beamline that are shown."""


def plain(text: object) -> str:
    """Put a text on one line of visible characters, and shorten it.

    Parameters
    ----------
    text
        Text or number from anywhere.
    """
    whole = str(text)
    # Of a text without end no more is looked at than could be shown.
    begin = whole[: 10 * LONGEST_TEXT]
    line = one_line(begin)
    is_all = len(line) <= LONGEST_TEXT and len(begin) == len(whole)
    return line if is_all else line[: LONGEST_TEXT - 1] + "…"


def for_html(text: object) -> str:
    """Escape a text for HTML, in elements and in quoted attributes."""
    return html.escape(plain(text), quote=True)


def for_plotly(text: object) -> str:
    """Escape a text for plotly.js, which reads some tags and entities in titles and names, and TeX between dollars.

    Source: plotly.js, ``src/lib/svg_text_utils.js``: entities with numbers are known to it.
    """
    # An apostrophe breaks WebMon's reading of the data for its download.
    return html.escape(plain(text), quote=False).replace("$", "&#36;").replace("'", "&#39;")


def duration(time_ns: int) -> str:
    """Write a length of time roughly, for example ``12 s``, ``3 min``, ``2 h 5 min``.

    Parameters
    ----------
    time_ns
        Nanoseconds.
    """
    seconds = round(time_ns / 1e9)
    if abs(seconds) < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min"


def charge(charge_pc: float) -> str:
    """Write a proton charge in microampere hours.

    Parameters
    ----------
    charge_pc
        Picocoulomb.
    """
    return f"{charge_pc / 3.6e9:.4g} µAh"
