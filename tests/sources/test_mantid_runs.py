"""Runs as Mantid's chunks show them, without Mantid: what a chunk says of itself is made up here."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import RunEndReason, RunInfo
from livered_core.sources.mantid_chunks import Said
from livered_core.sources.mantid_runs import Begin, RunFollower

SECOND = 1_000_000_000
RUN_START = 1_790_000_000 * SECOND
ASKED = RUN_START + 3600 * SECOND
CURRENT = Begin(ASKED, None)
SILENT_ENDS = Begin(ASKED, None, says_ends=False)


class Consumer:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.chunks: list[Any] = []
        self.missing: list[str] = []
        self.wanted = ""

    def run_began(self, run, missing=""):
        self.story.append(f"began {run.number}")
        self.missing += [missing] if missing else []

    def run_changed(self, run):
        self.story.append(f"changed {run.title}")

    def run_restarted(self, sentence):
        self.story.append("restarted")

    def data_missing(self, sentence):
        self.missing.append(sentence)

    def take_chunk(self, chunk):
        self.chunks.append(chunk)
        self.story.append(f"chunk {chunk.sequence}")

    def replay_wanted(self):
        return self.wanted

    def update_due(self):
        self.story.append("update")

    def run_ended(self, reason):
        self.story.append(reason.value)


def said(number: int = 7, at_s: float | None = 3600.0, n_events: int = 10, **more: Any) -> Said:
    """Describe a chunk of a run whose pulses are at a time after the run's start; without a time it is empty."""
    at_ns = 0 if at_s is None else RUN_START + round(at_s * SECOND)
    known = {
        "run": RunInfo(number, "TST", title="t", start_ns=RUN_START) if number else None,
        "ended": False,
        "paused": False,
        "kind": "events",
        "n_events": n_events if at_s is not None else 0,
        "n_pulses": 2 if at_s is not None else 0,
        "proton_charge_pc": 20.0,
        "first_pulse_ns": at_ns,
        "last_pulse_ns": at_ns,
        "beam": True,
    }
    return Said(**{**known, **more})


def follow(*chunks: Said, begin: Begin = CURRENT) -> tuple[Consumer, RunFollower]:
    consumer, runs = Consumer(), RunFollower(begin)
    for chunk in chunks:
        runs.take(chunk, None, consumer)
    return consumer, runs


def test_a_run_begins_goes_on_and_ends():
    consumer, runs = follow(said(at_s=3600), said(at_s=3630), said(at_s=3640, ended=True))

    assert consumer.story == ["began 7", "chunk 1", "update", "chunk 2", "update", "chunk 3", "ended"]
    assert runs.run is None
    assert [chunk.proton_charge_pc for chunk in consumer.chunks] == [20.0] * 3


def test_another_run_number_ends_the_run_in_hand_where_the_listener_says_no_ends():
    consumer, _ = follow(said(7), said(8), begin=SILENT_ENDS)

    assert consumer.story == ["began 7", "chunk 1", "update", "replaced", "began 8", "chunk 1", "update"]


@pytest.mark.parametrize("after", [said(0, at_s=3700), said(0, at_s=None), said(8, at_s=3700)])
def test_a_run_whose_end_was_lost_is_asked_for_again_and_comes_whole(after):
    """Mantid drops what comes while it hands over a chunk, the end of the run among it."""
    consumer, runs = follow(said(7, at_s=3600))

    assert "The end of run 7 was lost" in runs.take(after, None, consumer)
    assert consumer.story == ["began 7", "chunk 1", "update"], "it is not over yet"
    runs.begin_again("lost", consumer)
    for chunk in (said(0, at_s=3500), said(7, at_s=3600), said(7, at_s=3650, ended=True)):
        assert runs.take(chunk, None, consumer) == ""
    assert consumer.story[3:] == ["restarted", "chunk 1", "update", "chunk 2", "ended"]
    assert not [sentence for sentence in consumer.missing if "end of the run" in sentence]


@pytest.mark.parametrize(("after", "end"), [(said(0, at_s=3700), "ended"), (said(8, at_s=3700), "replaced")])
def test_a_run_whose_end_is_lost_each_time_ends_incomplete(after, end):
    consumer, runs = follow(said(7, at_s=3600))
    for _ in range(2):
        assert runs.take(after, None, consumer)
        runs.begin_again("lost", consumer)
        runs.take(said(7, at_s=3600), None, consumer)

    assert runs.take(after, None, consumer) == ""
    assert end in consumer.story
    assert [sentence for sentence in consumer.missing if "end of the run was not seen" in sentence]


def test_a_run_that_a_plugin_wants_again_is_not_ended_before():
    consumer, runs = follow(said(7, at_s=3600))
    consumer.wanted = "The script has changed."

    assert runs.take(said(7, at_s=3630, ended=True), None, consumer) == consumer.wanted
    assert "ended" not in consumer.story


