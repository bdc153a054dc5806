from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time

import attrs
import numpy as np
import pytest

from hooks_support import run_info, session_info
from livered_core import SlowLog
from livered_core.clocks import SystemClock
from livered_core.engine.health import Health, Phase
from livered_core.engine.reporter import Reporter
from livered_core.publish.as_json import MOST_LOGS
from livered_core.publish.books import Books
from livered_core.publish.run_directory import RunDirectory
from livered_core.sources.base import Connection, SourceStatus
from waiting import WAIT, until

SECOND = 10**9
SOURCE = SourceStatus("there", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {"events": 0})
HEALTH = Health(
    Phase.LIVE, SOURCE, run_info(3), 100 * SECOND, 1, 2, 3, 4, 5.0, 99 * SECOND, 0, 0, (), None, None, ()
)
LOG = SlowLog("temp", "D", "K", np.array([5]), np.array([291.5]))


class Turns(SystemClock):
    """A clock that goes on by a second with each turn of the thread, and lets it turn as often as is wanted."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.wanted = threading.Semaphore(0)

    def now_ns(self) -> int:
        return round(self.now_s * SECOND)

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout: float) -> bool:
        while not self.wanted.acquire(timeout=0.02):
            if event.is_set():
                return True
        self.now_s += timeout
        return event.is_set()


class Reported:
    def __init__(self, folder: RunDirectory) -> None:
        self.path = folder.path
        self.clock = Turns()
        self.books = Books(folder, "abc", self.clock)
        self.events = 0
        self.health: Health | None = HEALTH
        self.reporter = Reporter(
            folder, self.books, self._health, session_info, "abc", update_every_s=5.0, clock=self.clock
        )

    def _health(self) -> Health | None:
        if self.health is None:
            return None
        source = attrs.evolve(SOURCE, counts={"events": self.events})
        return attrs.evolve(self.health, now_ns=self.clock.now_ns(), source=source)

    def turn(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            before = self.read("status.json")["now_ns"]
            self.clock.wanted.release()
            until(lambda before=before: self.read("status.json")["now_ns"] > before)

    def read(self, name: str):
        return json.loads((self.path / name).read_text(), parse_constant=pytest.fail)


@pytest.fixture
def reported(tmp_path):
    with RunDirectory(tmp_path) as folder:
        made = Reported(folder)
        made.reporter.start()
        yield made
        made.reporter.close()


def test_the_state_is_written_at_once_and_says_who_writes_it(reported):
    status = reported.read("status.json")
    expected = {
        "format": 2,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "session": {
            "id": "abc",
            "started_ns": 0,
            "backend": "native",
            "source": "adara://localhost:1",
            "output_dir": "/nowhere",
            "livered_version": "0",
            "plugins": {},
            "instrument": "TST",
        },
        "phase": "live",
        "status_every_s": 1.0,
        "update_every_s": 5.0,
        "now_ns": 100 * SECOND,
        "event_rate": 0.0,
        "version": 0,
        "logs": [],
        "runs_version": 0,
        "failures_version": 0,
    }
    assert {key: status[key] for key in expected} == expected
    assert {"runs.json", "failures.json", "history.json"} < {path.name for path in reported.path.iterdir()}


def test_rate_and_logs_are_those_of_now(reported):
    reported.events, reported.health = 500, attrs.evolve(HEALTH, logs={"temp": LOG}, version=7)
    reported.turn()
    status = reported.read("status.json")
    assert (status["event_rate"], status["version"], status["now_ns"]) == (500.0, 7, 101 * SECOND)
    assert status["logs"] == [{"name": "temp", "device": "D", "unit": "K", "value": 291.5, "time_ns": 5}]


def test_history_has_a_row_every_ten_seconds_with_the_mean_over_them(reported):
    for second in range(20):
        reported.events += 1000 if second == 12 else 0
        reported.turn()
    history = reported.read("history.json")
    assert history["time_ns"] == [100 * SECOND, 110 * SECOND, 120 * SECOND]
    assert history["event_rate"] == pytest.approx([0.0, 0.0, 100.0], rel=0.2)
    assert history["phase"] == ["live"] * 3
    assert history["lag_s"] == [1.0, 11.0, 21.0]


def test_a_state_names_no_version_that_its_file_does_not_hold_yet(reported):
    reported.books.run_started(run_info(3))
    reported.health = attrs.evolve(HEALTH, run=attrs.evolve(run_info(3), title="<later>"))
    reported.turn()
    assert reported.read("runs.json")["version"] == reported.read("status.json")["runs_version"] == 2
    assert reported.read("runs.json")["runs"][0]["title"] == "<later>"
    before = (reported.path / "runs.json").stat().st_ino
    reported.turn()
    assert (reported.path / "runs.json").stat().st_ino == before


def test_before_the_engine_is_there_nothing_is_written(tmp_path):
    with RunDirectory(tmp_path) as folder:
        made = Reported(folder)
        made.health = None
        made.reporter.start()
        made.reporter.close()
        assert not (tmp_path / "status.json").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(28, "No space left on device"), "No space left"), (KeyError("x"), "report it")],
)
def test_what_goes_wrong_is_said_once_and_the_next_turn_tries_again(
    reported, monkeypatch, caplog, error, said
):
    def fails(*_):
        nonlocal turns
        turns += 1
        raise error

    turns = 0
    real = RunDirectory.replace
    monkeypatch.setattr(RunDirectory, "replace", fails)
    for turn in range(3):
        reported.clock.wanted.release()
        until(lambda turn=turn: turns > turn)
    monkeypatch.setattr(RunDirectory, "replace", real)
    reported.turn()
    (record,) = caplog.records
    assert said in record.getMessage()
    assert str(reported.path) in record.getMessage()


def test_the_last_state_is_written_by_who_closes_it(reported):
    reported.health = attrs.evolve(HEALTH, phase=Phase.STOPPED)
    reported.reporter.close()
    assert reported.read("status.json")["phase"] == "stopped"
    assert not [t for t in threading.enumerate() if t.name == "livered-status"]


def test_a_folder_that_hangs_does_not_keep_the_session_from_ending(reported, monkeypatch):
    monkeypatch.setattr("livered_core.engine.reporter._PATIENCE_S", 0.1)
    go_on, hangs = threading.Event(), threading.Event()

    def hang(*_):
        hangs.set()
        assert go_on.wait(WAIT)

    monkeypatch.setattr(RunDirectory, "replace", hang)
    reported.clock.wanted.release()
    assert hangs.wait(WAIT)
    closes = threading.Thread(target=reported.reporter.close)
    closes.start()
    closes.join(WAIT)
    assert not closes.is_alive()
    go_on.set()


def test_hundreds_of_logs_with_long_values_cost_little(reported):
    values = np.empty(50_000, object)
    values[:] = "x" * 1000
    logs = {f"log {n:04}": SlowLog(f"log {n:04}", "D", "K", np.arange(50_000), values) for n in range(2000)}
    reported.health = attrs.evolve(HEALTH, logs=logs)
    started = time.thread_time()
    reported.reporter._report()
    assert time.thread_time() - started < 0.5
    status = reported.read("status.json")
    assert (len(status["logs"]), status["logs_left_out"]) == (MOST_LOGS, 1500)
    assert (reported.path / "status.json").stat().st_size < 200_000


def test_the_heartbeat_goes_on_although_a_book_cannot_be_written(reported, monkeypatch):
    def fails(self, name, parts):
        if name == "runs.json":
            raise OSError(28, "No space left on device")
        real(self, name, parts)

    reported.turn()
    real = RunDirectory.replace
    monkeypatch.setattr(RunDirectory, "replace", fails)
    reported.books.run_started(run_info(3))
    reported.turn(2)
    assert reported.read("status.json")["runs_version"] == 0


def test_the_files_are_written_again_after_somebody_has_removed_them(tmp_path):
    path = tmp_path / "run"
    path.mkdir()

    def make(create):
        path.mkdir(exist_ok=True)
        return path

    with RunDirectory(path, make) as folder:
        made = Reported(folder)
        made.books.run_started(run_info(3))
        folder.replace("runs/3.json", ["{}"])
        made.books.runs.kept(run_info(3))
        made.reporter.start()
        assert made.read("runs.json")["runs"][0]["kept"] is True
        shutil.rmtree(path)
        made.clock.wanted.release()
        until((path / "status.json").exists)
        assert made.read("runs.json")["runs"][0]["kept"] is False
        assert {entry.name for entry in path.iterdir()} >= {"failures.json", "history.json", "lock"}
        made.reporter.close()
