"""What a curve takes from an array of scipp."""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

_SPELLINGS: Final = str.maketrans(
    {"\N{LATIN CAPITAL LETTER A WITH RING ABOVE}": "Angstrom", "\N{MICRO SIGN}": "u"}
)
"""Letters in scipp's units, and how livered writes them."""


@attrs.frozen(eq=False)
class ScippColumns:
    """The columns of a one-dimensional array.

    Attributes
    ----------
    x, y, e
        Points or edges of bins, values, and standard deviations; y and e are NaN where the array is masked.
    x_unit, y_unit
        As livered writes them.
    x_name, y_name
        Dimension and name of the array.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[np.float64]
    e: npt.NDArray[np.float64]
    x_unit: str
    y_unit: str
    x_name: str
    y_name: str


def scipp_columns(array: Any, label: str) -> ScippColumns:
    """Read the columns of a ``scipp.DataArray``.

    Parameters
    ----------
    array
        Dense, one-dimensional, with variances and with a coordinate of the name of its dimension.
    label
        Of the curve, for errors.

    Raises
    ------
    TypeError
        When it is no DataArray.
    ValueError
        When it is of another kind.
    """
    if type(array).__name__ != "DataArray" or type(array).__module__.partition(".")[0] != "scipp":
        message = f"Curve {label!r} is to be made of a scipp.DataArray and not of a {type(array).__name__}."
        raise TypeError(message)
    problem = _problem(array)
    if problem:
        message = f"Curve {label!r} cannot be made of this scipp.DataArray: {problem}."
        raise ValueError(message)
    (dim,) = array.dims
    masked = np.zeros(array.shape, bool)
    for mask in array.masks.values():
        masked |= mask.values
    return ScippColumns(
        x=np.asarray(array.coords[dim].values),
        y=np.where(masked, np.nan, array.values),
        e=np.where(masked, np.nan, np.sqrt(array.variances)),
        x_unit=_unit(array.coords[dim].unit),
        y_unit=_unit(array.unit),
        x_name=str(dim),
        y_name=str(array.name),
    )


def _problem(array: Any) -> str:
    if array.bins is not None:
        return "it is binned; make a histogram of it with array.hist()"
    if array.ndim != 1:
        return f"it has the dimensions {list(array.dims)}; choose one, or sum over the others"
    if array.dim not in array.coords:
        return f"it has no coordinate {array.dim!r}; a curve needs an x"
    x = array.coords[array.dim]
    if x.ndim != 1 or str(x.dtype) not in ("float64", "float32", "int64", "int32"):
        return f"its coordinate {array.dim!r} is of type {x.dtype} with dimensions {list(x.dims)}; a curve needs numbers"
    if array.variances is None:
        if str(array.dtype) not in ("float64", "float32"):
            return (
                f"it is of type {array.dtype} and so without variances; for counts, take array.to(dtype='float64') "
                "and set its variances to its values"
            )
        return "it has no variances; for counts, set array.variances = array.values"
    return ""


def _unit(unit: Any) -> str:
    return "dimensionless" if unit is None else str(unit).translate(_SPELLINGS)
