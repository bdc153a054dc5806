"""What focusing needs to know of each pixel, prepared for looking up by pixel id."""

from __future__ import annotations

import math
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.calibration import Calibration
from livered_core.diffraction.columns import float64_column, int32_column
from livered_core.diffraction.grouping import MASKED, Grouping
from livered_core.errors import DataModelError

UNKNOWN = -2
"""Value of `FocusTable.group` for a pixel that does not exist."""
MAX_PIXELS = 1 << 26
"""A table for pixel ids above this would fill the memory: such ids are taken for a mistake."""

Axis = Literal["d_spacing", "momentum_transfer"]
"""What events are counted against: d in Angstrom, or Q = 2 pi / d in 1/Angstrom."""
AXIS_UNITS: dict[Axis, str] = {"d_spacing": "Angstrom", "momentum_transfer": "1/Angstrom"}

ROW_DTYPE = np.dtype(
    [("a", np.float64), ("b", np.float64), ("c", np.float64), ("group", np.int32), ("quadratic", np.int32)]
)
"""Coefficients of one pixel: see `_rows`."""


@attrs.frozen(eq=False)
class FocusTable:
    """The pixels and the bins, as focusing wants them. Arrays are copied and made read-only.

    Attributes
    ----------
    group
        int32[m], indexed by pixel id: index of the pixel's group, or `MASKED`, or `UNKNOWN`. Pixel ids from m
        on are unknown.
    difc, difa, tzero
        float64[m], indexed by pixel id, us and Angstrom: TOF = DIFC d + DIFA d^2 + TZERO.
    edges
        float64[groups, nbin + 1], in the unit of `axis`, each group strictly ascending.
    tof_min_us, tof_max_us
        Events outside ``tof_min_us <= tof < tof_max_us`` are not counted.
    axis
        What the edges are edges of: ``"d_spacing"``, or ``"momentum_transfer"``, which is 2 pi / d.

    Raises
    ------
    DataModelError
        When shapes do not fit, edges do not ascend, or a group has no edges.
    """

    group: npt.NDArray[np.int32] = attrs.field(converter=int32_column, repr=False)
    difc: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    difa: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    tzero: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    edges: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    tof_min_us: float = 0.0
    tof_max_us: float = math.inf
    axis: Axis = attrs.field(default="d_spacing", validator=attrs.validators.in_(tuple(AXIS_UNITS)))
    _rows: npt.NDArray[Any] = attrs.field(init=False, repr=False)
    _plans: list[Any] = attrs.field(init=False, repr=False, factory=list)

    def __attrs_post_init__(self) -> None:
        shape = self.group.shape
        if len(shape) != 1 or not self.difc.shape == self.difa.shape == self.tzero.shape == shape:
            message = (
                f"A focusing table has group{list(shape)}, difc{list(self.difc.shape)}, "
                f"difa{list(self.difa.shape)} and tzero{list(self.tzero.shape)}: they must be as long as each other."
            )
            raise DataModelError(message)
        if self.edges.ndim != 2 or self.edges.shape[1] < 2:
            message = f"A focusing table has edges{list(self.edges.shape)}: they must be [groups, bins + 1]."
            raise DataModelError(message)
        if not (np.isfinite(self.edges).all() and (np.diff(self.edges, axis=1) > 0).all()):
            message = "A focusing table has edges that do not ascend: give finite, strictly ascending edges."
            raise DataModelError(message)
        n_groups = len(self.edges)
        if shape[0] and not (self.group.min() >= UNKNOWN and self.group.max() < n_groups):
            message = (
                f"A focusing table has edges for {n_groups} groups and pixels in others: give edges for all."
            )
            raise DataModelError(message)
        object.__setattr__(self, "_rows", _rows(self.group, self.difc, self.difa, self.tzero))

    @property
    def rows(self) -> npt.NDArray[Any]:
        """`ROW_DTYPE`[m]: the coefficients of `focus`, read-only."""
        return self._rows

    @property
    def guess(self) -> npt.NDArray[np.float64]:
        """float64[groups, 2], read-only: where the bins begin, and bins per unit, of x or (if below 0) of ln x.

        Made at each access; not used by `focus`.
        """
        return _guess(self.edges)


