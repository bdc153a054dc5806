"""A session's checkpoints: the run in hand is kept between two chunks, and the next session goes on with it."""

from __future__ import annotations

import json
import threading

import attrs
import numpy as np
import pytest

from hooks_support import Recorder, chunk, plugin, result
from livered_core import RunEndReason, RunInfo, hookimpl
from livered_core.chunking.position import StreamPosition
from livered_core.chunking.taken_pulses import TakenPulses
from livered_core.clocks import SystemClock
from livered_core.config import CheckpointConfig
from livered_core.engine import checkpointing as module
from livered_core.engine.checkpointing import Checkpointing
from livered_core.hooks.boundary import Swapped
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.markers import BegunAnew
from livered_core.reduction.pipeline import Pipeline, PipelineSettings, TooManyFailures
from waiting import until

ENDED = RunEndReason.ENDED
RUN = RunInfo(number=7, instrument="TST", start_ns=1_790_000_000_000_000_000, title="seven")
CODE = {"the code of livered": "1"}
LIVES: list = []


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    while LIVES:
        LIVES.pop().checkpoints.close()


class Counter:
    """Counts events, and keeps how often it was called beside that."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails = False
        self.refuses = ""
        self.anew = ""

    @hookimpl
    def process_chunk(self, chunk):
        self.calls += 1
        if self.fails:
            raise ValueError("asked to")
        return np.array([chunk.n_events])

    @hookimpl
    def accumulate(self, accumulated, processed):
        return BegunAnew(processed, self.anew) if self.anew else None

    @hookimpl
    def post_process(self, accumulated, run):
        return result(run.number, float(accumulated[0]))

    def save_state(self):
        return {"calls": self.calls}

    def restore_state(self, state):
        if self.refuses:
            raise ValueError(self.refuses)
        self.calls = state["calls"]


def place(sequence: int) -> StreamPosition:
    taken = TakenPulses()
    taken.add(RUN.start_ns + sequence)
    return StreamPosition(RUN, RUN.start_ns + sequence, 1, taken.times, TakenPulses().times, sequence)


@attrs.define(eq=False, slots=False)
class Life:
    """A session's pipeline with its checkpoints."""

    folder: object
    code: dict = attrs.field(factory=lambda: dict(CODE))
    config: CheckpointConfig = attrs.field(factory=lambda: CheckpointConfig(every=1e-9))
    transition: str = "restart"
    counter: Counter = attrs.field(factory=Counter)
    calls: list = attrs.field(factory=list)
    published: list = attrs.field(factory=list)

    def __attrs_post_init__(self):
        plugins = [plugin("count", self.counter), Recorder("r", self.calls)]
        hooks = Dispatcher(plugins, {}, SystemClock())
        self.checkpoints = Checkpointing(
            lambda: self.folder, self.config, lambda: self.code, lambda: hooks.plugins, SystemClock()
        )
        self.checkpoints.load()
        LIVES.append(self)
        self.pipeline = Pipeline(
            hooks,
            lambda *item: self.published.append(item),
            lambda: None,
            SystemClock(),
            PipelineSettings(run_transition=self.transition, max_consecutive_failures=1),
            self.checkpoints,
        )

    def resume(self):
        return self.checkpoints.resume(self.pipeline)

    def take(self, *sequences):
        for sequence in sequences:
            # Each of these chunks is kept, as after a while.
            writer = self.checkpoints._writer
            until(lambda writer=writer: writer is None or writer.due(SystemClock().monotonic()))
            self.pipeline.take_chunk(chunk(sequence, events=sequence))
            self.pipeline.position_reached(place(sequence))

    def killed(self):
        """What was offered is on the disk; nothing else happens."""
        self.checkpoints.close()


def begun(folder, *sequences, **changes):
    life = Life(folder, **changes)
    assert life.resume() is None
    life.pipeline.run_began(RUN)
    life.take(*sequences)
    return life


def test_after_a_kill_the_next_session_goes_on_from_the_last_chunk(tmp_path):
    begun(tmp_path, 1, 2, 3).killed()
    life = Life(tmp_path)
    position = life.resume()
    assert position.last_ns == RUN.start_ns + 3
    assert life.calls == ["r.run_started 7"]
    # What was seen before is seen again at once.
    ((shown, run, update),) = life.published
    assert (shown.curves[0].y[0], run, update.n_events, update.complete) == (6.0, RUN, 6, True)
    assert life.counter.calls == 3
    life.take(4)
    life.pipeline.run_ended(ENDED)
    final = life.published[-1]
    assert (final[0].curves[0].y[0], final[2].n_events, final[2].n_chunks, final[2].final) == (
        10.0,
        10,
        4,
        True,
    )
    assert final[2].sequence == 2


def test_updates_go_on_counting_after_an_orderly_stop(tmp_path):
    life = begun(tmp_path, 1)
    life.pipeline.update_due()
    life.take(2)
    life.pipeline.run_changed(attrs.evolve(RUN, title="another title"))
    life.pipeline.data_missing("Ten pulses are missing.")
    life.pipeline.run_ended(RunEndReason.SESSION_STOPPED)
    assert [update.sequence for _, _, update in life.published] == [1, 2]
    life.killed()
    again = Life(tmp_path)
    assert again.resume().last_ns == RUN.start_ns + 2
    ((_, run, update),) = again.published
    assert (update.sequence, run.title, update.missing) == (3, "another title", ("Ten pulses are missing.",))


