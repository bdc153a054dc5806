"""The two names that plugin code uses from pluggy's side: the marker and the word for "leave this chunk out"."""

from __future__ import annotations

import enum
from typing import Final

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
