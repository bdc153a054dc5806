"""G(r): the sine transform of Q [S(Q) - 1], with its errors."""

from __future__ import annotations

import math
from typing import Final, Literal

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import float64_column
from livered_core.diffraction.sine_transform import Transform, make_transform, pystog_transform
from livered_core.diffraction.structure_factor import StructureFactor
from livered_core.errors import BackendUnavailable, DataModelError

Floats = npt.NDArray[np.float64]
Engine = Literal["auto", "pystog", "own"]
ENGINES: Final[tuple[Engine, ...]] = ("auto", "pystog", "own")


@attrs.frozen
class TransformOptions:
    """How Q [S(Q) - 1] is transformed.

    Attributes
    ----------
    q_min, q_max
        Bins with centres from `q_min` to `q_max` are transformed, 1/Angstrom. Below, Q [S(Q) - 1] is taken as a
        straight line from 0 at Q = 0.
    lorch
        Multiply by Lorch's function ``sin(pi Q / q_max) / (pi Q / q_max)``, with q_max that of the last bin: it damps
        the ripples that the end of the range makes and broadens peaks (E. Lorch, J. Phys. C 2 (1969) 229).
    fourier_cutoff
        Angstrom: below this distance there are no pairs of atoms; what G(r) shows there is taken out of
        Q [S(Q) - 1] (Fourier filter). None for no filter.
    number_density
        Atoms per cubic Angstrom: below `fourier_cutoff`, G(r) is -4 pi number_density r. None: it is taken as 0.
    engine
        ``"pystog"`` or ``"own"``, which agree; ``"auto"`` is pystog where it is installed.

    Raises
    ------
    DataModelError
        When a number makes no sense.
    """

    q_min: float = 0.0
    q_max: float = math.inf
    lorch: bool = False
    fourier_cutoff: float | None = None
    number_density: float | None = None
    engine: Engine = "auto"

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.q_min < self.q_max:
            message = (
                f"A transform from Q = {self.q_min} to {self.q_max} is not possible: give 0 <= q_min < q_max."
            )
            raise DataModelError(message)
        for name in ("fourier_cutoff", "number_density"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                message = f"A {name} of {value} is not possible: give a number above 0, or none."
                raise DataModelError(message)
        if self.engine not in ENGINES:
            message = (
                f"There is no engine {self.engine!r} for transforms: choose one of {', '.join(ENGINES)}."
            )
            raise DataModelError(message)


@attrs.define(eq=False)
class TransformPlan:
    """What a transform needs at each update, kept between them; belongs to one thread.

    Attributes
    ----------
    q
        float64[n]: centres of the bins, strictly ascending, above 0, 1/Angstrom.
    r
        float64[m]: distances to transform to, strictly ascending, not below 0, Angstrom.
    options
        How.

    Raises
    ------
    DataModelError
        When q or r do not ascend, or fewer than two bins are in the range of the options.
    BackendUnavailable
        When pystog is asked for and cannot be used.
    """

    q: Floats = attrs.field(converter=float64_column, repr=False)
    r: Floats = attrs.field(converter=float64_column, repr=False)
    options: TransformOptions
    uses_pystog: bool = attrs.field(init=False)
    _kept: Transform | None = attrs.field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name, values, low in (("q", self.q, "above 0"), ("r", self.r, "not below 0")):
            fine = values.ndim == 1 and len(values) > 1 and bool(np.all(np.diff(values) > 0))
            if not fine or values[0] < 0 or (name == "q" and values[0] == 0):
                message = f"A transform needs {name} that ascends strictly, {low}: give centres of bins and distances."
                raise DataModelError(message)
        if np.count_nonzero(self.in_range) < 2:
            message = (
                f"From Q = {self.options.q_min:g} to {self.options.q_max:g} 1/Angstrom there are fewer than two bins: "
                "choose a wider range, or finer bins."
            )
            raise DataModelError(message)
        usable = pystog_transform() is not None
        if self.options.engine == "pystog" and not usable:
            message = "Transforms by pystog need pystog and numpy 2: pip install 'livered-core[pystog]'."
            raise BackendUnavailable(message)
        self.uses_pystog = usable and self.options.engine != "own"

    @property
    def in_range(self) -> npt.NDArray[np.bool_]:
        """bool[n], the bins between `q_min` and `q_max`."""
        inside: npt.NDArray[np.bool_] = (self.q >= self.options.q_min) & (self.q <= self.options.q_max)
        return inside

    def transform(self, measured: Floats) -> Transform:
        """Return the transform of values at some bins, ascending; the last one is kept."""
        if self._kept is None or not np.array_equal(self._kept.measured, measured):
            step = float(np.min(np.diff(self.q)))
            options = self.options
            self._kept = make_transform(
                measured, step, self.r, options.lorch, options.fourier_cutoff, options.number_density
            )
        return self._kept


@attrs.frozen(eq=False)
class PairDistribution:
    """The reduced pair distribution function G(r) = 4 pi number_density r [g(r) - 1]. Arrays are read-only copies.

    Attributes
    ----------
    r
        float64[m], Angstrom.
    g, e
        float64[m]: G(r) and its standard deviation, 1/Angstrom^2. Errors of neighbouring points are correlated.
    q_used
        First and last measured Q that was transformed, 1/Angstrom.
    n_interpolated
        Bins between them that are not measured: Q [S(Q) - 1] was taken as linear there.
    """

    r: Floats = attrs.field(converter=float64_column, repr=False)
    g: Floats = attrs.field(converter=float64_column, repr=False)
    e: Floats = attrs.field(converter=float64_column, repr=False)
    q_used: tuple[float, float]
    n_interpolated: int


def pair_distribution(plan: TransformPlan, structure: StructureFactor) -> PairDistribution:
    """Transform ``G(r) = 2 / pi * integral of Q [S(Q) - 1] M(Q) sin(Q r) dQ``.

    By the trapezoid rule over the bins' centres, with M(Q) as the options say. Errors are propagated through all that is
    linear in S(Q), which is everything: gaps, filter, and transform; what the error of the level does to all bins
    together is part of them, and so is what smoothed vanadium's errors do to neighbours together.

    Parameters
    ----------
    plan
        Of the bins of `structure`.
    structure
        S(Q); not modified.

    Raises
    ------
    DataModelError
        When the bins of `structure` are not those of `plan`, or fewer than two in the range are measured.

    References
    ----------
    D. A. Keen, J. Appl. Cryst. 34 (2001) 172.
    """
    if not np.array_equal(structure.q, plan.q):
        message = (
            "G(r) is to be made of other bins of Q than were planned: make a TransformPlan for these bins."
        )
        raise DataModelError(message)
    chosen = plan.in_range & structure.covered
    places = np.flatnonzero(chosen)
    if len(places) < 2:
        message = (
            f"G(r) cannot be made, because from Q = {plan.options.q_min:g} to {plan.options.q_max:g} 1/Angstrom fewer than "
            "two bins are measured: choose another range."
        )
        raise DataModelError(message)
    transform = plan.transform(plan.q[chosen])
    f = structure.f[chosen]
    g = transform.by_pystog(f) if plan.uses_pystog else transform.apply(f)
    q = plan.q
    common = structure.common.scaled(q)
    e = transform.error(
        (q * structure.independent_error)[chosen], common.shift[chosen], common.covariance[chosen]
    )
    variance = e**2
    causes = [
        ((q * each.shift)[chosen], each.block[chosen], of_level[chosen])
        for each, of_level in zip(structure.together, structure.of_level, strict=True)
    ]
    if causes:
        # Where the level moves up, S moves by its response.
        for shared in transform.variances_together(causes, (q * structure.level_response)[chosen]):
            variance = variance + shared
    return PairDistribution(
        r=plan.r,
        g=g,
        e=np.sqrt(variance),
        q_used=(float(q[places[0]]), float(q[places[-1]])),
        n_interpolated=int(places[-1] - places[0] + 1 - len(places)),
    )


def coordination_number(
    pair: PairDistribution, number_density: float, r_low: float, r_high: float
) -> tuple[float, float]:
    """Count the neighbours between two distances: the integral of ``4 pi r^2 number_density g(r)``.

    With ``g(r) = 1 + G(r) / (4 pi number_density r)`` this is the integral of ``4 pi r^2 number_density + r G(r)``.

    Parameters
    ----------
    pair
        G(r).
    number_density
        Atoms per cubic Angstrom.
    r_low, r_high
        Angstrom: points of `pair` between them count.

    Returns
    -------
    tuple[float, float]
        The number, and an upper limit of its standard deviation: errors of neighbouring points count as the same.

    Raises
    ------
    DataModelError
        When fewer than two points lie between.
    """
    inside = (pair.r >= r_low) & (pair.r <= r_high)
    if np.count_nonzero(inside) < 2:
        message = f"G(r) has fewer than two points from r = {r_low:g} to {r_high:g} Angstrom: choose others."
        raise DataModelError(message)
    r, g, e = pair.r[inside], pair.g[inside], pair.e[inside]
    weight = np.zeros(len(r))
    weight[:-1] += np.diff(r) / 2
    weight[1:] += np.diff(r) / 2
    number = float(weight @ (4 * math.pi * number_density * r**2 + r * g))
    return number, float(weight @ (r * e))