def test_a_chunk_at_which_the_session_gave_up_comes_again_and_is_counted_once(tmp_path):
    life = begun(tmp_path, 1, 2)
    life.counter.fails = True
    with pytest.raises(TooManyFailures):
        life.take(3)
    life.pipeline.run_ended(RunEndReason.SESSION_FAILED)
    life.killed()
    again = Life(tmp_path)
    assert again.resume().last_ns == RUN.start_ns + 2
    again.take(3)
    assert (again.pipeline.state.n_events, again.pipeline.state.dropped_chunks) == (6, 0)


def test_a_chunk_at_which_the_session_gave_up_is_lost_to_a_run_that_is_over(tmp_path):
    life = begun(tmp_path, 1, 2)
    life.counter.fails = True
    with pytest.raises(TooManyFailures):
        life.take(3)
    life.pipeline.run_ended(ENDED)
    life.killed()
    again = Life(tmp_path)
    assert again.resume() is None
    final, told = life.published[-1][2], again.published[-1][2]
    assert (told.n_events, told.dropped_chunks, told.dropped_events) == (3, 1, 3)
    assert (told.complete, told.missing) == (False, final.missing)


@pytest.mark.parametrize("stops", [True, False], ids=["stopped", "killed"])
def test_what_is_reduced_until_the_run_has_come_again_is_not_gone_on_from(tmp_path, stops):
    life = begun(tmp_path, 1, 2)
    life.counter.anew = "The detectors moved."
    life.take(3)
    life.counter.anew = ""
    life.take(4)
    assert life.pipeline.replay_wanted()
    if stops:
        life.pipeline.run_ended(RunEndReason.SESSION_STOPPED)
    life.killed()
    again = Life(tmp_path)
    assert again.resume().last_ns == RUN.start_ns + 2
    assert (again.pipeline.state.n_events, again.pipeline.state.missing) == (3, ())


def test_a_run_that_has_come_again_is_kept(tmp_path):
    life = begun(tmp_path, 1, 2)
    life.counter.anew = "The detectors moved."
    life.take(3)
    life.counter.anew = ""
    life.pipeline.run_restarted("Its data come again.")
    life.take(1, 2, 3)
    life.killed()
    again = Life(tmp_path)
    assert again.resume().last_ns == RUN.start_ns + 3
    assert (again.pipeline.state.n_events, again.pipeline.state.missing) == (6, ())


def test_that_code_has_changed_within_a_run_is_said_by_the_next_session_too(tmp_path):
    class Changed:
        wanted = True

        def at_boundary(self, boundary):
            self.wanted = False
            return Swapped(accumulated=boundary.accumulated, note="Code changed at 3 events.")

    life = begun(tmp_path, 1, 2)
    life.pipeline._reloading = Changed()
    life.take(3)
    life.killed()
    again = Life(tmp_path)
    again.resume()
    assert again.published[-1][0].metadata["reloaded"] == "Code changed at 3 events."
    again.pipeline.run_ended(ENDED)
    again.pipeline.run_began(attrs.evolve(RUN, number=8))
    again.take(1)
    again.pipeline.update_due()
    assert "reloaded" not in again.published[-1][0].metadata


def test_a_plugin_that_adds_in_place_is_not_counted_twice(tmp_path):
    """The first checkpoint is being made when the second chunk is added."""

    class InPlace(Counter):
        @hookimpl
        def process_chunk(self, chunk):
            return {f"bank {index}": np.array([chunk.n_events]) for index in range(3000)}

        @hookimpl
        def accumulate(self, accumulated, processed):
            if accumulated is None:
                return processed
            for name, counts in processed.items():
                accumulated[name] += counts
            return accumulated

        @hookimpl
        def post_process(self, accumulated, run):
            return result(run.number, float(accumulated["bank 0"][0]))

    life = Life(tmp_path, counter=InPlace())
    life.resume()
    life.pipeline.run_began(RUN)
    for sequence in (1, 2):
        life.pipeline.take_chunk(chunk(sequence, events=sequence))
        if sequence == 1:
            life.pipeline.position_reached(place(sequence))
    life.killed()
    again = Life(tmp_path, counter=InPlace())
    assert again.resume().last_ns == RUN.start_ns + 1
    assert {int(counts[0]) for counts in again.pipeline.state.accumulated.values()} == {1}


def test_a_run_whose_end_was_seen_is_published_by_the_next_session_as_it_would_have_been(tmp_path):
    life = begun(tmp_path, 1, 2)
    life.pipeline.run_ended(ENDED)
    life.killed()
    again = Life(tmp_path)
    assert again.resume() is None
    assert [update.final for _, _, update in again.published] == [True]
    assert again.published[0][2].n_events == life.published[-1][2].n_events
    assert again.published[0][2].complete
    assert again.calls == ["r.run_started 7", "r.run_ended 7 ended"]


