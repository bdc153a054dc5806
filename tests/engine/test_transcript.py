"""The order of the hooks, word for word: the files in ``transcripts`` are the reference."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import transcript_plugin
from adara_support import banked, geometry, new_run, run_info
from hooks_support import chunk
from hooks_support import run_info as run
from livered_core import RunEndReason
from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.sources.base import Connection, SourceStatus
from sms_support import WAIT, Client, scripted_server
from transcript_plugin import wait_for
from waiting import until

TRANSCRIPTS = Path(__file__).parent / "transcripts"
TESTS = Path(__file__).parents[1]


@pytest.fixture
def installed(install, tmp_path, monkeypatch):
    """Install the plugins of the transcript, and return the environment in which they run."""
    points = {
        "livered.instruments": ["TST = transcript_plugin:Instrument"],
        "livered.plugins": ["sink = transcript_plugin:Sink"],
    }
    site = install("livered-transcript", {}, points)
    monkeypatch.setattr(transcript_plugin, "LINES", [])
    environment = {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "LIVERED_OUTPUT_DIR": str(tmp_path / "output"),
        "LIVERED_PUBLISH__RETRY_FIRST": "0.01",
        "LIVERED_PUBLISH__RETRY_LONGEST": "0.01",
        "LIVERED_PLUGINS__FILES__FORMATS": '["text"]',
        "PYTHONPATH": os.pathsep.join([str(site), str(TESTS)]),
    }
    tmp_path.chmod(0o700)
    return environment


class PlayedSource:
    """A source that plays a script."""

    def __init__(self, script):
        self._script = script

    def run(self, consumer, stop):
        self._script(consumer)

    def status(self):
        return SourceStatus("played://", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {})


def play(environment, config, script) -> str:
    file = Path(environment["HOME"]) / "config.toml"
    file.write_text(config)
    loaded = load_configuration("TST", file, {}, environment)
    session = Session(loaded, SystemClock(), make_source=lambda *_: PlayedSource(script), environ=environment)
    code = session.run()
    return "\n".join([*transcript_plugin.LINES, f"exit code {code}"]) + "\n"


def one_run(consumer, number=7, first=1):
    consumer.run_began(run(number))
    consumer.take_chunk(chunk(1, events=3))
    consumer.update_due()
    wait_for(f"sink.post_publish run {number} update 1")
    consumer.take_chunk(chunk(2, events=4))
    consumer.run_ended(RunEndReason.ENDED)
    wait_for(f"sink.post_publish run {number} final")


def settled(lines):
    """Put what the threads do at the same time, the end of a run and its final post_publish, into one order."""
    lines = list(lines)
    for index in range(1, len(lines)):
        place = index
        while "run_ended" in lines[place] and lines[place - 1].startswith("publish"):
            lines[place - 1 : place + 1] = lines[place], lines[place - 1]
            place -= 1
    return lines


def compare(name, transcript):
    lines = transcript.splitlines(keepends=True)
    assert "".join(settled(lines)) == (TRANSCRIPTS / f"{name}.txt").read_text()


def test_a_normal_run(installed):
    compare("normal_run", play(installed, "[plugins.sink]\n", one_run))


def test_two_runs(installed):
    def script(consumer):
        one_run(consumer, 7)
        one_run(consumer, 8)

    compare("two_runs", play(installed, "[plugins.sink]\n", script))


def test_a_failing_chunk(installed):
    def script(consumer):
        consumer.run_began(run(7))
        for sequence in (1, 2, 3):
            consumer.take_chunk(chunk(sequence, events=3))
        consumer.run_ended(RunEndReason.ENDED)
        wait_for("final")

    config = "[plugins.tst]\nfail_on_chunks = [2]\n[plugins.sink]\n"
    compare("failing_chunk", play(installed, config, script))


def test_a_chunk_that_fails_again_and_again(installed):
    def script(consumer):
        consumer.run_began(run(7))
        for sequence in (1, 2, 3):
            consumer.take_chunk(chunk(sequence, events=3))

    config = "[hooks]\nmax_consecutive_failures = 2\n[plugins.tst]\nfail_on_chunks = [2, 3]\n[plugins.sink]\n"
    compare("too_many_failures", play(installed, config, script))


def test_a_failing_sink(installed):
    def script(consumer):
        consumer.run_began(run(7))
        consumer.take_chunk(chunk(1, events=3))
        consumer.run_ended(RunEndReason.ENDED)
        wait_for("sink.post_publish run 7 final", times=3)

    compare("failing_sink", play(installed, "[plugins.sink]\nfailures = 2\n", script))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal(installed, tmp_path, number):
    """The real program, asked to stop in the middle of a run."""

    def half_a_run(client: Client) -> None:
        client.send(geometry(), new_run(7), run_info(7), *(banked(index) for index in range(5)))
        client.hold()

    transcript = tmp_path / "transcript"
    environment = {**os.environ, **installed, "TRANSCRIPT": str(transcript), "LIVERED_PLUGINS__SINK": "{}"}
    with scripted_server(half_a_run) as server:
        arguments = [
            "run",
            "--instrument",
            "TST",
            "--address",
            server.address,
            "--update-every",
            "0.5",
            "--plain",
        ]
        with subprocess.Popen(
            [sys.executable, "-m", "livered_core", *arguments],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            until(lambda: transcript.exists() and "sink.post_publish" in transcript.read_text())
            process.send_signal(number)
            output, _ = process.communicate(timeout=WAIT)
    assert "Traceback" not in output
    compare("signal", transcript.read_text() + f"exit code {process.returncode}\n")
