"""From merged intensities to S(Q) and Q[S(Q) - 1]."""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import bool_column, float64_column
from livered_core.diffraction.composition import SampleScattering
from livered_core.diffraction.merging import ErrorsTogether, MergedPattern
from livered_core.errors import DataModelError

Floats = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class CommonError:
    """An uncertainty that moves all points of a curve together, such as that of a level or a scale.

    A curve f_i has the error ``e_i + shift_i z`` with independent e_i, and z of variance 1 that all points share.

    Attributes
    ----------
    shift
        float64[n], by how much each point moves for one standard deviation of the common cause.
    covariance
        float64[n], covariance of e_i and z: not 0 for the points from which the level was taken.
    """

    shift: Floats = attrs.field(converter=float64_column, repr=False)
    covariance: Floats = attrs.field(converter=float64_column, repr=False)

    def scaled(self, factor: Floats) -> CommonError:
        """Return that of the curve ``factor_i f_i``."""
        return CommonError(self.shift * factor, self.covariance * factor)


@attrs.frozen(eq=False)
class StructureFactor:
    """S(Q), with errors. Arrays are read-only; nothing in them is NaN.

    Attributes
    ----------
    edges
        float64[n + 1], momentum transfer, 1/Angstrom.
    s
        float64[n], S(Q) of Faber and Ziman; 1 where nothing is covered.
    independent_error
        float64[n], standard deviation from what happened in the bin itself: the level is taken as exact. Points
        have these errors independently of each other.
    common
        What the error of the level does to all points, fully correlated between them.
    counts_variance, floor_variance
        float64[n], the whole variance of `s`, the level's included, in the part that falls with the time of
        measuring, and the part of container and vanadium, which stays.
    covered
        bool[n], false where no bank had anything to say.
    together
        Errors of `s` that neighbours share, without what they do to the level; not in `independent_error` and `common`.
    of_level
        float64[n], by how much the level moves, relative to itself, for the same causes: to be summed over a block.
    level_response
        float64[n], by how much `s` moves where the level moves by all of itself.
    scale
        Factor from the merged intensity to barn/sr per atom.
    scale_error
        Its standard deviation; 0 where the scale was given.
    """

    edges: Floats = attrs.field(converter=float64_column, repr=False)
    s: Floats = attrs.field(converter=float64_column, repr=False)
    independent_error: Floats = attrs.field(converter=float64_column, repr=False)
    common: CommonError = attrs.field(repr=False)
    counts_variance: Floats = attrs.field(converter=float64_column, repr=False)
    floor_variance: Floats = attrs.field(converter=float64_column, repr=False)
    covered: npt.NDArray[np.bool_] = attrs.field(converter=bool_column, repr=False)
    scale: float
    scale_error: float
    together: tuple[ErrorsTogether, ...] = attrs.field(default=(), repr=False)
    of_level: tuple[Floats, ...] = attrs.field(default=(), repr=False)
    level_response: Floats = attrs.field(factory=lambda: np.zeros(0), converter=float64_column, repr=False)

    @property
    def q(self) -> Floats:
        """float64[n], the middle of each bin, 1/Angstrom."""
        middle: Floats = (self.edges[:-1] + self.edges[1:]) / 2
        return middle

    @property
    def error(self) -> Floats:
        """float64[n], standard deviation of `s`, the level's share included."""
        error: Floats = np.sqrt(self.counts_variance + self.floor_variance)
        return error

    @property
    def f(self) -> Floats:
        """float64[n], Q[S(Q) - 1], 1/Angstrom."""
        return self.q * (self.s - 1.0)

    @property
    def f_error(self) -> Floats:
        """float64[n], standard deviation of `f`, the level's share included, 1/Angstrom."""
        return self.q * self.error


def structure_factor(
    merged: MergedPattern, sample: SampleScattering, level_range: tuple[float, float]
) -> StructureFactor:
    """Bring a pattern to S(Q) by the level that it tends to at large Q.

    There S(Q) tends to 1, and the intensity per atom to the self-scattering ``total_sr``. The scale is
    ``total_sr / L``, where L is the mean intensity over the range, weighted by exposure: all counts there over
    all vanadium there, right on average however few the counts. Then (with b for the coherent lengths)::

        S(Q) = 1 + (scale I(Q) - total_sr) / <b>^2 = 1 + (total_sr / <b>^2) (I(Q) / L - 1)

    Errors are carried through to first order, L's with its correlation to the bins from which it is taken. In
    the range itself that correlation lowers the error: a bin that makes up the whole range is 1, exactly.

    Parameters
    ----------
    merged
        The pattern; not modified.
    sample
        What its atoms scatter.
    level_range
        From where to where in Q, 1/Angstrom, S(Q) is 1 on average. Bins that lie wholly between count.

    Returns
    -------
    StructureFactor
        On the same edges.

    Raises
    ------
    DataModelError
        When the range holds no covered bin, or the mean intensity there is not above 0.

    References
    ----------
    T. E. Faber and J. M. Ziman, Philosophical Magazine 11 (1965) 153; D. A. Keen, J. Appl. Cryst. 34 (2001) 172.
    """
    low, high = level_range
    inside = merged.covered & (merged.edges[:-1] >= low) & (merged.edges[1:] <= high)
    if not inside.any():
        message = (
            f"The level of S(Q) cannot be found from Q = {low:g} to {high:g} 1/Angstrom, because no bank covers a "
            f"bin there: choose a range within {_covered_range(merged)}."
        )
        raise DataModelError(message)
    share = np.where(inside, merged.exposure, 0.0)
    share /= share.sum()
    level = float(share @ merged.intensity)
    if not level > 0:
        message = (
            f"The level of S(Q) from Q = {low:g} to {high:g} 1/Angstrom is {level:.3g}, not above 0: wait for more "
            "counts, check the container, or choose another range."
        )
        raise DataModelError(message)
    return _scaled(merged, sample, sample.total_sr / level, share)


