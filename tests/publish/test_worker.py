from __future__ import annotations

import threading
import time

import pytest

from hooks_support import plugin, result, run_info, update
from livered_core import Receipt, hookimpl
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.errors import SinkLater, SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.delivery import VISIBLE_WITHIN_S, Patience
from livered_core.publish.latest import Latest
from livered_core.publish.worker import PublishWorker
from publish_support import IDLE, SHOWER, WAIT, Fatal, ManualClock, Sink, closing, ended, item, running
from waiting import until


def test_a_result_reaches_every_sink_after_it_is_visible_each_on_its_own_thread():
    seen = []
    one, two = Sink(), Sink()

    def show(shown):
        seen.append((shown.version, [*one.tried, *two.tried], threading.current_thread().name))

    with running(one, two, make_visible=show) as worker:
        worker.offer(item(1))
        one.wait_until(lambda: one.taken)
        two.wait_until(lambda: two.taken)
    assert seen == [(1, [], SHOWER)]
    assert one.taken == two.taken == ["1.1"]
    assert (one.threads, two.threads) == ({"livered-publish-sink0"}, {"livered-publish-sink1"})


def test_a_sink_that_hangs_delays_nobody_else():
    shown = []
    hanging, good = Sink(), Sink()
    hanging.gate.clear()
    with running(hanging, good, make_visible=lambda i: shown.append(i.version)) as worker:
        worker.offer(item(1, sequence=1))
        assert hanging.entered.wait(WAIT)
        good.wait_until(lambda: good.taken == ["1.1"])
        worker.offer(item(2, sequence=2))
        good.wait_until(lambda: good.taken == ["1.1", "1.2"])
        worker.offer(item(3, final=True))
        good.wait_until(lambda: good.taken == ["1.1", "1.2", "1F"])
        assert hanging.tried == []
        assert shown == [1, 2, 3]


