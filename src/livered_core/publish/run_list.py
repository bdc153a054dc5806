"""``runs.json``: the runs that the run directory has seen, and what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs
from attrs.validators import deep_mapping, gt, instance_of

from livered_core.clocks import Clock
from livered_core.model import Receipt, RunEndReason, RunInfo
from livered_core.publish.as_json import FORMAT, to_json
from livered_core.publish.latest import Published
from livered_core.publish.run_directory import RunDirectory, run_file

MOST_RUNS: Final = 500
"""Runs in the list."""
MOST_KEPT: Final = 20
"""Runs whose newest results are kept."""
LONGEST_TITLE: Final = 1000
"""Characters that are shown of a run's title or proposal: all runs of the list are read each time it changes."""
ENGINE_DIED: Final = "engine died"
"""End of a run whose engine ended without noting one."""
LEFT: Final = "livered did not see the end of the run: what came after the newest result is not in it."
"""What is missing of a run that a session has left, and none has taken up again."""

_LEFT_BY: Final = (ENGINE_DIED, RunEndReason.SESSION_STOPPED.value, RunEndReason.SESSION_FAILED.value)

_is_text: Final = instance_of(str)
_is_whole: Final = instance_of(int)
_is_bool: Final = instance_of(bool)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    if not all(isinstance(text, str) for text in texts):
        message = "missing must hold texts"
        raise TypeError(message)
    return tuple(texts)


@attrs.frozen
class RunEntry:
    """A run in the list.

    Attributes
    ----------
    number, start_ns, title, proposal
        The run.
    session
        `id` of the session that saw it last.
    end_ns
        When its end was noted, nanoseconds UTC since the Unix epoch; 0 while it goes on.
    end
        Why it ended; empty while it goes on.
    final
        Whether its final result has been made.
    n_events, n_pulses, proton_charge_pc, complete, missing, last_pulse_ns, skipped_chunks, skipped_events
        Of its newest result in that session.
    version
        Of its newest result in that session; 0 before the first.
    kept
        Whether its newest result has a file of its own.
    receipts
        Sink to the newest receipt of the run.
    """

    number: int = attrs.field(validator=[_is_whole, gt(0)])
    title: str = attrs.field(validator=_is_text)
    proposal: str = attrs.field(validator=_is_text)
    start_ns: int = attrs.field(validator=_is_whole)
    session: str = attrs.field(validator=_is_text)
    end_ns: int = attrs.field(default=0, validator=_is_whole)
    end: str = attrs.field(default="", validator=_is_text)
    final: bool = attrs.field(default=False, validator=_is_bool)
    n_events: int = attrs.field(default=0, validator=_is_whole)
    n_pulses: int = attrs.field(default=0, validator=_is_whole)
    proton_charge_pc: float | None = attrs.field(default=0.0, validator=instance_of((float, int, type(None))))
    complete: bool = attrs.field(default=True, validator=_is_bool)
    missing: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    last_pulse_ns: int = attrs.field(default=0, validator=_is_whole)
    skipped_chunks: int = attrs.field(default=0, validator=_is_whole)
    skipped_events: int = attrs.field(default=0, validator=_is_whole)
    version: int = attrs.field(default=0, validator=_is_whole)
    kept: bool = attrs.field(default=False, validator=_is_bool)
    receipts: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=dict, validator=deep_mapping(_is_text, instance_of(dict), instance_of(dict))
    )

    def is_of(self, run: RunInfo) -> bool:
        """Say whether it is that run, and not another one with the same number."""
        starts = {self.start_ns, run.start_ns} - {0}
        return self.number == run.number and len(starts) < 2


