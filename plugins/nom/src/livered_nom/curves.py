"""From focused counts to the curves that people see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livered_core import Curve, DataModelError, Result, RunInfo
from livered_core.diffraction import (
    DIAMOND_A,
    UAH_PER_PC,
    FocusedHistogram,
    cubic_reflections,
    nearest_reflection,
    normalise_by_charge,
    strongest_peak,
)
from livered_nom.settings import NomSettings

Note = float | int | str | bool


def make_result(
    histogram: FocusedHistogram, settings: NomSettings, run: RunInfo, notes: dict[str, Note]
) -> Result:
    """Make one curve for each bank: intensity against d-spacing, normalised to the proton charge.

    Parameters
    ----------
    histogram
        One group for each bank of the settings.
    settings
        Labels and calibrant.
    run
        Its number and title are the result's.
    notes
        Metadata of the result beside the account of the events.

    Raises
    ------
    DataModelError
        When the histogram has not as many groups as there are banks.
    """
    if len(histogram.counts) != len(settings.bank_labels):
        message = (
            f"What was accumulated has {len(histogram.counts)} groups for {len(settings.bank_labels)} banks: "
            "begin the run again with these settings."
        )
        raise DataModelError(message)
    intensity = normalise_by_charge(histogram.counts, histogram.proton_charge_pc)
    curves = [
        Curve(
            label=label,
            x=histogram.edges[bank],
            y=intensity.y[bank],
            e=intensity.e[bank],
            x_unit="Angstrom",
            y_unit=intensity.unit,
            x_name="d-spacing",
            y_name="intensity",
            metadata={
                "counts": int(histogram.counts[bank].sum()),
                **_peak_notes(histogram.edges[bank], histogram.counts[bank], settings.calibrant),
            },
        )
        for bank, label in enumerate(settings.bank_labels)
    ]
    account: dict[str, Note] = {
        "proton_charge_uAh": histogram.proton_charge_pc * UAH_PER_PC,
        "n_events": histogram.n_events,
        "n_binned": histogram.n_binned,
        "n_out_of_range": histogram.n_out_of_range,
        "n_masked": histogram.n_masked,
        "n_unknown": histogram.n_unknown,
    }
    if intensity.note:
        account["normalisation"] = intensity.note
    return Result(
        run_number=run.number,
        title=run.title or f"{run.instrument} run {run.number}",
        curves=curves,
        metadata={**account, **notes},
    )


def _peak_notes(
    edges: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], calibrant: str
) -> dict[str, Note]:
    """Say where the strongest peak stands and where the calibrant has one; empty while there is no peak."""
    peak = strongest_peak(edges, counts)
    if peak is None:
        return {}
    notes: dict[str, Note] = {
        "strongest_peak_angstrom": round(peak.d, 4),
        "significance": round(peak.significance, 1),
    }
    if calibrant == "diamond":
        # The largest reflection is always among the candidates, however far from it the peak is.
        smallest = min(max(0.8 * peak.d, 0.05), DIAMOND_A / 2)
        candidates = cubic_reflections(DIAMOND_A, "diamond", smallest)
        expected = nearest_reflection(peak.d, candidates)
        if expected is not None:
            notes["expected_peak_angstrom"] = round(expected.d, 4)
            notes["peak_difference_percent"] = round(100 * (peak.d / expected.d - 1), 3)
    return notes