def focus_table(
    calibration: Calibration,
    grouping: Grouping,
    edges: npt.NDArray[np.float64],
    tof_min_us: float = 0.0,
    tof_max_us: float = math.inf,
    axis: Axis = "d_spacing",
) -> FocusTable:
    """Prepare focusing the events of an instrument.

    Pixels of the grouping that the calibration lacks, does not use, or has no sensible numbers for are masked.

    Parameters
    ----------
    calibration
        Of the instrument.
    grouping
        The instrument's pixels and their groups; events of other pixels count as unknown.
    edges
        float64[groups, nbin + 1], in the unit of `axis`.
    tof_min_us, tof_max_us
        Range of times of flight to be counted, microseconds.
    axis
        What the edges are edges of.

    Returns
    -------
    FocusTable
        With arrays of its own.

    Raises
    ------
    DataModelError
        When a pixel id is negative or absurdly large, or what `FocusTable` refuses.
    """
    pixel_id = grouping.pixel_id
    if grouping.group.shape != pixel_id.shape:
        message = (
            f"A grouping has {len(pixel_id)} pixels and {len(grouping.group)} groups: they must be as many."
        )
        raise DataModelError(message)
    if len(pixel_id) and not (pixel_id.min() >= 0 and pixel_id.max() < MAX_PIXELS):
        message = (
            f"Pixel ids from {pixel_id.min()} to {pixel_id.max()} cannot be focused: they must lie between 0 and "
            f"{MAX_PIXELS - 1}."
        )
        raise DataModelError(message)
    size = int(pixel_id.max()) + 1 if len(pixel_id) else 0
    group = np.full(size, UNKNOWN, np.int32)
    group[pixel_id] = MASKED
    wanted = np.full(size, MASKED, np.int32)
    wanted[pixel_id] = grouping.group
    columns = {name: np.zeros(size) for name in ("difc", "difa", "tzero")}
    detid = calibration.detid
    taken = calibration.usable & (detid >= 0) & (detid < size)
    known = detid[taken]
    exists = group[known] == MASKED
    group[known[exists]] = wanted[known[exists]]
    for name, column in columns.items():
        column[known] = getattr(calibration, name)[taken]
    return FocusTable(
        group=group, edges=edges, tof_min_us=tof_min_us, tof_max_us=tof_max_us, axis=axis, **columns
    )


def _rows(
    group: npt.NDArray[np.int32],
    difc: npt.NDArray[np.float64],
    difa: npt.NDArray[np.float64],
    tzero: npt.NDArray[np.float64],
) -> npt.NDArray[Any]:
    """Turn calibrations into the coefficients of d(TOF).

    Linear, for DIFA = 0: d = a TOF + b. Quadratic: s = sqrt(b TOF + c), d = a - s if s < a else a + s.
    The forms, and so the last bit of d, are Mantid's (ConversionFactors and AlignDetectors).
    """
    rows = np.zeros(len(group), ROW_DTYPE)
    rows["group"] = group
    quadratic = difa != 0
    rows["quadratic"] = quadratic
    with np.errstate(all="ignore"):
        a = -0.5 * difc / difa
        rows["a"] = np.where(quadratic, a, 1.0 / difc)
        rows["b"] = np.where(quadratic, 1.0 / difa, -1.0 * tzero / difc)
        rows["c"] = np.where(quadratic, a * a - tzero / difa, 0.0)
    rows.flags.writeable = False
    return rows


def _guess(edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where even bins of x or of ln x would be: a scale above 0 for x, below 0 for ln x, 0 for no guess."""
    guess = np.zeros((len(edges), 2))
    n_bins = edges.shape[1] - 1
    widths = np.diff(edges[:, :-1], axis=1) if n_bins > 1 else np.diff(edges, axis=1)
    for group, (first, last) in enumerate(edges[:, [0, -1]]):
        # The last bin of Mantid's Rebin has a width of its own.
        if widths[group].max() < 1.001 * widths[group].min():
            guess[group] = first, n_bins / (last - first)
        elif first > 0 and np.log(last) > np.log(first):
            guess[group] = np.log(first), -n_bins / (np.log(last) - np.log(first))
    guess.flags.writeable = False
    return guess
