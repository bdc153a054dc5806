"""Drawing pulses: what the accelerator gives, and what is detected of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from livered_core.adara import CHARGE_UNIT_PC, PulseFlag
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.beamline import Beamline
from livered_core.simulator.events import draw
from livered_core.simulator.monitors import draw_monitors
from livered_core.simulator.pulse import PulseBody, PulseHead
from livered_core.simulator.schedule import PULSES_PER_SECOND, Era, RunSchedule, pulse_offset_ns
from livered_core.simulator.templates import Templates, number_of_templates

ORDINARY_CHARGE_PC: Final = 2.31e7
"""Mean proton charge of a pulse with beam, picocoulomb."""
NO_BEAM_EVERY: Final = 600
"""One pulse of as many comes without beam."""

_CHARGE_SPREAD: Final = 0.01
_LARGEST_BLOCK: Final = 1_000_000
"""Events that are drawn at once, about: bounds the memory."""
_VETOED_BY_TARGET: Final = 0x001
_OF_FLAGS: Final = 1
_OF_TEMPLATES: Final = 2


def draw_era(
    beamline: Beamline, era: Era, start_ns: int, templates: Templates | None
) -> Iterator[tuple[PulseHead, PulseBody]]:
    """Draw the pulses of a run or gap, one after the other.

    They depend on the seed, on the era's place in the sequence, and on what is configured of the beam; flags have
    random numbers of their own, so that they change nothing else.

    Parameters
    ----------
    beamline
        From `build_beamline`.
    era
        The run, or gap.
    start_ns
        Start of the stream.
    templates
        Where the bodies come from; None to draw each.

    Yields
    ------
    PulseHead, PulseBody
    """
    config = beamline.config
    rng = np.random.Generator(np.random.PCG64([config.seed, era.number]))
    flags_rng = np.random.Generator(np.random.PCG64([config.seed, era.number, _OF_FLAGS]))
    schedule = RunSchedule(config, era)
    per_pulse = 0.0 if templates is not None else config.rate / PULSES_PER_SECOND
    before_pc = veto_before = 0
    block = int(np.clip(_LARGEST_BLOCK // max(per_pulse, 1.0), 1, PULSES_PER_SECOND))
    for first in range(0, era.n_pulses, block):
        numbers = era.first_pulse + first + np.arange(min(block, era.n_pulses - first))
        charge_pc = _charges(rng, numbers, schedule)
        flags = _flags(flags_rng, charge_pc, config)
        beam = charge_pc / ORDINARY_CHARGE_PC
        bodies = iter(()) if templates is not None else draw_bodies(beamline, rng, beam)
        for number, charge, bits in zip(numbers.tolist(), charge_pc.tolist(), flags.tolist(), strict=True):
            veto = _VETOED_BY_TARGET if bits & PulseFlag.PULSE_VETO else 0
            head = PulseHead(
                number=number,
                time_ns=start_ns + pulse_offset_ns(number),
                charge_pc=charge,
                charge_before_pc=before_pc,
                flags=bits,
                veto=veto,
                veto_before=veto_before,
            )
            before_pc, veto_before = charge, veto
            yield head, next(bodies) if templates is None else templates.body(head)


def draw_bodies(
    beamline: Beamline, rng: np.random.Generator, beam: npt.NDArray[np.float64]
) -> Iterator[PulseBody]:
    """Draw what several pulses bring.

    Parameters
    ----------
    beamline
        Its configuration says the rate.
    rng
        Its state moves on.
    beam
        float64[pulses], proton charge of each pulse relative to an ordinary one.

    Yields
    ------
    PulseBody
        Banks have the ids 1, 2, ... in the order of the instrument's banks.
    """
    monitors = beamline.monitors
    events = draw(beamline.tables, rng, beamline.config.rate / PULSES_PER_SECOND * beam)
    monitor_events = draw_monitors(monitors, rng, beam)
    bank_id = np.arange(1, events.counts.shape[1] + 1, dtype=np.uint32)
    last = monitor_last = 0
    for counts, monitor_counts in zip(events.counts, monitor_events.counts, strict=True):
        begin, last = last, last + int(counts.sum())
        monitor_begin, monitor_last = monitor_last, monitor_last + int(monitor_counts.sum())
        yield PulseBody(
            bank_id=bank_id,
            bank_counts=counts,
            pixel_id=events.pixel_id[begin:last],
            tof=events.tof[begin:last],
            monitor_id=monitors.monitor_id,
            monitor_counts=monitor_counts,
            monitor_tof=monitor_events.tof[monitor_begin:monitor_last],
        )


def draw_templates(beamline: Beamline) -> Templates:
    """Draw pulses of ordinary charge that are sent again and again."""
    config = beamline.config
    rng = np.random.Generator(np.random.PCG64([config.seed, 0, _OF_TEMPLATES]))
    number = number_of_templates(config.rate / PULSES_PER_SECOND)
    # One at a time: what is drawn at once takes many times the memory of what comes out.
    return Templates([next(draw_bodies(beamline, rng, np.ones(1))) for _ in range(number)])


def _charges(
    rng: np.random.Generator, numbers: npt.NDArray[np.int64], schedule: RunSchedule
) -> npt.NDArray[np.int64]:
    """Draw the proton charge of pulses: in the steps that the stream can say, 0 for those without beam."""
    spread = rng.normal(1.0, _CHARGE_SPREAD, len(numbers))
    charge = np.round(ORDINARY_CHARGE_PC * np.clip(spread, 0.5, 1.5) / CHARGE_UNIT_PC).astype(np.int64)
    charge[numbers % NO_BEAM_EVERY == NO_BEAM_EVERY - 1] = 0
    charge[schedule.is_dark(numbers)] = 0
    return charge * CHARGE_UNIT_PC


def _flags(
    rng: np.random.Generator, charge_pc: npt.NDArray[np.int64], config: SimulateConfig
) -> npt.NDArray[np.int64]:
    flags = np.full(len(charge_pc), int(PulseFlag.GOT_METADATA), np.int64)
    flags[charge_pc > 0] |= int(PulseFlag.GOT_NEUTRONS)
    for part, flag in ((config.vetoed, PulseFlag.PULSE_VETO), (config.partial, PulseFlag.PARTIAL_DATA)):
        flags[rng.random(len(flags)) < part] |= int(flag)
    return flags
