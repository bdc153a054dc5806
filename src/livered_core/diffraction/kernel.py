"""The compiled loops over events. Imports numba: import this module only where events are focused.

A block of events goes through short loops, one after another, with what they hand on in the cache: loops that compute
are made of vector instructions, and those that look up have nothing to wait for but memory.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from livered_core.compiling import compile_kept
from livered_core.diffraction.cells import FRACTION_BITS

BLOCK = 1024
"""Events that are worked on together: with all that belongs to them 40 kB."""

_FRACTION = np.int64(FRACTION_BITS)
_FIRST_EDGE, _SECOND_EDGE = np.uint64(32), np.uint64(32 + FRACTION_BITS)
_ONE = np.uint32(1)


def _prepare(
    pixel_id: npt.NDArray[np.uint32],
    tof: npt.NDArray[np.uint32],
    unknown: int,
    times: tuple[float, float, float, float],
    t: npt.NDArray[np.float64],
    row: npt.NDArray[np.uint32],
) -> None:
    """Give times of flight in microseconds, NaN where they do not count, and each event's row."""
    earliest, latest, prompt, frame = times
    # Dividing, not multiplying by 0.1: the last bit decides the bin of an event on an edge.
    if prompt > 0.0:
        for i in range(len(tof)):
            tof_us = np.float64(tof[i]) / 10.0
            is_prompt = tof_us - np.floor(tof_us / frame) * frame < prompt
            t[i] = tof_us if (tof_us >= earliest) & (tof_us < latest) else np.nan
            row[i] = unknown + _ONE if is_prompt else min(pixel_id[i], unknown)
    else:
        for i in range(len(tof)):
            tof_us = np.float64(tof[i]) / 10.0
            t[i] = tof_us if (tof_us >= earliest) & (tof_us < latest) else np.nan
            row[i] = min(pixel_id[i], unknown)


def _gather(
    n: int,
    row: npt.NDArray[np.uint32],
    t: npt.NDArray[np.float64],
    rows: npt.NDArray[Any],
    u: npt.NDArray[np.float64],
    middle: npt.NDArray[np.float64],
    cells_at: npt.NDArray[np.int32],
) -> None:
    for i in range(n):
        pixel = rows[row[i]]
        u[i] = t[i] * pixel.slope + pixel.offset
        middle[i] = pixel.middle
        cells_at[i] = pixel.cells_at


def _gather_both(  # noqa: PLR0913, PLR0917
    n: int,
    row: npt.NDArray[np.uint32],
    t: npt.NDArray[np.float64],
    rows: npt.NDArray[Any],
    u: npt.NDArray[np.float64],
    middle: npt.NDArray[np.float64],
    cells_at: npt.NDArray[np.int32],
    second_at: npt.NDArray[np.int32],
) -> None:
    for i in range(n):
        pixel = rows[row[i]]
        u[i] = t[i] * pixel.slope + pixel.offset
        middle[i] = pixel.middle
        cells_at[i] = pixel.cells_at
        second_at[i] = pixel.second_at


def _count_pixels(n: int, row: npt.NDArray[np.uint32], pixels: npt.NDArray[np.uint32]) -> None:
    for i in range(n):
        pixels[row[i]] += _ONE


def _find_cells(
    n: int,
    u: npt.NDArray[np.float64],
    middle: npt.NDArray[np.float64],
    cells_at: npt.NDArray[np.int32],
    layout: tuple[int, int, int, int],
    cell: npt.NDArray[np.uint32],
    fraction: npt.NDArray[np.uint16],
) -> None:
    """Turn `u` into d, and d into its cell and where in the cell it is."""
    shift, first, n_cells, _ = layout
    bits = u.view(np.int64)
    for i in range(n):
        root = np.sqrt(u[i])
        d = middle[i] - root if root < middle[i] else middle[i] + root
        # `middle` is NaN for pixels without DIFA.
        u[i] = d if middle[i] == middle[i] else u[i]
    low = first << _FRACTION
    last = (n_cells - 1) << _FRACTION
    for i in range(n):
        k = min(max((bits[i] >> (shift - _FRACTION)) - low, 0), last)
        # NaN is below all edges, whatever its bits.
        k = k if u[i] == u[i] else 0
        cell[i] = np.uint32((k >> _FRACTION) + cells_at[i])
        fraction[i] = np.uint16(k)


