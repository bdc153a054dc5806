"""``livered run --dashboard``: the real engine and its page, as processes of their own."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from dashboard_support import running_dashboard
from livered_core.config import DashboardConfig
from livered_core.dashboard.launch import STOP_TIMEOUT, DashboardProcess
from livered_support import private_environment, started
from waiting import until

CONFIG = """
update_every = 0.5
[simulate]
run_length = 600.0
rate = 20000.0
[dashboard]
port = {port}
"""
NAME = "NOM-simulated"


@pytest.fixture
def port(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    (tmp_path / "c.toml").write_text(CONFIG.format(port=port))
    yield port
    # A dashboard lives on when its engine is killed, as a test that fails does.
    for pid in dashboards(port):
        os.kill(pid, signal.SIGKILL)


def run(folder, *more):
    arguments = (
        "run",
        "--instrument",
        "NOM",
        "--simulate",
        "--plain",
        "--config",
        "c.toml",
        "--dashboard",
        *more,
    )
    return started(folder, *arguments, environment=private_environment(folder))


def listens(port) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    return False


def dashboards(port) -> set[int]:
    """Processes whose command line names the port."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"dashboard" in words and str(port).encode() in words:
                found.add(int(path.parent.name))
    return found


def lines_until(process, pattern) -> str:
    said = []
    for line in process.stdout:
        said.append(line)
        if re.search(pattern, line):
            return line
    raise AssertionError("".join(said))


@pytest.mark.slow
def test_the_page_survives_a_killed_engine_and_is_used_by_the_next(tmp_path, port):
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=address))

        def state():
            with suppress(httpx.HTTPError, KeyError):
                return client.get(f"/api/instruments/{NAME}/status").json()["state"]
            return {"word": "", "kind": "", "sentence": ""}

        engine = stack.enter_context(run(tmp_path))
        assert f"{address}/#{NAME}" in lines_until(engine, "dashboard is at")
        until(lambda: state()["word"] == "live")
        until(lambda: client.get(f"/api/instruments/{NAME}/latest").json().get("curves"))
        before = dashboards(port)
        assert len(before) == 1
        # It is in a session of its own, so that Ctrl-C in a terminal does not reach it.
        assert os.getsid(min(before)) == min(before)
        engine.kill()
        engine.wait()
        until(lambda: state()["word"] == "stopped")
        assert state()["kind"] == "bad"
        assert "its process is gone" in state()["sentence"]
        age = state()["data_age_s"]
        until(lambda: state()["data_age_s"] > age)

        again = stack.enter_context(run(tmp_path))
        assert "is used, and stays" in lines_until(again, "dashboard that is there already")
        until(lambda: state()["word"] == "live")
        assert dashboards(port) == before
        again.terminate()
        again.communicate(timeout=60)
        assert again.returncode == 0
        until(lambda: state()["word"] == "stopped")
        assert state()["kind"] == "warn"
        os.kill(min(before), signal.SIGTERM)
        until(lambda: not dashboards(port))


def test_it_ends_with_livered(tmp_path, port):
    nowhere = ("--instrument", "NOM", "--address", "127.0.0.1:1")
    with started(tmp_path, "run", *nowhere, "--plain", "--config", "c.toml", "--dashboard") as engine:
        lines_until(engine, "dashboard is at")
        until(lambda: listens(port))
        engine.send_signal(signal.SIGINT)
        engine.communicate(timeout=60)
        assert engine.returncode == 0
    assert not listens(port)
    assert not dashboards(port)


# What `livered run` does beside the reduction, without one.


@pytest.fixture
def start(tmp_path):
    """Start dashboards, and end them at the end of the test."""
    with ExitStack() as stack:

        def start(shown="", **settings) -> DashboardProcess:
            process = DashboardProcess(
                DashboardConfig(**settings), private_environment(tmp_path), shown=shown
            )
            stack.callback(process.stop)
            process.start()
            return process

        yield start


def test_one_that_is_there_is_used_and_not_ended(start, port, caplog):
    caplog.set_level(logging.INFO)
    first = start("NOM-simulated", port=port)
    until(lambda: first.address)
    second = start("X Y", port=port)
    until(lambda: second.address)
    # Each names the page of its own instrument.
    assert first.address == f"http://127.0.0.1:{port}/#NOM-simulated"
    assert second.address == f"http://127.0.0.1:{port}/#X%20Y"
    assert f"dashboard is at {first.address}" in caplog.text
    assert f"is used, and stays: {second.address}" in caplog.text
    assert len(dashboards(port)) == 1
    second.stop()
    assert listens(port)
    began = time.monotonic()
    first.stop()
    assert time.monotonic() - began < STOP_TIMEOUT
    first.stop()
    assert not dashboards(port)
    assert first.address == ""


def test_two_that_start_together_share_one(start, port):
    both = [start(port=port), start(port=port)]
    until(lambda: all(process.address for process in both))
    until(lambda: len(dashboards(port)) == 1)


def test_a_port_that_is_taken_is_said_and_the_reduction_goes_on(start, tmp_path, caplog):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running_dashboard(elsewhere) as (address, _):
        port = int(address.rpartition(":")[2])
        process = start(port=port)
        until(lambda: caplog.records)
        assert process.address == ""
    assert [record.getMessage() for record in caplog.records] == [
        f"There is no dashboard: Something else listens on 127.0.0.1 port {port} already: choose another port. "
        "The reduction goes on without."
    ]


def test_one_that_is_there_without_a_token_is_not_used_where_one_is_wanted(start, tmp_path, caplog):
    token = tmp_path / "TOKEN"
    token.write_text("a-token-of-some-length")
    token.chmod(0o600)
    with running_dashboard(tmp_path) as (address, _):
        process = start(port=int(address.rpartition(":")[2]), token_file=token)
        until(lambda: caplog.records)
        assert process.address == ""
    assert "everybody may see it without a token: end it first. The reduction goes on" in caplog.text


def test_what_is_wrong_with_the_token_is_said(start, tmp_path, caplog):
    process = start(port=0, token_file=tmp_path / "none")
    until(lambda: caplog.records)
    assert "The token file" in caplog.text
    assert process.address == ""


@pytest.mark.parametrize(
    ("number", "level", "sentence"),
    [
        (
            signal.SIGKILL,
            logging.WARNING,
            "The dashboard has ended by itself (exit code -9); the reduction goes on.",
        ),
        (signal.SIGTERM, logging.INFO, "The dashboard was asked to stop."),
    ],
)
def test_one_that_ends_by_itself_is_said(start, port, caplog, number, level, sentence):
    caplog.set_level(logging.INFO)
    process = start(port=port)
    until(lambda: process.address)
    os.kill(min(dashboards(port)), number)
    until(lambda: not process.address)
    until(lambda: len(caplog.records) == 2)
    assert (caplog.records[1].levelno, caplog.records[1].getMessage()) == (level, sentence)


def test_asked_to_stop_before_it_has_begun_it_does_not_begin(start, port):
    process = start(port=port)
    process.stop()
    until(lambda: "livered-dashboard" not in [thread.name for thread in threading.enumerate()])
    assert not dashboards(port)
