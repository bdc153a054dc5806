"""The real program, and what may happen to its screen and its log."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

from adara_support import banked, end_run, geometry, new_run, run_info
from livered_core.cli.signals import ONE_REQUEST_S
from livered_support import WAIT, started
from sms_support import scripted_server
from waiting import until

NASTY_TITLE = "T\x9b31mX \u202edesrever\n2026-01-01 00:00:00,000 ERROR forged: line"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
PROGRAM = [sys.executable, "-u", "-m", "livered_core", "run", "-i", "TST"]


def idle(client):
    client.send(geometry(), new_run(7), run_info(7, NASTY_TITLE), *(banked(i) for i in range(5)))
    client.hold()


def whole_run(client):
    client.send(geometry(), new_run(7), run_info(7, NASTY_TITLE), *(banked(i) for i in range(9)), end_run(7))
    client.hold()


class Reader:
    """Reads a descriptor to its end on a thread of its own."""

    def __init__(self, number):
        self.data = b""
        self._number = number
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with contextlib.suppress(OSError):
            while part := os.read(self._number, 65536):
                self.data += part

    def until(self, text):
        until(lambda: text.encode() in self.data)

    def end(self):
        self.thread.join(WAIT)
        return self.data.decode()


@contextlib.contextmanager
def in_a_terminal(folder, server, environment, *arguments):
    """Run livered with a terminal of its own; gives the process and the terminal's other side."""
    number, slave = pty.openpty()
    master = os.fdopen(number, "rb", buffering=0)
    # Whoever runs the tests under nohup ignores hangups, and so would livered.
    command = ["env", "--default-signal=HUP", *PROGRAM, "--address", server.address, *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            yield process, master
        finally:
            if process.poll() is None:
                process.kill()
            master.close()


def log_of(folder):
    return (folder / "livereduce.log").read_text()


def status(folder):
    with contextlib.suppress(FileNotFoundError):
        return json.loads((folder / "run" / "livered" / "TST" / "status.json").read_text())
    return {}


def ask(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(WAIT)


@pytest.mark.parametrize("mode", ["ok", "raise", "print"])
def test_no_control_character_reaches_the_screen_or_the_log(tst, tmp_path, mode):
    with (
        scripted_server(whole_run) as server,
        started(
            tmp_path,
            *("run", "-i", "TST", "--address", server.address, "--stop-after-run"),
            environment=tst(TST_MODE=mode),
        ) as process,
    ):
        screen, _ = process.communicate(timeout=WAIT)
        assert process.returncode == 0, screen
    log = log_of(tmp_path)
    assert "Run 7 began: T 31mX desrever 2026-01-01 00:00:00,000 ERROR forged: line" in log
    for text in (screen, log):
        assert not FORBIDDEN.search(text), repr(text)
        assert "desrever" in text
    assert not re.search(r"^2026-01-01", log, re.MULTILINE)
    assert not re.search(r"^2026-01-01 .*ERROR", screen, re.MULTILINE) or mode == "print"
    if mode == "raise":
        assert "\n    Traceback (most recent call last):\n" in log
        assert "Traceback" not in screen
        assert "No result was made" in screen


def test_the_live_view_is_clean_and_the_cursor_comes_back(tst, tmp_path):
    with scripted_server(idle) as server, in_a_terminal(tmp_path, server, tst()) as (process, master):
        reader = Reader(master.fileno())
        reader.until("proton charge")
        reader.until("sum")
        assert ask(process, signal.SIGINT) == 0
        screen = reader.end()
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1
    assert "\x9b" not in screen
    assert "\u202e" not in screen
    assert "\x1b]0;" not in screen
    assert "not final, the run was still going on" in screen


def test_a_reader_that_goes_away_does_not_end_a_session(tst, tmp_path):
    with scripted_server(idle) as server:
        arguments = ("run", "-i", "TST", "--address", server.address)
        with started(tmp_path, *arguments, environment=tst(TST_MODE="print")) as process:
            process.stdout.readline()
            process.stdout.close()
            until(lambda: (tmp_path / "livered").exists() or "update 1" in log_of(tmp_path))
            assert process.poll() is None
            assert ask(process) == 0
    log = log_of(tmp_path)
    assert "session stopped after 10 events" in log
    assert "Traceback" not in log
    assert "failed" not in log


def test_stdout_closed_from_the_beginning(tst, tmp_path):
    with scripted_server(whole_run) as server:
        command = [*PROGRAM, "--address", server.address, "--stop-after-run"]
        shell = subprocess.run(
            ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command],
            cwd=tmp_path,
            env=tst(),
            timeout=WAIT,
            check=False,
        )
    assert shell.returncode == 0
    assert "Run 7: ended after 18 events" in log_of(tmp_path)


def test_a_terminal_that_is_closed_ends_the_session_cleanly(tst, tmp_path):
    """What is written to it fails with EIO; then comes SIGHUP."""
    with scripted_server(idle) as server, in_a_terminal(tmp_path, server, tst()) as (process, master):
        until(lambda: status(tmp_path).get("n_updates"))
        master.close()
        seen = status(tmp_path)["now_ns"]
        until(lambda: status(tmp_path)["now_ns"] > seen + 1_000_000_000)
        assert ask(process, signal.SIGHUP) == 0
    log = log_of(tmp_path)
    assert "Asked to stop by SIGHUP" in log
    assert "session stopped after 10 events" in log
    assert "Traceback" not in log


def test_a_hangup_is_ignored_under_nohup(tst, tmp_path):
    with scripted_server(idle) as server:
        command = ["nohup", *PROGRAM, "--address", server.address]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env=tst(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout:
                if "began" in line:
                    break
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=WAIT)
    assert process.returncode == 0
    assert "Asked to stop by SIGTERM" in log_of(tmp_path)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_two_signals_close_together_are_one(tst, tmp_path, second):
    with scripted_server(idle) as server:
        arguments = ("run", "-i", "TST", "--address", server.address)
        with started(tmp_path, *arguments, environment=tst()) as process:
            for line in process.stdout:
                if "began" in line:
                    break
            process.send_signal(signal.SIGTERM)
            process.send_signal(second)
            screen, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0
    assert "not final, the run was still going on" in screen


HANG = """
    import threading

    import attrs
    from livered_core import hookimpl


    @attrs.define(eq=False)
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            print("hanging", flush=True)
            threading.Event().wait()
"""


def test_a_later_second_signal_ends_the_process_and_shows_the_cursor(install, tst, tmp_path):
    install(
        "livered-hang", {"hang_plugin.py": HANG}, {"livered.instruments": ["HNG = hang_plugin:Instrument"]}
    )
    with (
        scripted_server(idle) as server,
        in_a_terminal(tmp_path, server, tst(), "-i", "HNG") as (process, master),
    ):
        reader = Reader(master.fileno())
        reader.until("hanging")
        process.send_signal(signal.SIGINT)
        reader.until("Stopping")
        # A hangup never ends the process, however late it comes.
        asked_at = time.monotonic()
        while time.monotonic() < asked_at + 1.5 * ONE_REQUEST_S:
            assert process.poll() is None
            process.send_signal(signal.SIGHUP)
            select.select([], [], [], 0.1)
        assert ask(process, signal.SIGINT) == 1
        screen = reader.end()
    assert screen.endswith("ended at once; what was not published is lost.\r\n")
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1


def test_a_log_on_a_full_disk_is_told_of_once(tst, tmp_path):
    with (
        scripted_server(whole_run) as server,
        started(
            tmp_path,
            *("run", "-i", "TST", "--address", server.address, "--stop-after-run"),
            environment=tst(LIVERED_LOG__FILE="/dev/full"),
        ) as process,
    ):
        screen, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 0
    assert screen.count("The log /dev/full cannot be written (no space left on device)") == 1
    assert "Traceback" not in screen
    assert "complete; final" in screen


@pytest.mark.slow
def test_a_screen_that_takes_nothing_does_not_hold_up_the_session(tst, tmp_path):
    """A pipe that is full and that nobody reads: the run is reduced, and the session ends."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    with scripted_server(whole_run) as server:
        # Without -u: the screen's thread then holds the lock of stdout's buffer when the process ends.
        arguments = [*PROGRAM, "--address", server.address, "--stop-after-run"]
        arguments.remove("-u")
        with subprocess.Popen(
            arguments, cwd=tmp_path, env=tst(TST_MODE="print", PYTHONUNBUFFERED=""), stdout=writing
        ) as process:
            assert process.wait(WAIT) == 0
    os.close(reading)
    os.close(writing)
    assert "Run 7: ended after 18 events" in log_of(tmp_path)


def test_a_final_failure_is_on_the_screen_once(tst, tmp_path):
    with (
        scripted_server(idle) as server,
        started(
            tmp_path,
            *("run", "-i", "TST", "--address", server.address),
            environment=tst(TST_MODE="raise", LIVERED_HOOKS__MAX_CONSECUTIVE_FAILURES="1"),
        ) as process,
    ):
        screen, _ = process.communicate(timeout=WAIT)
    assert process.returncode == 1
    assert len(re.findall("Gave up after", screen)) == 1
    assert screen.rstrip().splitlines()[-1].startswith("livered: Gave up after 1 failures")
    assert "Gave up after" in log_of(tmp_path)