def test_a_sink_waits_for_a_slow_run_directory_but_not_for_one_that_hangs():
    clock, sink, shown = ManualClock(), Sink(), threading.Event()
    with running(sink, make_visible=lambda _: shown.wait(WAIT), clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        clock.expect_pause("livered-publish-sink0", VISIBLE_WITHIN_S)
        clock.advance(VISIBLE_WITHIN_S / 2)
        worker.offer(item(2, sequence=2))
        clock.expect_pause("livered-publish-sink0", VISIBLE_WITHIN_S / 2)
        assert sink.tried == []
        clock.advance(VISIBLE_WITHIN_S / 2)
        sink.wait_until(lambda: sink.taken == ["1.2"])
        worker.offer(item(3, sequence=3))
        sink.wait_until(lambda: sink.taken == ["1.2", "1.3"])
        shown.set()
        clock.expect_pause(SHOWER, IDLE)
        shown.clear()
        worker.offer(item(4, sequence=4))
        clock.expect_pause("livered-publish-sink0", VISIBLE_WITHIN_S)
        shown.set()
        sink.wait_until(lambda: sink.taken[-1] == "1.4")


def test_the_wait_for_a_slow_run_directory_counts_anew_from_its_last_success():
    clock, sink, may_show = ManualClock(), Sink(), threading.Semaphore(0)
    with running(sink, make_visible=lambda _: may_show.acquire(timeout=WAIT), clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        clock.expect_pause("livered-publish-sink0", VISIBLE_WITHIN_S)
        until(lambda: worker._unseen is None)
        worker.offer(item(2, sequence=2))
        clock.advance(VISIBLE_WITHIN_S - 1.0)
        may_show.release()
        clock.expect_pause("livered-publish-sink0", VISIBLE_WITHIN_S)
        assert sink.tried == []
        may_show.release()
        sink.wait_until(lambda: sink.taken == ["1.2"])


def test_closing_waits_half_its_time_for_a_run_directory_that_hangs():
    clock, sink, shown = ManualClock(), Sink(), threading.Event()
    with running(sink, make_visible=lambda _: shown.wait(WAIT), clock=clock) as worker:
        worker.offer(item(1, final=True))
        clock.expect_pause("livered-publish-sink0", VISIBLE_WITHIN_S)
        with closing(worker, 4.0) as sentences:
            clock.expect_pause("livered-publish-sink0", 2.0)
            clock.advance(2.0)
            sink.wait_until(lambda: sink.taken == ["1F"])
            shown.set()
    assert sentences == []


def test_threads_with_nothing_to_do_wait():
    clock, sink = ManualClock(), Sink()
    with running(sink, clock=clock) as worker:
        for version in (1, 2, 3):
            worker.offer(item(version, run=version, final=True))
            sink.wait_until(lambda: len(sink.taken) == version)  # noqa: B023  (used within the turn)
            clock.expect_pause("livered-publish-sink0", IDLE)
            clock.expect_pause(SHOWER, IDLE)
        assert max(clock.n_waits.values()) <= 10


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
        until(lambda: worker.status()[1].delivered == 3 and worker.status()[0].last_error)
        bad_status, good_status = worker.status()
        assert (bad_status.unsent_finals, good_status.unsent_finals) == (3, 0)
        assert bad_status.last_error == "OSError: down"
        assert (good_status.delivered, good_status.last_receipt) == (3, Receipt("here", 0, 1))


def test_a_final_that_is_refused_comes_again_once_when_the_sink_has_taken_something_else():
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkRejected("wrong password")]
    with running(sink, clock=clock) as worker:
        worker.offer(item(1, run=1, final=True))
        sink.wait_until(lambda: sink.tried == ["1F"])
        clock.expect_pause("livered-publish-sink0", IDLE)
        assert (worker.status()[0].refused, worker.status()[0].unsent_finals) == (1, 1)
        sink.errors = []
        worker.offer(item(2, run=2, final=True))
        sink.wait_until(lambda: len(sink.taken) == 2)
        assert worker.status()[0].unsent_finals == 0
    assert sink.tried == ["1F", "2F", "1F"]


def test_a_final_that_is_refused_twice_is_not_tried_a_third_time():
    sink = Sink()
    sink.errors = [SinkRejected("too large")]
    with running(sink) as worker:
        worker.offer(item(1, run=1, final=True))
        sink.wait_until(lambda: sink.tried == ["1F"])
        sink.gate.clear()
        worker.offer(item(2, run=2, final=True))
        until(lambda: not sink.errors)
        worker.offer(item(3, run=3, final=True))
        sink.refuse = "1F"
        sink.gate.set()
        sink.wait_until(lambda: "3F" in sink.taken)
        (sentence,) = worker.close(WAIT)
    assert sink.tried == ["1F", "2F", "1F", "3F"]
    assert sentence == "Sink sink0 did not take the final result of run 1: SinkRejected: no 1F"


def test_a_refused_update_is_forgotten():
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkRejected("too large")]
    with running(sink, clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        sink.wait_until(lambda: sink.tried)
        clock.expect_pause("livered-publish-sink0", IDLE)
        worker.offer(item(2, sequence=2))
        sink.wait_until(lambda: sink.taken)
    assert (sink.tried, sink.taken) == (["1.1", "1.2"], ["1.2"])


def test_a_sink_that_refuses_everything_is_left_alone_longer_and_longer_and_says_why_once(caplog):
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkRejected("wrong password")] * 4 + [SinkRejected("no such instrument")]
    with (
        running(sink, backoff=Backoff(1.0, 60.0), clock=clock) as worker,
        caplog.at_level("INFO", "livered_core"),
    ):
        for version, pause in enumerate((0.0, 0.0, 1.0, 2.0, 4.0, 8.0), start=1):
            worker.offer(item(version, sequence=version))
            if pause:
                clock.expect_pause("livered-publish-sink0", pause)
                clock.advance(pause)
            sink.wait_until(lambda: len(sink.tried) == version)  # noqa: B023  (used within the turn)
        clock.expect_pause("livered-publish-sink0", IDLE)
        assert worker.status()[0].refused == 5
    said = [record.getMessage().splitlines()[0] for record in caplog.records]
    assert [line for line in said if "SinkRejected" in line] == [
        "Plugin sink0 1.0 failed in post_publish: SinkRejected: wrong password",
        "Plugin sink0 1.0 failed in post_publish, 5 times in a row: SinkRejected: no such instrument",
    ]
    assert "The sink sink0 takes results again; it had refused 5, 3 of them without a word here." in said


