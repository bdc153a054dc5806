"""Faults of the stream itself: when they happen, and what they do to pulses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs
import numpy as np

from livered_core.adara import ERROR_PIXELS_BANK, UNMAPPED_BANK, PulseFlag
from livered_core.config.faults import Fault
from livered_core.simulator.pulse import PulseBody, PulseHead
from livered_core.simulator.schedule import PULSES_PER_SECOND

_OF_A_RUN: Final = frozenset({"run-eof", "repeat-new-run"})
_MEASURED_IN_S: Final = frozenset({"status-1", "bad-pixels"})
_MEASURED_IN_PULSES: Final = frozenset({"duplicate", "disorder"})
_NOWHERE: Final = 1000
"""Pixels beyond the last of the instrument that a flood of bad pixels names."""


class FaultPlan:
    """Says which faults happen at which pulse of the stream. Pulses are counted from its start.

    Parameters
    ----------
    faults
        What goes wrong, and when.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        ordered = sorted(faults, key=lambda fault: fault.at_s)
        lasting = _MEASURED_IN_S | _MEASURED_IN_PULSES
        self._moments = [fault for fault in ordered if fault.name not in lasting]
        self._windows = [(fault.name, *_window(fault)) for fault in ordered if fault.name in lasting]

    def due(self, pulse: int, *, in_run: bool) -> Iterator[Fault]:
        """Generate the faults that happen just before a pulse, each once; those of a run wait for one."""
        for fault in list(self._moments):
            if _first_pulse(fault) > pulse:
                return
            if in_run or fault.name not in _OF_A_RUN:
                self._moments.remove(fault)
                yield fault

    def goes_on(self, name: str, pulse: int) -> bool:
        """Whether a fault that lasts goes on at a pulse."""
        return any(name == each and begin <= pulse < end for each, begin, end in self._windows)


def _first_pulse(fault: Fault) -> int:
    return round(fault.at_s * PULSES_PER_SECOND)


def _window(fault: Fault) -> tuple[int, int]:
    first = _first_pulse(fault)
    pulses = fault.value * PULSES_PER_SECOND if fault.name in _MEASURED_IN_S else fault.value
    return first, first + max(1, round(pulses))


def spoilt(head: PulseHead, body: PulseBody, seed: int) -> tuple[PulseHead, PulseBody]:
    """Put half of a pulse's events into error pixels, unmapped pixels, and pixels that are nowhere.

    Parameters
    ----------
    head, body
        The pulse as it ought to be. The number of its events stays.
    seed
        The same seed and pulse give the same events.
    """
    rng = np.random.Generator(np.random.PCG64([seed, head.number, 0]))
    # 0: as it was; 1: error pixel; 2: unmapped; 3: nowhere, in an ordinary bank.
    kind = rng.integers(-2, 4, len(body.tof)).clip(0)
    bank_id = np.concatenate([body.bank_id, np.array([ERROR_PIXELS_BANK, UNMAPPED_BANK], np.uint32)])
    bank = np.repeat(np.arange(len(body.bank_id)), body.bank_counts)
    bank = np.where(kind == 1, len(body.bank_id), np.where(kind == 2, len(body.bank_id) + 1, bank))
    order = np.argsort(bank, kind="stable")
    beyond = np.uint32(1 + int(body.pixel_id.max(initial=0)))
    nowhere = beyond + rng.integers(0, _NOWHERE, len(kind), dtype=np.uint32)
    spoilt_body = attrs.evolve(
        body,
        bank_id=bank_id,
        bank_counts=np.bincount(bank, minlength=len(bank_id)),
        pixel_id=np.where(kind == 3, nowhere, body.pixel_id)[order],
        tof=body.tof[order],
    )
    flags = head.flags | int(PulseFlag.ERROR_PIXELS | PulseFlag.MAPPING_ERROR)
    return attrs.evolve(head, flags=flags), spoilt_body
