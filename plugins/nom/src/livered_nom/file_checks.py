"""What is wrong with the files that the settings name, in sentences: for ``livered check`` and the start."""

from __future__ import annotations

from pathlib import Path

from livered_core import LiveredError
from livered_core.diffraction import NullScattererError, read_calibration, sample_scattering
from livered_nom.characterization import read_characterization
from livered_nom.choosing import ROLES
from livered_nom.settings import NomSettings
from livered_nom.total import make_plan

INSTRUMENT = "NOMAD"
"""Name of the instrument in definitions and calibrations."""


def check_files(settings: NomSettings) -> list[str]:
    """Return one sentence for each thing that is wrong; empty when all is well."""
    return [*_check_calibration(settings), *_check_references(settings), *_check_total(settings)]


def _check_calibration(settings: NomSettings) -> list[str]:
    if settings.calibration is None:
        return []
    try:
        calibration = read_calibration(settings.calibration)
    except LiveredError as error:
        return [str(error)]
    problems = []
    if not calibration.is_for(INSTRUMENT):
        problems.append(
            f"Calibration file {calibration.source} is for {calibration.instrument}: "
            f"set calibration in [plugins.nom] to one of {INSTRUMENT}."
        )
    if not calibration.usable.any():
        problems.append(
            f"Calibration file {calibration.source} has no pixel in use: "
            "set calibration in [plugins.nom] to one that has."
        )
    return problems


def _check_references(settings: NomSettings) -> list[str]:
    references = settings.references
    named = {role: path for role in ROLES if (path := getattr(references, role)) is not None}
    problems = [
        f"There is no {role} file {path}: correct {role} in [plugins.nom.references]."
        for role, path in named.items()
        if not path.exists()
    ]
    problems += [
        f"{path} is named as {role} and as vanadium: a run cannot be both; correct [plugins.nom.references]."
        for role, path in named.items()
        if role != "vanadium" and path.resolve() == named.get("vanadium", Path()).resolve()
    ]
    if references.characterization is not None:
        try:
            read_characterization(references.characterization)
        except LiveredError as error:
            problems.append(str(error))
        if references.run_files is None:
            problems.append(
                "A characterisation file names runs by number, and run_files does not say where they are: set it "
                "in [plugins.nom.references]."
            )
    return problems


def _check_total(settings: NomSettings) -> list[str]:
    try:
        if settings.total_scattering.composition:
            sample_scattering(settings.total_scattering.composition)
        make_plan(settings.total_scattering)
    except NullScattererError:
        return []  # its banks can be shown
    except LiveredError as error:
        return [f"{error} See [plugins.nom.total_scattering]."]
    return []
