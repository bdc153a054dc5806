"""What a simulated beamline sends: prologue, pulses, run edges. Pure: no clock, no socket.

The first run begins with the stream. Every run and every gap between runs is an era with its own complete
prologue. After the last run the stream goes on with heartbeats, without end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import (
    CHARGE_UNIT_PC,
    BeamlineInfo,
    Geometry,
    Heartbeat,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    Sync,
    encode,
    run_info_xml,
)
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.beamline import Beamline
from livered_core.simulator.events import draw
from livered_core.simulator.monitors import draw_monitors
from livered_core.simulator.pulse import Pulse, pulse_packets
from livered_core.simulator.storage import Emission

PULSES_PER_SECOND: Final = 60
ORDINARY_CHARGE_PC: Final = 2.31e7
"""Mean proton charge of a pulse with beam, picocoulomb."""
NO_BEAM_EVERY: Final = 600
"""One pulse of as many comes without beam."""

_NS_PER_S: Final = 1_000_000_000
_CHARGE_SPREAD: Final = 0.01
_LARGEST_BLOCK: Final = 1_000_000
"""Events that are drawn at once, about: bounds the memory."""


@attrs.frozen
class _Era:
    """A run, or a gap between two (run number 0), or what comes after the last (no pulses)."""

    number: int
    run_number: int
    first_pulse: int
    n_pulses: int
    start_ns: int


def pulse_offset_ns(pulse: int) -> int:
    """Return the time of a pulse after the start of the stream, nanoseconds: exactly 60 Hz, cut to integers."""
    return pulse * _NS_PER_S // PULSES_PER_SECOND


def length_ns(config: SimulateConfig) -> int | None:
    """Return how long the runs take with the gaps between them, nanoseconds; None for runs without end."""
    if config.n_runs == 0:
        return None
    run, gap = _pulses(config)
    return pulse_offset_ns(config.n_runs * run + (config.n_runs - 1) * gap)


def emissions(beamline: Beamline, start_ns: int) -> Iterator[Emission]:
    """Generate the stream.

    The same beamline and start give the same bytes. The events of each run depend on the seed and on the run's
    place in the sequence only.

    Parameters
    ----------
    beamline
        From `build_beamline`.
    start_ns
        Time of the first pulse, nanoseconds UTC since the Unix epoch.
    """
    for era in _eras(beamline.config, start_ns):
        yield _prologue(beamline, era, start_ns)
        yield from _pulses_of(beamline, era, start_ns)
        end_ns = start_ns + pulse_offset_ns(era.first_pulse + era.n_pulses)
        if era.n_pulses:
            code = RunStatusCode.END_RUN if era.run_number else RunStatusCode.NO_RUN
            yield Emission(end_ns, encode(_run_status(era, code, end_ns)))
        else:
            for second in itertools.count(1):
                time_ns = end_ns + second * _NS_PER_S
                yield Emission(time_ns, encode(Heartbeat(time_ns=time_ns)), idle=True)


def _pulses(config: SimulateConfig) -> tuple[int, int]:
    """Return the pulses of a run (at least one) and of a gap."""
    return max(1, round(config.run_length * PULSES_PER_SECOND)), round(config.gap * PULSES_PER_SECOND)


def _eras(config: SimulateConfig, start_ns: int) -> Iterator[_Era]:
    run_pulses, gap_pulses = _pulses(config)
    first = 0
    number = 0
    for run in itertools.count() if config.n_runs == 0 else range(config.n_runs):
        if run and gap_pulses:
            yield _Era(number, 0, first, gap_pulses, start_ns + pulse_offset_ns(first))
            number, first = number + 1, first + gap_pulses
        yield _Era(number, config.run_number + run, first, run_pulses, start_ns + pulse_offset_ns(first))
        number, first = number + 1, first + run_pulses
    yield _Era(number, 0, first, 0, start_ns + pulse_offset_ns(first))


def _run_status(era: _Era, code: RunStatusCode, time_ns: int) -> RunStatus:
    return RunStatus(
        time_ns=time_ns,
        run_number=era.run_number,
        run_start_ns=era.start_ns if era.run_number else 0,
        status=code,
        file_number=1 if era.run_number else 0,
    )


def _prologue(beamline: Beamline, era: _Era, stream_start_ns: int) -> Emission:
    """Begin an era: synchronisation, run status, and the whole state."""
    now = era.start_ns
    config = beamline.config
    state = {"run status": encode(_run_status(era, RunStatusCode.STATE, now))}
    if era.run_number:
        xml = run_info_xml(
            RunDetails(
                run_number=era.run_number,
                proposal_id=config.proposal,
                title=config.title,
                instrument=beamline.instrument,
                sample={"name": config.sample},
            )
        )
        state["run info"] = encode(RunInfoPacket(time_ns=now, xml=xml))
    state["geometry"] = encode(Geometry(time_ns=now, xml=beamline.definition.xml))
    state["beamline info"] = encode(
        BeamlineInfo(
            time_ns=now,
            beamline_id=config.beamline,
            short_name=beamline.instrument,
            long_name=beamline.definition.name,
        )
    )
    for name, packet in beamline.environment.state(now, stream_start_ns).items():
        state[name] = encode(packet)
    edge = RunStatusCode.NEW_RUN if era.run_number else RunStatusCode.NO_RUN
    head = [encode(Sync(time_ns=now, file_offset=0)), encode(_run_status(era, edge, now))]
    body = [data for name, data in state.items() if name != "run status"]
    return Emission(now, b"".join(head + body), state=state, begins_era=True)


def _pulses_of(beamline: Beamline, era: _Era, start_ns: int) -> Iterator[Emission]:
    config, tables, monitors = beamline.config, beamline.tables, beamline.monitors
    rng = np.random.Generator(np.random.PCG64([config.seed, era.number]))
    per_pulse = config.rate / PULSES_PER_SECOND
    block = int(np.clip(_LARGEST_BLOCK // max(per_pulse, 1.0), 1, PULSES_PER_SECOND))
    before_pc = 0
    for first in range(0, era.n_pulses, block):
        pulse = era.first_pulse + first + np.arange(min(block, era.n_pulses - first))
        charge_pc = _charges(rng, pulse)
        beam = charge_pc / ORDINARY_CHARGE_PC
        events = draw(tables, rng, per_pulse * beam)
        monitor_events = draw_monitors(monitors, rng, beam)
        last, monitor_last = 0, 0
        for row, number in enumerate(pulse.tolist()):
            time_ns = start_ns + pulse_offset_ns(number)
            begin, last = last, last + int(events.counts[row].sum())
            monitor_begin, monitor_last = monitor_last, monitor_last + int(monitor_events.counts[row].sum())
            data = pulse_packets(
                Pulse(
                    number=number,
                    time_ns=time_ns,
                    charge_pc=int(charge_pc[row]),
                    charge_before_pc=before_pc,
                    bank_counts=events.counts[row],
                    pixel_id=events.pixel_id[begin:last],
                    tof=events.tof[begin:last],
                    monitor_id=monitors.monitor_id,
                    monitor_counts=monitor_events.counts[row],
                    monitor_tof=monitor_events.tof[monitor_begin:monitor_last],
                )
            )
            before_pc = int(charge_pc[row])
            changed = {}
            if number % PULSES_PER_SECOND == 0 and number != era.first_pulse:
                packets = beamline.environment.changes(time_ns, start_ns)
                changed = {name: encode(packet) for name, packet in packets.items()}
            yield Emission(time_ns, b"".join([*changed.values(), data]), state=changed)


def _charges(rng: np.random.Generator, pulse: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Draw the proton charge of pulses: in the steps that the stream can say, 0 for those without beam."""
    spread = rng.normal(1.0, _CHARGE_SPREAD, len(pulse))
    charge = np.round(ORDINARY_CHARGE_PC * np.clip(spread, 0.5, 1.5) / CHARGE_UNIT_PC).astype(np.int64)
    charge[pulse % NO_BEAM_EVERY == NO_BEAM_EVERY - 1] = 0
    return charge * CHARGE_UNIT_PC
