"""Who keeps the run in hand for a session that goes on with it."""

from __future__ import annotations

from typing import Protocol

from livered_core.chunking.position import StreamPosition
from livered_core.model import RunEndReason
from livered_core.reduction.run_state import RunState


class Checkpoints(Protocol):
    """Keeps what is accumulated, for a session that goes on from it. Called on the reduction thread; raises nothing."""

    def reached(self, state: RunState, position: StreamPosition) -> None:
        """Keep a run between two chunks, if it is time for that."""

    def run_ends(self, state: RunState, position: StreamPosition, reason: RunEndReason) -> None:
        """Keep a run that is over, whose final result is yet to be made."""

    def session_ends(self, state: RunState, position: StreamPosition) -> None:
        """Keep a run as the session leaves it."""

    def plugins_changed(self) -> None:
        """Take note that other code or settings reduce from now on."""


class NoCheckpoints:
    """Keeps nothing."""

    def reached(self, state: RunState, position: StreamPosition) -> None:
        """Keep nothing."""

    def run_ends(self, state: RunState, position: StreamPosition, reason: RunEndReason) -> None:
        """Keep nothing."""

    def session_ends(self, state: RunState, position: StreamPosition) -> None:
        """Keep nothing."""

    def plugins_changed(self) -> None:
        """Take note of nothing."""
