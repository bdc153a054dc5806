"""The events of an SNS event NeXus file, pulse by pulse, from as many banks as there are.

Each bank, and each monitor that kept its events, is a group of columns: times of flight, pixels, for each pulse the
index of its first event, and the times of the pulses. Source of the layout: ``stc/NxGen.cpp`` of the ADARA
repository, and LoadEventNexus of Mantid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import ERROR_PIXELS_BANK, UNMAPPED_BANK
from livered_core.recording.nexus_file import NexusFile
from livered_core.recording.nexus_times import has_begin, read_times

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]

MOST_EVENTS: Final = 2_000_000
"""Events that are held in memory at a time, if one pulse does not bring more."""
MOST_EVENTS_OF_PULSE: Final = 8_000_000
"""Events of a pulse that fit into the largest packet."""

_RANGES_AT_A_TIME: Final = 1 << 20
"""Pulses times banks whose events are looked up at a time."""
_INDEX_AT_A_TIME: Final = 1 << 20
_NO_MORE_EVENTS: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_BANK: Final = re.compile(r"bank(\d{1,9})(?:_state(\d{1,9}))?_events")
_MONITOR: Final = re.compile(r"monitor_?(\d{1,4})")
_SPECIAL: Final = {"bank_error_events": ERROR_PIXELS_BANK, "bank_unmapped_events": UNMAPPED_BANK}
_TICKS_OF_UNIT: Final = {
    "": 10.0,
    "microsecond": 10.0,
    "us": 10.0,
    "nanosecond": 0.01,
    "ns": 0.01,
    "second": 1e7,
}


@attrs.frozen(eq=False)
class Bank:
    """A bank of the detector, or a monitor.

    Attributes
    ----------
    name
        Of its group.
    number, state
        As in the stream.
    is_monitor
        Monitors have no pixels.
    n_events
        Of the whole file.
    clock
        int64[p], times of its pulses.
    """

    name: str
    number: int
    state: int
    is_monitor: bool
    n_events: int
    clock: I64
    _index: Any
    _tof: Any
    _pixel: Any
    _ticks: float

    def index(self, file: NexusFile, begin: int, end: int) -> I64:
        """Read the first event of some pulses; of those behind the last it is the number of events."""
        raw = file.numbers(self._index, begin, end).reshape(-1)
        index = np.full(end - begin, self.n_events, np.int64)
        ends = raw == _NO_MORE_EVENTS if raw.dtype.kind == "u" else raw == -1
        index[: len(raw)] = np.where(ends, self.n_events, raw.astype(np.int64))
        if len(index) and (index.min() < 0 or index.max() > self.n_events or (np.diff(index) < 0).any()):
            raise file.error(
                f"has an event_index in {self.name} that goes back, or beyond the {self.n_events} events that "
                "there are: it is damaged"
            )
        return index

    def check(self, file: NexusFile) -> None:
        """Read through the index; ConfigError when it leaves events out or points to none."""
        if self.n_events and self.index(file, 0, 1)[0]:
            raise file.error(
                f"has events in {self.name} before the first pulse of its event_index: it is damaged"
            )
        for begin in range(0, len(self.clock), _INDEX_AT_A_TIME):
            self.index(file, begin, min(begin + _INDEX_AT_A_TIME, len(self.clock)) + 1)

    def tof(self, file: NexusFile, begin: int, end: int) -> U32:
        """Read times of flight of some events, ticks of 100 ns."""
        ticks = np.rint(file.numbers(self._tof, begin, end).reshape(-1).astype(np.float64) * self._ticks)
        # A float32 in microseconds may have been rounded up beyond the largest tick there is.
        largest = float(0xFFFF_FFFF)
        ticks[(ticks > largest) & (ticks <= largest * (1 + 1e-7))] = largest
        if not ((ticks >= 0) & (ticks <= largest)).all():
            raise file.error(f"has a time of flight in {self.name} that is negative or beyond 429 s")
        return ticks.astype(np.uint32)

    def pixel(self, file: NexusFile, begin: int, end: int) -> U32:
        """Read pixels of some events."""
        pixel = file.numbers(self._pixel, begin, end).reshape(-1)
        if pixel.dtype != np.uint32 and len(pixel) and (pixel.min() < 0 or pixel.max() > 0xFFFF_FFFF):
            raise file.error(f"has an event_id in {self.name} that has no 32 bits")
        return pixel.astype(np.uint32, copy=False)


def find_banks(file: NexusFile, entry: Any, start_ns: int, pulse_times: I64) -> list[Bank]:
    """Find banks and monitors with events, ordered by number.

    Parameters
    ----------
    file, entry
        Where.
    start_ns
        Start of the run, from which times without a beginning of their own count.
    pulse_times
        int64[p], for banks that say no times.
    """
    clocks = _Clocks(file, start_ns, pulse_times)
    names = [name for name in file.names(entry) if name.endswith("_events") or _MONITOR.fullmatch(name)]
    highest = max((int(match[1]) for match in map(_BANK.fullmatch, names) if match), default=0)
    banks, seen = [], set[int]()
    for name in names:
        group = file.child(entry, name)
        if (
            not file.is_group(group)
            or file.child(group, "event_index") is None
            or file.address(group) in seen
        ):
            continue
        seen.add(file.address(group))
        if _MONITOR.fullmatch(name) is None and _ids(name) is None:
            highest += 1
        bank = _read_bank(file, group, name, _ids(name) or (highest, 0), clocks)
        if bank is not None:
            banks.append(bank)
    return sorted(banks, key=lambda bank: (bank.number, bank.state))


def _ids(name: str) -> tuple[int, int] | None:
    """Say which bank, in which state, or which monitor a name means; None when it is not one of the facility's."""
    if name in _SPECIAL:
        return _SPECIAL[name], 0
    match = _BANK.fullmatch(name)
    if match:
        return int(match[1]), int(match[2] or 0)
    monitor = _MONITOR.fullmatch(name)
    return (int(monitor[1]), 0) if monitor else None


