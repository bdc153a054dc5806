"""When things happen at a simulated beamline: runs and gaps, pauses, scans, times without beam."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import Annotation, AnnotationMarker
from livered_core.config.simulate import SimulateConfig, parse_window

PULSES_PER_SECOND: Final = 60

_NS_PER_S: Final = 1_000_000_000
_CONTINUED: Final = "[NEW RUN FILE CONTINUATION]"
"""How the facility's server begins the comments of what a prologue says again."""


@attrs.frozen
class Era:
    """A run, or a gap between two (run number 0), or what comes after the last (no pulses).

    Attributes
    ----------
    number
        Counting all eras of the stream.
    run_number
        Number of the run; 0 for none.
    first_pulse, n_pulses
        Counting from the start of the stream.
    start_ns
        Nanoseconds UTC since the Unix epoch.
    """

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


def eras(config: SimulateConfig, start_ns: int) -> Iterator[Era]:
    """Generate the runs and the gaps between them; the last era has no pulses.

    Parameters
    ----------
    config
        What to play.
    start_ns
        Time of the first pulse.
    """
    run_pulses, gap_pulses = _pulses(config)
    first = 0
    number = 0
    for run in itertools.count() if config.n_runs == 0 else range(config.n_runs):
        if run and gap_pulses:
            yield Era(number, 0, first, gap_pulses, start_ns + pulse_offset_ns(first))
            number, first = number + 1, first + gap_pulses
        yield Era(number, config.run_number + run, first, run_pulses, start_ns + pulse_offset_ns(first))
        number, first = number + 1, first + run_pulses
    yield Era(number, 0, first, 0, start_ns + pulse_offset_ns(first))


def _pulses(config: SimulateConfig) -> tuple[int, int]:
    """Return the pulses of a run (at least one) and of a gap."""
    return max(1, round(config.run_length * PULSES_PER_SECOND)), round(config.gap * PULSES_PER_SECOND)


class RunSchedule:
    """What happens within a run; in a gap nothing does.

    Parameters
    ----------
    config
        Says when.
    era
        The run, or gap.
    """

    def __init__(self, config: SimulateConfig, era: Era) -> None:
        in_run = era.run_number > 0
        self._pauses = _windows(config.pauses if in_run else (), era)
        self._no_beam = _windows(config.no_beam if in_run else (), era)
        self._scans = _windows(config.scans if in_run else (), era)
        self._run_number = era.run_number
        self._last = era.first_pulse + era.n_pulses

    def is_paused(self, pulse: int) -> bool:
        """Whether the run is paused at a pulse, which is counted from the start of the stream."""
        return any(begin <= pulse < end for begin, end in self._pauses)

    def scan(self, pulse: int) -> int:
        """Return the number of the scan at a pulse; 0 for none."""
        return next((index for index, (begin, end) in enumerate(self._scans, 1) if begin <= pulse < end), 0)

    def is_dark(self, pulses: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Say for each pulse whether the accelerator gives no beam."""
        dark = np.zeros(len(pulses), np.bool_)
        for begin, end in self._no_beam:
            dark |= (begin <= pulses) & (pulses < end)
        return dark

    def annotations(self, pulse: int, time_ns: int) -> Iterator[Annotation]:
        """Generate what is said of the run just before a pulse.

        Parameters
        ----------
        pulse
            Counted from the start of the stream.
        time_ns
            Its time.
        """
        # What ends is said before what begins.
        for index, (begin, end) in enumerate(self._scans, 1):
            if pulse == end < self._last:
                yield scan_marker(AnnotationMarker.SCAN_STOP, index, time_ns)
            if pulse == begin:
                yield scan_marker(AnnotationMarker.SCAN_START, index, time_ns)
        for begin, end in self._pauses:
            if pulse == end < self._last:
                yield self.pause_marker(AnnotationMarker.RESUME, pulse, time_ns)
            if pulse == begin:
                yield self.pause_marker(AnnotationMarker.PAUSE, pulse, time_ns)

    def going_on(self, pulse: int, time_ns: int, *, paused: bool) -> dict[str, Annotation]:
        """Return what a prologue says again of a scan and a pause that go on, by name; nothing of what does not."""
        markers = {}
        scan = self.scan(pulse)
        if scan:
            markers["scan"] = scan_marker(AnnotationMarker.SCAN_START, scan, time_ns)
        if paused:
            markers["pause"] = self.pause_marker(AnnotationMarker.PAUSE, pulse, time_ns)
        return {
            name: attrs.evolve(marker, comment=f"{_CONTINUED} {marker.comment}")
            for name, marker in markers.items()
        }

    def pause_marker(self, marker: AnnotationMarker, pulse: int, time_ns: int) -> Annotation:
        """Say that the run is paused or goes on; the server says the scan with it."""
        what = "Paused" if marker is AnnotationMarker.PAUSE else "Resumed"
        return Annotation(
            time_ns=time_ns,
            marker=marker,
            scan_index=self.scan(pulse),
            comment=f"Run {self._run_number} {what}.",
        )


def scan_marker(marker: AnnotationMarker, index: int, time_ns: int) -> Annotation:
    """Say that a scan begins or ends; clients are asked to begin their statistics anew."""
    what = "Started" if marker is AnnotationMarker.SCAN_START else "Stopped"
    return Annotation(
        time_ns=time_ns, marker=marker, reset_hint=True, scan_index=index, comment=f"Scan #{index} {what}."
    )


def _windows(texts: tuple[str, ...], era: Era) -> list[tuple[int, int]]:
    """Return parts of a run as pulses of the stream: the first, and the one after the last."""
    windows = []
    for text in texts:
        begin, end = (era.first_pulse + round(second * PULSES_PER_SECOND) for second in parse_window(text))
        windows.append((begin, end))
    return windows
