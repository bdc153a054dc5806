"""Checks of single values. Their messages go on after the name of the key: "must be above 0, not -1.0"."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from livered_core.errors import ConfigError
from livered_core.model.utc import parse_utc

Validator = Callable[[Any, Any, Any], None]
"""An attrs validator: instance, attribute, value."""

TRANSFORM_HOOKS = ("process_chunk", "accumulate", "post_process")
"""Hooks that have one owner each."""

_INSTRUMENT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_LONGEST_LABEL = 63
"""Most characters between two dots of a host's name (RFC 1035, section 2.3.4); the resolver raises above it."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give the known word most like `word`, or an empty text when none is like it."""
    choices = list(known)
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""


def above(bound: float) -> Validator:
    """Make a validator: the number is above `bound`."""

    def check(_instance: Any, _attribute: Any, value: float) -> None:
        if not value > bound:
            message = f"must be above {bound}, not {value}"
            raise ValueError(message)

    return check


def at_least(bound: float) -> Validator:
    """Make a validator: the number is `bound` or above."""

    def check(_instance: Any, _attribute: Any, value: float) -> None:
        if not value >= bound:
            message = f"must be {bound} or more, not {value}"
            raise ValueError(message)

    return check


def is_instrument_name(_instance: Any, _attribute: Any, value: str) -> None:
    """Validate a short name of an instrument: it becomes part of the names of files."""
    if not _INSTRUMENT.fullmatch(value):
        message = f"must be a short instrument name such as NOM (a letter, then letters, digits, - or _), not {value!r}"
        raise ValueError(message)


def require_instrument_name(name: Any) -> str:
    """Give back an instrument name that is one.

    Raises
    ------
    ConfigError
        When it is not text or not such a name.
    """
    if not isinstance(name, str):
        message = f"The instrument must be named by text, not {name!r}: for example NOM."
        raise ConfigError(message)
    try:
        is_instrument_name(None, None, name)
    except ValueError as error:
        message = f"The instrument {error}."
        raise ConfigError(message) from None
    return name


def parse_address(text: str) -> tuple[str, int]:
    """Split an address into host and port.

    Parameters
    ----------
    text
        ``host:port``; an IPv6 address stands in brackets: ``[::1]:31415``.

    Returns
    -------
    host, port
        The host without brackets; the port from 1 to 65535.

    Raises
    ------
    ValueError
        When it is not such an address; the message goes on after the name of what was given.
    """
    host, colon, port_text = text.rpartition(":")
    message = ""
    if not colon or not host:
        message = f"must be host:port such as localhost:31415, not {text!r}"
    elif not (
        port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and 0 < int(port_text) < 65536
    ):
        message = f"must end with a port from 1 to 65535, not {port_text!r}"
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            message = f"must hold an IPv6 address in the brackets, not {host!r}"
    elif not _HOST.fullmatch(host):
        message = (
            f"must be host:port with the name or number of a host (an IPv6 number in brackets), not {text!r}"
        )
    elif not all(0 < len(label) <= _LONGEST_LABEL for label in host.removesuffix(".").split(".")):
        message = f"must name a host whose parts between the dots have 1 to {_LONGEST_LABEL} characters, not {host!r}"
    if message:
        raise ValueError(message)
    return host, int(port_text)


def format_address(host: str, port: int) -> str:
    """Write an address as `parse_address` reads it: an IPv6 number in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_address(_instance: Any, _attribute: Any, value: str) -> None:
    """Validate ``host:port``; empty is allowed, until a source needs it."""
    if value:
        parse_address(value)


def is_utc_time(_instance: Any, _attribute: Any, value: str | None) -> None:
    """Validate an ISO 8601 time after 1970, or None."""
    if value is None:
        return
    message = f"must be a time such as 2026-11-22T10:00:00Z (UTC), not {value!r}"
    try:
        time_ns = parse_utc(value)
    except (ValueError, OverflowError):
        raise ValueError(message) from None
    if time_ns <= 0:
        message = f"must be a time after 1970, not {value!r}"
        raise ValueError(message)


def is_hook_owners(_instance: Any, _attribute: Any, value: Mapping[str, str]) -> None:
    """Validate a mapping from names of transform hooks to names of plugins."""
    for hook, plugin in value.items():
        if hook not in TRANSFORM_HOOKS:
            near = suggestion(hook, TRANSFORM_HOOKS)
            message = f"must name hooks with one owner ({', '.join(TRANSFORM_HOOKS)}), not {hook!r}"
            raise ValueError(message + (f"; did you mean {near}?" if near else ""))
        if not plugin:
            message = f"must name a plugin for {hook}, not an empty text"
            raise ValueError(message)


def in_order(first_name: str, first: float, last_name: str, last: float) -> None:
    """Check that one value is not above the other one.

    Raises
    ------
    ValueError
        When it is.
    """
    if first > last:
        message = f"{first_name} ({first}) must not be above {last_name} ({last})"
        raise ValueError(message)
