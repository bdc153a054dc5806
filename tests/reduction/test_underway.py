"""Chunks that are processed elsewhere come to the same as those that are processed here, in whatever order they come back."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor_support import Bench, CounterSettings, FakeCrew, chunk, run_info
from livered_core import RunEndReason
from livered_core.engine.executors import ExecutorLost
from livered_core.reduction.pipeline import TooManyFailures

STEPS = st.lists(
    st.sampled_from(
        ["chunk", "chunk", "chunk", "finish", "finish", "lose", "update", "title", "missing", "again"]
    ),
    max_size=30,
)


def play(bench, steps, random=None):
    """Play what a source and workers do; what workers do is passed over where there are none."""
    pipeline, sequence, title = bench.pipeline, 0, 0
    pipeline.run_began(run_info())
    for step in steps:
        if step == "chunk":
            sequence += 1
            pipeline.take_chunk(chunk(sequence, events=3 + sequence, pulses=2, first_ns=1000 * sequence))
            pipeline.position_reached(sequence)
        elif step == "update":
            pipeline.update_due()
        elif step == "title":
            title += 1
            pipeline.run_changed(attrs.evolve(run_info(), title=f"title {title}"))
        elif step == "missing":
            pipeline.data_missing(f"one of {sequence}")
        elif step == "again":
            sequence = 0
            pipeline.run_restarted("to see what comes of it")
        elif random is not None and bench.crew.busy():
            worker = random.choice(bench.crew.busy())
            # At most twice for a block: one that is lost three times is given up.
            if step == "finish":
                worker.finish()
            elif all(lost(bench, sent[1].sequence) < 2 for sent in worker.out):
                worker.lose()
    return pipeline


def lost(bench, sequence):
    return sum(worker.seen.count(sequence) for worker in bench.crew.all)


@settings(max_examples=150, deadline=None)
@given(
    steps=STEPS,
    n=st.integers(1, 3),
    most=st.integers(0, 5),
    skip=st.integers(1, 12),
    fail=st.integers(1, 12),
    random=st.randoms(use_true_random=False),
)
def test_whatever_comes_back_first_the_result_is_that_of_one_process(steps, n, most, skip, fail, random):
    how = CounterSettings(skip=skip, fail=fail)
    here, there = Bench(settings=how), Bench(FakeCrew.of(n), how, most=most, choose=random.choice)
    play(here, steps)
    play(there, steps, random)
    there.pipeline.update_due()
    assert there.pipeline.state.skipped_by == here.pipeline.state.skipped_by
    here.pipeline.update_due()
    for bench in (here, there):
        bench.pipeline.run_ended(RunEndReason.ENDED)
    assert there.shown == here.shown
    # A place that is reached too late to be kept is left out; each that is kept says the same of the run.
    if "again" not in steps:
        assert there.positions == here.positions
    assert there.ended == here.ended
    assert not there.pool.counts.in_flight


def test_chunks_are_merged_in_order_whatever_comes_back_first():
    bench = Bench(FakeCrew.of(2))
    bench.pipeline.run_began(run_info())
    first, second = bench.crew.all
    for sequence in (1, 2, 3):
        bench.pipeline.take_chunk(chunk(sequence))
        bench.pipeline.position_reached(sequence)
    second.finish()
    bench.pipeline.take_chunk(chunk(4))
    assert (bench.pipeline.state.n_chunks, bench.positions) == (0, [])
    first.finish()
    bench.pipeline.update_due()
    assert bench.instance.told == [1, 2, 3, 4]
    assert bench.positions == [(1, 1, 0, 0), (2, 2, 0, 0), (3, 3, 0, 0)]


def test_a_place_counts_when_all_chunks_before_it_are_merged():
    bench = Bench(FakeCrew.of(1))
    bench.pipeline.run_began(run_info())
    bench.pipeline.take_chunk(chunk(1))
    bench.pipeline.position_reached("early")
    bench.pipeline.position_reached("late")
    assert bench.positions == []
    bench.pipeline.update_due()
    assert bench.positions == [("late", 1, 0, 0)]
    bench.pipeline.position_reached("nothing out")
    assert bench.positions[1:] == [("nothing out", 1, 0, 0)]


def test_no_more_are_out_than_may_be():
    bench = Bench(FakeCrew.of(2), most=3)
    bench.pipeline.run_began(run_info())
    for sequence in range(1, 11):
        bench.pipeline.take_chunk(chunk(sequence))
        assert bench.pool.counts.in_flight <= 3
    assert bench.pipeline.state.n_chunks >= 7


def test_a_run_that_begins_again_has_nothing_of_what_was_out():
    bench = Bench(FakeCrew.of(2))
    bench.pipeline.run_began(run_info())
    bench.pipeline.take_chunk(chunk(1, events=5))
    bench.pipeline.run_restarted("it comes again")
    for worker in bench.crew.busy():
        worker.finish()
    bench.pipeline.take_chunk(chunk(1, events=7))
    bench.pipeline.run_ended(RunEndReason.ENDED)
    ((_, _, update),) = bench.published
    assert (update.n_chunks, update.n_events) == (1, 7)
    assert bench.instance.told == [1]


def test_a_failure_there_is_a_failure_of_the_plugin_here():
    bench = Bench(FakeCrew.of(2), CounterSettings(fail=2))
    bench.pipeline.run_began(run_info())
    for sequence in (1, 2, 3):
        bench.pipeline.take_chunk(chunk(sequence, events=5))
    bench.pipeline.run_ended(RunEndReason.ENDED)
    ((_, _, update),) = bench.published
    assert (update.n_chunks, update.dropped_chunks, update.dropped_events) == (2, 1, 5)
    statistics = bench.hooks.statistics()["count", "process_chunk"]
    assert (statistics.calls, statistics.failures, statistics.failures_in_a_row) == (3, 1, 0)
    assert statistics.last_error == "ValueError: chunk 2 is one too many"
    assert statistics.total_s > 0
    assert bench.instance.told == [1, 3]


def test_failures_in_a_row_end_the_session_and_what_is_out_is_counted():
    def fails(chunk):
        raise ValueError("not here")

    bench = Bench(FakeCrew.of(2), max_failures=2)
    bench.instance.processed_elsewhere = fails
    bench.pipeline.run_began(run_info())
    for sequence in (1, 2, 3, 4):
        bench.pipeline.take_chunk(chunk(sequence, events=5))
    with pytest.raises(TooManyFailures, match=r"2 failures in a row: .*process_chunk on chunk 2.*not here"):
        bench.pipeline.update_due()
    bench.pipeline.position_reached("too far")
    state = bench.pipeline.state
    bench.pipeline.run_ended(RunEndReason.SESSION_FAILED)
    assert (state.n_chunks, state.dropped_chunks) == (0, 2)
    assert not bench.pool.counts.in_flight
    assert bench.ended == []


def test_asked_to_stop_it_does_not_wait_for_ever_and_the_next_session_goes_on_before_what_is_left():
    bench = Bench(FakeCrew.of(2), clock=Hurried())
    bench.pipeline.run_began(run_info())
    for sequence in (1, 2):
        bench.pipeline.take_chunk(chunk(sequence, events=5))
        bench.pipeline.position_reached(sequence)
    bench.crew.all[0].finish()
    bench.choose = lambda busy: type("Hangs", (), {"finish": lambda self: None})()
    bench.stopping = True
    bench.pipeline.take_chunk(chunk(3, events=5))
    bench.pipeline.position_reached(3)
    bench.pipeline.update_due()
    # What comes then is not merged either: there would be a gap before it.
    bench.pipeline.take_chunk(chunk(4, events=5))
    bench.pipeline.position_reached(4)
    while bench.crew.busy():
        bench.crew.busy()[0].finish()
    bench.pipeline.run_ended(RunEndReason.SESSION_STOPPED)
    _, _, update = bench.published[-1]
    assert (update.n_chunks, update.dropped_chunks) == (1, 3)
    assert "livered ended before all chunks had come back from its workers." in update.missing
    assert bench.ended == [(1, 1, None)]
    assert bench.left.missing == ()
    assert not bench.pool.counts.in_flight


@attrs.define
class Hurried:
    """A clock that goes on each time that it is looked at."""

    now_s: float = 0.0

    def monotonic(self):
        self.now_s += 0.4
        return self.now_s


def test_a_run_whose_end_finds_chunks_out_when_it_is_asked_to_stop_is_not_over_for_the_next_session():
    bench = Bench(FakeCrew.of(2), clock=Hurried())
    bench.pipeline.run_began(run_info())
    for sequence in (1, 2):
        bench.pipeline.take_chunk(chunk(sequence, events=5))
        bench.pipeline.position_reached(sequence)
    bench.crew.all[0].finish()
    bench.choose = lambda busy: type("Hangs", (), {"finish": lambda self: None})()
    bench.stopping = True
    bench.pipeline.run_ended(RunEndReason.ENDED)
    ((_, _, update),) = bench.published
    assert (update.final, update.n_chunks, update.complete) == (False, 1, False)
    assert bench.ended == [(1, 1, None)]
    assert (bench.left.n_chunks, bench.left.missing) == (1, ())


def test_a_run_at_whose_end_the_workers_are_gone_for_good_is_not_over_for_the_next_session():
    bench = Bench(FakeCrew.of(2))
    bench.pipeline.run_began(run_info())
    for sequence in (1, 2):
        bench.pipeline.take_chunk(chunk(sequence, events=5))
        bench.pipeline.position_reached(sequence)
    bench.crew.all[0].finish()

    def gone():
        raise ExecutorLost("gone")

    bench.meanwhile = gone
    with pytest.raises(ExecutorLost):
        bench.pipeline.run_ended(RunEndReason.ENDED)
    assert bench.published == []
    assert bench.ended == [(1, 1, None)]
    assert bench.left.missing == ()