class RunList:
    """The list of runs. All methods may be called from any thread; none of them touches a file.

    Parameters
    ----------
    session
        `id` of the session.
    clock
        For the times of ends.
    entries
        Of earlier sessions, oldest first.
    version
        To count on from.
    """

    def __init__(
        self, session: str, clock: Clock, entries: tuple[RunEntry, ...] = (), version: int = 0
    ) -> None:
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        # The newest is the last.
        self._entries = {entry.number: entry for entry in entries}
        self._texts: dict[int, str] = {}
        self._version = version

    @classmethod
    def continued(cls, folder: RunDirectory, session: str, clock: Clock) -> RunList:
        """Go on with the list that the session before left; see `RunDirectory.read`.

        A run that went on when its engine died has ended by that. One that a session has left is not complete, unless
        this one takes it up again.
        """
        found = folder.read("runs.json", _understand)
        if found is None:
            return cls(session, clock)
        entries, version = found
        files, now_ns = folder.kept_runs(), clock.now_ns()
        entries = tuple(attrs.evolve(entry, kept=_is_kept(folder, entry, files)) for entry in entries)
        entries = tuple(
            entry if entry.end else attrs.evolve(entry, end=ENGINE_DIED, end_ns=now_ns) for entry in entries
        )
        entries = tuple(_left(entry) if entry.end in _LEFT_BY else entry for entry in entries)
        return cls(session, clock, entries, version + 1)

    @property
    def version(self) -> int:
        """Grows with each change."""
        with self._lock:
            return self._version

    def entry(self, number: int) -> RunEntry | None:
        """Return a run of the list; None where it is not in it."""
        with self._lock:
            return self._entries.get(number)

    def run_started(self, run: RunInfo) -> None:
        """Note that a run goes on; it is the newest. Another run with that number goes out of the list."""
        with self._lock:
            before = self._entries.pop(run.number, None)
            entry = RunEntry(number=int(run.number), session=self._session, **_known_of(run))
            if before is not None and before.is_of(run):
                if before.session == self._session:
                    entry = attrs.evolve(before, end="", end_ns=0)
                else:
                    entry = attrs.evolve(entry, kept=before.kept, receipts=before.receipts)
            self._set(entry)
            while len(self._entries) > MOST_RUNS:
                oldest = next(iter(self._entries))
                del self._entries[oldest]
                self._texts.pop(oldest, None)

    def run_known(self, run: RunInfo) -> None:
        """Take up what has become known of a run in the list."""
        self._change(
            run,
            lambda entry: attrs.evolve(entry, **_known_of(run, entry.start_ns)),
        )

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Note the end of a run; one that is begun again goes on."""
        if reason is not RunEndReason.BEGUN_AGAIN:
            now_ns = self._clock.now_ns()
            self._change(run, lambda entry: attrs.evolve(entry, end=reason.value, end_ns=now_ns))

    def session_ended(self, reason: RunEndReason) -> None:
        """Note the end of the session for a run whose end nobody has noted."""
        now_ns = self._clock.now_ns()
        with self._lock:
            for entry in list(self._entries.values()):
                if not entry.end:
                    self._set(attrs.evolve(entry, end=reason.value, end_ns=now_ns))

    def published(self, item: Published) -> None:
        """Note a run's newest result."""
        update, run = item.update, item.run
        self._change(
            run,
            lambda entry: attrs.evolve(
                entry,
                **_known_of(run, entry.start_ns),
                final=update.final,
                n_events=int(update.n_events),
                n_pulses=int(update.n_pulses),
                proton_charge_pc=float(update.proton_charge_pc),
                complete=bool(update.complete),
                missing=update.missing,
                last_pulse_ns=int(update.last_pulse_ns),
                skipped_chunks=int(update.skipped_chunks),
                skipped_events=int(update.skipped_events),
                version=item.version,
            ),
        )

    def taken(self, sink: str, item: Published, receipt: Receipt) -> None:
        """Note a sink's newest receipt of a run."""
        written = attrs.asdict(receipt)
        self._change(item.run, lambda entry: attrs.evolve(entry, receipts={**entry.receipts, sink: written}))

    def kept(self, run: RunInfo) -> set[int]:
        """Note that the newest result of a run has a file of its own.

        Returns
        -------
        set of int
            The runs whose files are to stay.
        """
        self._change(run, lambda entry: attrs.evolve(entry, kept=True))
        with self._lock:
            newest_first = [entry for entry in reversed(self._entries.values()) if entry.kept]
            for entry in newest_first[MOST_KEPT:]:
                self._set(attrs.evolve(entry, kept=False))
            return {entry.number for entry in newest_first[:MOST_KEPT]}

    def kept_are(self, numbers: Collection[int]) -> None:
        """Note that of the runs whose results are kept only some are left."""
        with self._lock:
            for entry in list(self._entries.values()):
                self._set(attrs.evolve(entry, kept=entry.kept and entry.number in numbers))

    def as_json(self) -> Iterator[str]:
        """Write ``runs.json`` in parts, as the list is now."""
        with self._lock:
            head = f'{{"format": {FORMAT}, "version": {self._version}, "runs": ['
            for number, entry in self._entries.items():
                if number not in self._texts:
                    self._texts[number] = to_json(attrs.asdict(entry))
            newest_first = [self._texts[number] for number in reversed(self._entries)]
        return iter([head, "\n", ",\n".join(newest_first), "]}\n"])

    def _change(self, run: RunInfo, change: Callable[[RunEntry], RunEntry]) -> None:
        with self._lock:
            entry = self._entries.get(run.number)
            if entry is not None and entry.is_of(run):
                self._set(change(entry))

    def _set(self, entry: RunEntry) -> None:
        if self._entries.get(entry.number) != entry:
            self._entries[entry.number] = entry
            self._texts.pop(entry.number, None)
            self._version += 1


def _known_of(run: RunInfo, start_ns: int = 0) -> dict[str, Any]:
    """Return what is shown of a run, in types that are Python's own, whatever a source made it of."""
    return {
        "title": str(run.title)[:LONGEST_TITLE],
        "proposal": str(run.proposal)[:LONGEST_TITLE],
        "start_ns": int(run.start_ns) or start_ns,
    }


def run_of(document: Any) -> RunInfo:
    """Return the run of a document in the layout of ``latest.json``; raises what it does for others."""
    if document["format"] != FORMAT:
        message = "another format"
        raise ValueError(message)
    known = attrs.fields_dict(RunInfo)
    return RunInfo(**{name: value for name, value in document["run"].items() if name in known})


def _left(entry: RunEntry) -> RunEntry:
    """Note that the end of a run was not seen."""
    if entry.final or LEFT in entry.missing:
        return entry
    return attrs.evolve(entry, complete=False, missing=(*entry.missing, LEFT))


def _is_kept(folder: RunDirectory, entry: RunEntry, files: Collection[int]) -> bool:
    """Say whether the file with the number of a run is of that run, and not of another with the same number."""
    if entry.kept or entry.number not in files:
        return entry.number in files
    # Either an engine was killed before it could note the file, or the file is of the run that this one replaced.
    run = folder.read(run_file(entry.number), run_of)
    return run is not None and entry.is_of(run)


def _understand(document: Any) -> tuple[tuple[RunEntry, ...], int]:
    if document["format"] != FORMAT or not isinstance(document["version"], int):
        message = "another format"
        raise ValueError(message)
    return tuple(RunEntry(**entry) for entry in reversed(document["runs"])), document["version"]
