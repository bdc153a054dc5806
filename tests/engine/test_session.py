from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

import attrs
import numpy as np
import pytest

from adara_support import banked, geometry, new_run, run_info
from hooks_support import chunk
from hooks_support import run_info as run
from livered_core import RunEndReason, SlowLog
from livered_core.adara import StartRequest
from livered_core.clocks import SystemClock
from livered_core.config import Config
from livered_core.engine.health import Phase
from livered_core.engine.request import start_request
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.model.utc import parse_utc
from livered_core.publish.result_files import ResultFiles
from livered_core.simulator.process import StartCancelled, start_simulator
from livered_core.sources.base import Connection, SourceStatus
from livered_support import private_environment, started
from sms_support import Client, scripted_server
from waiting import WAIT, until


class PlayedSource:
    def __init__(self, script):
        self._script = script

    def run(self, consumer, stop):
        self._script(consumer, stop)

    def status(self):
        return SourceStatus("played://", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {})


@pytest.fixture
def make_session(tmp_path, install):
    """Make a session of a plugin without hooks that matter, played by a script."""
    module = """
        import threading
        from livered_core import hookimpl
        class Plugin:
            @hookimpl
            def run_started(self, run): pass
        class Slow:
            begin, take = threading.Event(), threading.Event()
            @hookimpl
            def session_started(self, session): assert self.begin.wait(90)
            @hookimpl
            def post_publish(self, result): assert self.take.wait(90)
        class Clumsy:
            @hookimpl
            def run_ended(self, run, reason): raise ValueError("<b>nothing</b>")
    """
    points = {
        "livered.instruments": ["TST = session_plugins:Plugin"],
        "livered.plugins": ["slow = session_plugins:Slow", "clumsy = session_plugins:Clumsy"],
    }
    install("livered-session-test", {"session_plugins.py": module}, points)

    def make(script, config=""):
        (tmp_path / "c.toml").write_text(config)
        environment = private_environment(tmp_path)
        loaded = load_configuration("TST", tmp_path / "c.toml", {}, environment)
        return Session(
            loaded, SystemClock(), make_source=lambda *_: PlayedSource(script), environ=environment
        )

    return make


def told(tmp_path, file, name="TST"):
    text = (tmp_path / "run" / "livered" / name / file).read_text()
    return json.loads(text, parse_constant=pytest.fail)


def status(tmp_path, name="TST"):
    return told(tmp_path, "status.json", name)


def test_the_last_status_says_that_it_stopped_and_what_was_delivered(make_session, tmp_path):
    def script(consumer, stop):
        consumer.run_began(run(3))
        consumer.take_chunk(chunk())
        consumer.run_ended(RunEndReason.ENDED)

    assert make_session(script).run() == 0
    last = status(tmp_path)
    assert (last["phase"], last["failure"], last["pid"]) == ("stopped", "", os.getpid())
    (files,) = last["sinks"]
    assert (files["name"], files["delivered"], files["unsent_finals"]) == ("files", 1, 0)


def test_the_plugins_are_in_the_status_and_in_the_log_at_the_beginning_and_at_the_end(
    make_session, tmp_path, caplog
):
    def script(consumer, stop):
        consumer.run_began(run(3))
        consumer.take_chunk(chunk())
        consumer.run_ended(RunEndReason.ENDED)

    caplog.set_level("INFO", "livered_core.engine.reporter")
    assert make_session(script, "[plugins.clumsy]\n").run() == 0
    rows = {row["name"]: row for row in status(tmp_path)["plugins"]}
    assert list(rows) == ["tst", "files", "clumsy"]
    assert rows["tst"]["class"] == "session_plugins:Plugin"
    assert [rows[name]["state"] for name in rows] == ["runs", "runs", "fails"]
    (hook,) = rows["clumsy"]["hooks"]
    assert (hook["hook"], hook["calls"], hook["failures"]) == ("run_ended", 1, 1)
    assert hook["last_error"] == "ValueError: <b>nothing</b>"
    told = [record for record in caplog.records if record.name.endswith("reporter")]
    said = [record.getMessage() for record in told if getattr(record, "plugin", "") == "clumsy"]
    assert [re.sub("mean.*ms", "...", sentence.partition(";")[0]) for sentence in said] == [
        "Plugin clumsy 1.0 (livered-session-test, observer, native and mantid data) runs: run_ended",
        "Plugin clumsy 1.0 in this session: run_ended 1 call, ..., 1 FAILED (ValueError: <b>nothing</b>).",
    ]


def test_a_failure_is_in_the_last_status_and_ends_with_1(make_session, tmp_path, caplog):
    def script(consumer, stop):
        raise RuntimeError("the floor gave way")

    session = make_session(script)
    assert session.run() == 1
    assert status(tmp_path)["phase"] == "failed"
    assert "RuntimeError: the floor gave way" in status(tmp_path)["failure"]
    assert caplog.records[-1].getMessage().splitlines()[0] == "RuntimeError: the floor gave way"