def structure_factor_by_scale(
    merged: MergedPattern, sample: SampleScattering, scale: float, scale_error: float = 0.0
) -> StructureFactor:
    """Bring a pattern to S(Q) by a known factor, such as one from the number of atoms in the beam.

    Parameters
    ----------
    merged
        The pattern; not modified.
    sample
        What its atoms scatter.
    scale
        Factor from the merged intensity to barn/sr per atom, above 0.
    scale_error
        Its standard deviation, not below 0. It counts to the part of the variance that stays.

    Returns
    -------
    StructureFactor
        On the same edges; the error of the scale is common to all points.

    Raises
    ------
    DataModelError
        When the scale is not above 0, or its error is below 0, or one of them is not finite.
    """
    if not (0 < scale < math.inf and 0 <= scale_error < math.inf):
        message = (
            f"A scale of {scale} with error {scale_error} cannot bring intensities to S(Q): give a factor above "
            "0 and an error not below 0."
        )
        raise DataModelError(message)
    return _scaled(merged, sample, scale, np.zeros(len(merged.intensity)), scale_error)


def _scaled(
    merged: MergedPattern, sample: SampleScattering, scale: float, share: Floats, scale_error: float = 0.0
) -> StructureFactor:
    """Scale a pattern; `share` says by which weights its level came from its own bins (all 0 when given)."""
    gain = scale / sample.coherent_sr
    # S moves by -gain I dL / L where the level moves by dL; dL / L has the weights share_j / L.
    level = sample.total_sr / scale
    relative = share / level
    parts = []
    for variance in (merged.counts_variance, merged.floor_variance):
        of_level = float(relative**2 @ variance)
        whole = variance - 2 * merged.intensity * relative * variance + merged.intensity**2 * of_level
        parts.append(gain**2 * np.where(merged.covered, np.maximum(whole, 0.0), 0.0))
    given = (merged.intensity * scale_error / sample.coherent_sr) ** 2
    shared = sum((each.shift**2 for each in merged.together), np.zeros(len(merged.intensity)))
    variance = np.maximum(merged.counts_variance + merged.floor_variance - shared, 0.0)
    of_level = math.sqrt(float(relative**2 @ variance))
    correlated = relative * variance / of_level if of_level > 0 else np.zeros(len(variance))
    common = CommonError(
        shift=-merged.intensity * math.hypot(gain * of_level, scale_error / sample.coherent_sr),
        covariance=gain * correlated,
    )
    s = 1.0 + (scale * merged.intensity - sample.total_sr) / sample.coherent_sr
    return StructureFactor(
        edges=merged.edges,
        s=np.where(merged.covered, s, 1.0),
        independent_error=gain * np.sqrt(variance),
        common=common,
        counts_variance=parts[0],
        floor_variance=parts[1] + np.where(merged.covered, given, 0.0),
        covered=merged.covered,
        scale=scale,
        scale_error=math.hypot(scale * math.hypot(of_level, _shared_of_level(merged, relative)), scale_error),
        together=tuple(ErrorsTogether(gain * each.shift, each.block) for each in merged.together),
        of_level=tuple(relative * each.shift for each in merged.together),
        level_response=-gain * merged.intensity,
    )


def _shared_of_level(merged: MergedPattern, relative: Floats) -> float:
    """Return the relative standard deviation of the level that errors shared by neighbours cause."""
    variance = 0.0
    for each in merged.together:
        starts = np.flatnonzero(np.diff(each.block, prepend=each.block[0] - 1))
        variance += float(np.sum(np.add.reduceat(relative * each.shift, starts) ** 2))
    return math.sqrt(variance)


def _covered_range(merged: MergedPattern) -> str:
    places = np.flatnonzero(merged.covered)
    if len(places) == 0:
        return "what the banks cover, which is nothing now"
    return f"{merged.edges[places[0]]:g} to {merged.edges[places[-1] + 1]:g}"
