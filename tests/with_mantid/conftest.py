"""Tests of how livered and Mantid meet: on a real Mantid where it imports, else on the double in tests/mantid_double.

`mantid` is importable in this folder only; elsewhere nothing of it is seen.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract_support import LIVE_SNS, Probe
from sms_support import scripted_server
from waiting import until

DOUBLE = Path(__file__).parents[1] / "mantid_double"
TESTS = Path(__file__).parents[1]


def _is_real() -> bool:
    """Say whether a Mantid is installed that is not the double."""
    found = importlib.util.find_spec("mantid")
    return found is not None and found.origin is not None and DOUBLE not in Path(found.origin).parents


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    real = _is_real()
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.mantid)
            if real:
                # What Mantid itself warns of is not an error of livered's.
                item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="module", autouse=True)
def _mantid() -> Iterator[None]:
    """Make `mantid` importable, and take the double away afterwards.

    Per module: a folder without ``__init__.py`` is no package for pytest, whose fixtures would live until the end.
    """
    if _is_real():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("mantid.simpleapi")
        yield
        return
    sys.path.insert(0, str(DOUBLE))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(DOUBLE))
        for name in [each for each in sys.modules if each == "mantid" or each.startswith("mantid.")]:
            del sys.modules[name]
        sys.path_importer_cache.pop(str(DOUBLE), None)


def _is_double() -> bool:
    import mantid

    return mantid.__version__.endswith(".double")


@pytest.fixture(scope="module")
def mantid_environment(_mantid: None) -> dict[str, str]:
    """Environment variables with which a child process finds the same `mantid`; add them to those of the process."""
    folders = [str(DOUBLE)] if _is_double() else []
    paths = [*folders, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    knobs = {"MANTID_DOUBLE_GAP": "60"} if folders else {}
    return {"PYTHONPATH": os.pathsep.join(paths), **knobs} if paths else {}


@pytest.fixture
def double(_mantid: None) -> Iterator[Any]:
    """The double's knobs (`mantid._knobs.Knobs`), as they were afterwards; on a real Mantid the test is skipped."""
    if not _is_double():
        pytest.skip("needs a knob of the double: a real Mantid cannot be told to do this")
    from mantid._knobs import knobs

    yield knobs
    knobs.reset()


@pytest.fixture(autouse=True)
def tidy(_mantid: None) -> Iterator[None]:
    """Begin with an empty ADS and the facility SNS; fail a test that leaves a MonitorLiveData running."""
    from mantid.api import AlgorithmManager, AnalysisDataService
    from mantid.kernel import ConfigService

    quick = _quick_knobs()
    facility = ConfigService.getFacility().name()
    ConfigService.setFacility("SNS")
    AnalysisDataService.clear()
    yield
    left = AlgorithmManager.runningInstancesOf("MonitorLiveData")
    AlgorithmManager.cancelAll()
    until(lambda: not AlgorithmManager.runningInstancesOf("MonitorLiveData"))
    AnalysisDataService.clear()
    ConfigService.setFacility(facility)
    if quick is not None:
        quick.reset()
    assert not left, "the test leaves a MonitorLiveData running"


def _quick_knobs() -> Any:
    """Shorten what takes half a minute with the real thing; nothing where Mantid is real."""
    if not _is_double():
        return None
    from mantid._knobs import knobs

    knobs.reset()
    knobs.block, knobs.retry, knobs.receive_timeout = 0.3, 0.4, 1.0
    # However busy the machine is, the end of a run is lost only to the tests that ask for that.
    knobs.gap = 60.0
    return knobs


@pytest.fixture
def ends_are_lost(tidy: None) -> None:
    """Let the end of a run be lost while a chunk is handed over; a real Mantid does so by itself."""
    if _is_double():
        from mantid._knobs import knobs

        knobs.gap = 0.0


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """What the script `contract_support.REPORT` reports to."""
    made = Probe()
    module = types.ModuleType("contract_probe")
    module.call = made.call  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "contract_probe", module)
    return made


class LiveData:
    """A StartLiveData that a test runs, and its monitor."""

    def __init__(self, **properties: Any) -> None:
        from mantid.api import AlgorithmManager

        self.algorithm = AlgorithmManager.create("StartLiveData")
        self.algorithm.setRethrows(True)
        for name in ("Instrument", "Listener"):
            if name in properties:
                self.algorithm.setProperty(name, properties.pop(name))
        for name, value in properties.items():
            self.algorithm.setProperty(name, value)
        self.monitor: Any = None
        self.error: Exception | None = None
        self.thread: threading.Thread | None = None
        self.begun = False

    def start(self) -> LiveData:
        self.algorithm.execute()
        self.monitor = self.algorithm.getProperty("MonitorLiveData").value
        return self

    def start_in_thread(self) -> LiveData:
        self.thread = threading.Thread(target=self._start_quietly, daemon=True)
        self.thread.start()
        return self

    def _start_quietly(self) -> None:
        try:
            self.start()
        except RuntimeError as error:
            self.error = error

    def join(self) -> None:
        assert self.thread is not None
        self.thread.join(60.0)
        assert not self.thread.is_alive()

    def is_running(self) -> bool:
        running = bool(self.monitor is not None and self.monitor.isRunning())
        self.begun = self.begun or running
        return running

    def cancel(self) -> None:
        if self.monitor is None:
            return
        # It is not running yet for a moment after the start: nobody could tell it from one that has ended.
        pause = threading.Event()
        for _ in range(100):
            if self.is_running() or self.begun or self.monitor.isExecuted() or pause.wait(0.01):
                break
        self.monitor.cancel()
        until(lambda: not self.monitor.isRunning())


@pytest.fixture
def live_data() -> Iterator[Callable[..., LiveData]]:
    """Make a `LiveData` of StartLiveData's properties; what still runs at the end is cancelled."""
    made: list[LiveData] = []

    def make(**properties: Any) -> LiveData:
        made.append(LiveData(**properties))
        return made[-1]

    yield make
    for each in made:
        if each.thread is not None and each.thread.is_alive():
            each.algorithm.cancel()
            each.join()
        each.cancel()


@pytest.fixture
def follow(live_data: Callable[..., LiveData]) -> Iterator[Callable[..., tuple[Any, LiveData]]]:
    """Start live data on a server's script, and give out both; at the end they are stopped."""
    with contextlib.ExitStack() as stack:

        def start(script: Any, **properties: Any) -> tuple[Any, LiveData]:
            server = stack.enter_context(scripted_server(script))
            return server, live_data(**{**LIVE_SNS, "Address": server.address, **properties}).start()

        yield start


@pytest.fixture
def test_live(tidy: None) -> Iterator[None]:
    """Make TEST_LIVE the facility, with a fake listener that gives 2000 events a second."""
    from mantid.kernel import ConfigService

    ConfigService.setFacility("TEST_LIVE")
    ConfigService.setString("fakeeventdatalistener.datarate", "2000")
    yield
    ConfigService.setString("fakeeventdatalistener.datarate", "200")
    ConfigService.setString("fakeeventdatalistener.endrunevery", "0")