def test_a_run_that_was_published_is_not_published_again(tmp_path):
    life = begun(tmp_path, 1, 2)
    life.pipeline.run_ended(ENDED)
    life.killed()
    (tmp_path / "published.json").write_text(json.dumps({"format": 1, "runs": [[7, RUN.start_ns]]}))
    again = Life(tmp_path)
    assert again.resume() is None
    assert not again.published
    assert not again.calls
    assert again.checkpoints.published == {(7, RUN.start_ns)}


@pytest.mark.parametrize("published", [False, True], ids=["final not sent", "final sent"])
def test_what_is_kept_for_the_next_run_survives_the_restart_between_them(tmp_path, published):
    life = begun(tmp_path, 1, 2, transition="keep")
    life.pipeline.run_ended(ENDED)
    life.killed()
    if published:
        (tmp_path / "published.json").write_text(json.dumps({"format": 1, "runs": [[7, RUN.start_ns]]}))
    again = Life(tmp_path, transition="keep")
    assert again.resume() is None
    again.pipeline.run_began(attrs.evolve(RUN, number=8, start_ns=RUN.start_ns + 10**12))
    again.take(3)
    assert again.pipeline.state.n_events == 6
    assert again.pipeline.state.first_kept == 7


def test_a_checkpoint_of_other_code_is_not_used_and_that_is_said(tmp_path, caplog):
    begun(tmp_path, 1, 2).killed()
    again = Life(tmp_path, code={"the code of livered": "2"})
    assert again.resume() is None
    assert not again.calls
    assert "the code of livered" in caplog.text


def test_a_plugin_that_cannot_go_on_has_the_run_replayed(tmp_path, caplog):
    begun(tmp_path, 1, 2).killed()
    again = Life(tmp_path)
    again.counter.refuses = "the calibration is another one"
    assert again.resume() is None
    assert again.pipeline.state is None
    assert again.calls == ["r.run_started 7", "r.run_ended 7 begun again"]
    assert "the calibration is another one" in caplog.text
    assert "is replayed from its start" in caplog.text
    # It begins as a run does.
    again.pipeline.run_began(RUN)
    again.take(1)
    assert again.pipeline.state.n_events == 1


def test_a_run_that_is_over_and_cannot_be_finished_is_not_said_to_be_replayed(tmp_path, caplog):
    life = begun(tmp_path, 1, 2)
    life.pipeline.run_ended(ENDED)
    life.killed()
    again = Life(tmp_path)
    again.counter.refuses = "the calibration is another one"
    assert again.resume() is None
    assert "Run 7 is over, and its final result cannot be made any more" in caplog.text
    assert "the calibration is another one" in caplog.text
    assert "replayed" not in caplog.text


def test_nothing_is_kept_when_that_is_switched_off(tmp_path):
    life = begun(tmp_path, 1, 2, config=CheckpointConfig(enabled=False))
    life.killed()
    assert life.checkpoints.status() is None
    assert not (tmp_path / "checkpoints").exists()
    assert Life(tmp_path).resume() is None


def test_a_session_that_must_not_go_on_keeps_its_own_checkpoints(tmp_path):
    begun(tmp_path, 1, 2).killed()
    life = Life(tmp_path)
    life.checkpoints.load(use=False)
    assert life.resume() is None
    assert life.checkpoints.status() is not None


def test_a_plugin_that_does_not_give_its_state_is_named_once_and_the_last_checkpoint_stays(tmp_path, caplog):
    life = begun(tmp_path, 1)
    life.checkpoints.close()
    life = Life(tmp_path)
    life.resume()
    life.counter.save_state = lambda: 1 / 0
    life.take(2, 3)
    assert caplog.text.count("cannot be kept for a restart") == 1
    assert "count" in caplog.text
    life.killed()
    assert Life(tmp_path).resume().last_ns == RUN.start_ns + 1


def test_after_other_plugins_have_taken_over_checkpoints_are_theirs(tmp_path):
    life = begun(tmp_path, 1)
    life.code["the code of plugin count"] = "2"
    life.code["the code of livered"] = "on the disk, and not running"
    life.checkpoints.plugins_changed()
    life.take(2)
    life.killed()
    again = Life(tmp_path, code={**CODE, "the code of plugin count": "2"})
    assert again.resume().last_ns == RUN.start_ns + 2


def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "LOAD_WITHIN_S", 0.05)
    answer = threading.Event()

    def folder():
        answer.wait()
        return tmp_path

    checkpoints = Checkpointing(folder, CheckpointConfig(), lambda: CODE, lambda: (), SystemClock())
    checkpoints.load()
    assert "has not answered" in caplog.text
    assert checkpoints.status() is None
    checkpoints.close()
    answer.set()


def test_a_folder_that_cannot_be_used_is_said_and_no_reason_to_stay_down(tmp_path, caplog):
    (tmp_path / "published.json").mkdir()
    life = begun(tmp_path, 1)
    assert "replayed from its start" in caplog.text
    life.killed()
