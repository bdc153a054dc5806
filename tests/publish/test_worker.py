from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hooks_support import plugin, result, run_info, update
from livered_core import Receipt, hookimpl
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.errors import SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.latest import Latest, Published
from livered_core.publish.worker import PublishWorker

WAIT = 10.0


class Sink:
    """Takes results, blocks and fails on demand."""

    def __init__(self):
        self.taken: list[str] = []
        self.tried: list[str] = []
        self.errors: list[BaseException] = []
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
            self.changed.notify_all()
            if self.errors:
                raise self.errors.pop(0)
            self.taken.append(name)
            return Receipt("here", 0, 1)

    def wait_until(self, condition) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT), (self.taken, self.tried)


@contextmanager
def running(
    *sinks: Sink, make_visible=lambda item: None, backoff=Backoff(0.01, 0.02)
) -> Iterator[PublishWorker]:
    hooks = Dispatcher([plugin(f"sink{n}", sink) for n, sink in enumerate(sinks)], {}, SystemClock())
    worker = PublishWorker(hooks, make_visible, SystemClock(), backoff)
    worker.start()
    try:
        yield worker
    finally:
        for sink in sinks:
            sink.gate.set()
        worker.close(WAIT)


def item(version: int, run: int = 1, sequence: int = 1, final: bool = False) -> Published:
    return Published(version, result(run), run_info(run), update(sequence, final))


def test_a_result_reaches_every_sink_after_it_is_visible():
    seen = []
    one, two = Sink(), Sink()
    with running(one, two, make_visible=lambda i: seen.append((i.version, list(one.taken)))) as worker:
        worker.offer(item(1))
        two.wait_until(lambda: two.taken)
    assert seen == [(1, [])]
    assert one.taken == two.taken == ["1.1"]


def test_a_slow_sink_gets_only_the_newest_and_offering_never_waits():
    sink = Sink()
    with running(sink) as worker:
        sink.gate.clear()
        worker.offer(item(1, sequence=1))
        assert sink.entered.wait(WAIT)
        for sequence in range(2, 6):
            worker.offer(item(sequence, sequence=sequence))
        sink.gate.set()
        sink.wait_until(lambda: "1.5" in sink.taken)
    assert sink.taken == ["1.1", "1.5"]


def test_finals_are_never_left_out_and_keep_their_order():
    sink = Sink()
    with running(sink) as worker:
        sink.gate.clear()
        worker.offer(item(1, run=1))
        assert sink.entered.wait(WAIT)
        worker.offer(item(2, run=1, final=True))
        worker.offer(item(3, run=2, sequence=1))
        worker.offer(item(4, run=2, final=True))
        worker.offer(item(5, run=3, sequence=1))
        sink.gate.set()
        sink.wait_until(lambda: "3.1" in sink.taken)
    assert sink.taken == ["1.1", "1F", "2F", "3.1"]


def test_a_failed_final_is_sent_again_once_and_is_then_done():
    sink = Sink()
    sink.errors = [OSError("down"), OSError("still down")]
    with running(sink) as worker:
        worker.offer(item(1, final=True))
        sink.wait_until(lambda: sink.taken)
        (status,) = worker.status()
    assert sink.tried == ["1F", "1F", "1F"]
    assert sink.taken == ["1F"]
    assert status.name == "sink0"


def test_a_failed_update_gives_way_to_a_newer_one():
    sink = Sink()
    sink.errors = [OSError("down")]
    with running(sink, backoff=Backoff(3600.0, 3600.0)) as worker:
        worker.offer(item(1, sequence=1))
        sink.wait_until(lambda: sink.tried)
        worker.offer(item(2, sequence=2))
    assert sink.tried == ["1.1", "1.2"]


def test_a_sink_that_fails_does_not_keep_the_others_waiting():
    bad, good = Sink(), Sink()
    bad.errors = [OSError("down")] * 3
    with running(bad, good, backoff=Backoff(3600.0, 3600.0)) as worker:
        for version in (1, 2, 3):
            worker.offer(item(version, run=version, final=True))
        good.wait_until(lambda: len(good.taken) == 3)
        bad_status, good_status = worker.status()
        assert (bad_status.unsent_finals, good_status.unsent_finals) == (3, 0)
        assert bad_status.last_error == "OSError: down"
        assert (good_status.delivered, good_status.last_receipt) == (3, Receipt("here", 0, 1))


def test_what_the_other_side_refuses_is_not_sent_again():
    sink = Sink()
    sink.errors = [SinkRejected("wrong password")]
    with running(sink) as worker:
        worker.offer(item(1, run=1, final=True))
        worker.offer(item(2, run=2, final=True))
        sink.wait_until(lambda: sink.taken)
        (status,) = worker.status()
    assert sink.tried == ["1F", "2F"]
    assert status.refused == 1


def test_closing_tries_once_more_and_says_what_was_not_delivered():
    sink = Sink()
    sink.errors = [OSError("down")] * 9
    with running(sink, backoff=Backoff(3600.0, 3600.0)) as worker:
        worker.offer(item(1, run=7, final=True))
        sink.wait_until(lambda: sink.tried)
        (sentence,) = worker.close(WAIT)
    assert sentence == "Sink sink0 did not take the final result of run 7: OSError: down"
    assert sink.tried == ["7F", "7F"]


def test_closing_delivers_what_waits():
    sink = Sink()
    with running(sink) as worker:
        sink.gate.clear()
        worker.offer(item(1, run=1, final=True))
        worker.offer(item(2, run=2, final=True))
        sink.gate.set()
        assert worker.close(WAIT) == []
    assert sink.taken == ["1F", "2F"]


def test_a_sink_that_hangs_is_left_behind():
    sink = Sink()
    with running(sink) as worker:
        sink.gate.clear()
        worker.offer(item(1, final=True))
        assert sink.entered.wait(WAIT)
        (sentence,) = worker.close(0.05)
        assert "it did not answer in time" in sentence


def test_a_run_directory_that_cannot_be_written_does_not_keep_sinks_from_working(caplog):
    def full(item):
        raise OSError(28, "No space left on device")

    sink = Sink()
    with running(sink, make_visible=full) as worker, caplog.at_level("ERROR", "livered"):
        worker.offer(item(1))
        sink.wait_until(lambda: sink.taken)
    assert "run directory cannot be written" in caplog.text


@pytest.mark.parametrize(("failures", "full"), [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (5000, 60.0)])
def test_backoff_doubles_up_to_its_limit_with_jitter_in_the_upper_half(failures, full):
    backoff = Backoff(1.0, 60.0)
    assert backoff.delay(failures, 0.0) == full / 2
    assert backoff.delay(failures, 0.999999) == pytest.approx(full, rel=1e-5)


def test_the_newest_result_has_the_highest_version():
    latest = Latest()
    assert latest.snapshot() is None
    assert [latest.put(result(), run_info(), update()).version for _ in range(3)] == [1, 2, 3]
    assert latest.snapshot().version == 3
