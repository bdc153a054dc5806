"""From banks to S(Q), Q[S(Q)-1] and G(r)."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Curve, DataModelError
from livered_core.diffraction import (
    BankPatterns,
    PairDistribution,
    SampleScattering,
    StructureFactor,
    TransformOptions,
    TransformPlan,
    merge_banks,
    pair_distribution,
    structure_factor,
)
from livered_nom.banks import momentum_edges
from livered_nom.divisor import Divisor
from livered_nom.measured import Measured
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
        Ready to divide by.
    scattering
        What the sample's atoms scatter.
    """

    sample: Measured
    container: Measured | None
    vanadium: Divisor
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
    expected = inputs.vanadium.expected
    banks = BankPatterns(
        edges=plan.q_edges,
        sample=y,
        variance=sample.variance,
        vanadium=expected.y,
        container_variance=floor,
        vanadium_variance=expected.variance,
        vanadium_block=inputs.vanadium.block,
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