def test_where_nothing_can_come_again_a_run_goes_on():
    consumer, runs = follow(said(7, at_s=3600), begin=SILENT_ENDS)
    consumer.wanted = "The script has changed."

    assert runs.take(said(7, at_s=3630), None, consumer) == ""
    assert consumer.story[-1] == "update"


def test_an_update_waits_for_the_chunks_that_are_there():
    consumer, runs = follow(said(7))
    del consumer.story[:]

    runs.take(said(7, at_s=3630), None, consumer, more_waits=True)
    runs.take(said(7, at_s=3660), None, consumer)

    assert consumer.story == ["chunk 2", "chunk 3", "update"]


def test_data_between_runs_are_not_reduced():
    consumer, runs = follow(said(0), said(0))

    assert consumer.story == []
    assert runs.counts.between_runs_events == 20


def test_a_run_that_is_over_is_not_taken_again():
    """After its final result a run is never published again."""
    consumer, runs = follow(said(7, ended=True), said(7), said(7, ended=True))

    assert consumer.story == ["began 7", "chunk 1", "ended"]
    assert runs.counts.replayed_events == 20


def test_an_older_run_that_comes_whole_is_left_out():
    consumer, runs = follow(said(5, at_s=100, ended=True), said(6, at_s=200, ended=True), said(7))

    assert consumer.story == ["began 7", "chunk 1", "update"]
    assert runs.counts.replayed_events == 20


def test_an_older_run_that_comes_in_pieces_is_never_published():
    consumer, _ = follow(said(6, at_s=100), said(6, at_s=200), said(6, at_s=300, ended=True), said(7))

    assert "update" not in consumer.story[: consumer.story.index("began 7")]
    assert RunEndReason.OVER_BEFORE.value in consumer.story


def test_the_first_word_of_an_older_run_does_not_begin_it():
    consumer, _ = follow(said(6, at_s=None), said(6, at_s=100, ended=True), said(7))

    assert consumer.story == ["began 7", "chunk 1", "update"]


def test_a_replay_is_published_when_it_has_caught_up():
    consumer, _ = follow(said(7, at_s=100), said(7, at_s=1000), said(7, at_s=3601))

    assert consumer.story == ["began 7", "chunk 1", "chunk 2", "chunk 3", "update"]


def test_a_run_in_which_nothing_comes_any_more_is_the_current_one():
    """The beam may have been off for an hour when livered is started."""
    consumer, _ = follow(said(7, at_s=100), said(7, at_s=None))

    assert consumer.story == ["began 7", "chunk 1", "update"]


def test_a_gap_in_a_replay_does_not_make_an_older_run_the_current_one():
    consumer, runs = Consumer(), RunFollower(CURRENT)
    runs.take(said(5, at_s=100), None, consumer)
    runs.take(said(5, at_s=None), None, consumer, quiet_s=1.0)
    runs.take(said(5, at_s=200, ended=True), None, consumer)

    assert "update" not in consumer.story
    assert consumer.story[-1] == RunEndReason.OVER_BEFORE.value


def test_begun_again_from_a_time_older_runs_are_early():
    """From now on: the second time the server is asked for the time that was now."""
    consumer, runs = follow(said(7, at_s=3600), begin=Begin(ASKED, 0))
    runs.begin_again("lost", consumer, ASKED)
    del consumer.story[:]

    runs.take(said(6, at_s=3000, ended=True), None, consumer)
    runs.take(said(7, at_s=3601), None, consumer)

    assert consumer.story == ["chunk 1", "update"]
    assert runs.counts.early_events + runs.counts.replayed_events == 10
    assert "left out, as asked" in consumer.missing[-1]


def test_a_run_without_any_data_yet_is_in_hand_after_two_chunks():
    consumer, runs = follow(said(7, at_s=None), said(7, at_s=None))

    assert consumer.story == ["began 7", "update"]
    assert runs.run is not None
    assert runs.run.number == 7


def test_empty_chunks_cost_nothing():
    consumer, runs = follow(said(7), said(7, at_s=None), said(7, at_s=None))

    assert [line for line in consumer.story if line.startswith("chunk")] == ["chunk 1"]
    assert runs.counts.empty_chunks == 2


def test_begun_again_a_run_in_hand_is_reduced_from_its_start_and_shown_when_it_has_caught_up():
    consumer, runs = follow(said(7, at_s=3600), said(7, at_s=3660))
    del consumer.story[:]

    runs.begin_again("The server has closed.", consumer)
    for chunk in (said(7, at_s=3600), said(7, at_s=3650), said(7, at_s=3700)):
        runs.take(chunk, None, consumer)

    assert consumer.story == ["restarted", "chunk 1", "chunk 2", "chunk 3", "update"]


