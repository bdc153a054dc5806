from __future__ import annotations

import attrs
import pytest

from hooks_support import Recorder, chunk, plugin, result, run_info
from livered_core import SKIP, BegunAnew, RunEndReason, hookimpl
from livered_core.clocks import SystemClock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.reduction.pipeline import Pipeline, PipelineSettings, TooManyFailures

ENDED = RunEndReason.ENDED


class Counter:
    """Counts events; fails and skips on demand."""

    def __init__(self):
        self.fail_in = ""
        self.skip = False

    def _maybe_fail(self, hook):
        if self.fail_in == hook:
            raise ValueError("asked to")

    @hookimpl
    def process_chunk(self, chunk):
        self._maybe_fail("process_chunk")
        return SKIP if self.skip else chunk.n_events

    @hookimpl
    def accumulate(self, accumulated, processed):
        self._maybe_fail("accumulate")
        return processed + (accumulated or 0)

    @hookimpl
    def post_process(self, accumulated, run, update):
        self._maybe_fail("post_process")
        return result(run.number, accumulated)


@attrs.define(eq=False)
class Bench:
    """A pipeline with its surroundings."""

    counter: Counter = attrs.field(factory=Counter)
    calls: list[str] = attrs.field(factory=list)
    published: list = attrs.field(factory=list)
    finished: list = attrs.field(factory=list)

    def pipeline(self, **settings):
        hooks = Dispatcher([plugin("count", self.counter), Recorder("r", self.calls)], {}, SystemClock())
        return Pipeline(
            hooks,
            lambda *item: self.published.append(item),
            lambda: self.finished.append(True),
            SystemClock(),
            PipelineSettings(**settings),
        )

    @property
    def values(self):
        return [made.curves[0].y[0] for made, _, _ in self.published]

    @property
    def updates(self):
        return [update for _, _, update in self.published]


@pytest.fixture
def bench():
    return Bench()


