"""Arrays of scipp as plain values, and back, exactly; see `livered_core.reduction.checkpoint_codec`.

scipp is an extra: it is imported when there is something of it to write or to read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

_NUMBERS: Final = ("float64", "float32", "int64", "int32", "bool", "datetime64", "vector3")


def is_scipp(value: Any) -> bool:
    """Tell whether a value is of one of scipp's classes; does not import it."""
    return type(value).__module__.partition(".")[0] == "scipp"


def take_apart(value: Any) -> tuple[str, dict[str, Any]]:
    """Describe an object of scipp with what a checkpoint can hold.

    Parameters
    ----------
    value
        A Variable (binned or not), DataArray, Dataset, DataGroup or Unit.

    Returns
    -------
    kind, parts
        For `put_together`. Parts may be objects of scipp themselves. Their arrays are views.

    Raises
    ------
    TypeError
        When it is something else of scipp, or holds what cannot be written; the text goes on after "it is ".
    """
    kind = type(value).__name__
    take = _TAKE.get(kind)
    if take is None:
        message = f"a scipp {kind}"
        raise TypeError(message)
    return kind, take(value)


def put_together(kind: str, parts: Mapping[str, Any]) -> Any:
    """Make the object that `take_apart` described.

    Raises
    ------
    ValueError, TypeError, KeyError
        When these are not the parts of one, or scipp is not installed.
    """
    try:
        import scipp as sc
    except ImportError as error:
        message = "scipp is not installed"
        raise ValueError(message) from error
    try:
        return _PUT[kind](sc, parts)
    except RuntimeError as error:
        # What scipp calls its own: of units, dimensions and types that do not fit.
        message = f"no scipp {kind}: {error}"
        raise ValueError(message) from error


def _unit(unit: Any) -> str | None:
    import scipp as sc

    if unit is None:
        return None
    text = str(unit)
    try:
        # What scipp has read it may write in another way.
        text = str(sc.Unit(text))
        same = sc.Unit(text) == unit
    except RuntimeError:
        same = False
    if not same:
        message = f"a scipp array with the unit {text}, which scipp does not read back"
        raise TypeError(message)
    return text


def _take_variable(variable: Any) -> dict[str, Any]:
    if variable.bins is not None:
        parts = variable.bins.constituents
        return {"bins": {name: parts[name] for name in ("begin", "end", "dim", "data")}}
    dtype = str(variable.dtype)
    values: Any
    if dtype in _NUMBERS:
        values = np.asarray(variable.values)
    elif dtype == "string":
        return {
            "dims": list(variable.dims),
            "dtype": dtype,
            "unit": _unit(variable.unit),
            "shape": list(variable.shape),
            "values": list(variable.flatten(to="text").values) if variable.dims else [variable.value],
        }
    else:
        message = f"a scipp array of type {dtype}"
        raise TypeError(message)
    return {
        "dims": list(variable.dims),
        "dtype": dtype,
        "unit": _unit(variable.unit),
        "values": values,
        "variances": None if variable.variances is None else np.asarray(variable.variances),
    }


def _put_variable(sc: Any, parts: Mapping[str, Any]) -> Any:
    if "bins" in parts:
        return sc.bins(**parts["bins"])
    dims, dtype, values, unit = parts["dims"], parts["dtype"], parts["values"], parts["unit"]
    if dtype == "vector3":
        return sc.vectors(dims=dims, values=values, unit=unit) if dims else sc.vector(values, unit=unit)
    if dtype == "string":
        return _texts(sc, parts)
    variances = parts["variances"]
    if dims:
        # The order of the dimensions in memory is kept: sums of floats depend on it.
        axes = sorted(range(values.ndim), key=lambda axis: -abs(values.strides[axis]))
        in_memory = sc.array(
            dims=[dims[axis] for axis in axes],
            values=values.transpose(axes),
            variances=None if variances is None else variances.transpose(axes),
            unit=unit,
            dtype=dtype,
        )
        return in_memory.transpose(dims)
    variance = None if variances is None else variances[()]
    return sc.scalar(values[()], variance=variance, unit=unit, dtype=dtype)


def _texts(sc: Any, parts: Mapping[str, Any]) -> Any:
    dims, unit, shape, values = parts["dims"], parts["unit"], parts["shape"], parts["values"]
    if math.prod(shape) != len(values):
        message = f"{len(values)} texts do not have the shape {shape}"
        raise ValueError(message)
    if not dims:
        return sc.scalar(values[0], unit=unit, dtype=sc.DType.string)
    if not values:
        # Of nothing scipp would make numbers.
        return sc.empty(dims=dims, shape=shape, unit=unit, dtype=sc.DType.string)
    flat = sc.array(dims=["text"], values=values, unit=unit, dtype=sc.DType.string)
    return flat.fold("text", dims=dims, shape=shape)


def _take_array(array: Any) -> dict[str, Any]:
    return {
        "data": array.data,
        "coords": dict(array.coords.items()),
        "unaligned": [name for name, coord in array.coords.items() if not coord.aligned],
        "masks": dict(array.masks.items()),
        "name": array.name,
    }


def _put_array(sc: Any, parts: Mapping[str, Any]) -> Any:
    array = sc.DataArray(parts["data"], coords=parts["coords"], masks=parts["masks"], name=parts["name"])
    for name in parts["unaligned"]:
        array.coords.set_aligned(name, False)
    return array


def _take_dataset(dataset: Any) -> dict[str, Any]:
    # Each coordinate once: scipp takes two that hold NaN for different ones. And there may be no array that has them.
    return {
        "arrays": {name: array.drop_coords(list(array.coords)) for name, array in dataset.items()},
        "coords": dict(dataset.coords.items()),
        "unaligned": [name for name, coord in dataset.coords.items() if not coord.aligned],
    }


def _put_dataset(sc: Any, parts: Mapping[str, Any]) -> Any:
    dataset = sc.Dataset(data=parts["arrays"], coords=parts["coords"])
    for name in parts["unaligned"]:
        dataset.coords.set_aligned(name, False)
    return dataset


_TAKE: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "Unit": lambda unit: {"unit": _unit(unit)},
    "Variable": _take_variable,
    "DataArray": _take_array,
    "Dataset": _take_dataset,
    "DataGroup": lambda group: dict(group.items()),
}
_PUT: Final[dict[str, Callable[[Any, Mapping[str, Any]], Any]]] = {
    "Unit": lambda sc, parts: sc.Unit(parts["unit"]),
    "Variable": _put_variable,
    "DataArray": _put_array,
    "Dataset": _put_dataset,
    "DataGroup": lambda sc, parts: sc.DataGroup(dict(parts)),
}
