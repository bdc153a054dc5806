"""What the log says of a session beside single events: how it begins, what changes, and how the run gets on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from livered_core.engine.health import Health, Phase
from livered_core.model import SessionInfo
from livered_core.publish.sinks import SinkStatus

GOES_ON_S: Final = 600.0
"""Seconds between two lines on a run that goes on."""
AWAY_S: Final = 5.0
"""A gap in the connection of so many seconds is worth a line when it is over."""
_AWAY: Final = (Phase.CONNECTING, Phase.DISCONNECTED)
_BEGINS: Final = {
    Phase.NO_BEAM: "there is no beam.",
    Phase.NO_PULSES: "no pulses arrive.",
    Phase.PAUSED: "the run is paused.",
    Phase.CATCHING_UP: "data that were taken before are read.",
}
_ENDS: Final = {
    Phase.NO_BEAM: "beam again after",
    Phase.NO_PULSES: "pulses arrive again after",
    Phase.PAUSED: "the run goes on after a pause of",
    Phase.CATCHING_UP: "caught up with the beam after",
}


_RUNNING: Final = (Phase.LIVE, Phase.CATCHING_UP)
_AFTER: Final = {
    Phase.NO_BEAM: _RUNNING,
    Phase.NO_PULSES: (*_RUNNING, Phase.NO_BEAM),
    Phase.PAUSED: (*_RUNNING, Phase.NO_BEAM),
    Phase.CATCHING_UP: (Phase.LIVE,),
}
"""What follows on the end of a phase; anything else follows on something that is said by itself."""


def beginning(info: SessionInfo) -> str:
    """Say in one sentence what a session reads, with what, and where its results go.

    Parameters
    ----------
    info
        The session.
    """
    plugins = ", ".join(f"{name} {version}" for name, version in info.plugins.items())
    return (
        f"The session begins: data of {info.instrument} from {info.source}, read by the {info.backend} backend; "
        f"plugins {plugins}; files go to {info.output_dir}."
    )


@attrs.define(eq=False)
class Story:
    """Finds out what is worth a line in the log; belongs to one thread."""

    _phase: Phase | None = attrs.field(default=None, init=False)
    _since_s: float = attrs.field(default=0.0, init=False)
    _run: int = attrs.field(default=0, init=False)
    _said_s: float = attrs.field(default=0.0, init=False)
    _failing: dict[str, tuple[float, int]] = attrs.field(factory=dict, init=False)

    def update(self, health: Health, now_s: float) -> list[tuple[int, str]]:
        """Take up a snapshot.

        Parameters
        ----------
        health
            The snapshot.
        now_s
            Monotonic seconds.

        Returns
        -------
        list of (int, str)
            What to say, each with the number of the run that it is about; 0 for none.
        """
        run = health.run.number if health.run is not None else 0
        said = [(run, sentence) for sentence in self._changes(health.phase, now_s)]
        said += [(0, sentence) for sentence in self._recoveries(health.sinks, now_s)]
        if run != self._run:
            self._run, self._said_s = run, now_s
        elif run and now_s - self._said_s >= GOES_ON_S:
            self._said_s = now_s
            said.append((run, _goes_on(health)))
        return said

    def _recoveries(self, sinks: Sequence[SinkStatus], now_s: float) -> list[str]:
        """Say which sinks have taken something after failures; that they fail is said with each failure."""
        before = self._failing
        self._failing = {
            sink.name: before.get(sink.name, (now_s, sink.delivered)) for sink in sinks if sink.last_error
        }
        taken = {sink.name: sink.delivered for sink in sinks}
        return [
            f"the sink {name} takes results again after {now_s - since_s:.0f} s."
            for name, (since_s, delivered) in before.items()
            if name not in self._failing and taken.get(name, 0) > delivered
        ]

    def _changes(self, phase: Phase, now_s: float) -> list[str]:
        phase = Phase.DISCONNECTED if phase in _AWAY else phase
        before = self._phase
        if phase is before:
            return []
        lasted_s = now_s - self._since_s
        self._phase, self._since_s = phase, now_s
        said = []
        ending = phase in (Phase.STOPPING, Phase.STOPPED, Phase.FAILED)
        if before is Phase.DISCONNECTED and not ending and lasted_s >= AWAY_S:
            said.append(f"the data stream is there after {lasted_s:.0f} s without.")
        elif before in _ENDS and phase in _AFTER[before]:
            said.append(f"{_ENDS[before]} {lasted_s:.0f} s.")
        if phase in _BEGINS:
            said.append(_BEGINS[phase])
        return said


def _goes_on(health: Health) -> str:
    old = f", {health.lag_s:.0f} s old" if health.lag_s is not None else ""
    complete = "complete." if not health.missing else "INCOMPLETE: " + " ".join(health.missing)
    left_out = f"{health.skipped_events:,} events left out on purpose, " if health.skipped_chunks else ""
    return (
        f"goes on, {health.phase.value}{old}: {health.n_events:,} events in {health.n_chunks:,} chunks, "
        f"update {health.n_updates}, {left_out}{complete}"
    )
