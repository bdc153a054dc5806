"""What a simulated beamline sends: prologue, pulses, run edges. Pure: no clock, no socket.

The first run begins with the stream. Every run and every gap between runs is an era with its own complete
prologue. After the last run the stream goes on with heartbeats, without end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    Heartbeat,
    RunStatus,
    RunStatusCode,
    Sync,
    VariableDouble,
    VariableStatus,
    encode,
)
from livered_core.config.faults import parse_fault
from livered_core.simulator.beamline import Beamline
from livered_core.simulator.drawing import draw_era, draw_templates
from livered_core.simulator.emission import Emission, Part
from livered_core.simulator.prologue import FileNumber, Prologue, edge, run_status
from livered_core.simulator.pulse import PulseBody, PulseHead, banked_packet, monitor_packet, rtdl_packet
from livered_core.simulator.schedule import PULSES_PER_SECOND, Era, RunSchedule, eras, pulse_offset_ns
from livered_core.simulator.stream_faults import FaultPlan, spoilt
from livered_core.simulator.templates import Templates, recycles

_NS_PER_S: Final = 1_000_000_000
_BYTES_PER_MB: Final = 1_000_000
_SYNCHRONISED_EVERY: Final = 16 * 1024 * 1024
"""Bytes of a file between two packets that mark a place in it (``StorageFile.cc`` of the facility's server)."""
_STATUS: Final = "run status"
_NOTHING_GOES_ON: Final[Mapping[str, bytes]] = {_STATUS: b"", "scan": b"", "pause": b""}
"""The state of a run in which nothing happens. The run status is the first: it says what the others belong to."""


def emissions(beamline: Beamline, start_ns: int, templates: Templates | None = None) -> Iterator[Emission]:
    """Generate the stream.

    The same beamline and start give the same bytes. The events of each run depend on the seed and on the run's
    place in the sequence only.

    Parameters
    ----------
    beamline
        From `build_beamline`.
    start_ns
        Time of the first pulse, nanoseconds UTC since the Unix epoch.
    templates
        From `make_templates`, which takes a while; by default they are made when the stream begins.
    """
    config = beamline.config
    shared = _Shared(
        beamline=beamline,
        start_ns=start_ns,
        prologue=Prologue(beamline, start_ns),
        plan=FaultPlan(map(parse_fault, config.faults)),
        templates=templates or make_templates(beamline),
    )
    for era in eras(config, start_ns):
        yield from _EraStream(shared, era).emissions()
        end_ns = start_ns + pulse_offset_ns(era.first_pulse + era.n_pulses)
        if not era.n_pulses:
            yield from _idle(end_ns)


def make_templates(beamline: Beamline) -> Templates | None:
    """Draw the pulses that are sent again and again, where the configuration wants that; None elsewhere."""
    return draw_templates(beamline) if recycles(beamline.config) else None


def _idle(end_ns: int) -> Iterator[Emission]:
    for second in itertools.count(1):
        time_ns = end_ns + second * _NS_PER_S
        yield Emission(time_ns, encode(Heartbeat(time_ns=time_ns)), idle=True)


@attrs.frozen(eq=False)
class _Shared:
    """What all eras of a stream have in common."""

    beamline: Beamline
    start_ns: int
    prologue: Prologue
    plan: FaultPlan
    templates: Templates | None


class _EraStream:
    """Sends a run or a gap: its prologue, its pulses with what happens between them, and its end."""

    def __init__(self, shared: _Shared, era: Era) -> None:
        self._beamline = shared.beamline
        self._start_ns = shared.start_ns
        self._prologue = shared.prologue
        self._plan = shared.plan
        self._templates = shared.templates
        self._era = era
        self._schedule = RunSchedule(shared.beamline.config, era)
        self._file = FileNumber()
        self._file_bytes = self._synchronised = 0
        # Pulses held back to be sent in the opposite order, and the state that they bring.
        self._held: list[list[Part]] = []
        self._held_state: dict[str, bytes] = {}

    def emissions(self) -> Iterator[Emission]:
        """Generate all of the era."""
        era = self._era
        begins = RunStatusCode.NEW_RUN if era.run_number else RunStatusCode.NO_RUN
        yield self._begin_file(era.start_ns, begins, era.first_pulse)
        for head, body in draw_era(self._beamline, era, self._start_ns, self._templates):
            yield from self._between(head)
            yield from self._pulse(head, body)
        if era.n_pulses:
            yield from self._end(era.first_pulse + era.n_pulses)

    def _end(self, pulse: int) -> Iterator[Emission]:
        """End the run or gap; a run that is paused goes on before it ends."""
        time_ns = self._start_ns + pulse_offset_ns(pulse)
        yield from self._release(time_ns)
        if self._file.paused:
            yield from self._annotate(
                self._schedule.pause_marker(AnnotationMarker.RESUME, pulse, time_ns), pulse
            )
        ends = RunStatusCode.END_RUN if self._era.run_number else RunStatusCode.NO_RUN
        yield Emission(time_ns, encode(self._status(ends, time_ns)))

    def _begin_file(self, time_ns: int, begins: RunStatusCode, pulse: int) -> Emission:
        """Begin a file of the server's: synchronisation, run status, and all that a client must know."""
        schedule, paused = self._schedule, self._file.paused
        markers = schedule.going_on(pulse, time_ns, paused=paused)
        described = self._prologue.descriptions(self._era, time_ns, schedule.scan(pulse), markers)
        data = edge(self._status(begins, time_ns)) + b"".join(described.values())
        self._file_bytes, self._synchronised = len(data), 0
        return Emission(
            time_ns,
            data,
            state={**_NOTHING_GOES_ON, **described, _STATUS: self._snapshot_status(time_ns)},
            begins_era=begins is not RunStatusCode.RUN_BOF,
            begins_file=True,
            paused=paused,
        )

    def _roll(self, time_ns: int, pulse: int, following: FileNumber) -> Iterator[Emission]:
        yield from self._release(time_ns)
        end = encode(self._status(RunStatusCode.RUN_EOF, time_ns))
        yield Emission(time_ns, end, paused=self._file.paused)
        self._file = following
        yield self._begin_file(time_ns, RunStatusCode.RUN_BOF, pulse)

    def _between(self, head: PulseHead) -> Iterator[Emission]:
        """Generate what happens just before a pulse: annotations, a new file, faults."""
        pulse, time_ns = head.number, head.time_ns
        for annotation in self._schedule.annotations(pulse, time_ns):
            yield from self._annotate(annotation, pulse)
        in_run = self._era.run_number > 0
        rolls = in_run and self._file_bytes >= self._beamline.config.roll_mb * _BYTES_PER_MB
        for fault in self._plan.due(pulse, in_run=in_run):
            if fault.is_of_connection:
                yield Emission(time_ns, (), fault=fault)
            elif fault.name == "repeat-new-run":
                yield Emission(time_ns, encode(self._status(RunStatusCode.NEW_RUN, time_ns)))
            else:
                rolls = True
        if rolls:
            yield from self._roll(time_ns, pulse, self._file.next())

    def _annotate(self, annotation: Annotation, pulse: int) -> Iterator[Emission]:
        """Say something of the run; with a pause, and with its end, the server begins a new file.

        That a run is paused stands in the file before the pause, and that it goes on in the file after it: so also
        those are told who get no data of pauses.
        """
        time_ns = annotation.time_ns
        yield from self._release(time_ns)
        if annotation.marker is AnnotationMarker.RESUME:
            yield from self._roll(time_ns, pulse, self._file.next_mode())
        said = Emission(time_ns, encode(annotation), paused=self._file.paused)
        if annotation.marker is AnnotationMarker.PAUSE:
            yield said
            yield from self._roll(time_ns, pulse, self._file.next_mode())
            return
        going_on = self._schedule.going_on(pulse, time_ns, paused=self._file.paused)
        state = {name: encode(marker) for name, marker in going_on.items()}
        yield attrs.evolve(said, state={"scan": b"", "pause": b"", **state})

    def _pulse(self, head: PulseHead, body: PulseBody) -> Iterator[Emission]:
        changed = self._changed(head)
        parts: list[Part] = [*self._packets(head, body), *changed.values()]
        if self._plan.goes_on("duplicate", head.number):
            parts *= 2
        self._file_bytes += sum(map(len, parts))
        if self._file_bytes - self._synchronised >= _SYNCHRONISED_EVERY:
            self._synchronised = self._file_bytes
            parts.append(encode(Sync(time_ns=head.time_ns, file_offset=self._file_bytes)))
            self._file_bytes += len(parts[-1])
        if self._plan.goes_on("disorder", head.number):
            self._held.append(parts)
            self._held_state.update(changed)
            return
        yield from self._release(head.time_ns)
        yield Emission(head.time_ns, parts, state=changed, paused=self._file.paused)

    def _release(self, time_ns: int) -> Iterator[Emission]:
        """Send what was held back, the newest first."""
        if self._held:
            parts = itertools.chain.from_iterable(reversed(self._held))
            yield Emission(time_ns, tuple(parts), state=self._held_state, paused=self._file.paused)
            self._held, self._held_state = [], {}

    def _packets(self, head: PulseHead, body: PulseBody) -> list[Part]:
        if self._plan.goes_on("bad-pixels", head.number):
            head, body = spoilt(head, body, self._beamline.config.seed)
        elif self._templates is not None:
            return self._templates.parts(head)
        return [rtdl_packet(head) + monitor_packet(head, body) + banked_packet(head, body)]

    def _changed(self, head: PulseHead) -> dict[str, bytes]:
        """Return values that are new with a pulse: those of each full second but the first, which the prologue has."""
        if head.number % PULSES_PER_SECOND or head.number == self._era.first_pulse:
            return {}
        scan = self._schedule.scan(head.number)
        values = self._beamline.environment.changes(head.time_ns, self._start_ns, scan)
        if self._plan.goes_on("status-1", head.number):
            alarmed = VariableStatus.READ_ERROR
            values = {
                name: attrs.evolve(value, status=alarmed) if isinstance(value, VariableDouble) else value
                for name, value in values.items()
            }
        return {name: encode(value) for name, value in values.items()}

    def _snapshot_status(self, time_ns: int) -> bytes:
        """Encode how things stand, for clients that join: what is paused they learn from the annotation alone."""
        return edge(run_status(self._era, RunStatusCode.STATE, time_ns, None))

    def _status(self, code: RunStatusCode, time_ns: int) -> RunStatus:
        return run_status(self._era, code, time_ns, self._file if self._era.run_number else None)
