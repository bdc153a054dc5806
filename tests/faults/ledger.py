"""What a server sent, counted from its bytes by nothing of livered's but the codec: the truth that runs are held to."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import (
    ERROR_PIXELS_BANK,
    UNMAPPED_BANK,
    Annotation,
    AnnotationMarker,
    BankedEvents,
    Framer,
    RunStatus,
    RunStatusCode,
    decode,
)

PIXELS = 64
BINS = 50
TICKS_PER_BIN = 4000
"""What the plugin of these tests counts: pixels modulo PIXELS, and BINS bins of the time of flight, the last open."""

Counts = npt.NDArray[np.int64]


def fold(pixel_id: npt.NDArray[np.uint32], tof: npt.NDArray[np.uint32]) -> Counts:
    """Count events as the plugin does: int64[PIXELS * BINS], exact in any order."""
    place = pixel_id.astype(np.int64) % PIXELS * BINS + np.minimum(
        tof.astype(np.int64) // TICKS_PER_BIN, BINS - 1
    )
    return np.bincount(place, minlength=PIXELS * BINS).astype(np.int64)


@attrs.define(eq=False)
class SentRun:
    """What was sent of one run; a pulse that was sent twice is counted once.

    Attributes
    ----------
    pulses
        Times of its pulses.
    events
        All of them.
    good
        Those that a reduction is to have.
    paused, bad
        The others: sent while the run was paused, and in error pixels or unmapped.
    counts
        The good ones as the plugin counts them.
    reduced_pulses, charge_pc
        Pulses that a reduction is to have, and their proton charge, picocoulomb.
    """

    pulses: set[int] = attrs.field(factory=set)
    events: int = 0
    good: int = 0
    paused: int = 0
    bad: int = 0
    reduced_pulses: int = 0
    charge_pc: int = 0
    counts: Counts = attrs.field(factory=lambda: np.zeros(PIXELS * BINS, np.int64))


@attrs.define(eq=False)
class Ledger:
    """Reads along with what is written for clients."""

    runs: dict[int, SentRun] = attrs.field(factory=dict)
    between: int = 0
    _framer: Framer = attrs.field(factory=Framer)
    _number: int = 0
    _paused: bool = False

    def feed(self, data: bytes) -> None:
        """Count whole packets."""
        for raw in self._framer.feed(data):
            packet = decode(raw)
            if isinstance(packet, RunStatus):
                over = packet.status in (RunStatusCode.END_RUN, RunStatusCode.NO_RUN)
                number = 0 if over else packet.run_number
                self._paused = self._paused and number == self._number
                self._number = number
            elif isinstance(packet, Annotation):
                if packet.marker in (AnnotationMarker.PAUSE, AnnotationMarker.RESUME):
                    self._paused = packet.marker is AnnotationMarker.PAUSE
            elif isinstance(packet, BankedEvents):
                self._pulse(packet)

    def _pulse(self, packet: BankedEvents) -> None:
        n = len(packet.pixel_id)
        if not self._number:
            self.between += n
            return
        run = self.runs.setdefault(self._number, SentRun())
        if packet.time_ns in run.pulses:
            return
        run.pulses.add(packet.time_ns)
        run.events += n
        if self._paused:
            run.paused += n
            return
        run.reduced_pulses += 1
        run.charge_pc += packet.proton_charge_pc
        bank = np.repeat(packet.bank_id, np.diff(packet.bank_offset))
        good = (bank != ERROR_PIXELS_BANK) & (bank != UNMAPPED_BANK)
        run.good += int(good.sum())
        run.bad += n - int(good.sum())
        run.counts += fold(packet.pixel_id[good], packet.tof[good])