def test_begun_again_older_runs_of_the_replay_do_not_end_the_run_in_hand():
    consumer, runs = follow(said(7, at_s=3600))
    runs.begin_again("lost", consumer)
    del consumer.story[:]

    runs.take(said(5, at_s=100), None, consumer)
    runs.take(said(5, at_s=None), None, consumer)
    runs.take(said(7, at_s=3600), None, consumer)

    assert consumer.story == ["chunk 1", "update"]
    assert runs.counts.replayed_events == 10


def test_begun_again_a_run_that_ended_meanwhile_is_made_final():
    consumer, runs = follow(said(7, at_s=3600))
    runs.begin_again("lost", consumer)

    runs.take(said(7, at_s=3700, ended=True), None, consumer)

    assert consumer.story[-1] == "ended"


def test_stopped_before_a_replay_has_caught_up_the_last_result_stays():
    consumer, runs = follow(said(7, at_s=3600))
    runs.begin_again("lost", consumer)
    runs.take(said(7, at_s=3500), None, consumer)

    runs.stop(consumer)

    assert consumer.story[-1] == RunEndReason.SESSION_FAILED.value


def test_stopped_in_a_run_that_may_be_history_nothing_is_published():
    consumer, runs = follow(said(6, at_s=100))

    runs.stop(consumer)

    assert consumer.story == ["began 6", "chunk 1", RunEndReason.OVER_BEFORE.value]


def test_data_that_begin_late_are_said():
    consumer, _ = follow(said(7, first_pulse_ns=RUN_START + 60 * SECOND))

    assert consumer.missing == ["The data begin 60 s after the start of the run."]


def test_from_a_time_on_earlier_chunks_are_left_out_and_said():
    begin = Begin(ASKED, RUN_START + 1000 * SECOND)
    consumer, runs = follow(said(7, at_s=900), said(7, at_s=1100), begin=begin)

    assert consumer.story == ["began 7", "chunk 1", "update"]
    assert runs.counts.early_events == 10
    assert "left out, as asked" in consumer.missing[0]


def test_from_now_on_every_run_counts():
    consumer, _ = follow(said(7, at_s=3600 - 60), said(7, at_s=3600 - 30, ended=True), begin=Begin(ASKED, 0))

    assert consumer.story == ["began 7", "chunk 1", "update", "chunk 2", "ended"]


def test_of_histograms_which_hold_everything_what_is_new_is_counted():
    chunks = [said(7, kind="histogram", n_events=n, n_pulses=1) for n in (10, 25, 25)]
    consumer, runs = follow(*chunks, said(8, kind="histogram", n_events=4), begin=SILENT_ENDS)

    assert [chunk.n_events for chunk in consumer.chunks] == [10, 15, 0, 4]
    assert all(chunk.is_total for chunk in consumer.chunks)
    assert runs.counts.events == 29


def test_a_new_title_is_taken_up():
    first = said(7)
    consumer, _ = follow(first, attrs.evolve(first, run=attrs.evolve(first.run, title="diamond")))

    assert "changed diamond" in consumer.story


CHUNKS = st.builds(
    said,
    number=st.sampled_from([0, 5, 6, 7]),
    at_s=st.none() | st.floats(0, 7200),
    n_events=st.integers(0, 100),
    ended=st.booleans(),
    kind=st.sampled_from(["events", "histogram"]),
)


@given(
    st.lists(CHUNKS | st.just("again"), max_size=30),
    st.sampled_from([None, 0, RUN_START + 60 * SECOND]),
    st.booleans(),
)
def test_events_are_all_accounted_for_whatever_comes(story, start_ns, says_ends):
    consumer, runs = Consumer(), RunFollower(Begin(ASKED, start_ns, says_ends))
    for item in story:
        if item == "again" or runs.take(item, None, consumer):
            runs.begin_again("again", consumer)
    runs.stop(consumer)

    counts = runs.counts
    left_out = counts.between_runs_events + counts.replayed_events + counts.early_events
    assert counts.events == counts.reduced_events + left_out
    assert sum(chunk.n_events for chunk in consumer.chunks) == counts.reduced_events
    opened = sum(line.startswith("began") for line in consumer.story)
    ends = {reason.value for reason in RunEndReason}
    assert opened == sum(line in ends for line in consumer.story)
    finals = {"ended", "replaced"}
    begun = [line.removeprefix("began ") for line in consumer.story if line.startswith("began")]
    final = [
        begun[i] for i, end in enumerate(line for line in consumer.story if line in ends) if end in finals
    ]
    assert len(final) == len(set(final)), "a run is final once"


@pytest.mark.parametrize("late_s", [0, 9])
def test_data_that_begin_with_their_run_are_complete(late_s):
    consumer, _ = follow(said(7, first_pulse_ns=RUN_START + late_s * SECOND))

    assert consumer.missing == []