class _Clocks:
    """Keeps times of pulses once, however many banks have them."""

    def __init__(self, file: NexusFile, start_ns: int, pulse_times: I64) -> None:
        self._file = file
        self._start_ns = start_ns
        self._pulse_times = pulse_times
        self._by_address: dict[int, I64] = {}
        self._by_content = {sha256(pulse_times.tobytes()).digest(): pulse_times}

    def read(self, dataset: Any | None) -> I64:
        if dataset is None:
            return self._pulse_times
        address = self._file.address(dataset)
        if address not in self._by_address:
            times = read_times(self._file, dataset, self._start_ns)
            self._by_address[address] = self._by_content.setdefault(sha256(times.tobytes()).digest(), times)
        return self._by_address[address]


def _read_bank(file: NexusFile, group: Any, name: str, ids: tuple[int, int], clocks: _Clocks) -> Bank | None:
    is_monitor = _MONITOR.fullmatch(name) is not None
    index = file.dataset(group, "event_index", "iu")
    tof = file.dataset(group, "event_time_offset")
    pixel = None if is_monitor else file.dataset(group, "event_id", "iu")
    if index is None or tof is None or (pixel is None and not is_monitor):
        raise file.error(f"lacks event_index, event_time_offset or event_id in {name}: it is damaged")
    if file.child(group, "event_weight") is not None:
        raise file.error(f"has events with weights in {name}, which a stream cannot hold")
    n_events = int(tof.size)
    if pixel is not None and pixel.size != n_events:
        raise file.error(f"has {n_events} times of flight and {pixel.size} pixels in {name}: it is damaged")
    zero = file.dataset(group, "event_time_zero")
    if _is_placeholder(file, index, tof, pixel, zero):
        return None
    clock = clocks.read(zero)
    # Pulses that are missing at the end of an index brought no events.
    if index.size > len(clock) or (not index.size and n_events):
        raise file.error(
            f"has {len(clock)} pulses and an event_index of {index.size} in {name}: it is damaged"
        )
    unit = file.attribute(tof, "units").strip().lower()
    ticks = _TICKS_OF_UNIT.get(unit) or _TICKS_OF_UNIT.get(unit.removesuffix("s"))
    if ticks is None:
        raise file.error(f"has times of flight in {unit!r} in {name}, and not in microseconds")
    return Bank(name, *ids, is_monitor, n_events, clock, index, tof, pixel, ticks)


