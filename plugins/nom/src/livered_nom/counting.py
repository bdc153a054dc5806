"""Other runs, read from their files and counted for the run in hand."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Protocol

import attrs

from livered_core import Chunk, DataModelError, InstrumentDefinition, RunInfo
from livered_core.diffraction import EventFilter
from livered_core.geometry import read_instrument
from livered_core.references import read_run
from livered_nom.counts import NomCounts, count_chunk
from livered_nom.target import Target

log = logging.getLogger(__name__)


class RunFiles(Protocol):
    """Counts the events of a file of one run. What it says of itself (``repr``) says by what and how it counts."""

    def count(self, path: Path, target: Target, stop: threading.Event) -> tuple[NomCounts, str]:
        """Count a file.

        Parameters
        ----------
        path
            The file.
        target
            What it is counted for.
        stop
            When set, counting ends soon, with a `DataModelError`.

        Returns
        -------
        counts, said
            And what people should know of it, to be put behind the name of the file.

        Raises
        ------
        LiveredError
            When it cannot be read, has no pulse, or is of another instrument.
        """


@attrs.frozen
class NativeFiles:
    """Counts what livered reads itself: NeXus event files, and recordings.

    Attributes
    ----------
    leave_out
        What is filtered out of the events.
    monitor
        Number of the beam monitor that is counted.
    """

    leave_out: EventFilter
    monitor: int

    def count(self, path: Path, target: Target, stop: threading.Event) -> tuple[NomCounts, str]:
        """Count a file; see `RunFiles`."""
        counter = _Counter(target, self.leave_out, self.monitor, path)
        began = time.monotonic()
        read = read_run(path, counter, stop=stop)
        log.info("%s: %d events counted in %.1f s.", path.name, read.n_events, time.monotonic() - began)
        if counter.total is None:
            message = f"{path} has no pulse: give a run that has events."
            raise DataModelError(message)
        said = f" (run {read.run.number})"
        if read.missing:
            said += f", INCOMPLETE: {' '.join(read.missing)}"
        return counter.total, said


@attrs.define(eq=False)
class _Counter:
    """Counts the chunks of a run that is read."""

    target: Target
    leave_out: EventFilter
    monitor: int
    path: Path
    total: NomCounts | None = None
    same: set[str] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.same.add(self.target.definition_sha256)

    def __call__(self, chunk: Chunk, run: RunInfo) -> None:
        self._check(chunk.instrument, run)
        counts = count_chunk(chunk, self.target.tables, self.leave_out, self.monitor)
        self.total = counts if self.total is None else self.total + counts

    def _check(self, definition: InstrumentDefinition | None, run: RunInfo) -> None:
        """Refuse another instrument; another version of the same definition is none."""
        if definition is None or definition.sha256 in self.same:
            return
        theirs = read_instrument(definition).name
        if not self.target.is_of(theirs):
            raise DataModelError(other_instrument(self.path, run.number, theirs, self.target))
        self.same.add(definition.sha256)


def other_instrument(path: Path, run_number: int | str, theirs: str, target: Target) -> str:
    """Return the sentence for a run of another instrument."""
    return f"{path} (run {run_number}) is of {theirs}, and the sample of {target.instrument}."
