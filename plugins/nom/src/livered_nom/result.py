"""One update: everything that has been counted becomes curves, images and numbers."""

from __future__ import annotations

import attrs

from livered_core import Curve, DataModelError, Result, RunInfo, Update
from livered_core.diffraction import UAH_PER_PC, SampleScattering
from livered_nom.counts import NomCounts, Tables
from livered_nom.curves import BankPlan, Note, bank_curves
from livered_nom.divisor import Usable
from livered_nom.enough import progress
from livered_nom.exposure import Exposure, exposure_of
from livered_nom.images import make_images
from livered_nom.measured import Measured
from livered_nom.references import Corrections
from livered_nom.settings import NomSettings
from livered_nom.total import Plan, TotalInputs, make_total, total_curves

_NS = 1e-9
_CALIBRANT_FORMULA = "C"


@attrs.frozen(eq=False)
class Reduction:
    """What an update is made with.

    Attributes
    ----------
    settings
        Of the plugin.
    tables
        With which was counted; None where that is not known, then there are no images.
    corrections
        Vanadium and container, as far as they are ready.
    usable
        The same, as they are used.
    scattering
        What the sample's atoms scatter; None where that is not known.
    scattering_problem
        Why it is not known.
    plan
        For S(Q) and G(r).
    bank_plan
        For the banks.
    """

    settings: NomSettings
    tables: Tables | None
    corrections: Corrections
    usable: Usable
    scattering: SampleScattering | None
    scattering_problem: str
    plan: Plan
    bank_plan: BankPlan


def make_result(
    counts: NomCounts, reduction: Reduction, run: RunInfo, update: Update, notes: dict[str, Note]
) -> Result:
    """Make the result of an update: banks, then S(Q), Q[S(Q)-1] and G(r) where they can be made.

    Parameters
    ----------
    counts
        Of the run.
    reduction
        With what.
    run
        Its number and title are the result's.
    update
        For how long there has been data.
    notes
        Metadata beside those that follow from the counts.

    Raises
    ------
    DataModelError
        When the counts are not of the settings' banks.
    """
    settings = reduction.settings
    exposure = exposure_of(counts, settings.normalise_by)
    sample = Measured.of(counts, exposure)
    usable, said = _usable(reduction, exposure)
    account: dict[str, Note] = {
        "proton_charge_uAh": counts.d.proton_charge_pc * UAH_PER_PC,
        "n_events": counts.d.n_events,
        "n_binned": counts.d.n_binned,
        "n_out_of_range": counts.d.n_out_of_range,
        "n_masked": counts.d.n_masked,
        "n_unknown": counts.d.n_unknown,
        "n_filtered": counts.d.n_filtered,
    }
    elapsed_s = _elapsed_s(update)
    if elapsed_s > 0:
        account["events_per_second"] = counts.d.n_events / elapsed_s
    if counts.n_lost_before:
        account["n_error_or_unmapped"] = counts.n_lost_before
    if exposure.note:
        account["normalisation"] = exposure.note
    curves = bank_curves(
        counts.d, sample, usable, reduction.bank_plan, settings.bank_labels, _calibrant(reduction)
    )
    total, why = _total(sample, usable, reduction, elapsed_s)
    return Result(
        run_number=run.number,
        title=run.title or f"{run.instrument} run {run.number}",
        curves=[*curves, *total],
        images=[] if reduction.tables is None else make_images(counts, reduction.tables.two_theta),
        metadata={**account, **said, **why, **notes},
    )


def _elapsed_s(update: Update) -> float:
    """Return for how long there has been data, seconds, the last pulse's own time too; a pause within a run counts."""
    between_s = (update.last_pulse_ns - update.first_pulse_ns) * _NS
    return between_s * update.n_pulses / (update.n_pulses - 1) if update.n_pulses > 1 else between_s


def _calibrant(reduction: Reduction) -> str:
    """Return what the peaks are compared with: not with diamond where something else is known to be in the beam."""
    scattering = reduction.scattering
    if scattering is not None and scattering.formula != _CALIBRANT_FORMULA:
        return ""
    return reduction.settings.calibrant


def _usable(reduction: Reduction, exposure: Exposure) -> tuple[Usable, dict[str, Note]]:
    """Return what can be used of the corrections, and what to say of them."""
    usable, notes = reduction.usable, dict[str, Note](reduction.corrections.notes)
    if exposure.note and (usable.divisor is not None or usable.container is not None):
        for name in ("vanadium", "container"):
            if name in notes:
                notes[name] = f"not used: the run is {exposure.note}"
        return Usable(), notes
    return usable, notes


def _total(
    sample: Measured, usable: Usable, reduction: Reduction, elapsed_s: float
) -> tuple[list[Curve], dict[str, Note]]:
    """Make S(Q) and what follows; where that is not possible, say why."""
    settings = reduction.settings.total_scattering
    if usable.divisor is None:
        named = "vanadium" in reduction.corrections.notes
        what = "see what is said of vanadium" if named else "name it in [plugins.nom.references]"
        return [], {"total_scattering": f"S(Q) and G(r) need vanadium: {what}"}
    if reduction.scattering is None:
        return [], {"total_scattering": reduction.scattering_problem}
    try:
        inputs = TotalInputs(sample, usable.container, usable.divisor, reduction.scattering)
        total = make_total(inputs, settings, reduction.plan)
        curves = total_curves(total)
    except DataModelError as error:
        return [], {"total_scattering": str(error)}
    reached = progress(total.structure, settings, elapsed_s)
    notes: dict[str, Note] = {"composition": reduction.scattering.formula, **reached.notes}
    if total.problem:
        notes["G(r)"] = total.problem
    return [*curves, *reached.curves], notes
