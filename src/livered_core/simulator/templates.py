"""Pulses that are drawn once and sent again and again, for rates that cannot be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from livered_core.adara import PULSE_HEAD_SIZE, renewed_head, renewed_rtdl
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.emission import Part, Shared
from livered_core.simulator.pulse import PulseBody, PulseHead, banked_packet, monitor_packet, rtdl_packet

HIGHEST_DRAWN_RATE: Final = 3_000_000.0
"""Events per second beyond which ``recycle = "auto"`` sends pulses again and again."""

_MOST_BYTES: Final = 64 * 1024 * 1024
_FEWEST: Final = 4
_MOST: Final = 300
_NO_PULSE: Final = PulseHead(number=0, time_ns=1_000_000_000_000_000_000, charge_pc=0, charge_before_pc=0)


def recycles(config: SimulateConfig) -> bool:
    """Whether pulses are sent again and again."""
    if config.recycle != "auto":
        return config.recycle == "always"
    return config.rate * max(config.speed, 1.0) > HIGHEST_DRAWN_RATE


def number_of_templates(events_per_pulse: float) -> int:
    """Return how many pulses are drawn: as many as fit into a bounded memory, and a few at least."""
    return int(np.clip(_MOST_BYTES / (8.0 * max(events_per_pulse, 1.0)), _FEWEST, _MOST))


@attrs.frozen(eq=False)
class _Template:
    """A drawn pulse and its packets; what is the same in each pulse made of it is in memory once."""

    body: PulseBody
    banked: bytes
    banked_rest: Shared
    monitors: bytes

    @classmethod
    def of(cls, body: PulseBody) -> _Template:
        banked = banked_packet(_NO_PULSE, body)
        rest = Shared(memoryview(banked)[PULSE_HEAD_SIZE:])
        return cls(body, banked, rest, monitor_packet(_NO_PULSE, body))


class Templates:
    """Makes pulses of drawn ones, with new ids, times, charges and flags.

    Parameters
    ----------
    bodies
        What pulses with beam bring, at least one.
    """

    def __init__(self, bodies: Sequence[PulseBody]) -> None:
        self._with_beam = [_Template.of(body) for body in bodies]
        self._without = _Template.of(bodies[0].without_events())
        self._rtdl = rtdl_packet(_NO_PULSE)

    def body(self, head: PulseHead) -> PulseBody:
        """Return what a pulse brings; without charge it brings nothing."""
        return self._template(head).body

    def parts(self, head: PulseHead) -> list[Part]:
        """Make the packets of a pulse: RTDL, monitor events, banked events."""
        template = self._template(head)
        banked, monitors = (
            renewed_head(packet, head.time_ns, head.charge_pc, head.cycle, head.veto, head.flags)
            for packet in (template.banked, template.monitors)
        )
        rtdl = renewed_rtdl(self._rtdl, head.time_ns, head.charge_before_pc, head.cycle, head.veto_before)
        return [rtdl + monitors + template.monitors[PULSE_HEAD_SIZE:] + banked, template.banked_rest]

    def _template(self, head: PulseHead) -> _Template:
        if not head.charge_pc:
            return self._without
        return self._with_beam[head.number % len(self._with_beam)]
