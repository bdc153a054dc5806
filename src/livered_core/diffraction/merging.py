"""From the banks' counts to one pattern over Q."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import bool_column, float64_column, int64_column
from livered_core.errors import DataModelError

VANADIUM_SHARE: Final = 0.01
"""Where a bank's vanadium falls below this part of its own maximum, the bank says nothing."""

_EDGE_TOLERANCE: Final = 1e-9
"""Relative: an edge that rounding has put beside a limit counts as being on it."""


def _optional_column(values: npt.ArrayLike | None) -> npt.NDArray[np.float64] | None:
    return None if values is None else float64_column(values)


@attrs.frozen(eq=False)
class BankPatterns:
    """What each bank has seen, on bins that all share. Arrays are copied and made read-only.

    All counts are normalised by the same measure of the incident beam (proton charge), and so are sample and
    vanadium on one scale.

    Attributes
    ----------
    edges
        float64[n + 1], momentum transfer, 1/Angstrom, strictly ascending, not below 0.
    sample
        float64[banks, n], counts of the sample, its container subtracted, per bin and charge. May be negative.
    variance
        float64[banks, n], variance of `sample` that the sample's own counts cause: for N counts in a charge C
        it is N / C^2. It falls as the measurement goes on.
    vanadium
        float64[banks, n], counts of vanadium expected in the bin per charge (smoothed): the exposure of the bin.
    container_variance
        float64[banks, n], variance of `sample` that the subtracted container causes, or None for none. It stays.
    vanadium_variance
        float64[banks, n], variance of `vanadium`, or None for none. It stays.
    vanadium_block
        int64[banks, n], bins of a bank with the same number have errors of vanadium that are one and the same, as
        smoothing leaves them; neighbours only. None where all are independent.

    Raises
    ------
    DataModelError
        When shapes do not fit, the edges do not ascend, a number is not finite, or a variance is below 0.
    """

    edges: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    sample: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    variance: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    vanadium: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    container_variance: npt.NDArray[np.float64] | None = attrs.field(
        converter=_optional_column, default=None, repr=False
    )
    vanadium_variance: npt.NDArray[np.float64] | None = attrs.field(
        converter=_optional_column, default=None, repr=False
    )

    vanadium_block: npt.NDArray[np.int64] | None = attrs.field(
        converter=attrs.converters.optional(int64_column), default=None, repr=False
    )

    def __attrs_post_init__(self) -> None:
        edges = self.edges
        if edges.ndim != 1 or len(edges) < 2 or not edges[0] >= 0 or not bool(np.all(np.diff(edges) > 0)):
            message = (
                f"The Q axis of banks to be merged, edges{list(edges.shape)}, must ascend strictly from 0 or "
                "above: make it with linear_edges or rebin_edges."
            )
            raise DataModelError(message)
        wanted = (self.sample.shape[0] if self.sample.ndim == 2 else 0, len(edges) - 1)
        for name in ("sample", "variance", "vanadium", "container_variance", "vanadium_variance"):
            column = getattr(self, name)
            if column is not None:
                _check(name, column, wanted)
        if self.vanadium_block is not None and self.vanadium_block.shape != wanted:
            message = f"Banks to be merged have vanadium_block{list(self.vanadium_block.shape)}: give {list(wanted)}."
            raise DataModelError(message)

    @property
    def n_banks(self) -> int:
        """Number of banks."""
        return int(self.sample.shape[0])


def _check(name: str, column: npt.NDArray[np.float64], wanted: tuple[int, int]) -> None:
    """Refuse a column of another shape, with numbers that are not finite, or with variances below 0."""
    if column.shape != wanted or wanted[0] == 0:
        message = (
            f"Banks to be merged have {name}{list(column.shape)} for {wanted[1]} bins of Q: give [banks, bins], "
            "the same for all."
        )
        raise DataModelError(message)
    wrong = ~np.isfinite(column)
    if name.endswith("variance"):
        wrong |= column < 0
    if wrong.any():
        bank, place = (int(index) for index in np.argwhere(wrong)[0])
        message = (
            f"Banks to be merged have {name} = {column[bank, place]} in bin {place} of bank {bank} (counted from "
            "0): give finite numbers, and variances not below 0."
        )
        raise DataModelError(message)


@attrs.frozen(eq=False)
class ErrorsTogether:
    """Errors of which neighbouring points share the cause, block by block; blocks are independent.

    Attributes
    ----------
    shift
        float64[n], by how much each point moves for one standard deviation of its block's cause.
    block
        int64[n], which block each point belongs to.
    """

    shift: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    block: npt.NDArray[np.int64] = attrs.field(converter=int64_column, repr=False)


