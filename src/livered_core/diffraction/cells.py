"""Finding an event's place among sorted edges by the leading bits of its d-spacing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError

FRACTION_BITS = 16
"""Bits of d behind those that choose the cell, with which edges within the cell are compared. The compiled kernel holds it,
and does not see a change here alone."""
_MANTISSA_BITS = 52
_NO_EDGE = (1 << FRACTION_BITS) - 1
_EXPONENT_BITS = 11
_FINEST = 20
_ENOUGH = 0.05
_CELLS_PER_EDGE = 16
_MOST_CELLS = 1 << 23
_LOOKED_AT = 100
_LARGEST = (1 << 31) - 1
"""Where a list of cells, or of edges, begins is an int32."""
_Edges = npt.NDArray[np.float64]
_T = TypeVar("_T")


@attrs.frozen(eq=False)
class Cells:
    """Several lists of edges, ready for looking up. See `make_cells`.

    Attributes
    ----------
    cells
        uint64[lists x n_cells], read-only. The lower 32 bits of a cell are the edges that lie below it, all those of
        the lists before (`width` of each) included. Above them are two numbers of 16 bits, where the first and the
        second edge in the cell lie: `FRACTION_BITS` bits of d. Where the first is above the second, more than two
        edges are in the cell and must be searched.
    edges
        float64[lists x width], read-only: each list, filled up with NaN.
    n_cells
        Cells of each list. The first holds everything below the others, the last everything above.
    width
        One more than the edges of the longest list: the places that an event can have among them.
    shift
        The bits of d that choose the cell are those above the lowest `shift`.
    first
        ``bits(d) >> shift`` of the first cell.
    """

    cells: npt.NDArray[np.uint64] = attrs.field(repr=False)
    edges: npt.NDArray[np.float64] = attrs.field(repr=False)
    n_cells: int
    width: int
    shift: int
    first: int


def make_cells(lists: list[npt.NDArray[np.float64]]) -> Cells:
    """Prepare looking up in lists of edges.

    Cells are as wide as a power of two of the last bits of d, the narrower the smaller d is: as fine as it takes for
    most of them to hold two edges or fewer, as long as that takes no absurd memory. They are the same for all lists.

    Parameters
    ----------
    lists
        float64 each, strictly ascending, without NaN; may be empty. The same object time after time is looked at once.

    Raises
    ------
    DataModelError
        When there are more lists, of as many edges, than can be looked up.
    """
    width = max((len(edges) for edges in lists), default=0) + 1
    different = [edges for edges, before in zip(lists, [None, *lists], strict=False) if edges is not before]
    positive = [edges[edges > 0] for edges in different]
    low = min((float(edges[0]) for edges in positive if len(edges)), default=1.0)
    high = max((float(edges[-1]) for edges in positive if len(edges)), default=1.0)
    most = max(1 << 12, min(width * _CELLS_PER_EDGE, _MOST_CELLS // max(len(lists), 1)))
    # Some of them tell how close edges are.
    some = positive[:: max(1, len(positive) // _LOOKED_AT)]
    shift, first, n_cells = _fine_enough(some, low, high, most)
    if len(lists) * max(n_cells, width) > _LARGEST:
        message = (
            f"{len(lists)} lists of up to {width - 1} edges from {low:g} to {high:g} Angstrom are too many to be "
            "counted in: give fewer groups, or fewer bins."
        )
        raise DataModelError(message)
    cells = np.empty((len(lists), n_cells), np.uint64)
    padded = np.full((len(lists), width), np.nan)
    made = of_each(lists, lambda edges: _cells_of(edges, shift, first, n_cells))
    for index, (edges, of_list) in enumerate(zip(lists, made, strict=True)):
        padded[index, : len(edges)] = edges
        cells[index] = of_list + np.uint64(index * width)
    return Cells(aligned(cells), aligned(padded), n_cells, width, shift, first)


def of_each(lists: Iterable[_Edges], make: Callable[[_Edges], _T]) -> Iterator[_T]:
    """Give what is made of each list: made once where the same object comes several times, one after another."""
    before: _Edges | None = None
    for edges in lists:
        if edges is not before:
            before, made = edges, make(edges)
        yield made


def _fine_enough(lists: list[_Edges], low: float, high: float, most: int) -> tuple[int, int, int]:
    """Return shift, first and n_cells of the coarsest cells that are fine enough, or of the finest allowed."""
    chosen = None
    for bits in range(_FINEST + 1):
        shift = _MANTISSA_BITS - bits
        # The first cell is the one below that of the lowest edge, the last the one above that of the highest.
        first = (_bits(low) >> shift) - 1
        n_cells = (_bits(high) >> shift) + 2 - first
        if chosen is not None and n_cells > most:
            break
        chosen = shift, first, n_cells
        if max((_share_crowded(edges, shift) for edges in lists), default=0.0) <= _ENOUGH:
            break
    assert chosen is not None
    return chosen


def _share_crowded(edges: _Edges, shift: int) -> float:
    """Return which part of the edges are in a cell with more than one other."""
    _, counts = np.unique(edges.view(np.int64) >> shift, return_counts=True)
    return float(counts[counts > 2].sum()) / max(len(edges), 1)


def _cells_of(edges: npt.NDArray[np.float64], shift: int, first: int, n_cells: int) -> npt.NDArray[np.uint64]:
    bits = edges.view(np.int64)
    # Negative numbers, and 0, are below the first cell's end.
    place = np.where(edges > 0, np.maximum((bits >> shift) - first, 0), 0)
    n_in = np.bincount(place, minlength=n_cells)
    n_below = np.cumsum(n_in) - n_in
    fraction = np.append((bits >> (shift - FRACTION_BITS)) & _NO_EDGE, _NO_EDGE)
    one = np.where(n_in > 0, fraction[np.minimum(n_below, len(edges))], _NO_EDGE)
    two = np.where(n_in > 1, fraction[np.minimum(n_below + 1, len(edges))], _NO_EDGE)
    searched = n_in > 2
    # What is below all or above all has lost its fraction.
    searched[[0, -1]] |= n_in[[0, -1]] > 0
    one[searched], two[searched] = _NO_EDGE, 0
    cells: npt.NDArray[np.uint64] = (
        n_below.astype(np.uint64)
        | one.astype(np.uint64) << np.uint64(32)
        | two.astype(np.uint64) << np.uint64(32 + FRACTION_BITS)
    )
    return cells


def _bits(value: float) -> int:
    return int(np.float64(value).view(np.int64))


def aligned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a flat, read-only copy that begins at a cache line."""
    room = np.empty(values.nbytes + 64, np.uint8)
    begin = -room.ctypes.data % 64
    copy = room[begin : begin + values.nbytes].view(values.dtype)
    copy[:] = values.reshape(-1)
    copy.flags.writeable = False
    return copy
