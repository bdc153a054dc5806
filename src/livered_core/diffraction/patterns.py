"""Normalised patterns of several groups, and what is done with two of them."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import float64_column, int64_column
from livered_core.errors import DataModelError


@attrs.frozen(eq=False)
class Patterns:
    """Intensities of several groups on their own bins. Arrays are copied and made read-only.

    Attributes
    ----------
    edges
        float64[groups, n + 1], strictly ascending along a group.
    y, e
        float64[groups, n], intensities and standard deviations, finite, in `unit`.
    unit
        Unit of the intensities.

    Raises
    ------
    DataModelError
        When shapes do not fit, or a number is not finite.
    """

    edges: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    y: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    e: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    unit: str

    def __attrs_post_init__(self) -> None:
        y, edges = self.y.shape, self.edges.shape
        if len(y) != 2 or self.e.shape != y or edges != (y[0], y[1] + 1):
            message = (
                f"Patterns have edges{list(edges)}, y{list(y)} and e{list(self.e.shape)}: edges must be "
                "[groups, bins + 1], and y and e [groups, bins]."
            )
            raise DataModelError(message)
        for name in ("edges", "y", "e"):
            finite = np.isfinite(getattr(self, name))
            if not finite.all():
                wrong = np.argwhere(~finite)
                group, place = wrong[0]
                message = (
                    f"Patterns have {getattr(self, name)[group, place]} in {name} at bin {place} of group {group} "
                    f"({len(wrong)} such numbers): only finite numbers can be reckoned with."
                )
                raise DataModelError(message)

    def minus(self, other: Patterns) -> Patterns:
        """Subtract patterns on the same bins and in the same unit; errors add in quadrature.

        Raises
        ------
        DataModelError
            When bins or units differ.
        """
        self._check_fits(other)
        if other.unit != self.unit:
            message = f"Patterns in {other.unit} cannot be subtracted from patterns in {self.unit}: normalise both alike."
            raise DataModelError(message)
        return Patterns(self.edges, self.y - other.y, np.hypot(self.e, other.e), self.unit)

    def divided_by(self, other: Patterns, unit: str) -> Ratio:
        """Divide by patterns on the same bins.

        With r = a / b: ``e_r^2 = (e_a^2 + r^2 e_b^2) / b^2``, which holds for a = 0, too. Where b is not above 0 there
        is no quotient: intensity and error are 0, and the bin is counted.

        Parameters
        ----------
        other
            The divisor.
        unit
            Unit of the quotient.

        Raises
        ------
        DataModelError
            When bins differ.
        """
        self._check_fits(other)
        good = other.y > 0
        divisor = np.where(good, other.y, 1.0)
        ratio = np.where(good, self.y / divisor, 0.0)
        error = np.where(good, np.hypot(self.e, ratio * other.e) / divisor, 0.0)
        return Ratio(
            Patterns(self.edges, ratio, error, unit), np.count_nonzero(~good, axis=1).astype(np.int64)
        )

    def _check_fits(self, other: Patterns) -> None:
        if not np.array_equal(self.edges, other.edges):
            message = (
                f"Patterns on edges{list(self.edges.shape)} and on edges{list(other.edges.shape)} have different bins: "
                "reduce both on the same bins."
            )
            raise DataModelError(message)


@attrs.frozen(eq=False)
class Ratio:
    """A quotient of patterns.

    Attributes
    ----------
    patterns
        The quotient; 0 with error 0 where the divisor was not above 0.
    n_without
        int64[groups], number of such bins.
    """

    patterns: Patterns
    n_without: npt.NDArray[np.int64] = attrs.field(converter=int64_column)
