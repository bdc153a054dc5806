"""mantid.api."""

from __future__ import annotations

from mantid.api._ads import AnalysisDataService, AnalysisDataServiceImpl, mtd
from mantid.api._algorithm import Algorithm
from mantid.api._event_workspace import IEventList, IEventWorkspace
from mantid.api._group import WorkspaceGroup
from mantid.api._handles import Workspace
from mantid.api._manager import AlgorithmFactory, AlgorithmManager
from mantid.api._matrix import MatrixWorkspace, Spectrum
from mantid.api._python_algorithm import (
    ITableWorkspaceProperty,
    MatrixWorkspaceProperty,
    PropertyMode,
    PythonAlgorithm,
    WorkspaceGroupProperty,
    WorkspaceProperty,
)
from mantid.api._run import Run
from mantid.api._table import ITableWorkspace, WorkspaceFactory

IAlgorithm = Algorithm
ISpectrum = Spectrum

__all__ = [
    "Algorithm",
    "AlgorithmFactory",
    "AlgorithmManager",
    "AnalysisDataService",
    "AnalysisDataServiceImpl",
    "IAlgorithm",
    "IEventList",
    "IEventWorkspace",
    "ISpectrum",
    "ITableWorkspace",
    "ITableWorkspaceProperty",
    "MatrixWorkspace",
    "MatrixWorkspaceProperty",
    "PropertyMode",
    "PythonAlgorithm",
    "Run",
    "Workspace",
    "WorkspaceFactory",
    "WorkspaceGroup",
    "WorkspaceGroupProperty",
    "WorkspaceProperty",
    "mtd",
]
