"""Publish workers in tests: a clock that a test moves, and sinks that do what it says."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from hooks_support import plugin, result, run_info, update
from livered_core import Receipt, hookimpl
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.errors import SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.delivery import Patience
from livered_core.publish.latest import Published
from livered_core.publish.outbox import Outbox
from livered_core.publish.worker import PublishWorker

WAIT = 10.0
IDLE = 3600.0
SHOWER = "livered-publish"


class ManualClock:
    """Time that moves when the test says so; knows which thread waits for how long."""

    def __init__(self):
        self.n_waits = Counter()
        self._now = 100.0
        self._waits: dict[str, tuple[threading.Event, float]] = {}
        self._changed = threading.Condition()

    def now_ns(self):
        return int(self._now * 1e9)

    def monotonic(self):
        return self._now

    def wait(self, event, timeout):
        name = threading.current_thread().name
        with self._changed:
            self.n_waits[name] += 1
            until_s = self._now + timeout
            self._waits[name] = (event, until_s)
            self._changed.notify_all()
        while not event.wait(0.005) and self._now < until_s:
            pass
        with self._changed:
            del self._waits[name]
        return event.is_set()

    def advance(self, seconds):
        with self._changed:
            self._now += seconds

    def expect_pause(self, thread, seconds):
        def pauses():
            return thread in self._waits and self._waits[thread][1] - self._now == pytest.approx(seconds)

        with self._changed:
            assert self._changed.wait_for(pauses, WAIT), (seconds, self._now, self._waits)


class NoJitter(random.Random):
    def random(self):
        return 1.0


class Fatal(BaseException):
    """What a thread cannot survive."""


class Sink:
    """Takes results, blocks and fails on demand."""

    def __init__(self):
        self.taken: list[str] = []
        self.tried: list[str] = []
        self.threads: set[str] = set()
        self.errors: list[BaseException] = []
        self.poison = self.refuse = self.nothing_due = ""
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.changed = threading.Condition()

    @hookimpl
    def post_publish(self, result, run, update):
        name = f"{run.number}{'F' if update.final else f'.{update.sequence}'}"
        self.entered.set()
        assert self.gate.wait(WAIT)
        with self.changed:
            self.tried.append(name)
            self.threads.add(threading.current_thread().name)
            self.changed.notify_all()
            if self.errors:
                raise self.errors.pop(0)
            if name == self.poison:
                raise OSError(f"not {name}")
            if name == self.refuse:
                raise SinkRejected(f"no {name}")
            if name == self.nothing_due:
                return None
            self.taken.append(name)
            return Receipt("here", 0, 1)

    def wait_until(self, condition) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT), (self.taken, self.tried)


@contextmanager
def running(
    *sinks: Any,
    make_visible=lambda item: None,
    backoff=Backoff(0.01, 0.02),
    clock=None,
    state=None,
    give_up_after_s=0.0,
    close=True,
) -> Iterator[PublishWorker]:
    """Run a worker; with a folder `state`, or what gives it, it keeps final results there. Without `close` the test closes it."""
    hooks = Dispatcher([plugin(f"sink{n}", sink) for n, sink in enumerate(sinks)], {}, SystemClock())
    patience = Patience(backoff, give_up_after_s, NoJitter())
    outbox = state
    if state is not None and not isinstance(state, Outbox):
        outbox = Outbox(state if callable(state) else lambda: state)
    worker = PublishWorker(hooks, make_visible, clock or SystemClock(), patience, outbox=outbox)
    worker.start()
    try:
        yield worker
    finally:
        for sink in sinks:
            if isinstance(sink, Sink):
                sink.gate.set()
        if close:
            worker.close(WAIT)


def item(version: int, run: int = 1, sequence: int = 1, final: bool = False, start_ns: int = 0) -> Published:
    run_of_it = attrs.evolve(run_info(run), start_ns=start_ns)
    return Published(version, result(run), run_of_it, update(sequence, final))


@contextmanager
def closing(worker: PublishWorker, timeout: float) -> Iterator[list[str]]:
    """Close on another thread; the sentences are there after the block."""
    sentences: list[str] = []
    thread = threading.Thread(target=lambda: sentences.extend(worker.close(timeout)), name="closer")
    thread.start()
    yield sentences
    thread.join(WAIT)
    assert not thread.is_alive()


def ended(thread: str) -> bool:
    return all(other.name != thread for other in threading.enumerate())