def test_chunks_accumulate_and_updates_show_them(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    for sequence in (1, 2):
        pipeline.take_chunk(chunk(sequence, events=3, pulses=2, first_ns=1000 * sequence))
        pipeline.update_due()
    pipeline.run_ended(ENDED)
    assert bench.values == [3, 6, 6]
    first, second, final = bench.updates
    assert [u.sequence for u in bench.updates] == [1, 2, 3]
    assert [u.final for u in bench.updates] == [False, False, True]
    assert (first.n_chunks, second.n_chunks, second.n_events, second.n_pulses) == (1, 2, 6, 4)
    assert (second.proton_charge_pc, second.first_pulse_ns, second.last_pulse_ns) == (40.0, 1000, 2001)
    assert final.complete
    assert final.missing == ()
    assert final.lag_ns > 0
    assert bench.calls == ["r.run_started 1", "r.run_ended 1 ended"]


def test_an_update_without_anything_new_costs_nothing(bench):
    pipeline = bench.pipeline()
    pipeline.update_due()
    pipeline.run_began(run_info())
    pipeline.update_due()
    pipeline.take_chunk(chunk())
    pipeline.update_due()
    pipeline.update_due()
    assert len(bench.published) == 1


def test_a_run_without_data_publishes_nothing_and_still_ends(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.run_ended(ENDED)
    assert bench.published == []
    assert bench.calls == ["r.run_started 1", "r.run_ended 1 ended"]
    assert pipeline.state is None


def test_runs_do_not_mix(bench):
    pipeline = bench.pipeline()
    for number in (1, 2):
        pipeline.run_began(run_info(number))
        pipeline.take_chunk(chunk(events=number))
        pipeline.run_ended(ENDED)
    assert bench.values == [1, 2]
    assert [made.run_number for made, _, _ in bench.published] == [1, 2]
    assert bench.finished == []


def test_skipped_chunks_are_counted_and_do_not_make_a_run_incomplete(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk(events=1, first_ns=1000))
    bench.counter.skip = True
    pipeline.take_chunk(chunk(events=10, first_ns=2000))
    state = pipeline.state
    assert (state.n_chunks, state.skipped_chunks, state.skipped_events) == (1, 1, 10)
    assert (state.last_pulse_ns < 2000 <= state.newest_pulse_ns, state.skipped_by) == (True, "count")
    assert state.with_dropped(chunk(first_ns=3000)).newest_pulse_ns == state.newest_pulse_ns
    pipeline.run_ended(ENDED)
    assert bench.values == [1]
    assert bench.updates[-1].complete


@pytest.mark.parametrize("hook", ["process_chunk", "accumulate"])
def test_a_failed_chunk_is_dropped_counted_and_the_next_goes_on(bench, hook):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk(1, events=1))
    bench.counter.fail_in = hook
    pipeline.take_chunk(chunk(2, events=10))
    bench.counter.fail_in = ""
    pipeline.take_chunk(chunk(3, events=100))
    pipeline.run_ended(ENDED)
    assert bench.values == [101]
    (update,) = bench.updates
    assert (update.n_chunks, update.n_events, update.dropped_chunks, update.dropped_events) == (2, 101, 1, 10)
    assert not update.complete
    assert update.missing == ("1 chunk with 10 events was lost to a plugin's failure.",)
    assert bench.calls[1] == f"r.on_error count.{hook} 1"


def test_a_failed_post_process_publishes_nothing_and_is_tried_again(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk(events=1))
    bench.counter.fail_in = "post_process"
    pipeline.update_due()
    assert bench.published == []
    assert bench.calls[-1] == "r.on_error count.post_process 1"
    bench.counter.fail_in = ""
    pipeline.update_due()
    assert bench.values == [1]


@pytest.mark.parametrize("hook", ["process_chunk", "accumulate", "post_process"])
def test_too_many_failures_in_a_row_end_the_session(bench, hook):
    pipeline = bench.pipeline(max_consecutive_failures=3)
    pipeline.run_began(run_info())
    if hook == "post_process":
        pipeline.take_chunk(chunk())
    bench.counter.fail_in = hook
    step = pipeline.update_due if hook == "post_process" else lambda: pipeline.take_chunk(chunk())
    step()
    step()
    with pytest.raises(TooManyFailures, match=f"3 failures in a row: Plugin count 1.0 failed in {hook}"):
        step()
    assert bench.calls.count(f"r.on_error count.{hook} 1") == 3


def test_a_success_in_between_starts_the_count_of_failures_anew(bench):
    pipeline = bench.pipeline(max_consecutive_failures=2)
    pipeline.run_began(run_info())
    for _ in range(3):
        bench.counter.fail_in = "process_chunk"
        pipeline.take_chunk(chunk())
        bench.counter.fail_in = ""
        pipeline.take_chunk(chunk())
    assert pipeline.state.dropped_chunks == 3


def test_missing_data_make_the_run_incomplete_and_are_said_once(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info(), "joined late.")
    pipeline.data_missing("a gap.")
    pipeline.data_missing("a gap.")
    pipeline.take_chunk(chunk())
    pipeline.run_ended(ENDED)
    (update,) = bench.updates
    assert not update.complete
    assert update.missing == ("joined late.", "a gap.")


def test_what_becomes_known_of_a_run_reaches_the_hooks(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.run_changed(attrs.evolve(run_info(), title="found out"))
    pipeline.take_chunk(chunk())
    pipeline.run_ended(ENDED)
    assert bench.published[0][1].title == "found out"


def test_stop_at_the_end_of_a_run_but_not_when_the_session_is_stopped(bench):
    pipeline = bench.pipeline(run_transition="stop")
    pipeline.run_began(run_info())
    pipeline.run_ended(RunEndReason.SESSION_STOPPED)
    assert bench.finished == []
    pipeline.run_began(run_info())
    pipeline.run_ended(ENDED)
    assert bench.finished == [True]


def test_keep_goes_on_with_the_data_of_the_runs_before_and_says_so(bench):
    pipeline = bench.pipeline(run_transition="keep")
    for number in (1, 2, 3):
        pipeline.run_began(run_info(number))
        pipeline.take_chunk(chunk(events=5))
        pipeline.run_ended(ENDED)
    assert bench.values == [5, 10, 15]
    assert [u.missing for u in bench.updates] == [
        (),
        ("Data of run 1 are included (run_transition = keep).",),
        ("Data of 2 runs from 1 on are included (run_transition = keep).",),
    ]


def test_a_final_that_cannot_be_made_gives_the_last_good_one_and_says_so(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk(events=5))
    pipeline.update_due()
    bench.counter.fail_in = "post_process"
    pipeline.take_chunk(chunk(events=5))
    pipeline.run_ended(ENDED)
    assert bench.values == [5, 5]
    assert bench.updates[-1].final
    assert bench.updates[-1].missing == (
        "The last post_process failed: the curves are those of the update before.",
    )
    assert bench.calls[-2:] == ["r.on_error count.post_process 1", "r.run_ended 1 ended"]


def test_what_nobody_makes_a_result_of_is_said_once(bench, caplog):
    hooks = Dispatcher([plugin("opaque", _Opaque())], {}, SystemClock())
    pipeline = Pipeline(hooks, bench.published.append, lambda: None, SystemClock(), PipelineSettings())
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk())
    for _ in range(3):
        pipeline.update_due()
    assert caplog.text.count("no plugin makes a result") == 1


class _Opaque:
    @hookimpl
    def process_chunk(self, chunk):
        return "something"


def test_a_session_that_stops_shows_what_it_has_but_not_as_final(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk(events=5))
    pipeline.run_ended(RunEndReason.SESSION_STOPPED)
    assert [(u.final, u.n_events) for u in bench.updates] == [(False, 5)]
    assert bench.calls[-1] == "r.run_ended 1 session stopped"


def test_a_chunk_without_a_run_is_the_sources_mistake(bench):
    with pytest.raises(RuntimeError, match="must call run_began first"):
        bench.pipeline().take_chunk(chunk())


def test_a_run_that_is_begun_again_forgets_what_it_had_and_goes_on_counting_updates(bench):
    pipeline = bench.pipeline()
    pipeline.run_began(run_info(), "joined late")
    pipeline.take_chunk(chunk(1, events=5))
    pipeline.update_due()

    pipeline.run_restarted("The server has closed the connection.")
    pipeline.update_due()
    assert bench.values == [5.0], "there is nothing to show of it yet"
    pipeline.take_chunk(chunk(1, events=7))
    pipeline.run_ended(ENDED)

    assert bench.values == [5.0, 7.0]
    assert [update.sequence for update in bench.updates] == [1, 2]
    assert [update.n_events for update in bench.updates] == [5, 7]
    assert bench.updates[-1].complete, "what was missing before came again"
    story = [call for call in bench.calls if "run_" in call]
    assert story == [
        "r.run_started 1",
        "r.run_ended 1 begun again",
        "r.run_started 1",
        "r.run_ended 1 ended",
    ]


def test_begun_again_a_run_keeps_the_data_of_the_runs_before_that_were_to_be_kept(bench):
    pipeline = bench.pipeline(run_transition="keep")
    for number, events in ((1, 5), (2, 7)):
        pipeline.run_began(run_info(number))
        pipeline.take_chunk(chunk(1, events=events))
        if number == 2:
            pipeline.run_restarted("lost")
            pipeline.take_chunk(chunk(1, events=8))
        pipeline.run_ended(ENDED)

    assert bench.values == [5.0, 13.0]


def test_what_a_plugin_throws_away_is_not_counted_and_the_run_is_wanted_again(bench):
    class Anew(Counter):
        @hookimpl
        def accumulate(self, accumulated, processed):
            return BegunAnew(processed, "The script has changed.") if processed == 7 else processed

    bench.counter = Anew()
    pipeline = bench.pipeline()
    pipeline.run_began(run_info())
    pipeline.take_chunk(chunk(1, events=5))
    pipeline.update_due()
    assert pipeline.replay_wanted() == ""

    pipeline.take_chunk(chunk(2, events=7))
    pipeline.update_due()

    assert bench.values == [5.0, 7.0]
    update = bench.updates[-1]
    assert (update.sequence, update.n_events, update.n_chunks) == (2, 7, 1)
    assert not update.complete
    assert "left out" in update.missing[0]
    assert pipeline.replay_wanted() == "The script has changed."
    assert pipeline.replay_wanted() == "", "said once"


@pytest.mark.parametrize("fate", ["taken", "skipped", "dropped"])
def test_the_logs_are_those_of_the_newest_chunk_whatever_became_of_it_and_stay_after_the_run(fate):
    bench = Bench()
    pipeline = bench.pipeline()
    assert pipeline.logs == {}
    pipeline.run_began(run_info())
    pipeline.take_chunk(attrs.evolve(chunk(), logs={"temp": "first"}))
    bench.counter.skip = fate == "skipped"
    bench.counter.fail_in = "process_chunk" if fate == "dropped" else ""
    pipeline.take_chunk(attrs.evolve(chunk(2), logs={"temp": "second"}))
    pipeline.run_ended(ENDED)
    assert pipeline.logs == {"temp": "second"}
