"""One list of pulses from the lists that the banks of a NeXus file, its charges and its flags have.

All lists are the same in most files. Where they are not, times that agree to half a millisecond are taken for the
same pulse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]

_SAME_PULSE_NS: Final = 500_000


@attrs.frozen(eq=False)
class PulseList:
    """The pulses of all lists of times together.

    Attributes
    ----------
    time_ns
        int64[n], ascending.
    repeated
        bool[n], whether a pulse has the time of the one before.
    places
        For each list, int64[n]: where in it the pulse is; -1 where it is not.
    """

    time_ns: I64
    repeated: npt.NDArray[np.bool_]
    places: tuple[I64, ...]


def unite(clocks: Sequence[I64]) -> PulseList:
    """Find the pulses that lists of times have in common.

    Parameters
    ----------
    clocks
        int64[p] each, in any order; the first decides where times of others differ by rounding. A time that is in
        a list twice is two pulses.
    """
    known, moved = np.zeros(0, np.int64), []
    for clock in clocks:
        near = _nearest(known, clock)
        here = np.where(np.abs(near - clock) <= _SAME_PULSE_NS, near, clock) if len(known) else clock
        # Two pulses of one list are never made one by rounding.
        doubtful = _rank(here) != _rank(clock)
        here = np.where(doubtful, clock, here)
        moved.append(here)
        known = np.union1d(known, here)
    times = np.concatenate([*moved, np.zeros(0, np.int64)])
    ranks = np.concatenate([*map(_rank, moved), np.zeros(0, np.int64)])
    order = np.lexsort((ranks, times))
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(times[order]) != 0) | (np.diff(ranks[order]) != 0)
    pulse = np.empty(len(order), np.int64)
    pulse[order] = np.cumsum(is_new) - 1
    firsts = order[is_new]
    places, begin = [], 0
    for clock in clocks:
        place = np.full(len(firsts), -1, np.int64)
        place[pulse[begin : begin + len(clock)]] = np.arange(len(clock))
        places.append(place)
        begin += len(clock)
    return PulseList(times[firsts], ranks[firsts] > 0, tuple(places))


def _nearest(known: I64, times: I64) -> I64:
    """Find for each time the nearest of an ascending list; the times themselves where the list is empty."""
    if not len(known):
        return times
    after = np.searchsorted(known, times).clip(0, len(known) - 1)
    before = (after - 1).clip(0)
    nearest: I64 = np.where(
        np.abs(known[before] - times) < np.abs(known[after] - times), known[before], known[after]
    )
    return nearest


def _rank(times: I64) -> I64:
    """Count for each time how many equal ones stand before it."""
    order = np.argsort(times, kind="stable")
    begins = np.flatnonzero(np.concatenate([[True], np.diff(times[order]) != 0])) if len(times) else order
    rank = np.empty(len(times), np.int64)
    rank[order] = np.arange(len(times)) - np.repeat(begins, np.diff(np.append(begins, len(times))))
    return rank
