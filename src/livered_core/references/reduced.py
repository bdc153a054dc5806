"""Already reduced files: those of livered's own files plugin, and of Mantid's SaveNexusProcessed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import BackendUnavailable, DataModelError

_MOST_NUMBERS: Final = 20_000_000
_MOST_CURVES: Final = 10_000
_ENTRY: Final = "entry"
_MANTID: Final = "mantid_workspace_1/workspace"


@attrs.frozen(eq=False)
class ReducedCurve:
    """A curve of a file.

    Attributes
    ----------
    label
        Its name in the file; the number of the spectrum for Mantid's.
    x
        float64[n + 1] edges or float64[n] points, in `x_unit`.
    y, e
        float64[n], values and standard deviations, in `y_unit`.
    x_unit, y_unit
        As the file has them; empty when it does not say.
    """

    label: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    e: npt.NDArray[np.float64]
    x_unit: str
    y_unit: str


def is_reduced(path: Path) -> bool:
    """Tell whether a file is one that `read_reduced` reads; false for anything else, and for what cannot be read."""
    if path.is_dir() or not os.access(path, os.R_OK):
        return False
    h5py = _h5py()
    if not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return _member(file, _MANTID) is not None or bool(_own_groups(file))
    except (OSError, RuntimeError, ValueError, KeyError):
        return False


def read_reduced(path: Path) -> tuple[ReducedCurve, ...]:
    """Read the curves of an already reduced file. Links out of the file are not followed.

    Parameters
    ----------
    path
        HDF5: NXdata groups in ``/entry`` as livered's files plugin writes them, or the layout of Mantid's
        SaveNexusProcessed (``/mantid_workspace_1/workspace/{values, errors, axis1}``).

    Raises
    ------
    DataModelError
        When it cannot be read or holds no curves.
    BackendUnavailable
        Where h5py is not installed.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            mantid = _member(file, _MANTID)
            if mantid is not None:
                return _read_mantid(mantid, path)
            groups = _own_groups(file)
            if not groups:
                message = f"{path} holds no reduced curves: give a file that livered or Mantid has reduced, or an event file."
                raise DataModelError(message)
            return tuple(_read_own(name, group, path) for name, group in groups)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        message = f"{path} cannot be read ({error}): reduce that run anew."
        raise DataModelError(message) from error


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        message = "Reading reduced files needs h5py: pip install 'livered-core[native]'."
        raise BackendUnavailable(message) from error
    return h5py


def _member(group: Any, path: str) -> Any:
    """Return what hard links lead to; None where there is nothing, or a link of another kind."""
    h5py = _h5py()
    for name in path.split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return None
        group = group[name]
    return group


def _own_groups(file: Any) -> list[tuple[str, Any]]:
    entry = _member(file, _ENTRY)
    if entry is None or _member(file, f"{_ENTRY}/livered") is None:
        return []
    names = list(entry)[:_MOST_CURVES]
    groups = [(name, _member(entry, name)) for name in names]
    return [
        (name, group)
        for name, group in groups
        if group is not None and _text(group.attrs.get("NX_class")) == "NXdata" and "axes" in group.attrs
    ]


def _read_own(name: str, group: Any, path: Path) -> ReducedCurve:
    signal, axes = _text(group.attrs.get("signal")), np.atleast_1d(group.attrs["axes"])
    y = _member(group, signal)
    axis = _text(axes[0])
    x = _member(group, f"{axis}_edges") or _member(group, axis)
    title = _member(group, "title")
    if y is None or x is None or len(axes) != 1:
        return ReducedCurve(name, np.empty(0), np.empty(0), np.empty(0), "", "")
    errors = _member(group, f"{signal}_errors")
    values = _numbers(y, path)
    return ReducedCurve(
        label=name if title is None else _text(title[()]),
        x=_numbers(x, path),
        y=values,
        e=np.zeros_like(values) if errors is None else _numbers(errors, path),
        x_unit=_text(x.attrs.get("units")),
        y_unit=_text(y.attrs.get("units")),
    )


def _read_mantid(group: Any, path: Path) -> tuple[ReducedCurve, ...]:
    values, errors, axis = (_member(group, name) for name in ("values", "errors", "axis1"))
    if values is None or errors is None or axis is None:
        message = (
            f"{path} has no values, errors and axis1 in /{_MANTID}: write it anew with SaveNexusProcessed."
        )
        raise DataModelError(message)
    y, e, x = _numbers(values, path), _numbers(errors, path), _numbers(axis, path)
    if y.ndim != 2 or e.shape != y.shape or x.shape[-1] not in (y.shape[1], y.shape[1] + 1):
        message = f"{path} has values{list(y.shape)}, errors{list(e.shape)} and axis1{list(x.shape)}: they do not fit together."
        raise DataModelError(message)
    axes = np.broadcast_to(x, (len(y), x.shape[-1]))
    unit = _text(axis.attrs.get("units"))
    # What was normalised keeps its unit in the label (NormaliseByCurrent: "Counts per microAmp.hour").
    label = _text(values.attrs.get("unit_label")) or _text(values.attrs.get("units"))
    return tuple(
        ReducedCurve(str(number + 1), axes[number], y[number], e[number], unit, label)
        for number in range(len(y))
    )


def _numbers(dataset: Any, path: Path) -> npt.NDArray[np.float64]:
    h5py = _h5py()
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "fiu" or dataset.external:
        message = (
            f"{path} has {getattr(dataset, 'name', dataset)}, which holds no numbers: reduce that run anew."
        )
        raise DataModelError(message)
    if dataset.size > _MOST_NUMBERS:
        message = f"{path} has {dataset.size} numbers in {dataset.name}: that is no reduced pattern."
        raise DataModelError(message)
    return np.array(dataset[()], np.float64)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else "" if value is None else str(value)
