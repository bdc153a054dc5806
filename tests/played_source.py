"""A source of runs that a test chooses, for real sessions."""

from __future__ import annotations

import attrs

from hooks_support import chunk
from hooks_support import run_info as run
from livered_core import RunEndReason
from livered_core.sources.base import Connection, SourceStatus


class PlayedSource:
    """Plays runs of one chunk each, by their numbers."""

    def __init__(self, *numbers):
        self._numbers = numbers

    def run(self, consumer, stop):
        for number in self._numbers:
            consumer.run_began(attrs.evolve(run(number), start_ns=number))
            consumer.take_chunk(chunk())
            consumer.run_ended(RunEndReason.ENDED)

    def status(self):
        return SourceStatus("played://", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {})