def test_a_publish_thread_that_dies_ends_the_session_with_1(make_session, tmp_path, monkeypatch):
    def script(consumer, stop):
        consumer.run_began(run(3))
        consumer.take_chunk(chunk())
        consumer.update_due()
        assert stop.wait(WAIT)
        consumer.run_ended(RunEndReason.SESSION_STOPPED)

    def show(self, item):
        raise KeyboardInterrupt

    monkeypatch.setattr(ResultFiles, "show", show)
    session = make_session(script, "[publish]\nstop_timeout = 0.2\n")
    assert session.run() == 1
    assert isinstance(session.failure, KeyboardInterrupt)


def test_status_is_written_while_it_runs_and_while_it_stops(make_session, tmp_path):
    go_on = threading.Event()

    def script(consumer, stop):
        consumer.run_began(run(3))
        assert stop.wait(WAIT)
        assert go_on.wait(WAIT)
        consumer.run_ended(RunEndReason.SESSION_STOPPED)

    session = make_session(script)
    thread = threading.Thread(target=session.run)
    thread.start()
    written = tmp_path / "run" / "livered" / "TST" / "status.json"
    until(lambda: written.exists() and status(tmp_path)["run"])
    assert status(tmp_path)["run"]["number"] == 3
    session.stop()
    until(lambda: status(tmp_path)["phase"] == "stopping")
    go_on.set()
    thread.join(WAIT)
    assert status(tmp_path)["phase"] == "stopped"


def test_the_state_is_told_while_plugins_begin_and_while_sinks_are_waited_for(make_session, tmp_path):
    def script(consumer, stop):
        consumer.run_began(run(3))
        consumer.take_chunk(chunk())
        consumer.run_ended(RunEndReason.ENDED)

    session = make_session(script, "[plugins.slow]\n")
    thread = threading.Thread(target=session.run)
    thread.start()
    file = tmp_path / "run" / "livered" / "TST" / "status.json"
    until(file.exists)
    first = status(tmp_path)
    assert (first["phase"], first["run"]) == ("between runs", None)
    until(lambda: status(tmp_path)["now_ns"] > first["now_ns"])
    slow = sys.modules["session_plugins"].Slow
    slow.begin.set()
    until(lambda: session.health().phase is Phase.STOPPING)
    asked_ns = SystemClock().now_ns()
    until(lambda: status(tmp_path)["now_ns"] > asked_ns)
    assert status(tmp_path)["phase"] == "stopping"
    slow.take.set()
    thread.join(WAIT)
    assert status(tmp_path)["phase"] == "stopped"


def test_each_final_result_is_kept_however_late_the_publish_thread_is(make_session, tmp_path, monkeypatch):
    shows, go_on, real = threading.Event(), threading.Event(), ResultFiles.show

    def show(self, item):
        shows.set()
        assert go_on.wait(WAIT)
        real(self, item)

    def script(consumer, stop):
        for number in (3, 4, 5):
            consumer.run_began(run(number))
            consumer.take_chunk(chunk())
            consumer.run_ended(RunEndReason.ENDED)
            assert shows.wait(WAIT)
        go_on.set()

    monkeypatch.setattr(ResultFiles, "show", show)
    assert make_session(script).run() == 0
    assert [told(tmp_path, f"runs/{number}.json")["version"] for number in (3, 4, 5)] == [1, 2, 3]
    assert [(r["number"], r["kept"]) for r in told(tmp_path, "runs.json")["runs"]] == [(5, 1), (4, 1), (3, 1)]


