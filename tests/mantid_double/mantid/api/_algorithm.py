"""mantid.api.IAlgorithm and Algorithm: properties, execution, cancellation."""

from __future__ import annotations

import _thread
import itertools
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from mantid.api._declared import Declared, PropertyHandle, Setting
from mantid.api._members import exec_members, groups_of
from mantid.kernel._logger import Logger
from mantid.kernel._properties import Direction

_ids = itertools.count(1)


class Cancelled(RuntimeError):  # noqa: N818
    """Execution was cancelled."""


class Algorithm:
    """Base of all algorithms; those of the double have `declared` and `exec`.

    Within `exec`, ``self["Name"]`` gives values, and the data of workspaces (not handles); ``self["Name"] = data``
    sets outputs.
    """

    declared: ClassVar[Sequence[Declared]] = ()
    version_number: ClassVar[int] = 1

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._initialized = self._child = self._rethrows = self._executed = False
        self._logs = self._stores = True
        self._running = False
        self._cancel = threading.Event()
        self._id = next(_ids)

    # What algorithms are made of.
    def exec(self) -> None:
        raise NotImplementedError

    def validateInputs(self) -> dict[str, str]:
        return {}

    def afterPropertySet(self, name: str) -> None:
        """Called after a property was set."""

    def declare(self, declared: Declared) -> None:
        self._settings[declared.name.lower()] = Setting(declared)

    def undeclare(self, name: str) -> None:
        del self._settings[name.lower()]

    def __getitem__(self, name: str) -> Any:
        return self._setting(name).value

    def __setitem__(self, name: str, value: Any) -> None:
        self._setting(name).set(value)

    def interruption_point(self) -> None:
        if self._cancel.is_set():
            message = "Algorithm terminated"
            raise Cancelled(message)

    def in_place(self, data: Any, output: str = "OutputWorkspace") -> bool:
        """Whether an output is to be the input itself."""
        from mantid.api._ads import AnalysisDataService

        return self[output] is data or AnalysisDataService._find(self.getPropertyValue(output)) is data

    @property
    def log_(self) -> Logger:
        return Logger(self.name())

    # What Python sees.
    def name(self) -> str:
        return type(self).__name__

    def version(self) -> int:
        return self.version_number

    def alias(self) -> str:
        return ""

    def category(self) -> str:
        return "Double"

    def summary(self) -> str:
        return (type(self).__doc__ or "").strip()

    def initialize(self) -> None:
        if not self._initialized:
            self._initialized = True
            for declared in self.declared:
                self.declare(declared)

    def isInitialized(self) -> bool:
        return self._initialized

    def _setting(self, name: str) -> Setting:
        found = self._settings.get(name.lower())
        if found is None:
            message = f"Unknown property search object {name}"
            raise RuntimeError(message)
        return found

    def existsProperty(self, name: str) -> bool:
        return name.lower() in self._settings

    __contains__ = existsProperty

    def getProperty(self, name: str) -> PropertyHandle:
        return PropertyHandle(self._setting(name))

    def getProperties(self) -> list[PropertyHandle]:
        return [PropertyHandle(setting) for setting in self._settings.values()]

    def getPropertyValue(self, name: str) -> str:
        return self._setting(name).text()

    def setPropertyValue(self, name: str, value: str) -> None:
        if not isinstance(value, str):
            message = (
                f"Python argument types in IAlgorithm.setPropertyValue({name}) did not match C++ signature"
            )
            raise TypeError(message)
        self._set(name, value, text=True)

    def setProperty(self, name: str, value: Any) -> Algorithm:
        self._set(name, value, text=isinstance(value, str))
        return self

    def setProperties(self, kwargs: dict[str, Any]) -> None:
        for name, value in kwargs.items():
            self.setProperty(name, value)

    def _set(self, name: str, value: Any, *, text: bool) -> None:
        setting = self._setting(name)
        try:
            setting.set_text(value) if text else setting.set(value)
        except ValueError as error:
            message = f"Invalid value for property {name} ({setting.declared.kind}) from {value!r}: {error}"
            raise ValueError(message) from error
        self.afterPropertySet(setting.declared.name)

    def mandatoryProperties(self) -> list[str]:
        """Names in the order of positional arguments: mandatory ones first."""
        names = [setting.declared for setting in self._settings.values()]
        ordered = sorted(names, key=lambda d: not (d.default is None or (d.is_workspace and not d.optional)))
        return [d.name for d in ordered if d.direction != Direction.Output or d.is_workspace]

    def outputProperties(self) -> list[str]:
        return [s.declared.name for s in self._settings.values() if s.declared.direction == Direction.Output]

    def inoutProperties(self) -> list[str]:
        return [s.declared.name for s in self._settings.values() if s.declared.direction == Direction.InOut]

    def setChild(self, is_child: bool) -> None:
        self._child = is_child
        self._stores = not is_child

    def isChild(self) -> bool:
        return self._child

    def setAlwaysStoreInADS(self, always_store: bool) -> None:
        self._stores = always_store

    def setLogging(self, value: bool) -> None:
        self._logs = value

    def isLogging(self) -> bool:
        return self._logs

    def setRethrows(self, rethrow: bool) -> None:
        self._rethrows = rethrow

    def isExecuted(self) -> bool:
        return self._executed

    def isRunning(self) -> bool:
        return self._running

    def cancel(self) -> None:
        self._cancel.set()

    def getAlgorithmID(self) -> int:
        return self._id

    def execute(self) -> bool:
        """Run; a failure is raised for children and with setRethrows(True), else logged."""
        return self._run(throw=self._child or self._rethrows)

    def executeAsync(self) -> None:
        """Run on a thread that Python did not make."""
        _thread.start_new_thread(self._run_in_thread, ())

    def _run_in_thread(self) -> None:
        try:
            self._run(throw=False)
        except Cancelled:
            pass
        except Exception as error:
            self.log_.error(f"Error in execution of algorithm {self.name()}:\n{error}")

    def _run(self, *, throw: bool) -> bool:
        self._executed = False
        self._validate()
        self._running = True
        self._say(f"{self.name()} started")
        began = time.perf_counter()
        try:
            exec_members(self) if groups_of(self) else self.exec()
            if self._stores:
                self._store()
        except Cancelled:
            self.log_.error(f"{self.name()}: Execution terminated by user.")
            raise
        except Exception as error:
            if throw:
                raise
            self.log_.error(f"Error in execution of algorithm {self.name()}:\n{error}")
            return False
        finally:
            self._running = False
        self._executed = True
        self._say(f"{self.name()} successful, Duration {time.perf_counter() - began:.2f} seconds")
        return True

    def _say(self, text: str) -> None:
        if self._logs:
            (self.log_.information if self._child else self.log_.notice)(text)

    def _validate(self) -> None:
        problems = {s.declared.name: s.problem() for s in self._settings.values() if s.problem()}
        for name, problem in problems.items():
            self.log_.error(f"Invalid value for {name}: {problem}")
        if not problems:
            problems = self.validateInputs()
            for name, problem in problems.items():
                self.log_.error(f"Invalid value for {name}: {problem}")
        if problems:
            message = "Some invalid Properties found"
            raise RuntimeError(message)

    def _outputs(self) -> Iterable[Setting]:
        return [s for s in self._settings.values() if s.declared.is_workspace and s.declared.direction != 0]

    def _store(self) -> None:
        from mantid.api._ads import AnalysisDataService

        for setting in self._outputs():
            if setting.value is None:
                if setting.declared.optional:
                    continue
                message = "WorkspaceProperty doesn't point to a workspace"
                raise RuntimeError(message)
            AnalysisDataService._put(setting.ws_name, setting.value)
        for setting in self._settings.values():
            if setting.declared.is_workspace:
                setting.value = None


def child(name: str, /, **properties: Any) -> Algorithm:
    """The double's own: run an algorithm as a child without a trace in the ADS, and return it."""
    from mantid.api._manager import make

    made = make(name)
    made.initialize()
    made.setChild(True)
    made.setLogging(False)
    for setting in made._outputs():
        setting.ws_name = setting.ws_name or "__child"
    for key, value in properties.items():
        made.setProperty(key, value)
    made.execute()
    return made