@attrs.frozen(eq=False)
class MergedPattern:
    """One intensity over Q, relative to vanadium. Arrays are read-only; nothing in them is NaN.

    Attributes
    ----------
    edges
        float64[n + 1], momentum transfer, 1/Angstrom.
    intensity
        float64[n], counts of the sample per count of vanadium; 0 where nothing is covered.
    counts_variance
        float64[n], the part of its variance that falls as the measurement goes on: that of the sample's counts.
    floor_variance
        float64[n], the part that stays: that of container and vanadium.
    exposure
        float64[n], vanadium expected in all the banks that count here, per charge; 0 where nothing is covered.
    n_banks
        int64[n], how many banks count here.
    covered
        bool[n], true where at least one bank counts.
    together
        What vanadium's errors do to `intensity`, for each bank, where they are not independent; part of
        `floor_variance`.
    """

    edges: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    intensity: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    counts_variance: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    floor_variance: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    exposure: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    n_banks: npt.NDArray[np.int64] = attrs.field(converter=int64_column, repr=False)
    covered: npt.NDArray[np.bool_] = attrs.field(converter=bool_column, repr=False)
    together: tuple[ErrorsTogether, ...] = attrs.field(default=(), repr=False)

    @property
    def q(self) -> npt.NDArray[np.float64]:
        """float64[n], the middle of each bin, 1/Angstrom."""
        middle: npt.NDArray[np.float64] = (self.edges[:-1] + self.edges[1:]) / 2
        return middle

    @property
    def error(self) -> npt.NDArray[np.float64]:
        """float64[n], standard deviation of `intensity`; 0 where nothing is covered."""
        error: npt.NDArray[np.float64] = np.sqrt(self.counts_variance + self.floor_variance)
        return error


def merge_banks(
    banks: BankPatterns,
    q_min: Sequence[float | None] | None = None,
    q_max: Sequence[float | None] | None = None,
    *,
    vanadium_share: float = VANADIUM_SHARE,
) -> MergedPattern:
    """Merge banks over the ranges of Q in which each is trusted.

    In each bin the counts of all banks that count are added, and divided by the vanadium expected in the same
    banks: ``I = sum_g s_g / sum_g v_g``. Each bank then weighs as much as its exposure, which does not depend on
    what was counted, so that the mean of I is right however few the counts. Weights of one over the variance
    would be taken from the counts themselves: a bank that happened to count less would weigh more, which draws
    the mean down, by about one count in a bin, and a bank with no count at all would have no finite weight.
    Where all banks see the same intensity and the background is small, exposure weights are the best ones too,
    because the variance of s_g is then proportional to v_g.

    The variance is that of independent banks, ``(sum var(s_g) + I^2 sum var(v_g)) / (sum v_g)^2``.

    Parameters
    ----------
    banks
        What the banks have seen.
    q_min, q_max
        Limits of each bank, 1/Angstrom; None or NaN for no limit. A bin counts when it lies wholly between.
    vanadium_share
        A bank counts only where its vanadium per unit of Q exceeds this part of its own maximum; 0 to 1.

    Returns
    -------
    MergedPattern
        On the same edges. Bins that no bank covers are marked, and have intensity, variance and exposure 0.

    Raises
    ------
    DataModelError
        When there are more or fewer limits than banks, or the share is not between 0 and 1.
    """
    if not 0 <= vanadium_share < 1:
        message = f"A vanadium share of {vanadium_share} is not possible: give a part of 1, such as 0.01."
        raise DataModelError(message)
    low = _limits("q_min", q_min, banks.n_banks, -np.inf)
    high = _limits("q_max", q_max, banks.n_banks, np.inf)
    density = banks.vanadium / np.diff(banks.edges)
    threshold = np.maximum(vanadium_share * density.max(axis=1, keepdims=True), 0.0)
    slack = _EDGE_TOLERANCE * banks.edges[-1]
    used = (
        (banks.edges[:-1] >= low[:, None] - slack)
        & (banks.edges[1:] <= high[:, None] + slack)
        & (density > threshold)
    )
    exposure = np.where(used, banks.vanadium, 0.0).sum(axis=0)
    n_banks = np.count_nonzero(used, axis=0)
    covered = exposure > 0
    divisor = np.where(covered, exposure, 1.0)
    intensity = np.where(used, banks.sample, 0.0).sum(axis=0) / divisor

    def summed(variance: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
        if variance is None:
            return np.zeros(len(exposure))
        total: npt.NDArray[np.float64] = np.where(used, variance, 0.0).sum(axis=0) / divisor / divisor
        return total

    together = []
    if banks.vanadium_block is not None and banks.vanadium_variance is not None:
        moved = np.where(used, np.sqrt(banks.vanadium_variance), 0.0) * -intensity / divisor
        together = [ErrorsTogether(*each) for each in zip(moved, banks.vanadium_block, strict=True)]
    return MergedPattern(
        together=tuple(together),
        edges=banks.edges,
        intensity=intensity,
        counts_variance=summed(banks.variance),
        floor_variance=summed(banks.container_variance) + intensity**2 * summed(banks.vanadium_variance),
        exposure=exposure,
        n_banks=n_banks,
        covered=covered,
    )


def _limits(
    name: str, limits: Sequence[float | None] | None, n_banks: int, none: float
) -> npt.NDArray[np.float64]:
    """Return a limit for each bank, `none` where there is none."""
    if limits is None:
        return np.full(n_banks, none)
    if len(limits) != n_banks:
        message = (
            f"{name} has {len(limits)} limits for {n_banks} banks: give one for each bank, or none at all."
        )
        raise DataModelError(message)
    column = np.array([np.nan if limit is None else limit for limit in limits], np.float64)
    return np.where(np.isnan(column), none, column)
