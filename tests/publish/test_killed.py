"""Real sessions in processes of their own, killed while a sink is down and while it takes results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from livered_core.publish.outbox import unsent_files
from livered_support import private_environment
from waiting import until

TESTS = Path(__file__).parents[1]
PLUGIN = """
    import time
    from pathlib import Path
    import attrs
    from livered_core import Curve, Receipt, Result, hookimpl
    from livered_core.errors import SinkUnavailable

    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run, update):
            return Result(run.number, "sum", (Curve("sum", [0.0], [accumulated], [0.0], "one", "counts"),))

    class Sink:
        @hookimpl
        def post_publish(self, result, run, update):
            if Path("down").exists():
                raise SinkUnavailable("It is down.")
            time.sleep(0.01)
            with open("taken", "a") as file:
                file.write(f"{run.number} {update.final} {result.curves[0].y[0]:g}\\n")
            return Receipt("here", 0, 1)
"""
SESSION = """
import sys
from pathlib import Path
from hooks_support import chunk, run_info
import attrs
from livered_core import RunEndReason
from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.sources.base import Connection, SourceStatus

first, last = map(int, sys.argv[1:])

class Source:
    def run(self, consumer, stop):
        for number in range(first, last + 1):
            consumer.run_began(attrs.evolve(run_info(number), start_ns=number))
            consumer.take_chunk(chunk(events=number))
            consumer.update_due()
            consumer.run_ended(RunEndReason.ENDED)
            print(number, flush=True)
            if stop.wait(0.01):
                return
        stop.wait()

    def status(self):
        return SourceStatus("played://", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {})

loaded = load_configuration("TST", Path("c.toml"), {})
sys.exit(Session(loaded, SystemClock(), make_source=lambda *_: Source()).run())
"""
CONFIG = """
[publish]
retry_first = 0.05
retry_longest = 0.05
[plugins.files]
formats = ["text"]
[plugins.sink]
"""


@pytest.fixture
def session(install, tmp_path):
    """Give what starts a session of some runs."""
    points = {
        "livered.instruments": ["TST = killed_plugins:Instrument"],
        "livered.plugins": ["sink = killed_plugins:Sink"],
    }
    site = install("livered-killed-test", {"killed_plugins.py": PLUGIN}, points)
    environment = private_environment(tmp_path, PYTHONPATH=os.pathsep.join([str(site), str(TESTS)]))
    (tmp_path / "c.toml").write_text(CONFIG)

    @contextmanager
    def start(first, last):
        process = subprocess.Popen(
            [sys.executable, "-c", SESSION, str(first), str(last)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    return start


def made(process, number):
    """Wait until a session has made the final result of a run."""
    for line in process.stdout:
        if int(line) == number:
            return
    raise AssertionError


def finals(folder):
    lines = [line.split() for line in (folder / "taken").read_text().splitlines()]
    assert all(number == events for number, _, events in lines)
    return [int(number) for number, final, _ in lines if final == "True"]


def unsent(folder):
    kept = unsent_files(folder / ".local" / "state" / "livered" / "TST" / "unsent")
    return [file.run for file in sorted(kept, key=lambda file: file.name) if file.sink == "sink"]


def test_finals_outlive_kills_in_an_outage_and_are_sent_in_order_once_each(session, tmp_path):
    (tmp_path / "down").touch()
    for first, last in ((1, 6), (6, 9)):
        # The second begins with the run that was the last of the first, replayed by the server.
        with session(first, last) as process:
            made(process, last)
            until(lambda: unsent(tmp_path) == list(range(1, last + 1)))  # noqa: B023  (used within the turn)
            process.send_signal(signal.SIGKILL)
            process.wait()
    (tmp_path / "down").unlink()
    with session(9, 11) as process:
        until(lambda: unsent(tmp_path) == [] and finals(tmp_path)[-1:] == [11])
        process.send_signal(signal.SIGKILL)
    assert finals(tmp_path) == list(range(1, 12))
    with session(11, 12) as process:
        until(lambda: finals(tmp_path)[-1:] == [12] and unsent(tmp_path) == [])
    assert finals(tmp_path) == list(range(1, 13))


def test_a_kill_repeats_at_most_the_final_that_was_being_sent(session, tmp_path):
    first, repeated = 1, 0
    for taken in (3, 9, 16):
        with session(first, first + 19) as process:
            until(lambda: (tmp_path / "taken").exists() and len(finals(tmp_path)) >= taken)  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.wait()
            so_far = [int(line) for line in process.stdout]
        # The server replays the runs that livered may have had in hand.
        first = max(first, (so_far or [first])[-1] - 1)
    with session(first, first + 2):
        until(lambda: finals(tmp_path)[-1] == first + 2 and unsent(tmp_path) == [])
    got = finals(tmp_path)
    repeated = len(got) - len(set(got))
    assert repeated <= 3
    assert sorted(set(got)) == list(range(1, first + 3))
    assert list(dict.fromkeys(got)) == sorted(set(got))