def test_a_sink_for_which_nothing_is_due_does_not_take_results_again(caplog):
    sink = Sink()
    sink.refuse, sink.nothing_due = "1.1", "1F"
    with running(sink) as worker, caplog.at_level("INFO", "livered_core"):
        worker.offer(item(1, sequence=1))
        sink.wait_until(lambda: "1.1" in sink.tried)
        worker.offer(item(2, sequence=2, final=True))
        sink.wait_until(lambda: "1F" in sink.tried)
        until(lambda: not worker.status()[0].unsent_finals)
    assert "takes results again" not in caplog.text


def test_a_final_that_fails_again_and_again_blocks_nothing():
    sink = Sink()
    sink.poison = "1F"
    with running(sink) as worker:
        worker.offer(item(1, run=1, final=True))
        for version in (2, 3, 4):
            worker.offer(item(version, run=2, sequence=version))
            sink.wait_until(lambda: f"2.{version}" in sink.taken)  # noqa: B023  (used within the turn)
        worker.offer(item(5, run=2, final=True))
        sink.wait_until(lambda: "2F" in sink.taken)
        (sentence,) = worker.close(WAIT)
    assert sink.taken == ["2.2", "2.3", "2.4", "2F"]
    assert sentence == "Sink sink0 did not take the final result of run 1: OSError: not 1F"


def test_a_sink_that_wants_to_wait_gets_the_newest_after_that_and_has_not_failed(caplog):
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkLater(7.0)]
    with running(sink, backoff=Backoff(1.0, 60.0), clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        clock.expect_pause("livered-publish-sink0", 7.0)
        worker.offer(item(2, sequence=2))
        clock.expect_pause("livered-publish-sink0", 7.0)
        assert sink.tried == ["1.1"]
        assert worker.status()[0].last_error == ""
        clock.advance(7.0)
        sink.wait_until(lambda: sink.taken)
        assert sink.tried == ["1.1", "1.2"]
    assert caplog.records == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_sink_that_wants_no_time_at_all_keeps_no_core_busy(seconds):
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkLater(seconds)]
    with running(sink, clock=clock) as worker:
        worker.offer(item(1))
        clock.expect_pause("livered-publish-sink0", 0.1)
        clock.advance(0.1)
        sink.wait_until(lambda: sink.taken)


