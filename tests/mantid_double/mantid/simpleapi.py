"""mantid.simpleapi: a function for each algorithm, made when this module is imported."""

from __future__ import annotations

import sys
from collections import namedtuple
from types import FrameType
from typing import Any

from mantid._lhs import assigned_names as _assigned_names
from mantid.api import AlgorithmManager, AnalysisDataService, mtd
from mantid.api._algorithm import Algorithm as _Algorithm
from mantid.api._data import SingleData as _SingleData
from mantid.api._handles import Workspace as _Workspace
from mantid.api._handles import handle as _handle
from mantid.api._manager import registered as _registered
from mantid.kernel import ConfigService, DataItem, config, logger
from mantid.kernel._properties import Direction as _Direction


def _parent(frame: FrameType | None) -> Any:
    """Return the `self` of the function PyExec on the call stack, or None."""
    while frame is not None:
        if frame.f_code.co_name == "PyExec":
            return frame.f_locals["self"]
        frame = frame.f_back
    return None


def _create(name: str, frame: FrameType, version: int = -1) -> _Algorithm:
    parent = _parent(frame)
    if parent is not None:
        algorithm = parent.createChildAlgorithm(name, enableLogging=parent.isLogging(), version=version)
    else:
        algorithm = AlgorithmManager.create(name, version)
    algorithm.setRethrows(True)
    # Children store what they make, too.
    algorithm.setAlwaysStoreInADS(True)
    return algorithm


def _set(algorithm: _Algorithm, name: str, value: Any) -> None:
    if value is None:
        return
    try:
        if isinstance(value, DataItem) and value.name():
            algorithm.setPropertyValue(name, value.name())
        else:
            algorithm.setProperty(name, value)
    except (RuntimeError, TypeError, ValueError) as error:
        text = f'Problem setting "{name}" in {algorithm.name()}-v{algorithm.version()}: {error}'
        raise type(error)(text) from error


def _name_outputs(algorithm: _Algorithm, lhs: tuple[str, ...], keywords: dict[str, Any]) -> None:
    """Give outputs without a name the names of the variables on the left."""
    outputs = [n for n in algorithm.outputProperties() if algorithm._setting(n).declared.is_workspace]
    for output, name in zip(outputs, lhs, strict=False):
        keywords.setdefault(output, name)


def _gather(algorithm: _Algorithm, n_left: int) -> Any:
    values: dict[str, Any] = {}
    for name in (*algorithm.outputProperties(), *algorithm.inoutProperties()):
        setting = algorithm._setting(name)
        if setting.declared.is_workspace:
            if setting.value is not None:
                values[name] = _handle(setting.value)
            elif setting.ws_name in AnalysisDataService:
                values[name] = AnalysisDataService[setting.ws_name]
            elif setting.ws_name.startswith("__") and AnalysisDataService._find(setting.ws_name):
                values[name] = AnalysisDataService.retrieve(setting.ws_name)
        elif setting.declared.direction == _Direction.Output:
            values[name] = setting.value
    if n_left > 1 and n_left != len(values):
        text = (
            f"{algorithm.name()} is trying to return {len(values)} output(s) but you have provided "
            f"{n_left} variable(s). These numbers must match."
        )
        raise RuntimeError(text)
    if not values:
        return None
    if len(values) == 1:
        return next(iter(values.values()))
    return namedtuple(f"{algorithm.name()}_returns", values)(**values)  # type: ignore[misc]