def _search(edges: npt.NDArray[np.float64], width: int, d: float, place: Any) -> Any:
    """Return the place of d in the list to which `place` belongs; d is not below it, and mostly near."""
    for _ in range(4):
        if not d >= edges[place]:
            return place
        place += _ONE
    low = np.int64(place)
    high = (low // width + 1) * width - 1
    while low < high:
        half = (low + high) // 2
        if d >= edges[half]:
            low = half + 1
        else:
            high = half
    return np.uint32(low)


def _find_places(  # noqa: PLR0913, PLR0917
    n: int,
    d: npt.NDArray[np.float64],
    cell: npt.NDArray[np.uint32],
    fraction: npt.NDArray[np.uint16],
    cells: npt.NDArray[np.uint64],
    edges: npt.NDArray[np.float64],
    width: int,
    counts: npt.NDArray[np.uint32],
) -> None:
    """Count each event at its place, and leave the place in `cell`."""
    for i in range(n):
        found = cells[cell[i]]
        one, two = np.uint16(found >> _FIRST_EDGE), np.uint16(found >> _SECOND_EDGE)
        place = np.uint32(found) + np.uint32(fraction[i] > one) + np.uint32(fraction[i] > two)
        # As good as never: the fraction does not tell, or the cell has many edges.
        if (fraction[i] == one) | (fraction[i] == two) | (one > two):
            place = search(edges, width, d[i], np.uint32(found))
        counts[place] += _ONE
        cell[i] = place


def _count_second(
    n: int,
    place: npt.NDArray[np.uint32],
    second_at: npt.NDArray[np.int32],
    second_place: npt.NDArray[np.uint16],
    counts: npt.NDArray[np.uint32],
) -> None:
    for i in range(n):
        counts[np.uint32(second_at[i] + second_place[place[i]])] += _ONE


def _count_events(  # noqa: PLR0913, PLR0917
    pixel_id: npt.NDArray[np.uint32],
    tof: npt.NDArray[np.uint32],
    ranges: npt.NDArray[np.int64],
    rows: npt.NDArray[Any],
    times: tuple[float, float, float, float],
    cells: npt.NDArray[np.uint64],
    edges: npt.NDArray[np.float64],
    layout: tuple[int, int, int, int],
    second_place: npt.NDArray[np.uint16],
    counts: npt.NDArray[np.uint32],
    second_counts: npt.NDArray[np.uint32],
    pixels: npt.NDArray[np.uint32],
) -> None:
    """Count events; see `livered_core.diffraction.plan.Pass` for what the arguments mean.

    Parameters
    ----------
    ranges
        int64[n, 2]: events from the first number to before the second are counted.
    times
        Times of flight from the first number to before the second count; from 0 to the third after each multiple of
        the fourth are left out. Microseconds.
    layout
        shift, first, n_cells and width of `livered_core.diffraction.cells.Cells`.
    counts, second_counts, pixels
        Are added to. `second_counts` and `pixels` may be empty.
    """
    unknown = np.uint32(len(rows) - 2)
    t, u, middle = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    row, cell = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    cells_at, second_at = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    fraction = np.empty(BLOCK, np.uint16)
    for index in range(len(ranges)):
        end = ranges[index, 1]
        for start in range(ranges[index, 0], end, BLOCK):
            stop = min(start + BLOCK, end)
            n = stop - start
            prepare(pixel_id[start:stop], tof[start:stop], unknown, times, t, row)
            if len(second_counts):
                gather_both(n, row, t, rows, u, middle, cells_at, second_at)
            else:
                gather(n, row, t, rows, u, middle, cells_at)
            find_cells(n, u, middle, cells_at, layout, cell, fraction)
            find_places(n, u, cell, fraction, cells, edges, layout[3], counts)
            if len(pixels):
                count_pixels(n, row, pixels)
            if len(second_counts):
                count_second(n, cell, second_at, second_place, second_counts)


def _add_places(
    counts: npt.NDArray[np.uint32],
    first: npt.NDArray[np.int64],
    edge_place: npt.NDArray[np.int32],
    bins: npt.NDArray[np.int64],
) -> None:
    """Add the counts of places to the bins in which they are.

    Parameters
    ----------
    counts
        Of all lists of edges.
    first
        Where in `counts` each group's list begins.
    edge_place
        int32[groups, nbin + 1], ascending or descending: the place at which each edge is passed.
    bins
        int64[groups, nbin], is added to.
    """
    for index in range(len(first)):
        begin = first[index]
        for b in range(bins.shape[1]):
            one, other = edge_place[index, b], edge_place[index, b + 1]
            total = np.int64(0)
            for place in range(min(one, other), max(one, other)):
                total += counts[begin + place]
            bins[index, b] += total


def _part(function: Any) -> Any:
    """Compile a part of `count_events`, with which it is kept: nothing else calls it."""
    return numba.njit(function, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


prepare = _part(_prepare)
gather = _part(_gather)
gather_both = _part(_gather_both)
count_pixels = _part(_count_pixels)
find_cells = _part(_find_cells)
search = _part(_search)
find_places = _part(_find_places)
count_second = _part(_count_second)
count_events = compile_kept(_count_events)
add_places = compile_kept(_add_places)
