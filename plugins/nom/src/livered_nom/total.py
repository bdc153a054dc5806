"""From banks to S(Q), Q[S(Q)-1] and G(r)."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Curve, DataModelError
from livered_core.diffraction import (
    BankPatterns,
    PairDistribution,
    Patterns,
    PreparedVanadium,
    SampleScattering,
    StructureFactor,
    TransformOptions,
    TransformPlan,
    merge_banks,
    pair_distribution,
    structure_factor,
)
from livered_nom.banks import momentum_edges
from livered_nom.measured import Measured, Spectra, rebin_to_q
from livered_nom.settings_total import TotalScatteringSettings

Floats = npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Total:
    """S(Q) and G(r) of a run.

    Attributes
    ----------
    structure
        S(Q).
    pair
        G(r); None where it cannot be made.
    problem
        Why not.
    """

    structure: StructureFactor
    pair: PairDistribution | None
    problem: str = ""


@attrs.frozen(eq=False)
class Plan:
    """What is the same at each update.

    Attributes
    ----------
    q_edges
        float64[n + 1], 1/Angstrom.
    transform
        From these bins to G(r).
    """

    q_edges: Floats
    transform: TransformPlan


def make_plan(settings: TotalScatteringSettings) -> Plan:
    """Prepare S(Q) and the transform to G(r).

    Raises
    ------
    DataModelError
        When no bins are left between the limits of the settings.
    """
    n_points = max(2, round(settings.r_max / settings.r_step))
    q_edges = momentum_edges(settings)
    transform = TransformPlan(
        q=(q_edges[:-1] + q_edges[1:]) / 2,
        r=settings.r_step * np.arange(1, n_points + 1),
        options=TransformOptions(
            q_min=settings.transform_q_min,
            q_max=settings.transform_q_max,
            lorch=settings.lorch,
            fourier_cutoff=settings.fourier_cutoff or None,
            number_density=settings.number_density or None,
            engine=settings.engine,
        ),
    )
    return Plan(q_edges, transform)


def expected_vanadium(vanadium: Patterns, q_edges: Floats) -> Spectra:
    """Return the vanadium expected in bins of momentum transfer, not below 0.

    The variance follows from the relative error of the smooth curve in the middle of the bin: what falls into a bin errs as
    one, for it is narrower than what smoothing averages over, or about as wide.

    Parameters
    ----------
    vanadium
        Smooth, per exposure, on bins of d-spacing (Angstrom).
    q_edges
        float64[n + 1], 1/Angstrom, from 0 or above.
    """
    positive = attrs.evolve(vanadium, y=np.maximum(vanadium.y, 0.0))
    expected = rebin_to_q(positive, q_edges).y
    middle = 4 * np.pi / (q_edges[:-1] + q_edges[1:])
    variance = np.zeros_like(expected)
    for bank, edges in enumerate(vanadium.edges):
        y, e = positive.y[bank], vanadium.e[bank]
        ratio = np.divide(e, y, out=np.zeros_like(y), where=y > 0)
        variance[bank] = (expected[bank] * np.interp(middle, (edges[:-1] + edges[1:]) / 2, ratio)) ** 2
    return Spectra(expected, variance)


def vanadium_blocks(vanadium: Patterns, q_edges: Floats, bins_together: float) -> npt.NDArray[np.int64]:
    """Return which bins of momentum transfer have errors of smooth vanadium in common, int64[banks, n].

    Parameters
    ----------
    vanadium
        On bins of d-spacing.
    q_edges
        float64[n + 1], 1/Angstrom, from 0 or above.
    bins_together
        Over how many bins of d-spacing vanadium was averaged.
    """
    middle = 4 * np.pi / (q_edges[:-1] + q_edges[1:])
    return np.stack(
        [(np.searchsorted(edges, middle) / bins_together).astype(np.int64) for edges in vanadium.edges]
    )


@attrs.frozen(eq=False)
class TotalInputs:
    """What S(Q) is made of. All runs are normalised alike.

    Attributes
    ----------
    sample
        The run in hand.
    container
        Scaled; None without one.
    vanadium
        Made ready, on bins of d.
    scattering
        What the sample's atoms scatter.
    """

    sample: Measured
    container: Measured | None
    vanadium: PreparedVanadium
    scattering: SampleScattering


def make_total(inputs: TotalInputs, settings: TotalScatteringSettings, plan: Plan) -> Total:
    """Make S(Q) and G(r) of what has been counted so far.

    Parameters
    ----------
    inputs
        Runs.
    settings
        Ranges.
    plan
        From `make_plan`.

    Raises
    ------
    DataModelError
        When there is no scale for S(Q) yet.
    """
    sample = inputs.sample.in_q(plan.q_edges)
    y, floor = sample.y, None
    if inputs.container is not None:
        behind = inputs.container.in_q(plan.q_edges)
        y, floor = y - behind.y, behind.variance
    smooth = inputs.vanadium.smooth
    expected = expected_vanadium(smooth, plan.q_edges)
    banks = BankPatterns(
        edges=plan.q_edges,
        sample=y,
        variance=sample.variance,
        vanadium=expected.y,
        container_variance=floor,
        vanadium_variance=expected.variance,
        vanadium_block=vanadium_blocks(smooth, plan.q_edges, inputs.vanadium.bins_together),
    )
    # 0 stands for "no limit" in the settings.
    lower = [value or None for value in settings.bank_q_min]
    upper = [value or None for value in settings.bank_q_max]
    merged = merge_banks(banks, lower, upper)
    structure = structure_factor(merged, inputs.scattering, (settings.level_q_min, settings.level_q_max))
    try:
        return Total(structure, pair_distribution(plan.transform, structure))
    except DataModelError as error:
        return Total(structure, None, str(error))


def total_curves(total: Total) -> list[Curve]:
    """Draw S(Q), Q[S(Q)-1] and G(r): bins that no bank covers are NaN within the curves, and left out at their ends.

    Raises
    ------
    DataModelError
        When no bin is covered.
    """
    structure, pair = total.structure, total.pair
    covered = np.flatnonzero(structure.covered)
    if len(covered) == 0:
        message = "S(Q) has no bin that a bank covers: check bank_q_min and bank_q_max."
        raise DataModelError(message)
    part = slice(int(covered[0]), int(covered[-1]) + 1)
    edges = structure.edges[part.start : part.stop + 1]
    here = structure.covered[part]
    notes = {"bins_not_covered": int(np.count_nonzero(~here))}
    q = ("1/Angstrom", "momentum transfer")
    curves = [
        Curve(
            label="S(Q)",
            x=edges,
            y=np.where(here, structure.s[part], np.nan),
            e=np.where(here, structure.error[part], np.nan),
            x_unit=q[0],
            y_unit="dimensionless",
            x_name=q[1],
            y_name="S(Q)",
            metadata=notes,
        ),
        Curve(
            label="Q[S(Q)-1]",
            x=edges,
            y=np.where(here, structure.f[part], np.nan),
            e=np.where(here, structure.f_error[part], np.nan),
            x_unit=q[0],
            y_unit="1/Angstrom",
            x_name=q[1],
            y_name="Q[S(Q)-1]",
            metadata=notes,
        ),
    ]
    return curves if pair is None else [*curves, _pair_curve(pair)]


def _pair_curve(pair: PairDistribution) -> Curve:
    return Curve(
        label="G(r)",
        x=pair.r,
        y=pair.g,
        e=pair.e,
        x_unit="Angstrom",
        y_unit="1/Angstrom^2",
        x_name="distance",
        y_name="G(r)",
        metadata={
            "transformed_from_inverse_angstrom": pair.q_used[0],
            "transformed_to_inverse_angstrom": pair.q_used[1],
            "bins_interpolated": pair.n_interpolated,
        },
    )
