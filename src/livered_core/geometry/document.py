"""XML from outside: parsed without entities or DTDs, and its attributes read as numbers or refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from livered_core.errors import GeometryError

LONGEST_QUOTE = 100
"""Characters of an element or a name that an error message repeats."""

LARGEST_NUMBER = 1e9
"""Metres or degrees: beyond it a number is a mistake, and arithmetic would overflow with larger ones."""

MAX_ID = 2**31 - 1
"""Detector ids are signed integers of 32 bits, in Mantid and in `Instrument`."""


def parse(text: str) -> Element:
    """Parse a document.

    Parameters
    ----------
    text
        XML. What its declaration says of an encoding is ignored: it has been decoded.

    Returns
    -------
    Element
        The root; the names of the elements carry no namespace any more.

    Raises
    ------
    GeometryError
        When the text is not XML, or brings a document type or entities.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root: Element = fromstring(text.lstrip("\ufeff \t\r\n"), forbid_dtd=True)
    except DefusedXmlException:
        message = "has a document type or entities (<!DOCTYPE ...>), which an instrument definition does not need: remove them."
        raise GeometryError(message) from None
    except ParseError as error:
        message = f"is not XML: {error}."
        raise GeometryError(message) from None
    except UnicodeEncodeError as error:
        message = f"is not XML: character {error.start} is not a character of Unicode."
        raise GeometryError(message) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def describe(element: Element) -> str:
    """Write an element's tag as it may stand in an error message: in one line, and short."""
    attributes = "".join(f' {key}="{value}"' for key, value in element.attrib.items())
    text = re.sub(r"\s+", " ", f"<{element.tag}{attributes}")
    printable = text if text.isprintable() else ascii(text)[1:-1]
    return printable + ">" if len(printable) < LONGEST_QUOTE else printable[:LONGEST_QUOTE] + "...>"


def quote(text: str) -> str:
    """Quote a name as it may stand in an error message: in one line, and short."""
    return repr(text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "...")


def children(element: Element, *tags: str) -> Iterator[Element]:
    """Go through the direct children of these names, in the order of the document."""
    return (child for child in element if child.tag in tags)


def has_any(element: Element, *names: str) -> bool:
    """Say whether the element has at least one of these attributes."""
    return any(name in element.attrib for name in names)


def number(element: Element, name: str, default: float | None = None) -> float:
    """Read an attribute as a number, finite and not larger than `LARGEST_NUMBER`.

    Raises
    ------
    GeometryError
        When it is not a number, or is missing and has no default.
    """
    text = element.get(name)
    if text is None:
        if default is None:
            raise _missing(element, name)
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) < LARGEST_NUMBER:
        message = f"has {describe(element)}, in which {name} is not a number that makes sense."
        raise GeometryError(message)
    return value


def integer(element: Element, name: str, default: int | None = None) -> int:
    """Read an attribute as an integer that fits into 32 bits.

    Raises
    ------
    GeometryError
        When it is not such an integer, or is missing and has no default.
    """
    text = element.get(name)
    if text is None:
        if default is None:
            raise _missing(element, name)
        return default
    digits = text.strip()
    # Length first: int() of a text of megabytes takes long, and Python refuses it with an error of its own.
    if len(digits) > 11 or not re.fullmatch(r"[+-]?[0-9]+", digits) or abs(int(digits)) > MAX_ID:
        message = f"has {describe(element)}, in which {name} is not an integer of 32 bits."
        raise GeometryError(message)
    return int(digits)


def required(element: Element, name: str) -> str:
    """Read an attribute that must be there and not be empty.

    Raises
    ------
    GeometryError
        When it is missing or empty.
    """
    text = element.get(name, "").strip()
    if not text:
        raise _missing(element, name)
    return text


def _missing(element: Element, name: str) -> GeometryError:
    return GeometryError(f"has {describe(element)}, which needs the attribute {name}.")
