"""An instrument's plugin and a sink that write down every call, with the thread on which it came."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import attrs

from livered_core import Curve, Receipt, Result, hookimpl

WAIT = 20.0
LINES: list[str] = []
CHANGED = threading.Condition()

_THREADS = {"MainThread": "main", "livered-reduction": "reduction"}


def _label(thread: str) -> str:
    """Name what a thread is for; each sink has its own, and all of them publish."""
    return "publish" if thread.startswith("livered-publish") else _THREADS.get(thread, thread)


def say(text: str) -> None:
    name = threading.current_thread().name
    line = f"{_label(name):9} {text}"
    with CHANGED:
        LINES.append(line)
        CHANGED.notify_all()
    if "TRANSCRIPT" in os.environ:
        with Path(os.environ["TRANSCRIPT"]).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def wait_for(text: str, times: int = 1) -> None:
    with CHANGED:
        assert CHANGED.wait_for(lambda: sum(text in line for line in LINES) >= times, WAIT), "\n".join(LINES)


@attrs.frozen
class Settings:
    fail_on_chunks: tuple[int, ...] = ()


@attrs.define(eq=False)
class Instrument:
    """Counts events."""

    settings_class = Settings
    settings: Settings

    @hookimpl
    def session_started(self, session):
        say(f"tst.session_started {session.instrument} {','.join(session.plugins)}")

    @hookimpl
    def run_started(self, run):
        say(f"tst.run_started {run.number} {run.title}")

    @hookimpl
    def process_chunk(self, chunk, run):
        say(f"tst.process_chunk {chunk.sequence}: {chunk.n_events} events of run {run.number}")
        if chunk.sequence in self.settings.fail_on_chunks:
            raise ValueError("as configured")
        return chunk.n_events

    @hookimpl
    def accumulate(self, accumulated, processed, chunk):
        say(f"tst.accumulate {accumulated} + {processed}")
        return processed if accumulated is None else accumulated + processed

    @hookimpl
    def post_process(self, accumulated, run, update):
        missing = "" if update.complete else f" INCOMPLETE: {' '.join(update.missing)}"
        say(
            f"tst.post_process {accumulated}, update {update.sequence}{' final' if update.final else ''}{missing}"
        )
        return Result(run.number, run.title, (Curve("n", [0.0], [accumulated], [0.0], "one", "counts"),))

    @hookimpl
    def run_ended(self, run, reason):
        say(f"tst.run_ended {run.number}: {reason.value}")

    @hookimpl
    def session_ended(self, session):
        say("tst.session_ended")

    @hookimpl
    def on_error(self, failure, run):
        say(f"tst.on_error {failure.sentence}")


@attrs.frozen
class SinkSettings:
    failures: int = 0


@attrs.define(eq=False)
class Sink:
    """Takes results, after as many failures as configured."""

    settings_class = SinkSettings
    settings: SinkSettings
    _left: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self):
        self._left = self.settings.failures

    @hookimpl
    def session_started(self, session):
        say("sink.session_started")

    @hookimpl
    def post_publish(self, result, run, update):
        kind = "final" if update.final else f"update {update.sequence}"
        say(f"sink.post_publish run {run.number} {kind}: {result.curves[0].y[0]:.0f}")
        if self._left:
            self._left -= 1
            raise OSError("no route to the screen")
        return Receipt("screen", 0, 1)

    @hookimpl
    def session_ended(self, session):
        say("sink.session_ended")