def _run(name: str, frame: FrameType, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    algorithm = _create(name, frame, keywords.pop("Version", -1))
    algorithm.setLogging(keywords.pop("EnableLogging", algorithm.isLogging()))
    algorithm.setAlwaysStoreInADS(keywords.pop("StoreInADS", True))
    keywords.pop("startProgress", None)
    keywords.pop("endProgress", None)
    n_left, lhs = _assigned_names(frame)
    left = [each for each in algorithm.mandatoryProperties() if each not in keywords]
    # Positional arguments stand for inputs; outputs are named by the left-hand side where there is one.
    if len(arguments) <= len([each for each in left if algorithm._setting(each).declared.direction != 1]):
        _name_outputs(algorithm, lhs, keywords)
        left = [each for each in left if each not in keywords]
    for key, value in keywords.items():
        _set(algorithm, key, value)
    for key, value in zip(left, arguments, strict=False):
        _set(algorithm, key, value)
    try:
        algorithm.execute()
    except RuntimeError as error:
        if str(error).startswith("Some invalid Properties found"):
            _explain_missing(algorithm, error)
            raise
        text = f"{algorithm.name()}-v{algorithm.version()}: {error}"
        raise RuntimeError(text) from error
    return _gather(algorithm, n_left)


def _explain_missing(algorithm: _Algorithm, error: RuntimeError) -> None:
    missing = [
        setting.declared.name
        for setting in algorithm._settings.values()
        if setting.declared.direction == _Direction.Output and setting.problem()
    ]
    if missing:
        text = f"{algorithm.name()} argument {missing[0]} not supplied: {error}"
        raise RuntimeError(text) from error


def StartLiveData(*arguments: Any, **keywords: Any) -> Any:
    """Start live data; its value cannot be assigned, and keywords that it does not know only warn."""
    frame = sys._getframe(1)
    if arguments:
        keywords["Instrument"] = arguments[0]
    if "Instrument" not in keywords:
        text = "StartLiveData argument Instrument not supplied"
        raise RuntimeError(text)
    algorithm = _create("StartLiveData", frame)
    algorithm.setLogging(keywords.pop("EnableLogging", algorithm.isLogging()))
    algorithm.setAlwaysStoreInADS(keywords.pop("StoreInADS", True))
    for name in ("Instrument", "Connection", "Listener"):
        if name in keywords:
            try:
                algorithm.setProperty(name, keywords.pop(name))
            except ValueError as error:
                text = f'Problem setting "{name}" in StartLiveData-v1: {error}'
                raise ValueError(text) from error
    n_left, _names = _assigned_names(frame)
    if n_left:
        text = (
            "Assigning the output of StartLiveData is currently unsupported due to limitations of the simpleapi. "
            "Please call StartLiveData without assigning it to to anything."
        )
        raise RuntimeError(text)
    for name, value in keywords.items():
        if name in algorithm:
            _set(algorithm, name, value)
        else:
            logger.warning(
                f"You've passed a property ({name}) to StartLiveData() that doesn't apply to this Instrument."
            )
    algorithm.execute()
    return _gather(algorithm, 0)


def _function(name: str) -> Any:
    def call(*arguments: Any, **keywords: Any) -> Any:
        return _run(name, sys._getframe(1), arguments, keywords)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = _registered()[name].__doc__
    return call


def _define(name: str) -> None:
    if name not in globals():
        globals()[name] = _function(name)
        if name not in __all__:
            __all__.append(name)


def _binary_operation(name: str, left: Any, right: Any, *, in_place: bool) -> Any:
    """Run what `a + b` means; the result is stored under the name of the variable that it goes to."""
    from mantid.api._algorithm import child

    frame = sys._getframe(3)
    if not isinstance(right, _Workspace):
        import numpy as np

        right_data: Any = _SingleData(np.zeros((1, 1)), np.array([[float(right)]]), np.zeros((1, 1)))
    else:
        right_data = right._data
    made = child(name, LHSWorkspace=left._data, RHSWorkspace=right_data, OutputWorkspace="__python_op_tmp0")
    data = made["OutputWorkspace"]
    names = _assigned_names(frame)[1]
    stored = left.name() if in_place else (names[0] if names else "__python_op_tmp0")
    AnalysisDataService._put(stored, data)
    return AnalysisDataService.retrieve(stored)


__all__ = [
    "AlgorithmManager",
    "AnalysisDataService",
    "ConfigService",
    "StartLiveData",
    "config",
    "logger",
    "mtd",
]

for _name in _registered():
    _define(_name)
del _name
