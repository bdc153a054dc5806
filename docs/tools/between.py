"""Filling in what stands between two marks of a page."""

from __future__ import annotations

import re


def fill_between(text: str, mark: str, made: str) -> str:
    """Put a text between the lines ``<!-- MARK: begin -->`` and ``<!-- MARK: end -->`` of a page.

    Parameters
    ----------
    text
        The page.
    mark
        Of the two lines.
    made
        What is to stand between them.

    Raises
    ------
    ValueError
        When the page has no such place, or several.
    """
    pattern = re.compile(rf"(<!-- {mark}: begin -->\n).*?(<!-- {mark}: end -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        message = (
            f"The page needs one line <!-- {mark}: begin --> and one line <!-- {mark}: end --> after it."
        )
        raise ValueError(message)
    return pattern.sub(lambda match: f"{match[1]}\n{made}\n\n{match[2]}", text)
