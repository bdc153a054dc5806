"""Workspaces as curves, with units and errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError
from livered_core.model import Curve
from livered_core.workspaces.kinds import kind_of, members_of

MOST_CURVES: Final = 100
"""More spectra than these are nothing that anyone wants to see as curves: they were not focused."""

_UNITS: Final = {
    "microsecond": "us",
    "microseconds": "us",
    "Angstrom^-1": "1/Angstrom",
    "Angstrom^-2": "1/Angstrom^2",
    "": "dimensionless",
}
"""Mantid's symbols of units, where livered writes another."""
_NAMES: Final = {
    "TOF": "time of flight",
    "dSpacing": "d-spacing",
    "MomentumTransfer": "momentum transfer",
    "Wavelength": "wavelength",
    "Energy": "energy",
    "DeltaE": "energy transfer",
    "AtomicDistance": "distance",
}
"""Mantid's identifiers of units, and the quantities."""
_X, _Y, _Y_ERROR = 1, 2, 5
"""Mantid's plot types of the columns of a table."""


def curves_of(workspace: Any, label: str = "") -> list[Curve]:
    """Make a curve of each spectrum of a workspace.

    Parameters
    ----------
    workspace
        A MatrixWorkspace of at most `MOST_CURVES` spectra; a WorkspaceGroup of what can become curves; a
        TableWorkspace with columns marked as X and Y (and errors of Y). It is not changed.
    label
        Of a single curve, and in front of the labels of several; by default the workspace's name or title.

    Returns
    -------
    list of Curve
        With labels that differ from each other.

    Raises
    ------
    DataModelError
        When it is of another kind, has too many spectra, or values that no curve can have.
    """
    kind = kind_of(workspace)
    try:
        if kind == "group":
            curves = [
                curve for member in members_of(workspace) for curve in curves_of(member, str(member.name()))
            ]
        elif kind == "table":
            curves = _table_curves(workspace, label or _name(workspace))
        elif kind in ("events", "histogram"):
            curves = _matrix_curves(workspace, label or _name(workspace))
        else:
            message = (
                f"A {type(workspace).__name__} cannot be shown as curves: make a MatrixWorkspace of it, a table with "
                "columns for X and Y, or a livered Result."
            )
            raise DataModelError(message)
    except ValueError as error:
        message = f"Workspace {_name(workspace)!r} cannot be shown as curves: {error}"
        raise DataModelError(message) from error
    return _with_labels_that_differ(curves)


def _name(workspace: Any) -> str:
    """Return a name for people: of what Mantid calls by a hidden or no name, the title."""
    name = str(workspace.name()) if hasattr(workspace, "name") else ""
    if name and not name.startswith("__"):
        return name
    title = str(workspace.getTitle()) if hasattr(workspace, "getTitle") else ""
    return title or "data"


def _matrix_curves(workspace: Any, label: str) -> list[Curve]:
    n_spectra = workspace.getNumberHistograms()
    if n_spectra > MOST_CURVES:
        message = (
            f"Workspace {_name(workspace)!r} has {n_spectra} spectra, and no more than {MOST_CURVES} can be shown as "
            "curves: focus or sum them first."
        )
        raise DataModelError(message)
    unit = workspace.getAxis(0).getUnit()
    y_unit = str(workspace.YUnit()).strip()
    if workspace.isDistribution():
        y_unit = str(workspace.YUnitLabel()).strip() or y_unit
    is_counts = y_unit.lower() == "counts"
    names = [label] if n_spectra == 1 else _spectrum_labels(workspace, n_spectra, label)
    curves = []
    for index, name in enumerate(names):
        x, y, e = _ascending(workspace.readX(index), workspace.readY(index), workspace.readE(index))
        curves.append(
            Curve(
                label=name,
                x=x,
                y=y,
                e=e,
                x_unit=_unit(str(unit.symbol().ascii())),
                y_unit="counts" if is_counts else y_unit or "dimensionless",
                x_name=_NAMES.get(str(unit.unitID()), str(unit.caption())),
                y_name="counts" if is_counts else "intensity",
            )
        )
    return curves


def _spectrum_labels(workspace: Any, n_spectra: int, label: str) -> list[str]:
    axis = workspace.getAxis(1)
    return [f"{label}: {str(axis.label(index)).strip() or index + 1}" for index in range(n_spectra)]


def _unit(symbol: str) -> str:
    return _UNITS.get(symbol.strip(), symbol.strip())


def _ascending(*columns: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], ...]:
    """Copy the columns, turned round where X falls: after a conversion to an inverse unit it does."""
    arrays = tuple(np.array(column, np.float64) for column in columns)
    x = arrays[0]
    return tuple(column[::-1] for column in arrays) if len(x) > 1 and x[0] > x[-1] else arrays


def _table_curves(table: Any, label: str) -> list[Curve]:
    """Make a curve of each column of Y, against the last column of X before it."""
    names = [str(name) for name in table.getColumnNames()]
    types = [int(table.getPlotType(index)) for index in range(len(names))]
    if _X not in types or _Y not in types:
        message = (
            f"Table {label!r} cannot be shown as curves: mark one of its columns as X and another as Y "
            "(setPlotType), or make a MatrixWorkspace of it."
        )
        raise DataModelError(message)
    curves = []
    x_index = types.index(_X)
    for index, kind in enumerate(types):
        if kind == _X:
            x_index = index
        if kind != _Y:
            continue
        y = _column(table, names, index)
        e = np.zeros(len(y))
        if index + 1 < len(types) and types[index + 1] == _Y_ERROR:
            e = _column(table, names, index + 1)
        x = _column(table, names, x_index)
        order = np.argsort(x, kind="stable")
        curves.append(
            Curve(
                label=label if types.count(_Y) == 1 else f"{label}: {names[index]}",
                x=x[order],
                y=y[order],
                e=e[order],
                x_unit="dimensionless",
                y_unit="dimensionless",
                x_name=names[x_index],
                y_name=names[index],
            )
        )
    return curves


def _column(table: Any, names: Sequence[str], index: int) -> npt.NDArray[np.float64]:
    try:
        return np.array(list(table.column(index)), np.float64)
    except (TypeError, ValueError):
        message = f"column {names[index]!r} does not hold numbers"
        raise ValueError(message) from None


def _with_labels_that_differ(curves: list[Curve]) -> list[Curve]:
    """Add a number to labels that were there before."""
    different: dict[str, Curve] = {}
    for curve in curves:
        label, times = curve.label, 1
        while label in different:
            times += 1
            label = f"{curve.label} ({times})"
        different[label] = attrs.evolve(curve, label=label)
    return list(different.values())
