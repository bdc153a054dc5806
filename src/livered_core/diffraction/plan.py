"""Counting by several tables at once: which of them share what, prepared for the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.cells import Cells, aligned, make_cells, of_each
from livered_core.diffraction.grouping import MASKED
from livered_core.diffraction.table import MAX_PIXELS, UNKNOWN, FocusTable
from livered_core.diffraction.thresholds import d_thresholds
from livered_core.errors import DataModelError

ROW_DTYPE = np.dtype(
    [
        ("slope", np.float64),
        ("offset", np.float64),
        ("middle", np.float64),
        ("cells_at", np.int32),
        ("second_at", np.int32),
    ]
)
"""One pixel as the kernel reads it: 32 bytes, so that an event touches one cache line.

u = slope TOF + offset. Without DIFA, `middle` is NaN and d = u; else d = middle -+ sqrt(u), minus where that is above 0.
"""
_MOST_SECOND_EDGES = (1 << 16) - 1
"""Places among them are uint16."""
_Edges = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Spread:
    """How the counts of places become the bins of one table.

    Attributes
    ----------
    table
        Index of the table in the plan.
    second
        Whether its counts are the second ones.
    first, edge_place
        As `add_places` of the kernel wants them.
    masked_at, unknown_at
        Where the lists begin of pixels that the table masks, or does not know.
    width
        Places of a list.
    """

    table: int
    second: bool
    first: npt.NDArray[np.int64] = attrs.field(repr=False)
    edge_place: npt.NDArray[np.int32] = attrs.field(repr=False)
    masked_at: int
    unknown_at: int
    width: int


@attrs.frozen(eq=False)
class Pass:
    """Tables that are counted together, in one loop over the events.

    An event is counted at its place: how many edges, of all the tables together, its d-spacing has passed. There is a
    list of edges for each group. Tables with another grouping, and the same bins in all groups, have second counts.

    Attributes
    ----------
    rows
        `ROW_DTYPE`[m + 2] by pixel id; behind them the row of unknown pixels, and that of events filtered out.
    cells
        The lists of edges.
    second_place
        uint16: for each place the place among the edges of the second tables. Empty without any.
    n_second
        Second counts.
    tof_min_us, tof_max_us
        Times of flight that count.
    filtered_at
        Where in the counts the list of events that were filtered out begins.
    spreads
        One for each table.
    """

    rows: npt.NDArray[Any] = attrs.field(repr=False)
    cells: Cells
    second_place: npt.NDArray[np.uint16] = attrs.field(repr=False)
    n_second: int
    tof_min_us: float
    tof_max_us: float
    filtered_at: int
    spreads: tuple[Spread, ...]


@attrs.frozen(eq=False)
class FocusPlan:
    """Tables by which the same events are counted, and what that needs. See `plan_focusing`.

    Attributes
    ----------
    tables
        As given.
    n_pixels
        Pixels with ids below this are counted one by one.
    """

    tables: tuple[FocusTable, ...] = attrs.field(repr=False)
    n_pixels: int
    _passes: tuple[Pass, ...] = attrs.field(repr=False)

    @property
    def n_passes(self) -> int:
        """How many times the events are gone through: once where the tables fit together."""
        return len(self._passes)


def plan_focusing(tables: Sequence[FocusTable], n_pixels: int = 0) -> FocusPlan:
    """Prepare counting events by several tables, as far as possible in one go.

    Tables with the same calibration and limits of TOF are counted together if they have the same groups (whatever
    their bins and axes), or if each of them has the same bins in all groups; of the latter, those of one more grouping
    at a time. Others are counted one after another. The counts are the same in any case: those of `focus`.

    Parameters
    ----------
    tables
        One or more.
    n_pixels
        Pixels with ids from 0 to ``n_pixels - 1`` are counted one by one.

    Returns
    -------
    FocusPlan
        To be made once, and used by any thread.

    Raises
    ------
    DataModelError
        When there is no table, `n_pixels` is below 0, or there are too many groups with too many edges.
    """
    if not tables or not 0 <= n_pixels <= MAX_PIXELS:
        message = (
            f"{len(tables)} tables and {n_pixels} pixels cannot be counted together: give one table or more, and "
            f"pixels from 0 to {MAX_PIXELS}."
        )
        raise DataModelError(message)
    left = list(range(len(tables)))
    passes: list[Pass] = []
    while left:
        chosen, second = _together(tables, left)
        # The first pass counts pixels, too.
        size = max(len(tables[chosen[0]].group), 0 if passes else n_pixels)
        passes.append(_make_pass(tables, chosen, second, size))
        left = [index for index in left if index not in chosen and index not in second]
    return FocusPlan(tuple(tables), n_pixels, tuple(passes))


def plan_of(table: FocusTable) -> FocusPlan:
    """Return the plan of a table alone, made once for a table."""
    if not table._plans:
        table._plans.append(plan_focusing((table,)))
    plan: FocusPlan = table._plans[0]
    return plan


def _together(tables: Sequence[FocusTable], left: list[int]) -> tuple[list[int], list[int]]:
    """Return which tables share the grouping of the first, and which of one more grouping go along."""
    leader = tables[left[0]]
    first = [index for index in left if _same_calibration(leader, tables[index])]
    chosen = [
        index
        for index in first
        if len(leader.edges) == len(tables[index].edges) and _same(leader.group, tables[index].group)
    ]
    second: list[int] = []
    room = _MOST_SECOND_EDGES
    for index in first:
        table = tables[index]
        fits = index not in chosen and table.edges.shape[1] <= room and _is_uniform(table.edges)
        if fits and (not second or _same(tables[second[0]].group, table.group)):
            second.append(index)
            room -= table.edges.shape[1]
    return chosen, second


def _same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    # To the last bit: NaN is as good as NaN, but by 0.0 and -0.0 is divided to different ends.
    return one is other or one.tobytes() == other.tobytes()


def _same_calibration(one: FocusTable, other: FocusTable) -> bool:
    same_limits = (one.tof_min_us, one.tof_max_us) == (other.tof_min_us, other.tof_max_us)
    return same_limits and all(
        _same(getattr(one, name), getattr(other, name)) for name in ("difc", "difa", "tzero")
    )


def _is_uniform(edges: _Edges) -> bool:
    return len(edges) > 0 and not any(_differ_from_before([edges])[1:])


def _differ_from_before(tables: Sequence[_Edges]) -> list[bool]:
    """Say for each group whether its edges, in any of the tables, are others than those of the group before."""
    differ = np.ones(len(tables[0]), np.bool_)
    differ[1:] = False
    for edges in tables:
        differ[1:] |= (edges[1:] != edges[:-1]).any(axis=1)
    differences: list[bool] = differ.tolist()
    return differences


def _make_pass(tables: Sequence[FocusTable], chosen: list[int], second: list[int], size: int) -> Pass:
    leader = tables[chosen[0]]
    groups = _Groups.of(leader, size)
    second_edges = _union([d_thresholds(tables[index].edges[0], tables[index].axis) for index in second])
    lists: list[_Edges] = []
    for group, is_new in enumerate(_differ_from_before([tables[index].edges for index in chosen])):
        if is_new:
            thresholds = [d_thresholds(tables[index].edges[group], tables[index].axis) for index in chosen]
            edges = _union([*thresholds, second_edges])
        lists.append(edges)
    # A pixel that is masked here may be live by the second grouping; an event that is filtered out never.
    lists += [second_edges, second_edges, np.empty(0)]
    cells = make_cells(lists)
    rows = np.empty(size + 2, ROW_DTYPE)
    _coefficients(leader, rows)
    rows["cells_at"] = groups.list_of_row * cells.n_cells
    spreads = [
        groups.spread(index, tables[index], lists[: len(leader.edges)], cells.width) for index in chosen
    ]
    second_place, n_second = np.empty(0, np.uint16), 0
    rows["second_at"] = 0
    if second:
        second_leader = tables[second[0]]
        width = len(second_edges) + 1
        strips = _Groups.of(second_leader, size)
        n_second = strips.n_lists * width
        rows["second_at"] = strips.list_of_row * width
        by_list = np.zeros((len(lists), cells.width), np.uint16)
        passed = of_each(lists, lambda edges: np.searchsorted(second_edges, edges, side="right"))
        for own, of_list in zip(by_list, passed, strict=True):
            own[1 : len(of_list) + 1] = of_list
        second_place = by_list.reshape(-1)
        spreads += [
            strips.spread(index, tables[index], [second_edges] * len(second_leader.edges), width, second=True)
            for index in second
        ]
    return Pass(
        rows=aligned(rows),
        cells=cells,
        second_place=aligned(second_place),
        n_second=n_second,
        tof_min_us=float(leader.tof_min_us),
        tof_max_us=float(leader.tof_max_us),
        filtered_at=(len(lists) - 1) * cells.width,
        spreads=tuple(spreads),
    )


@attrs.frozen(eq=False)
class _Groups:
    """The lists of a grouping: one for each group, then those of masked and unknown pixels, and of what is filtered out."""

    n_groups: int
    list_of_row: npt.NDArray[np.int32]

    @classmethod
    def of(cls, table: FocusTable, size: int) -> _Groups:
        """Return the lists of a table's groups, with rows for pixel ids below `size`, unknown pixels and filtered events."""
        n_groups = len(table.edges)
        lists = np.full(size + 2, UNKNOWN, np.int32)
        lists[: len(table.group)] = table.group
        lists[lists == MASKED] = n_groups
        lists[lists == UNKNOWN] = n_groups + 1
        lists[-1] = n_groups + 2
        return cls(n_groups, lists)

    @property
    def n_lists(self) -> int:
        return self.n_groups + 3

    def spread(
        self, index: int, table: FocusTable, lists: Sequence[_Edges], width: int, *, second: bool = False
    ) -> Spread:
        """Return how the counts of places in these lists become the bins of a table of this grouping."""
        edge_place = np.empty(table.edges.shape, np.int32)
        before: _Edges | None = None
        for group, edges in enumerate(lists):
            if edges is before:
                edge_place[group] = edge_place[group - 1]
                continue
            # NaN, an edge that no d passes, comes after all places.
            edge_place[group] = np.searchsorted(edges, d_thresholds(table.edges[group], table.axis)) + 1
            before = edges
        return Spread(
            table=index,
            second=second,
            first=_read_only(np.arange(self.n_groups, dtype=np.int64) * width),
            edge_place=_read_only(edge_place),
            masked_at=self.n_groups * width,
            unknown_at=(self.n_groups + 1) * width,
            width=width,
        )


def _coefficients(table: FocusTable, rows: npt.NDArray[Any]) -> None:
    """Fill in how d follows from TOF; NaN, which is never counted, where there is no calibration."""
    for name in ("slope", "offset", "middle"):
        rows[name] = np.nan
    own, known = table.rows, rows[: len(table.rows)]
    quadratic = own["quadratic"] != 0
    known["slope"] = np.where(quadratic, own["b"], own["a"])
    known["offset"] = np.where(quadratic, own["c"], own["b"])
    # Where a is NaN, so is c: such a pixel is taken for one without DIFA, and gives NaN all the same.
    known["middle"] = np.where(quadratic, own["a"], np.nan)


def _union(lists: Sequence[_Edges]) -> _Edges:
    """Return all edges in their order, each once, without NaN."""
    edges: _Edges = np.unique(np.concatenate([*lists, np.empty(0)]))
    return edges[: np.searchsorted(edges, np.nan)]


def _read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values.flags.writeable = False
    return values
