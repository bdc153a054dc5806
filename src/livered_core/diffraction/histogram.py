"""What focusing gives: counts in bins of d-spacing or momentum transfer, and an account of every event."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import own_float64_column, own_int64_column
from livered_core.diffraction.table import AXIS_UNITS, Axis
from livered_core.errors import DataModelError


@attrs.frozen(eq=False)
class FocusedHistogram:
    """Counts of each group on the group's own bins. Arrays are read-only: copied, unless they are read-only and no view.

    Histograms on the same edges can be added. The sum is exact, whatever the order: counts are integers, and
    charges are whole picocoulombs (ADARA carries multiples of 10 pC), which float64 adds exactly up to
    9e15 pC, years of full beam.

    Attributes
    ----------
    edges
        float64[groups, nbin + 1], in the unit of `axis`, strictly ascending along a group.
    counts
        int64[groups, nbin].
    proton_charge_pc
        Proton charge that belongs to the events, picocoulomb.
    n_events
        Events that came in: the sum of the five numbers below.
    n_binned
        Events that were counted.
    n_out_of_range
        Events outside the range of times of flight, or outside the group's bins, or with no d-spacing.
    n_masked
        Events of pixels that are left out on purpose.
    n_unknown
        Events of pixels that the table does not know.
    n_filtered
        Events that a filter left out before (see `livered_core.diffraction.filter_events`).
    axis
        What the edges are edges of.

    Raises
    ------
    DataModelError
        When shapes do not fit, or the numbers do not add up.
    """

    edges: npt.NDArray[np.float64] = attrs.field(converter=own_float64_column, repr=False)
    counts: npt.NDArray[np.int64] = attrs.field(converter=own_int64_column, repr=False)
    proton_charge_pc: float
    n_events: int
    n_binned: int
    n_out_of_range: int
    n_masked: int
    n_unknown: int
    n_filtered: int = 0
    axis: Axis = "d_spacing"

    def __attrs_post_init__(self) -> None:
        if self.counts.ndim != 2 or self.edges.shape != (self.counts.shape[0], self.counts.shape[1] + 1):
            message = (
                f"A histogram has edges{list(self.edges.shape)} for counts{list(self.counts.shape)}: "
                "edges must be [groups, bins + 1]."
            )
            raise DataModelError(message)
        accounted = self.n_binned + self.n_out_of_range + self.n_masked + self.n_unknown + self.n_filtered
        if accounted != self.n_events or int(self.counts.sum()) != self.n_binned:
            message = (
                f"A histogram of {self.n_events} events accounts for {accounted} of them and holds "
                f"{int(self.counts.sum())} counts for {self.n_binned} binned events: its numbers must add up."
            )
            raise DataModelError(message)

    @property
    def unit(self) -> str:
        """Unit of the edges."""
        return AXIS_UNITS[self.axis]

    def with_filtered(self, n_filtered: int) -> FocusedHistogram:
        """Account for events that were left out before focusing."""
        return attrs.evolve(
            self, n_events=self.n_events + n_filtered, n_filtered=self.n_filtered + n_filtered
        )

    def __add__(self, other: FocusedHistogram) -> FocusedHistogram:
        """Add histograms on the same edges, and everything that is counted beside them.

        Raises
        ------
        DataModelError
            When the edges differ.
        """
        if not isinstance(other, FocusedHistogram):
            return NotImplemented
        same = self.edges is other.edges or np.array_equal(self.edges, other.edges)
        if self.axis != other.axis or not same:
            message = (
                f"Histograms with edges{list(self.edges.shape)} and edges{list(other.edges.shape)} cannot be "
                "added because their bins differ: focus both on the same bins."
            )
            raise DataModelError(message)
        counts = self.counts + other.counts
        counts.flags.writeable = False
        return FocusedHistogram(
            edges=self.edges,
            counts=counts,
            proton_charge_pc=self.proton_charge_pc + other.proton_charge_pc,
            n_events=self.n_events + other.n_events,
            n_binned=self.n_binned + other.n_binned,
            n_out_of_range=self.n_out_of_range + other.n_out_of_range,
            n_masked=self.n_masked + other.n_masked,
            n_unknown=self.n_unknown + other.n_unknown,
            n_filtered=self.n_filtered + other.n_filtered,
            axis=self.axis,
        )