def test_a_final_result_does_not_wait_with_a_sink_that_wants_to():
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkLater(7000.0)]
    with running(sink, clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        sink.wait_until(lambda: sink.tried)
        clock.expect_pause("livered-publish-sink0", 3600.0)
        worker.offer(item(2, final=True))
        sink.wait_until(lambda: sink.taken)
        assert sink.tried == ["1.1", "1F"]


def test_a_final_result_that_comes_while_the_sink_says_so_does_not_wait_either():
    clock, sink = ManualClock(), Sink()
    sink.errors = [SinkLater(3000.0)]
    sink.gate.clear()
    with running(sink, clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        assert sink.entered.wait(WAIT)
        worker.offer(item(2, final=True))
        sink.gate.set()
        sink.wait_until(lambda: sink.taken)
        assert sink.tried == ["1.1", "1F"]


def test_a_final_result_that_the_sink_puts_off_is_kept():
    clock, sink = ManualClock(), Sink()
    sink.errors = [OSError("down"), SinkLater(60.0), SinkLater(60.0)]
    with running(sink, backoff=Backoff(1.0, 60.0), clock=clock) as worker:
        worker.offer(item(1, run=7, final=True))
        clock.expect_pause("livered-publish-sink0", 1.0)
        clock.advance(1.0)
        clock.expect_pause("livered-publish-sink0", 60.0)
        (status,) = worker.status()
        assert (status.unsent_finals, status.last_error) == (1, "OSError: down")
        (sentence,) = worker.close(WAIT)
    assert sentence == "Sink sink0 did not take the final result of run 7: OSError: down"
    assert sink.taken == []


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


def test_back_off_begins_anew_after_a_success():
    clock, sink = ManualClock(), Sink()
    sink.errors = [OSError("down"), OSError("down")]
    with running(sink, backoff=Backoff(1.0, 60.0), clock=clock) as worker:
        worker.offer(item(1, sequence=1))
        clock.expect_pause("livered-publish-sink0", 1.0)
        clock.advance(1.0)
        clock.expect_pause("livered-publish-sink0", 2.0)
        clock.advance(2.0)
        sink.wait_until(lambda: sink.taken)
        clock.expect_pause("livered-publish-sink0", IDLE)
        assert worker.status()[0].last_error == ""
        sink.errors = [OSError("down")]
        worker.offer(item(2, sequence=2))
        clock.expect_pause("livered-publish-sink0", 1.0)


def test_a_refusal_does_not_make_a_later_result_wait():
    clock, sink = ManualClock(), Sink()
    sink.errors = [OSError("down"), SinkRejected("too large"), OSError("down")]
    with running(sink, backoff=Backoff(1.0, 60.0), clock=clock) as worker:
        worker.offer(item(1, final=True))
        clock.expect_pause("livered-publish-sink0", 1.0)
        worker.offer(item(2, run=2, final=True))
        clock.advance(1.0)
        clock.expect_pause("livered-publish-sink0", 1.0)
        assert sink.tried == ["1F", "1F", "2F"]
        assert worker.status()[0].refused == 1


def test_what_fails_while_closing_begins_is_tried_once_more_at_once():
    sink = Sink()
    sink.errors = [OSError("down")]
    sink.gate.clear()
    with running(sink, backoff=Backoff(3600.0, 3600.0)) as worker:
        worker.offer(item(1, final=True))
        assert sink.entered.wait(WAIT)
        with closing(worker, WAIT) as sentences:
            until(lambda: ended(SHOWER))
            sink.gate.set()
    assert sink.tried == ["1F", "1F"]
    assert (sink.taken, sentences) == (["1F"], [])


def test_sinks_that_hang_share_the_time_for_closing_and_get_nothing_more():
    sinks = [Sink() for _ in range(5)]
    with running(*sinks) as worker:
        for sink in sinks:
            sink.gate.clear()
        worker.offer(item(1, run=1, final=True))
        assert all(sink.entered.wait(WAIT) for sink in sinks)
        worker.offer(item(2, run=2, final=True))
        started = time.monotonic()
        sentences = worker.close(0.4)
        assert time.monotonic() - started < 1.5
        assert sentences == [
            f"Sink sink{n} did not take the final results of runs 1, 2: it did not answer in time."
            for n in range(5)
        ]
        for n, sink in enumerate(sinks):
            sink.gate.set()
            until(lambda: ended(f"livered-publish-sink{n}"))  # noqa: B023  (used within the turn)
            assert sink.taken == ["1F"]


def test_a_sink_that_fails_and_then_hangs_is_said_to_hang():
    sink = Sink()
    sink.errors = [OSError("down")]
    with running(sink, backoff=Backoff(3600.0, 3600.0)) as worker:
        worker.offer(item(1, final=True))
        until(lambda: worker.status()[0].last_error)
        sink.gate.clear()
        (sentence,) = worker.close(0.05)
    assert sentence.endswith(": it did not answer in time.")


def test_waiting_finals_are_told_of_each_time_they_have_doubled(caplog):
    sink = Sink()
    sink.gate.clear()
    with running(sink) as worker, caplog.at_level("WARNING", "livered"):
        for version in range(1, 46):
            worker.offer(item(version, run=version, final=True))
        assert [record.getMessage() for record in caplog.records] == [
            f"{n} final results wait for the sink sink0: see why it does not take them." for n in (10, 20, 40)
        ]
        sink.gate.set()
        until(lambda: worker.status()[0].unsent_finals == 0)
        sink.gate.clear()
        for version in range(46, 56):
            worker.offer(item(version, run=version, final=True))
        assert len(caplog.records) == 4
    assert len(sink.taken) == 55


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(28, "No space left on device"),
            "The run directory cannot be written: OSError: [Errno 28] No space left on device. "
            "The reduction goes on; make room or mend its permissions.",
        ),
        (
            TypeError("not\na number"),
            "The run directory cannot be written: TypeError: not a number. The reduction goes on; report it.",
        ),
    ],
)
def test_a_result_that_cannot_be_shown_is_logged_and_counted_and_keeps_nothing_from_working(
    caplog, error, sentence
):
    shown = []

    def show(item):
        if item.version == 1:
            raise error
        shown.append(item.version)

    sink = Sink()
    with running(sink, make_visible=show) as worker, caplog.at_level("ERROR", "livered"):
        worker.offer(item(1, sequence=1))
        sink.wait_until(lambda: sink.taken == ["1.1"])
        worker.offer(item(2, sequence=2))
        sink.wait_until(lambda: sink.taken == ["1.1", "1.2"])
        assert (worker.not_shown, worker.failure) == (1, None)
    (record,) = caplog.records
    first, _, rest = record.getMessage().partition("\n")
    assert first == sentence
    assert rest.startswith("Traceback (most recent call last)")
    assert shown == [2]


