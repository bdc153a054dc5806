"""mantid.api.AlgorithmManager and AlgorithmFactory."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from typing import Any, Final

from mantid._knobs import knobs
from mantid.api._algorithm import Algorithm

_RETAINED: Final = 50
_registered: dict[str, type[Algorithm]] = {}


def register(algorithm: type[Algorithm]) -> type[Algorithm]:
    """Make an algorithm known under the name of its class; use it as a decorator."""
    _registered[algorithm.__name__] = algorithm
    return algorithm


def registered() -> dict[str, type[Algorithm]]:
    """Return all algorithms by name."""
    import mantid._algorithms  # noqa: F401  (registers them)

    return _registered


def make(name: str, version: int = -1) -> Algorithm:
    """Make an algorithm that is not initialized."""
    found = registered().get(name)
    if found is None:
        message = f"algorithm {name} version {version} is not registered"
        raise RuntimeError(f"Algorithm not registered {name}" if version < 0 else message)
    return found()


class AlgorithmManagerImpl:
    def __init__(self) -> None:
        self._managed: list[Algorithm] = []
        self._lock = threading.Lock()

    def Instance(self) -> AlgorithmManagerImpl:
        return self

    def create(self, name: str, version: int = -1) -> Algorithm:
        made = make(name, version)
        made.initialize()
        self._manage(made)
        return made

    def createUnmanaged(self, name: str, version: int = -1) -> Algorithm:
        return make(name, version)

    def _manage(self, algorithm: Algorithm) -> None:
        """Keep an algorithm; the oldest that do not run are let go."""
        with self._lock:
            idle = [each for each in self._managed if not each.isRunning()]
            for each in idle[: max(0, len(self._managed) + 1 - _RETAINED)]:
                self._managed.remove(each)
            self._managed.append(algorithm)

    def size(self) -> int:
        return len(self._managed)

    def runningInstancesOf(self, algorithm_name: str) -> list[Algorithm]:
        with self._lock:
            return [each for each in self._managed if each.name() == algorithm_name and each.isRunning()]

    def cancelAll(self) -> None:
        with self._lock:
            for each in self._managed:
                if each.isRunning():
                    each.cancel()

    def clear(self) -> None:
        with self._lock:
            self._managed = [each for each in self._managed if each.isRunning()]


class AlgorithmFactoryImpl:
    def Instance(self) -> AlgorithmFactoryImpl:
        return self

    def subscribe(self, algorithm: Any) -> None:
        register(algorithm)
        import mantid.simpleapi

        mantid.simpleapi._define(algorithm.__name__)

    def exists(self, name: str, version: int = -1) -> bool:
        return name in registered()

    def getRegisteredAlgorithms(self, include_hidden: bool = False) -> dict[str, list[int]]:
        return {name: [1] for name in registered()}


AlgorithmManager = AlgorithmManagerImpl()
AlgorithmFactory = AlgorithmFactoryImpl()


def _crash_if_a_monitor_runs() -> None:
    """Leave as the real one does when the interpreter ends below a running monitor: with SIGSEGV."""
    if knobs.crash_at_exit and AlgorithmManager.runningInstancesOf("MonitorLiveData"):
        os.kill(os.getpid(), signal.SIGSEGV)


atexit.register(_crash_if_a_monitor_runs)
