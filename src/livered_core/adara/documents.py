"""XML that comes in packets: reading it safely, and writing text into it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from livered_core.errors import ProtocolError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST: Final = 4 * 1024 * 1024
"""Characters of the longest document that is read: a thousand times a usual one."""

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
# What XML 1.0 does not allow in a document, not even as a reference (XML 1.0, section 2.2).
_NOT_ALLOWED: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BYTE_REFERENCES: Final = re.compile(r"(?:&#(?:12[89]|1[3-9]\d|2[0-4]\d|25[0-5]);)+")


def parse(xml: str, root: str, what: str) -> Element:
    """Read a document from outside.

    Entities, external references and document types are refused. Two habits of real servers are put right:
    characters that XML does not allow become U+FFFD, and non-ASCII characters that were written as one
    numeric reference for each byte of their UTF-8 become what they were.

    Parameters
    ----------
    xml
        The document; zeros and white space around it are left out.
    root
        Name that the outermost element must have, without namespace.
    what
        What the document is, for the error.

    Returns
    -------
    Element
        The outermost element. Names in it still have their namespaces: see `child` and `children`.

    Raises
    ------
    ProtocolError
        When it is not well formed, hostile, another document, or longer than `LONGEST`.
    """
    if len(xml) > LONGEST:
        message = (
            f"The {what} in the ADARA stream has {len(xml)} characters, more than the {LONGEST} allowed."
        )
        raise ProtocolError(message)
    text = _BYTE_REFERENCES.sub(_join_bytes, _NOT_ALLOWED.sub(_REPLACEMENT, xml.strip("\0\t\n\r ")))
    try:
        element: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        message = f"The {what} in the ADARA stream cannot be read as XML: {_one_line(error)}."
        raise ProtocolError(message) from error
    if local_name(element) != root:
        message = f"The {what} in the ADARA stream is a document {local_name(element)!r} and not {root!r}."
        raise ProtocolError(message)
    return element


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _join_bytes(found: re.Match[str]) -> str:
    """Join references to bytes into the characters they spell in UTF-8, if they spell any."""
    data = bytes(int(number) for number in re.findall(r"\d+", found.group()))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return found.group()


def local_name(element: Element) -> str:
    """Give an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> list[Element]:
    """Give the children of a name, in any namespace."""
    return [child for child in element if local_name(child) == name]


def child(element: Element, name: str) -> Element | None:
    """Give the first child of a name, in any namespace."""
    return next(iter(children(element, name)), None)


def text_of(element: Element, name: str) -> str:
    """Give the text of the first child of a name, without white space around it; empty when there is none."""
    found = child(element, name)
    return (found.text or "").strip() if found is not None else ""


def whole_number(text: str, name: str, what: str) -> int:
    """Read a whole number that is not negative.

    Parameters
    ----------
    text
        Decimal digits.
    name, what
        Name of the element, and what the document is, for the error.

    Raises
    ------
    ProtocolError
        When it is not one.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        message = f"The {what} in the ADARA stream has {text[:40]!a} as {name}, which is not a whole number."
        raise ProtocolError(message)
    return int(text)


def tagged(name: str, text: str) -> str:
    """Write an element that holds text, escaped; characters that XML does not allow become U+FFFD."""
    escaped = _NOT_ALLOWED.sub(_REPLACEMENT, text)
    for character, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        escaped = escaped.replace(character, reference)
    return f"<{name}>{escaped}</{name}>"
