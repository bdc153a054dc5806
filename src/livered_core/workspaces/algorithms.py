"""Mantid's algorithms as functions that leave no trace: not in the analysis data service, not in the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from livered_core.errors import DataModelError
from livered_core.workspaces.kinds import kind_of, members_of

_OUTPUT: Final = "OutputWorkspace"
_NO_NAME: Final = "__livered_unused"
"""A child algorithm wants a name for its output, and does nothing with it."""


def run_algorithm(name: str, /, **properties: Any) -> Any:
    """Run one of Mantid's algorithms as a child algorithm.

    Parameters
    ----------
    name
        Of the algorithm, for example ``"Rebin"``.
    properties
        Its properties by name. The name of the output workspace may be left out.

    Returns
    -------
    Any
        Its output workspace, None for an algorithm without. The caller owns it; it is not in the analysis data
        service.

    Raises
    ------
    DataModelError
        When there is no such algorithm, a property is wrong, or it fails.
    """
    return run_algorithm_for(name, (_OUTPUT,), **properties).get(_OUTPUT)


def run_algorithm_for(name: str, outputs: Sequence[str], /, **properties: Any) -> dict[str, Any]:
    """Run one of Mantid's algorithms as a child algorithm, for several outputs.

    Parameters
    ----------
    name
        Of the algorithm.
    outputs
        Names of the properties that are wanted afterwards; those that the algorithm does not have are left out.
    properties
        Its properties by name.

    Returns
    -------
    dict
        Value of each output. Workspaces are held by the caller alone.

    Raises
    ------
    DataModelError
        As `run_algorithm`.
    """
    from mantid.api import AlgorithmManager

    try:
        # Unmanaged: Mantid keeps the fifty last managed ones, and with them their workspaces.
        algorithm = AlgorithmManager.createUnmanaged(name)
        algorithm.initialize()
        algorithm.setChild(True)
        algorithm.setAlwaysStoreInADS(False)
        algorithm.setLogging(False)
        algorithm.setRethrows(True)
        if _OUTPUT not in properties and algorithm.existsProperty(_OUTPUT):
            algorithm.setPropertyValue(_OUTPUT, _NO_NAME)
        for key, value in properties.items():
            algorithm.setProperty(key, value)
        algorithm.execute()
    except (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError) as error:
        # What Mantid throws becomes one of these; its text may have many lines, the first of which says it.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        message = f"Mantid's {name} failed: {reason}."
        raise DataModelError(message) from error
    return {key: algorithm.getProperty(key).value for key in outputs if algorithm.existsProperty(key)}


def held(workspace: Any) -> Any:
    """Return a handle that keeps a workspace alive.

    What Python gets from the analysis data service does not: such a handle is invalid as soon as the workspace is
    deleted or replaced there.

    Parameters
    ----------
    workspace
        A workspace, or its name in the analysis data service.

    Raises
    ------
    DataModelError
        When there is no such workspace, or none any more.
    """
    from mantid.api import AlgorithmManager

    # The value of a property is a shared pointer; CloneWorkspace is one that takes every workspace. It is not run.
    algorithm = AlgorithmManager.createUnmanaged("CloneWorkspace")
    algorithm.initialize()
    algorithm.setChild(True)
    strong, cause = None, None
    try:
        if isinstance(workspace, str):
            algorithm.setPropertyValue("InputWorkspace", workspace)
        else:
            algorithm.setProperty("InputWorkspace", workspace)
        strong = algorithm.getProperty("InputWorkspace").value
    except (RuntimeError, ValueError, TypeError) as error:
        cause = error
    if strong is None:
        what = f"workspace {workspace!r}" if isinstance(workspace, str) else "such a workspace"
        message = f"Mantid has no {what}, or none any more: make it before it is used, and do not delete it."
        raise DataModelError(message) from cause
    return strong


def remove_named(name: str) -> None:
    """Take a workspace out of the analysis data service, if it is there; it lives on for who holds it.

    Parameters
    ----------
    name
        Of the workspace. Of a group the members go, too, that have its name and a number.
    """
    from mantid.api import AnalysisDataService

    if not name or not AnalysisDataService.doesExist(name):
        return
    workspace = AnalysisDataService.retrieve(name)
    members = members_of(workspace) if kind_of(workspace) == "group" else []
    names = [str(member.name()) for member in members]
    # The group first: it would drop members that are removed while it is there.
    AnalysisDataService.remove(name)
    for member in names:
        own, _, number = member.rpartition("_")
        if own == name and number.isdigit() and AnalysisDataService.doesExist(member):
            AnalysisDataService.remove(member)


@contextmanager
def named(workspace: Any, name: str) -> Iterator[str]:
    """Keep a workspace in the analysis data service for a while, for what knows workspaces by name.

    Parameters
    ----------
    workspace
        Any workspace.
    name
        For it; one of livered's own.

    Yields
    ------
    str
        The name.
    """
    from mantid.api import AnalysisDataService

    AnalysisDataService.addOrReplace(name, workspace)
    try:
        yield name
    finally:
        remove_named(name)


def make_group(members: Iterable[Any]) -> Any:
    """Make a WorkspaceGroup that is not in the analysis data service."""
    from mantid.api import WorkspaceGroup

    group = WorkspaceGroup()
    for member in members:
        group.addWorkspace(member)
    return group
