"""What is kept of a run in hand, so that a session that comes after a crash goes on as if nothing had been."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from livered_core.chunking.position import StreamPosition
from livered_core.model import RunEndReason
from livered_core.reduction.run_state import RunState


@attrs.frozen(eq=False)
class Checkpoint:
    """The state of a session between two chunks.

    Attributes
    ----------
    state
        The run in hand, with what has been accumulated of it.
    position
        Up to where the stream has been reduced.
    plugins
        Name of a plugin to what its ``save_state`` gave.
    fingerprint
        What the accumulated data depend on beside the stream: a name for people to the digest of it; see
        `livered_core.engine.fingerprint`.
    made_ns
        When it was made, nanoseconds UTC since the Unix epoch.
    ended
        None while the run goes on; else its end has been seen, and its final result is still to be made.
    sequence
        1 for the first one of a session, then counting.
    """

    state: RunState
    position: StreamPosition
    plugins: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    made_ns: int
    ended: RunEndReason | None = None
    sequence: int = 0


def differences(made_with: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Name what differs between two fingerprints.

    Parameters
    ----------
    made_with, now
        Names for people, such as ``the settings of plugin nom``, to digests.

    Returns
    -------
    list of str
        The names, those of `now` first; empty where both are the same.
    """
    names = [*now, *(name for name in made_with if name not in now)]
    return [name for name in names if made_with.get(name) != now.get(name)]
