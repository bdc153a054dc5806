"""What can go wrong with a stream, by name and time, for the simulated beamline to do on purpose."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import attrs

CONNECTION_FAULTS: Final[Mapping[str, str]] = {
    "reset": "the connection is reset",
    "close": "the connection is closed cleanly, between two packets",
    "half-close": "the server ends its side of the connection, and keeps the other open",
    "stall": "nothing is sent any more for so many seconds (60), and the connection stays open",
    "trickle": "for so many seconds (5) a few bytes are sent at a time",
    "split": "so many packets (200) are cut into small pieces of odd sizes",
    "truncate": "the second half of a packet is missing, and the next one follows",
    "oversize": "a header announces a payload of 4 GiB",
    "garbage": "so many random bytes (1000) come between two packets",
}
"""Faults of one connection, with what they do; in brackets is the value that a fault has if none is given."""
STREAM_FAULTS: Final[Mapping[str, str]] = {
    "run-eof": "the server begins a new file in mid-run and says so, with the prologue repeated",
    "repeat-new-run": "the begin of the run is said a second time",
    "status-1": "values of the sample temperature come with status 1 for so many seconds (5)",
    "bad-pixels": "for so many seconds (5) half of the events are in error pixels, unmapped or in no pixel at all",
    "duplicate": "so many pulses (10) come twice",
    "disorder": "so many pulses (10) come in the opposite order",
}
"""Faults of the stream itself, which every client gets."""

_DEFAULTS: Final[Mapping[str, float]] = {
    "stall": 60.0,
    "trickle": 5.0,
    "split": 200.0,
    "garbage": 1000.0,
    "status-1": 5.0,
    "bad-pixels": 5.0,
    "duplicate": 10.0,
    "disorder": 10.0,
}
_FORM: Final = re.compile(r"([a-z0-9-]+)@([0-9.]+)(?::([0-9.]+))?")


@attrs.frozen
class Fault:
    """A fault to happen.

    Attributes
    ----------
    name
        One of `CONNECTION_FAULTS` or `STREAM_FAULTS`.
    at_s
        When, seconds of stream time after the first pulse.
    value
        How long or how many, for faults that have a measure; 0 for the others.
    """

    name: str
    at_s: float
    value: float = 0.0

    @property
    def is_of_connection(self) -> bool:
        """Whether it is a fault of one connection, and not of the stream."""
        return self.name in CONNECTION_FAULTS

    def __str__(self) -> str:
        return f"{self.name}@{self.at_s:g}" + (f":{self.value:g}" if self.value else "")


def parse_fault(text: str) -> Fault:
    """Read a fault as people write it: ``reset@30``, or with a measure ``stall@30:5``.

    Parameters
    ----------
    text
        Name, seconds after the first pulse, and how long or how many.

    Raises
    ------
    ValueError
        When it is something else.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        message = f"{text!r} is not a fault: write NAME@SECONDS, for example reset@30, or stall@30:5."
        raise ValueError(message)
    name = match[1]
    if name not in CONNECTION_FAULTS and name not in STREAM_FAULTS:
        names = ", ".join([*CONNECTION_FAULTS, *STREAM_FAULTS])
        message = f"{name!r} is not the name of a fault; there are {names}."
        raise ValueError(message)
    if match[3] is not None and name not in _DEFAULTS:
        message = f"{name} has no measure: write {name}@{match[2]}."
        raise ValueError(message)
    at_s = _number(match[2], text)
    value = _number(match[3], text) if match[3] is not None else _DEFAULTS.get(name, 0.0)
    if match[3] is not None and value <= 0.0:
        message = f"{text!r}: the measure of {name} must be above 0."
        raise ValueError(message)
    return Fault(name, at_s, value)


def _number(digits: str, text: str) -> float:
    try:
        number = float(digits)
    except ValueError:
        number = math.inf
    if not number < 1e9:
        message = f"{text!r}: {digits} is not a number of seconds."
        raise ValueError(message)
    return number
