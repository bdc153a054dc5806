"""What the table ``[plugins.nom.total_scattering]`` may hold: from banks to S(Q) and G(r)."""

from __future__ import annotations

from typing import Literal

import attrs

from livered_nom.checks import about, are_not_negative, is_above_zero, is_not_negative

Engine = Literal["auto", "pystog", "own"]

_MOST_POINTS = 20_000
_MOST_PRODUCTS = 2e7


@attrs.frozen
class TotalScatteringSettings:
    """How S(Q), Q[S(Q)-1] and G(r) are made. One value for each bank where there are several.

    Attributes
    ----------
    composition
        Chemical formula of the sample; empty takes the run's own, if it says one.
    q_step, q_max
        Common bins of momentum transfer: from 0 to `q_max` in steps of `q_step`, 1/Angstrom.
    bank_q_min, bank_q_max
        Range of each bank that goes into S(Q), 1/Angstrom; 0 for no limit; a bank with `bank_q_max` not above its
        `bank_q_min` is left out where both are given.
    level_q_min, level_q_max
        Where S(Q) is 1, on average: sets the scale, 1/Angstrom.
    transform_q_min, transform_q_max
        Range of S(Q) that is transformed to G(r), 1/Angstrom.
    r_step, r_max
        Points of G(r): from `r_step` to `r_max` in steps of `r_step`, Angstrom.
    lorch
        Whether Lorch's modification function is applied.
    fourier_cutoff
        What lies below this in G(r) is filtered out, Angstrom; 0 for no filter.
    number_density
        Atoms per cubic Angstrom, for the slope of G(r) below the first distance; 0 when not known.
    engine
        ``"pystog"``, ``"own"``, or ``"auto"`` for pystog where it is installed.
    statistics_q_min, statistics_q_max
        Range of S(Q) whose statistical error is shown, 1/Angstrom.
    wanted_error
        Statistical error of S(Q) at which the run is long enough.
    """

    composition: str = attrs.field(
        default="", metadata=about("chemical formula of the sample, such as SiO2; the run's own without one")
    )
    q_step: float = attrs.field(
        default=0.02, validator=is_above_zero, metadata=about("width of the bins of S(Q)", "1/Angstrom")
    )
    q_max: float = attrs.field(
        default=50.0, validator=is_above_zero, metadata=about("end of the bins of S(Q)", "1/Angstrom")
    )
    bank_q_min: tuple[float, ...] = attrs.field(
        default=(0.0, 0.0, 2.0, 0.0, 0.0, 0.0),
        converter=tuple,
        validator=are_not_negative,
        metadata=about("where each bank begins to go into S(Q); 0 for no limit", "1/Angstrom"),
    )
    bank_q_max: tuple[float, ...] = attrs.field(
        default=(10.0, 10.0, 0.0, 16.0, 0.0, 1.7),
        converter=tuple,
        validator=are_not_negative,
        metadata=about("where each bank ceases to go into S(Q); 0 for no limit", "1/Angstrom"),
    )
    level_q_min: float = attrs.field(
        default=20.0,
        validator=is_not_negative,
        metadata=about("S(Q) is 1 on average from here on; sets the scale", "1/Angstrom"),
    )
    level_q_max: float = attrs.field(
        default=40.0, validator=is_above_zero, metadata=about("up to here", "1/Angstrom")
    )
    transform_q_min: float = attrs.field(
        default=0.5,
        validator=is_not_negative,
        metadata=about("smallest Q that is transformed to G(r)", "1/Angstrom"),
    )
    transform_q_max: float = attrs.field(
        default=31.4,
        validator=is_above_zero,
        metadata=about("largest Q that is transformed to G(r)", "1/Angstrom"),
    )
    r_step: float = attrs.field(
        default=0.02, validator=is_above_zero, metadata=about("step of G(r)", "Angstrom")
    )
    r_max: float = attrs.field(
        default=50.0, validator=is_above_zero, metadata=about("end of G(r)", "Angstrom")
    )
    lorch: bool = attrs.field(default=False, metadata=about("apply Lorch's modification function"))
    fourier_cutoff: float = attrs.field(
        default=0.0,
        validator=is_not_negative,
        metadata=about("filter out what G(r) has below this distance; 0 for no filter", "Angstrom"),
    )
    number_density: float = attrs.field(
        default=0.0,
        validator=is_not_negative,
        metadata=about("atoms per volume, for G(r) below the first distance; 0: not known", "1/Angstrom^3"),
    )
    engine: Engine = attrs.field(
        default="auto",
        metadata=about('transform by "pystog", by livered\'s "own", or "auto": pystog where installed'),
    )
    statistics_q_min: float = attrs.field(
        default=15.0,
        validator=is_not_negative,
        metadata=about("from here the statistical error of S(Q) is shown", "1/Angstrom"),
    )
    statistics_q_max: float = attrs.field(
        default=25.0, validator=is_above_zero, metadata=about("up to here", "1/Angstrom")
    )
    wanted_error: float = attrs.field(
        default=0.02,
        validator=is_above_zero,
        metadata=about("statistical error of S(Q) at which the run is long enough"),
    )

    def __attrs_post_init__(self) -> None:
        for low, high in (
            ("level_q_min", "level_q_max"),
            ("transform_q_min", "transform_q_max"),
            ("statistics_q_min", "statistics_q_max"),
        ):
            if not getattr(self, low) < getattr(self, high):
                message = f"{low} ({getattr(self, low)}) must be below {high} ({getattr(self, high)})"
                raise ValueError(message)
        for end, step in (("q_max", "q_step"), ("r_max", "r_step")):
            points = getattr(self, end) / getattr(self, step)
            if not 2 <= points <= _MOST_POINTS:
                message = f"{end} / {step} makes {points:.0f} points: it must be 2 to {_MOST_POINTS}"
                raise ValueError(message)
        products = self.q_max / self.q_step * self.r_max / self.r_step
        if products > _MOST_PRODUCTS:
            message = (
                f"q_max / q_step times r_max / r_step makes a transform of {products:.1g} products, which takes too long at "
                f"each update: it must be at most {_MOST_PRODUCTS:.0e}"
            )
            raise ValueError(message)
        for name in ("level_q_max", "statistics_q_max", "transform_q_max"):
            if getattr(self, name) > self.q_max:
                message = f"{name} ({getattr(self, name)}) must not be above q_max ({self.q_max})"
                raise ValueError(message)
        if self.number_density > 0 and self.fourier_cutoff == 0:
            message = "number_density has no effect without fourier_cutoff: give both, or none"
            raise ValueError(message)
