"""The names that plugin code uses: the marker, and words for "leave this chunk out" and "begin anew"."""

from __future__ import annotations

import enum
from typing import Any, Final

import attrs
import pluggy

PROJECT: Final = "livered"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator that marks a method as the implementation of the hook of the same name."""


class Skip(enum.Enum):
    """Type of `SKIP`."""

    SKIP = "skip"


SKIP: Final = Skip.SKIP
"""Return this from `process_chunk` to leave a chunk out on purpose: it is counted, and nothing is accumulated."""


@attrs.frozen(eq=False)
class BegunAnew:
    """Return this from `accumulate` to throw away what was accumulated of the run before.

    A source that can has the run come again from its start, to be reduced as it is now; else the run is marked as
    incomplete.

    Attributes
    ----------
    data
        What to go on with: the new accumulated data.
    why
        One sentence for people.
    """

    data: Any
    why: str
