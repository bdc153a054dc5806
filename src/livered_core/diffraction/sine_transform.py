"""The sine transform itself: a matrix, by which errors can be followed exactly; or pystog's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FILTER_POINTS_PER_PERIOD = 20
_ROWS = 500
"""About so many distances are worked out where neighbours' errors are followed."""
_ROWS_AT_ONCE = 32
"""So many of them at a time: what they need stays in a core's own cache."""


@attrs.frozen(eq=False)
class Transform:
    """A transform of values at measured Q to G(r): ``G = matrix values + offset``.

    Attributes
    ----------
    measured
        float64[k], where the values are measured, 1/Angstrom.
    q
        float64[n], all points of the integral: those measured, those in gaps, and those below the first.
    r
        float64[m], Angstrom.
    low_r
        float64[l], distances of the Fourier filter; empty without one.
    low_target
        float64[l], what G(r) is there.
    lorch_q_max
        Q at which Lorch's function ends; None without it.
    matrix
        float64[m, k].
    offset
        float64[m], from the filter's target.
    squared
        float64[m, k], the matrix element by element, which each error needs.
    rows
        int64[some hundreds], the distances at which errors that neighbours share are worked out.
    at_rows
        float64[some hundreds, k], the matrix there.
    """

    measured: Floats
    q: Floats
    r: Floats
    low_r: Floats
    low_target: Floats
    lorch_q_max: float | None
    matrix: Floats
    offset: Floats
    squared: Floats = attrs.field(init=False, repr=False)
    rows: Integers = attrs.field(init=False, repr=False)
    at_rows: Floats = attrs.field(init=False, repr=False)

    @squared.default
    def _square(self) -> Floats:
        squared: Floats = self.matrix**2
        return squared

    @rows.default
    def _some_rows(self) -> Integers:
        return np.arange(0, len(self.r), max(1, len(self.r) // _ROWS), dtype=np.int64)

    @at_rows.default
    def _at_some_rows(self) -> Floats:
        return self.matrix[self.rows]

    def apply(self, values: Floats) -> Floats:
        """Return G(r) of the values at `measured`, float64[m]."""
        g: Floats = self.matrix @ values + self.offset
        return g

    def by_pystog(self, values: Floats) -> Floats:
        """Return the same by pystog, which must be installed."""
        transformer = pystog_transform()
        assert transformer is not None
        f = np.interp(self.q, np.concatenate(([0.0], self.measured)), np.concatenate(([0.0], values)))
        if len(self.low_r):
            _, low_g, _ = transformer.F_to_G(self.q, f, self.low_r)
            _, excess, _ = transformer.G_to_F(self.low_r, low_g - self.low_target, self.q)
            f = f - excess
        g: Floats
        if self.lorch_q_max is not None:
            # pystog's own window is not defined at Q = 0.
            f = f * np.sinc(self.q / self.lorch_q_max)
        _, g, _ = transformer.F_to_G(self.q, f, self.r)
        return g

    def error(self, independent: Floats, shift: Floats, covariance: Floats) -> Floats:
        """Return standard deviations of G(r), float64[m].

        Parameters
        ----------
        independent, shift, covariance
            float64[k], errors of the values; see `livered_core.diffraction.structure_factor.CommonError`.
        """
        together = self.matrix @ shift
        variance = self.squared @ independent**2 + together**2 + 2 * together * (self.matrix @ covariance)
        error: Floats = np.sqrt(np.maximum(variance, 0.0))
        return error

    def variances_together(
        self, causes: Sequence[tuple[Floats, Integers, Floats]], response: Floats
    ) -> Iterator[Floats]:
        """Return, cause by cause, the variance of G(r) that errors make which neighbours share, float64[m].

        It is worked out for some hundreds of distances, and linear between them.

        Parameters
        ----------
        causes
            Of each: ``shift``, float64[k], by how much each value moves for one standard deviation of its block's cause;
            ``block``, int64[k], which block each value belongs to, only neighbours are of the same; and ``of_level``,
            float64[k], by how much the level moves for the same, to be summed over a block.
        response
            float64[k], by how much each value moves where the level moves by all of itself.
        """
        with_level = self.at_rows @ response
        for shift, block, of_level in causes:
            moving = np.flatnonzero((shift != 0) | (of_level != 0))
            if len(moving) == 0:
                yield np.zeros(len(self.r))
                continue
            part = slice(int(moving[0]), int(moving[-1]) + 1)
            starts = np.flatnonzero(np.diff(block[part], prepend=block[part.start] - 1))
            moved = _sums(self.at_rows[:, part], shift[part], starts)
            moved += np.multiply.outer(with_level, np.add.reduceat(of_level[part], starts))
            yield np.interp(self.r, self.r[self.rows], np.sum(moved**2, axis=1))


def _sums(matrix: Floats, factor: Floats, starts: npt.NDArray[np.intp]) -> Floats:
    """Return the sums of ``matrix * factor`` over each block of columns, float64[rows, blocks]."""
    sums = np.empty((len(matrix), len(starts)))
    products = np.empty((_ROWS_AT_ONCE, matrix.shape[1]))
    for first in range(0, len(matrix), _ROWS_AT_ONCE):
        some = matrix[first : first + _ROWS_AT_ONCE]
        product = np.multiply(some, factor, out=products[: len(some)])
        np.add.reduceat(product, starts, axis=1, out=sums[first : first + len(some)])
    return sums


def make_transform(
    measured: Floats,
    step: float,
    r: Floats,
    lorch: bool,
    fourier_cutoff: float | None,
    number_density: float | None,
) -> Transform:
    """Work out a transform.

    Parameters
    ----------
    measured
        float64[k], strictly ascending, above 0, 1/Angstrom.
    step
        Distance of points below the first, and in gaps, 1/Angstrom.
    r
        float64[m], Angstrom.
    lorch, fourier_cutoff, number_density
        As in `TransformOptions`.
    """
    q = _all_points(measured, step)
    spread = _interpolation(q, measured)
    weight = _trapezoid(q)
    scale = 2 / math.pi
    window = np.sinc(q / q[-1]) if lorch else np.ones(len(q))
    full = scale * np.sin(np.multiply.outer(r, q)) * (weight * window)
    offset = np.zeros(len(r))
    low_r, target = np.empty(0), np.empty(0)
    if fourier_cutoff is not None:
        n_points = max(3, math.ceil(fourier_cutoff * q[-1] / (2 * math.pi) * _FILTER_POINTS_PER_PERIOD))
        low_r = np.linspace(0.0, fourier_cutoff, n_points)
        target = -4 * math.pi * (number_density or 0.0) * low_r
        sines = np.sin(np.multiply.outer(low_r, q))
        back = sines.T * _trapezoid(low_r)
        removed = full @ back
        full = full - removed @ (scale * sines * weight)
        offset = removed @ target
    return Transform(
        measured=measured,
        q=q,
        r=r,
        low_r=low_r,
        low_target=target,
        lorch_q_max=float(q[-1]) if lorch else None,
        matrix=full @ spread,
        offset=offset,
    )


def pystog_transform() -> Any:
    """Return pystog's transformer; None where pystog is not installed, or numpy is too old for it."""
    if not hasattr(np, "trapezoid"):
        return None
    try:
        from pystog import Transformer
    except ImportError:
        return None
    return Transformer()


def _all_points(measured: Floats, step: float) -> Floats:
    """Return the measured points with others from 0 on, and in gaps, about a step apart."""
    ends = np.concatenate(([0.0], measured))
    n_parts = np.maximum(1, np.round(np.diff(ends) / step).astype(np.int64))
    pieces = [
        np.linspace(low, high, n + 1)[:-1] if n > 1 else np.array([low])
        for low, high, n in zip(ends[:-1], ends[1:], n_parts, strict=True)
    ]
    return np.concatenate([*pieces, measured[-1:]])


def _interpolation(q: Floats, measured: Floats) -> Floats:
    """Return float64[n, k]: values at all points from those measured, linear in gaps and from 0 at Q = 0."""
    ends = np.concatenate(([0.0], measured))
    right = np.clip(np.searchsorted(ends, q, side="left"), 1, len(ends) - 1)
    share = (q - ends[right - 1]) / (ends[right] - ends[right - 1])
    spread = np.zeros((len(q), len(ends)))
    rows = np.arange(len(q))
    spread[rows, right - 1] = 1 - share
    spread[rows, right] += share
    return spread[:, 1:]


def _trapezoid(x: Floats) -> Floats:
    weight = np.zeros(len(x))
    weight[:-1] += np.diff(x) / 2
    weight[1:] += np.diff(x) / 2
    return weight
