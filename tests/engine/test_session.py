from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from adara_support import banked, geometry, new_run, run_info
from hooks_support import chunk
from hooks_support import run_info as run
from livered_core import RunEndReason
from livered_core.adara import StartRequest
from livered_core.clocks import SystemClock
from livered_core.config import Config
from livered_core.engine.request import start_request
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.model.utc import parse_utc
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
        from livered_core import hookimpl
        class Plugin:
            @hookimpl
            def run_started(self, run): pass
        class Fatal:
            @hookimpl
            def post_publish(self, result):
                raise KeyboardInterrupt
    """
    points = {
        "livered.instruments": ["TST = session_plugins:Plugin"],
        "livered.plugins": ["fatal = session_plugins:Fatal"],
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


def status(tmp_path, name="TST"):
    return json.loads((tmp_path / "run" / "livered" / name / "status.json").read_text())


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

    session = make_session(script, "[plugins.fatal]\n")
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
