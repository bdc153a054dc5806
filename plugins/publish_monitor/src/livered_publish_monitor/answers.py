"""What the answer of a live data server means, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import attrs

LONGEST_PAUSE_S = 3600.0
"""Longest time that a server may ask to be left alone; longer is not believed."""

_TRY_LATER = frozenset((408, 425, 429))


@attrs.frozen
class Answer:
    """What a server said.

    Attributes
    ----------
    status
        HTTP status code.
    location
        Where a redirect points to, without a query; empty otherwise.
    is_page
        True when a page came back: the live data server sends nothing.
    retry_after
        The header of that name; empty without.
    """

    status: int
    location: str = ""
    is_page: bool = False
    retry_after: str = ""


class Meaning(enum.Enum):
    """What an answer says of the post."""

    TAKEN = "taken"
    BUSY = "busy"
    """The server is in trouble or wants to be left alone: the same may be taken later."""
    LOGIN = "login"
    """Refused for who asks: nothing will be taken until the login is another."""
    ADDRESS = "address"
    """Nothing that takes plots: no page will be taken until the address, or what is behind it, is another."""
    PAGE = "page"
    """Refused for what was sent: the same will never be taken."""


def meaning_of(answer: Answer) -> Meaning:
    """Say what an answer means."""
    status = answer.status
    if status >= 500 or status in _TRY_LATER:
        return Meaning.BUSY
    if 200 <= status < 300:
        return Meaning.ADDRESS if answer.is_page else Meaning.TAKEN
    if status in (401, 403):
        return Meaning.LOGIN
    if status in (404, 405, 410) or status < 400:
        return Meaning.ADDRESS
    return Meaning.PAGE


def sentence_of(answer: Answer, url: str, login_from: str) -> str:
    """Say in a sentence why a post was not taken.

    Parameters
    ----------
    answer
        What the server said.
    url
        Where it was asked.
    login_from
        Where the login came from, for people.
    """
    status = answer.status
    server = f"The live data server at {host_of(url)}"
    if meaning_of(answer) is Meaning.BUSY:
        return f"{server} answered {status}: it is in trouble or busy."
    reasons = {
        400: "does not take the page (400): it wants another form of post, or does not know its own name in url.",
        401: f"refused the login: correct username and password in {login_from}.",
        403: f"forbids the post (403): ask its operators whether the login in {login_from} may post, or correct url.",
        404: f"has no {urlsplit(url).path} (404): correct url.",
        413: "finds the page too large (413): lower max_bytes.",
    }
    if answer.location:
        where = answer.location[:200]
        return f"{server} redirects ({status}) to {where!r}, which is not followed with a login: correct url."
    if 200 <= status < 300:
        return f"{server} answered with a page instead of taking the plot: check url, a proxy or login page may be in between."
    return f"{server} {reasons.get(status, f'does not take the plot ({status}): check url.')}"


def pause_s(retry_after: str, now_ns: int) -> float:
    """Read how long a server wants to be left alone, from its header Retry-After (RFC 9110, section 10.2.3).

    Parameters
    ----------
    retry_after
        Seconds, or a date; anything else is no wish.
    now_ns
        Wall time, nanoseconds UTC since the Unix epoch.

    Returns
    -------
    float
        Seconds, from 0 to `LONGEST_PAUSE_S`.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_PAUSE_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now_ns / 1e9
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), LONGEST_PAUSE_S)


def host_of(url: str) -> str:
    """Give host and port of an address."""
    return urlsplit(url).netloc


def answer_of(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Make an answer of what came over the wire."""
    # Without its query, in which a server may repeat what it was sent.
    location = headers.get("location", "").partition("#")[0].partition("?")[0]
    return Answer(
        status=status,
        location=location if 300 <= status < 400 else "",
        is_page=body.lstrip().startswith(b"<"),
        retry_after=headers.get("retry-after", "")[:100],
    )