def test_a_publish_thread_that_ends_is_remembered(caplog):
    def show(item):
        raise Fatal("gone")

    with running(make_visible=show) as worker, caplog.at_level("ERROR", "livered"):
        assert worker.failure is None
        worker.offer(item(1))
        until(lambda: worker.failure is not None and ended(SHOWER))
        assert isinstance(worker.failure, Fatal)
        assert worker.close(WAIT) == []
    first = caplog.text.splitlines()[0]
    assert (
        "The publish thread that writes the run directory ended, and livered cannot go on without it" in first
    )
    assert "Fatal: gone" in first


class Reporter:
    """Fails in telling of a failure, as nothing should."""

    @hookimpl
    def on_error(self, failure):
        raise Fatal("gone")


def test_a_sinks_thread_that_ends_is_remembered_and_its_finals_are_told_of():
    bad, good = Sink(), Sink()
    bad.errors = [OSError("down")]
    with running(bad, good, Reporter()) as worker:
        worker.offer(item(1, run=7, final=True))
        good.wait_until(lambda: good.taken == ["7F"])
        until(lambda: ended("livered-publish-sink0"))
        assert isinstance(worker.failure, Fatal)
        (sentence,) = worker.close(WAIT)
        assert sentence.startswith("Sink sink0 did not take the final result of run 7: ")
        assert sentence.endswith("Fatal: gone")


class Unspeakable(Exception):  # noqa: N818
    """Fails in saying what it is, and where it comes from."""

    def __str__(self):
        raise KeyboardInterrupt

    @property
    def __traceback__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "error", [Fatal("gone"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Unspeakable()]
)
def test_a_sink_that_wants_to_end_everything_has_only_failed(error):
    sink = Sink()
    sink.errors = [error]
    with running(sink) as worker:
        worker.offer(item(1, final=True))
        sink.wait_until(lambda: sink.taken == ["1F"])
        assert worker.failure is None
    assert sink.tried == ["1F", "1F"]


def test_closing_before_the_start_returns_at_once():
    hooks = Dispatcher([plugin("sink", Sink())], {}, SystemClock())
    worker = PublishWorker(hooks, lambda item: None, SystemClock(), Patience(Backoff(1.0, 1.0)))
    assert worker.close(WAIT) == []


@pytest.mark.parametrize(("failures", "full"), [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (5000, 60.0)])
def test_backoff_doubles_up_to_its_limit_with_jitter_in_the_upper_half(failures, full):
    backoff = Backoff(1.0, 60.0)
    assert backoff.delay(failures, 0.0) == full / 2
    assert backoff.delay(failures, 0.999999) == pytest.approx(full, rel=1e-5)


def test_the_newest_result_has_the_highest_version():
    latest = Latest("a session", SystemClock())
    assert latest.snapshot() is None
    assert [latest.put(result(), run_info(), update()).version for _ in range(3)] == [1, 2, 3]
    newest = latest.snapshot()
    assert (newest.version, newest.session) == (3, "a session")
    assert abs(newest.published_ns - SystemClock().now_ns()) < WAIT * 1e9
