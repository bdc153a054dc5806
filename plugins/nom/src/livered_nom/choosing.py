"""Which files are vanadium, its background and the container of a run."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path

from livered_core import DataModelError, SlowLog
from livered_nom.characterization import choose_characterization, read_characterization
from livered_nom.settings_references import RUN_FIELD, ReferenceSettings

ROLES = ("vanadium", "vanadium_background", "container")


def choose_files(
    settings: ReferenceSettings, logs: Mapping[str, SlowLog]
) -> tuple[dict[str, Path], dict[str, str]]:
    """Find the file of each role: the one that the settings name, else the characterisation's.

    Parameters
    ----------
    settings
        The table ``[plugins.nom.references]``.
    logs
        Of the run.

    Returns
    -------
    files, problems
        By role; a problem is one sentence, that of the characterisation itself has the role ``"references"``.
    """
    files = {role: path for role in ROLES if (path := getattr(settings, role)) is not None}
    problems: dict[str, str] = {}
    if settings.characterization is not None and len(files) < len(ROLES):
        try:
            chosen = choose_characterization(read_characterization(settings.characterization), logs)
        except DataModelError as error:
            return files, {"references": str(error)}
        for role in ROLES:
            number = getattr(chosen, role)
            if role in files or number <= 0:
                continue
            try:
                files[role] = _file_of(settings, number, role)
            except DataModelError as error:
                problems[role] = f"not used: {error}"
    if "vanadium" not in files:
        files.pop("vanadium_background", None)
    return files, problems


def _file_of(settings: ReferenceSettings, number: int, role: str) -> Path:
    if settings.run_files is None:
        message = (
            f"The characterisation file names run {number} as {role}, and run_files in [plugins.nom.references] does "
            "not say where runs are: set it."
        )
        raise DataModelError(message)
    pattern = str(settings.run_files).replace(RUN_FIELD, str(number))
    found = sorted(glob.glob(pattern))  # noqa: PTH207
    if not found:
        message = f"There is no file of run {number}, the {role}, at {pattern}: correct run_files or the characterisation."
        raise DataModelError(message)
    return Path(found[-1])


def stamp(path: Path) -> str:
    """Return the path, and what changes when its files do: a reference may be replaced between two runs."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError as error:
        return f"{path} {error.strerror}"
    return f"{path} {stats}"
