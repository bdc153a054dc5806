"""``livered status`` beside real engines: alive, hanging, stopped, killed; and ``--watch`` in a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading

import pytest

from led_beamline import engine_environment, led_beamline
from livered_support import WAIT, livered, started
from waiting import until
from written_engine import written_engine


class Beside:
    """Asks how the engine of a folder is doing."""

    def __init__(self, folder, environment):
        self._folder = folder
        self._environment = environment
        self.code = -1
        self.answer = {}

    def ask(self):
        done = livered(self._folder, "status", "-i", "TST", "--json", environment=self._environment)
        self.code, (self.answer,) = done.returncode, json.loads(done.stdout)["instruments"]
        return self.answer

    def until(self, wanted):
        until(lambda: wanted(self.ask()))


@pytest.fixture
def environment(tmp_path):
    return engine_environment(tmp_path, TST_WAIT=str(tmp_path / "wait"))


@pytest.fixture
def beside(tmp_path, environment):
    return Beside(tmp_path, environment)


def kinds(answer):
    return {finding["kind"] for finding in answer["findings"]}


@pytest.mark.slow
def test_a_session_from_before_its_start_to_its_death(tmp_path, environment, beside):
    assert beside.ask()["state"] == "never started"
    assert beside.code == 3
    with (
        led_beamline() as line,
        started(
            tmp_path, "run", "-i", "TST", "--plain", "--address", line.address, environment=environment
        ) as engine,
    ):
        beside.until(lambda answer: answer["state"] == "between runs")
        assert beside.code == 0
        line.begin_run(4711, "Silicon")
        beside.until(lambda answer: answer["state"] == "live" and answer["counts"]["n_events"])
        assert beside.code == 0
        assert re.fullmatch(
            r"TST run 4711: live, \d+ s old, .* events, complete; publishing OK", beside.answer["line"]
        )
        assert beside.answer["engine"]["pid"] == engine.pid
        assert beside.answer["log_file"] == str(tmp_path / "livereduce.log")
        counts = beside.answer["source"]["counts"]
        assert counts["events"] >= beside.answer["counts"]["n_events"]
        engine.send_signal(signal.SIGSTOP)
        beside.until(lambda answer: "not-answering" in kinds(answer))
        assert beside.code == 1
        engine.send_signal(signal.SIGCONT)
        beside.until(lambda answer: answer["state"] == "live")
        engine.kill()
        engine.wait(WAIT)
        beside.until(lambda answer: "died" in kinds(answer))
        assert beside.code == 1
        assert "engine DIED" in beside.answer["line"]


def test_one_that_was_asked_to_stop_is_no_alarm(tmp_path, environment, beside):
    with (
        led_beamline(4711, "Silicon") as line,
        started(
            tmp_path, "run", "-i", "TST", "--plain", "--address", line.address, environment=environment
        ) as engine,
    ):
        beside.until(lambda answer: answer["counts"] and answer["counts"]["n_events"])
        engine.terminate()
        assert engine.wait(WAIT) == 0
    beside.ask()
    assert (beside.code, beside.answer["state"]) == (3, "stopped")
    assert beside.answer["line"].startswith("TST: stopped ") or "run 4711" in beside.answer["line"]


def test_a_plugin_that_fails_is_named_and_gives_up_in_a_sentence(tmp_path, environment, beside):
    with (
        led_beamline(4711, "Silicon") as line,
        started(
            tmp_path, "run", "-i", "TST", "--plain", "--address", line.address, environment=environment
        ) as engine,
    ):
        beside.until(lambda answer: answer["counts"] and answer["counts"]["n_events"])
        (tmp_path / "break").touch()
        beside.until(lambda answer: kinds(answer) & {"plugin-failing", "failed"})
        assert beside.code == 1
        assert engine.wait(WAIT) == 1
    beside.ask()
    assert (beside.code, kinds(beside.answer)) == (1, {"failed"})
    assert "FAILED" in beside.answer["line"]
    assert "upside down" in beside.answer["line"]


def test_nobody_answers(tmp_path, environment, beside):
    with started(
        tmp_path, "run", "-i", "TST", "--plain", "--address", "127.0.0.1:1", environment=environment
    ):
        beside.until(lambda answer: "not-connected" in kinds(answer) and answer["source"]["problem"])
        assert beside.code == 0


class Terminal:
    """The command in a terminal of its own."""

    def __init__(self, folder, environment, *arguments):
        master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livered_core", "status", *arguments],
            cwd=folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.master = master
        self.seen = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(OSError):
            while part := os.read(self.master, 65536):
                self.seen += part

    def end(self):
        code = self.process.wait(WAIT)
        self._thread.join(WAIT)
        os.close(self.master)
        return code


@pytest.mark.parametrize("end", ["q", "ctrl-c"])
@pytest.mark.parametrize("broken", [False, True], ids=["healthy", "broken"])
def test_watching_ends_with_the_code_of_what_was_seen_last(end, broken, tmp_path, environment):
    with written_engine(tmp_path) as engine:
        engine.begin_run(7, "\x1b[2JSilicon")
        if broken:
            engine.fail()
        terminal = Terminal(tmp_path, environment, "--watch")
        until(lambda: terminal.seen.count(b"\x1b[H") >= 2)
        if end == "q":
            os.write(terminal.master, b"q")
        else:
            terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == int(broken)
    text = terminal.seen.decode()
    assert "TST run 7: live" in text
    assert "\x1b[2J" not in text
    assert ("a plugin FAILS" in text) == broken


def test_watching_through_a_pipe_writes_lines(tmp_path, environment):
    with written_engine(tmp_path) as engine:
        engine.begin_run(7, "Silicon")
        with started(tmp_path, "status", "--watch", environment=environment) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT) == 0
    assert all(line.startswith("TST run 7: live") for line in lines)


def test_watching_ends_when_nobody_reads(tmp_path, environment):
    with (
        written_engine(tmp_path),
        started(tmp_path, "status", "--watch", "--json", environment=environment) as process,
    ):
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(WAIT) == 0


@pytest.mark.slow
def test_a_hook_that_does_not_come_back_is_found_with_its_place(tmp_path, environment, beside):
    plugin = tmp_path / "site" / "tst_pages.py"
    text = plugin.read_text()
    breaks = text[text.index("            raise ValueError") :].partition("\n")[0]
    plugin.write_text(text.replace(breaks, "            import time\n            time.sleep(600)", 1))
    with (
        led_beamline(4711, "Silicon") as line,
        started(tmp_path, "run", "-i", "TST", "--plain", "--address", line.address, environment=environment),
    ):
        beside.until(lambda answer: answer["counts"] and answer["counts"]["n_events"])
        (tmp_path / "break").touch()
        for _ in range(4):
            with contextlib.suppress(AssertionError):
                beside.until(lambda answer: "hanging" in kinds(answer))
                break
        assert beside.code == 1
        assert "HANGS for" in beside.answer["line"]
        (finding,) = [finding for finding in beside.answer["findings"] if finding["kind"] == "hanging"]
        assert "tst_pages.py line" in finding["sentence"]
        assert "in process_chunk" in finding["sentence"]