def _is_placeholder(file: NexusFile, index: Any, tof: Any, pixel: Any, zero: Any) -> bool:
    """Whether a bank without events was written with one event of zeros, as translators before ADARA did."""
    if index.size != 1 or tof.size != 1 or (zero is not None and has_begin(file, zero)):
        return False
    columns = [index, tof] if pixel is None else [index, tof, pixel]
    return not any(file.numbers(column).any() for column in columns)


@attrs.frozen(eq=False)
class Window:
    """The events of some pulses after one another.

    Attributes
    ----------
    begin, end
        Which pulses of the list.
    counts
        int64[end - begin, b], events of each pulse and bank.
    pixel, tof
        uint32[n], ordered by pulse and then bank; of monitors the pixels are zeros.
    """

    begin: int
    end: int
    counts: I64
    pixel: U32
    tof: U32


def windows(file: NexusFile, banks: Sequence[Bank], places: Sequence[I64], n_pulses: int) -> Iterator[Window]:
    """Read all events of banks, a bounded number at a time.

    Parameters
    ----------
    file
        Where they are.
    banks
        From `find_banks`.
    places
        For each bank, int64[n]: which of its pulses each pulse of the list is; -1 where it has none.
    n_pulses
        In the list.
    """
    step = max(1, _RANGES_AT_A_TIME // max(1, len(banks)))
    for begin in range(0, n_pulses, step):
        end = min(begin + step, n_pulses)
        firsts = np.zeros((end - begin, len(banks)), np.int64)
        counts = np.zeros_like(firsts)
        for column, (bank, place) in enumerate(zip(banks, places, strict=True)):
            firsts[:, column], counts[:, column] = _ranges(file, bank, place[begin:end])
        total = counts.sum(axis=1)
        if len(total) and total.max() > MOST_EVENTS_OF_PULSE:
            raise file.error(
                f"has a pulse of {total.max()} events: a packet holds {MOST_EVENTS_OF_PULSE} at most"
            )
        up_to = np.cumsum(total)
        low = 0
        while low < end - begin:
            before = up_to[low - 1] if low else 0
            high = max(low + 1, int(np.searchsorted(up_to, before + MOST_EVENTS, side="right")))
            yield _read_window(file, banks, (begin + low, begin + high), firsts[low:high], counts[low:high])
            low = high


def _ranges(file: NexusFile, bank: Bank, place: I64) -> tuple[I64, I64]:
    """Say for each pulse where a bank's events begin, and how many there are."""
    here = place >= 0
    first = np.zeros(len(place), np.int64)
    count = np.zeros(len(place), np.int64)
    if here.any():
        low, high = int(place[here].min()), int(place[here].max())
        index = bank.index(file, low, high + 2)
        first[here] = index[place[here] - low]
        count[here] = index[place[here] - low + 1] - first[here]
    return first, count


def _read_window(
    file: NexusFile, banks: Sequence[Bank], pulses: tuple[int, int], firsts: I64, counts: I64
) -> Window:
    pixel = np.zeros(int(counts.sum()), np.uint32)
    tof = np.zeros(len(pixel), np.uint32)
    starts = (np.cumsum(counts.ravel()) - counts.ravel()).reshape(counts.shape)
    for column, bank in enumerate(banks):
        filled = np.flatnonzero(counts[:, column])
        if not len(filled):
            continue
        first, count, start = firsts[filled, column], counts[filled, column], starts[filled, column]
        # Where each event of the bank goes: its place among those of its pulse, behind the banks before.
        goes = np.arange(count.sum()) + np.repeat(start - (np.cumsum(count) - count), count)
        ends = first + count
        breaks = np.flatnonzero(first[1:] != ends[:-1]) + 1
        done = 0
        for begin, end in zip(first[[0, *breaks]].tolist(), ends[[*(breaks - 1), -1]].tolist(), strict=True):
            at = goes[done : done + end - begin]
            tof[at] = bank.tof(file, begin, end)
            if not bank.is_monitor:
                pixel[at] = bank.pixel(file, begin, end)
            done += end - begin
    return Window(*pulses, counts, pixel, tof)
