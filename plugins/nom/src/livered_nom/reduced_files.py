"""Already reduced files as vanadium or container."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from livered_core import DataModelError
from livered_core.diffraction import Patterns
from livered_core.references import read_reduced
from livered_nom.settings import NomSettings
from livered_nom.target import Target

UNITS = {
    "counts/uAh": "counts/uAh",
    "Counts per microAmp.hour": "counts/uAh",
    "counts/monitor count": "counts/monitor count",
}
"""What a file may call the units of what is normalised: livered, and Mantid's NormaliseByCurrent."""


def read_patterns(path: Path, target: Target, settings: NomSettings) -> Patterns:
    """Take the banks' curves of a file.

    Parameters
    ----------
    path
        The file; see `livered_core.references.read_reduced`.
    target
        Whose bins the curves must have.
    settings
        What the banks are called, and what counts are divided by.

    Raises
    ------
    DataModelError
        When a bank is missing, or has other bins, another unit or values that are no numbers.
    """
    curves = {curve.label: curve for curve in read_reduced(path)}
    edges = target.tables.d.edges
    y, e = np.zeros((2, len(edges), edges.shape[1] - 1))
    unit = ""
    for bank, label in enumerate(settings.bank_labels):
        curve = curves.get(label) or curves.get(str(bank + 1))
        if curve is None:
            message = f"{path} has no curve {label!r}: give a file with one for each bank."
            raise DataModelError(message)
        if curve.x.shape != edges[bank].shape or not np.allclose(curve.x, edges[bank], rtol=1e-9):
            message = (
                f"{path} has other bins than this run in {label!r} ({len(curve.x)} edges and not "
                f"{len(edges[bank])}, or others): reduce it with the same settings."
            )
            raise DataModelError(message)
        if not (np.isfinite(curve.y).all() and np.isfinite(curve.e).all()):
            message = f"{path} has values that are no numbers in {label!r}: reduce that run anew."
            raise DataModelError(message)
        y[bank], e[bank], unit = curve.y, curve.e, curve.y_unit
    wanted = "counts/uAh" if settings.normalise_by == "proton_charge" else "counts/monitor count"
    if UNITS.get(unit) != wanted:
        message = f"{path} is in {unit or 'no unit'} and not in {wanted}: reduce it with the same settings."
        raise DataModelError(message)
    return Patterns(edges, y, e, wanted)
