"""What the pipeline and whoever takes up changed plugins say to each other at the boundary of a chunk."""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from livered_core.model import Chunk, RunInfo, Update


@attrs.frozen(eq=False)
class Boundary:
    """Where the reduction stands between two calls of hooks.

    Attributes
    ----------
    run
        The run in hand; None between runs.
    accumulated
        What has been accumulated of it; None before its first chunk.
    chunk
        The beginning of the newest chunk, with memory of its own; None without one, and for data that are no
        events (the mantid backend).
    update
        What the next update would say; None between runs.
    can_replay
        Whether the source can have the run come again from its start.
    """

    run: RunInfo | None = None
    accumulated: Any = None
    chunk: Chunk | None = None
    update: Update | None = None
    can_replay: bool = False


@attrs.frozen(eq=False)
class Swapped:
    """Other plugins are in place.

    Attributes
    ----------
    accumulated
        What to go on with, in the place of what was accumulated; None where `replay` says why there is nothing.
    replay
        One sentence on why the run must come again from its start; empty where it goes on.
    note
        One sentence on what has changed, for the results of a run that goes on; empty where its data are reduced as
        before.
    max_consecutive_failures
        As of the configuration that counts from now on.
    """

    accumulated: Any
    replay: str = ""
    note: str = ""
    max_consecutive_failures: int = 5


class Reloading(Protocol):
    """Takes up changed plugins, for the pipeline."""

    @property
    def wanted(self) -> bool:
        """Whether something is to be taken up at the next boundary; cheap, safe from any thread."""

    def at_boundary(self, boundary: Boundary) -> Swapped | None:
        """Take up what has changed, on the reduction thread; None when the plugins stay. Raises nothing."""