def test_runs_failures_and_history_are_told_and_go_on_in_the_next_session(make_session, tmp_path):
    def first(consumer, stop):
        for number, reason in ((3, RunEndReason.ENDED), (4, RunEndReason.SESSION_STOPPED)):
            consumer.run_began(run(number))
            log = SlowLog("temp", "D", "K", np.array([5]), np.array([291.5 + number]))
            consumer.take_chunk(attrs.evolve(chunk(), logs={"temp": log}))
            consumer.run_ended(reason)

    assert make_session(first, "[plugins.clumsy]\n").run() == 0
    last, latest = status(tmp_path), told(tmp_path, "latest.json")
    runs, failures = told(tmp_path, "runs.json"), told(tmp_path, "failures.json")
    session = last["session"]["id"]
    assert last["session"]["plugins"] == {
        "tst": "1.0",
        "clumsy": "1.0",
        "files": last["session"]["livered_version"],
    }
    assert (latest["session"], latest["version"], last["version"]) == (session, 2, 2)
    assert (runs["version"], failures["version"]) == (last["runs_version"], last["failures_version"])
    assert [(r["number"], r["end"], r["final"], r["version"], r["kept"]) for r in runs["runs"]] == [
        (4, "session stopped", False, 2, True),
        (3, "ended", True, 1, True),
    ]
    assert all(r["session"] == session and r["n_events"] == 1 and r["end_ns"] for r in runs["runs"])
    (receipt,) = runs["runs"][1]["receipts"].values()
    assert receipt["files"]
    assert all(Path(path).is_file() for path in receipt["files"])
    assert [told(tmp_path, f"runs/{number}.json")["version"] for number in (3, 4)] == [1, 2]
    assert [(f["plugin"], f["run"], f["error"]) for f in failures["failures"]] == [
        ("clumsy", 4, "ValueError: <b>nothing</b>"),
        ("clumsy", 3, "ValueError: <b>nothing</b>"),
    ]
    assert "in run_ended" in failures["failures"][0]["traceback"]
    assert [(log["name"], log["value"]) for log in last["logs"]] == [("temp", 295.5)]
    (row_ns,) = told(tmp_path, "history.json")["time_ns"]

    def second(consumer, stop):
        consumer.run_began(run(5))
        raise RuntimeError("the floor gave way")

    assert make_session(second).run() == 1
    again = status(tmp_path)
    assert again["session"]["id"] != session
    assert again["runs_version"] > last["runs_version"]
    assert [(r["number"], r["end"]) for r in told(tmp_path, "runs.json")["runs"]] == [
        (5, "session failed"),
        (4, "session stopped"),
        (3, "ended"),
    ]
    assert told(tmp_path, "latest.json") == latest
    assert told(tmp_path, "history.json")["time_ns"][0] == row_ns
    assert len(told(tmp_path, "history.json")["time_ns"]) == 2
    assert told(tmp_path, "failures.json")["total"] == 2


def test_what_watches_may_fail_and_the_session_still_closes(make_session):
    def script(consumer, stop):
        assert stop.wait(WAIT)

    def watch():
        raise RuntimeError("no screen")

    before = set(threading.enumerate())
    session = make_session(script)
    with pytest.raises(RuntimeError, match="no screen"):
        session.run(watch)
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("livered-")]


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        ({}, StartRequest.start_of_run()),
        ({"from_start_of_run": False}, StartRequest.now()),
        ({"start_time": "2026-11-22T10:00:00Z"}, StartRequest.at(parse_utc("2026-11-22T10:00:00Z"))),
        ({"start_time": "2026-11-22", "from_start_of_run": False}, StartRequest.at(parse_utc("2026-11-22"))),
    ],
)
def test_where_the_stream_is_asked_to_begin(config, asked):
    assert start_request(Config(instrument="TST", **config)) == asked


def test_a_simulated_beamline_that_dies_ends_the_session_with_1(tmp_path):
    with started(
        tmp_path, "run", "--instrument", "NOM", "--simulate", "--stop-after-run", "--plain"
    ) as process:
        screen = ""
        for line in process.stdout:
            screen += line
            if "Run 1 began" in line:
                break
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        (child,) = map(int, Path(children).read_text().split())
        os.kill(child, signal.SIGKILL)
        screen += process.stdout.read()
        assert process.wait(WAIT) == 1
    assert "The simulated beamline has ended by itself" in screen
    assert "Traceback" not in screen


def test_the_start_of_a_simulated_beamline_can_be_cancelled(monkeypatch):
    from livered_core.config import SimulateConfig

    cancel = threading.Event()
    cancel.set()
    with pytest.raises(StartCancelled):
        start_simulator(SimulateConfig(), "TST", cancel=cancel)


def test_the_real_source_is_used_with_what_is_configured(tmp_path, install):
    """Through a socket: address, start time and instrument of the configuration reach the stream."""
    module = """
        from livered_core import hookimpl
        class Plugin:
            @hookimpl
            def run_started(self, run): print("began", run.instrument, run.number)
    """
    site = install(
        "livered-real", {"real_plugin.py": module}, {"livered.instruments": ["RL = real_plugin:Plugin"]}
    )

    def half(client: Client) -> None:
        client.send(geometry(), new_run(7), run_info(7), banked(0))
        client.hold()

    with scripted_server(half) as server:
        environment = private_environment(tmp_path, PYTHONPATH=str(site))
        arguments = (
            "run",
            "--instrument",
            "RL",
            "--address",
            server.address,
            "--start-time",
            "2026-09-21T00:00:00Z",
        )
        with started(tmp_path, *arguments, "--plain", environment=environment) as process:
            assert any("began RL 7" in line for line in iter(process.stdout.readline, ""))
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0
    assert server.hellos[0].start.time_ns == parse_utc("2026-09-21T00:00:00Z")
