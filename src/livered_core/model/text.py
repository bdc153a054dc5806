"""Text from anywhere made safe for one line of a screen, a log or a file.

Titles come from the stream, messages of exceptions from plugins, reasons from servers. None of them may move a
terminal's cursor, change the order in which a line is read, or begin a line of its own.
"""

from __future__ import annotations

import unicodedata

_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode categories that can break a line, hide or reorder text, or cannot be encoded.

Cc holds ESC, the line feed and the rest of C0, DEL, and C1 (U+0080 to U+009F); Cf the bidirectional controls
(U+202A to U+202E, U+2066 to U+2069) and what has no width; Zl and Zp the separators of lines and paragraphs.
"""


def printable(text: str) -> str:
    """Put a blank in place of each control, formatting and unencodable character.

    Parameters
    ----------
    text
        Text from anywhere.

    Returns
    -------
    str
        As long as `text`, with its blanks, without line breaks, encodable as UTF-8.
    """
    return "".join(
        " " if unicodedata.category(character) in _UNPRINTABLE else character for character in text
    )


def one_line(text: str) -> str:
    """Put text on one line: what `printable` replaces become blanks, and blanks are merged.

    Parameters
    ----------
    text
        Text from anywhere.

    Returns
    -------
    str
        Printable, without line breaks, encodable as UTF-8; may be empty.
    """
    return " ".join(printable(text).split())
