"""The disk that final results may take while they wait for sinks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.backoff import Backoff
from livered_core.errors import SinkRejected
from livered_core.publish.outbox import Outbox, files_below, unsent_files
from livered_core.publish.unsent_budget import WaitingFile, beyond_budget, waiting_files
from publish_support import WAIT, Sink, item, running
from waiting import until

PATIENT = Backoff(3600.0, 3600.0)


def down():
    sink = Sink()
    sink.errors = [OSError("down") for _ in range(99)]
    return sink


def unsent(state):
    return sorted((file.run, file.sink) for file in unsent_files(state / "unsent"))


def size_of_one(folder):
    outbox = Outbox(lambda: folder)
    outbox.open()
    name = outbox.keep(item(1, final=True), ["sink0"], 1)
    size = (folder / "unsent" / "sink0" / name).stat().st_size
    outbox.remove("sink0", name)
    outbox.close()
    return size


def said(caplog):
    return [r.getMessage() for r in caplog.records if "is given up" in r.getMessage()]


def test_beyond_the_budget_the_oldest_are_given_up_with_a_sentence_each_and_counted(tmp_path, caplog):
    one = size_of_one(tmp_path)
    good, budget = Sink(), round(3.5 * one)
    with running(
        down(), good, state=Outbox(lambda: tmp_path, budget), backoff=PATIENT, close=False
    ) as worker:
        for run in range(1, 8):
            worker.offer(item(run, run=run, final=True))
            until(lambda run=run: f"{run}F" in good.taken)
        until(lambda: len(said(caplog)) == 4)
        until(lambda: unsent(tmp_path) == [(5, "sink0"), (6, "sink0"), (7, "sink0")])
        bad, well = worker.status()
        assert (bad.given_up, bad.unsent_finals, well.given_up, well.delivered) == (4, 3, 0, 7)
        (sentence,) = worker.close(WAIT)
    assert sentence.startswith(
        "Sink sink0 did not take the final results of runs 5, 6, 7, which are kept on disk"
    )
    assert said(caplog)[0] == (
        "The final result of run 1 for the sink sink0 is given up: what waits on disk takes more than unsent in "
        f"[limits] allows ({budget} bytes)."
    )
    back = Sink()
    with running(back, Sink(), state=Outbox(lambda: tmp_path, budget)):
        back.wait_until(lambda: len(back.taken) == 3)
    assert back.taken == ["5F", "6F", "7F"]


def test_what_earlier_sessions_left_is_within_the_budget_too(tmp_path, caplog):
    one = size_of_one(tmp_path)
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        for run in range(1, 6):
            worker.offer(item(run, run=run, final=True))
        until(lambda: len(unsent(tmp_path)) == 5)
    back = Sink()
    with running(back, state=Outbox(lambda: tmp_path, 2 * one)) as worker:
        back.wait_until(lambda: len(back.taken) == 2)
        assert worker.status()[0].given_up == 3
    assert (back.taken, len(said(caplog))) == (["4F", "5F"], 3)


def test_the_newest_is_kept_however_large_it_is(tmp_path, caplog):
    with running(down(), state=Outbox(lambda: tmp_path, 1), backoff=PATIENT) as worker:
        for run in (1, 2):
            worker.offer(item(run, run=run, final=True))
        until(lambda: unsent(tmp_path) == [(2, "sink0")])
    assert len(said(caplog)) == 1


def test_one_that_is_refused_while_it_is_given_up_does_not_come_back(tmp_path, caplog):
    sink = Sink()
    sink.gate.clear()
    sink.errors = [SinkRejected("no")]
    with running(sink, state=Outbox(lambda: tmp_path, 1), backoff=PATIENT) as worker:
        worker.offer(item(1, run=1, final=True))
        assert sink.entered.wait(WAIT)
        worker.offer(item(2, run=2, final=True))
        until(lambda: said(caplog))
        sink.gate.set()
        sink.wait_until(lambda: "2F" in sink.tried)
        until(lambda: worker.status()[0].unsent_finals == 0)
    assert sink.tried == ["1F", "2F"]


def test_what_was_set_aside_as_damaged_goes_like_the_others(tmp_path, caplog):
    outbox = Outbox(lambda: tmp_path, 1)
    outbox.open()
    name = outbox.keep(item(1, final=True), ["gone"], 1)
    path = tmp_path / "unsent" / "gone" / name
    path.rename(path.with_name(f"{name}.damaged"))
    outbox.keep(item(2, run=2, final=True), ["gone"], 2)
    outbox.close()
    with running(Sink(), state=Outbox(lambda: tmp_path, 1)):
        until(lambda: said(caplog))
    assert "run 1 for the sink gone, which could not be read, is given up" in said(caplog)[0]
    assert [file.run for file in unsent_files(tmp_path / "unsent")] == [2]


def test_what_waits_for_several_sinks_counts_once_and_strange_files_do_not(tmp_path):
    outbox = Outbox(lambda: tmp_path)
    outbox.open()
    name = outbox.keep(item(1, final=True), ["one", "two"], 1)
    (tmp_path / "unsent" / "one" / "notes.txt").write_text("x" * 9999)
    (file,) = waiting_files(files_below(tmp_path / "unsent"))
    assert (file.name, sorted(file.sinks)) == (name, ["one", "two"])
    assert file.size == (tmp_path / "unsent" / "one" / name).stat().st_size
    outbox.close()


files = st.lists(st.integers(0, 100), max_size=12).map(
    lambda sizes: [WaitingFile(f"{n:020d}", n, ("s",), size, False) for n, size in enumerate(sizes)]
)


@given(files, st.integers(0, 400))
def test_what_is_chosen_is_the_least_number_of_the_oldest(found, budget):
    chosen = beyond_budget(found, budget)
    assert chosen == found[: len(chosen)]
    if not budget:
        assert not chosen
        return
    left = sum(file.size for file in found[len(chosen) :])
    assert left <= budget or len(found) - len(chosen) <= 1
    if chosen:
        assert left + chosen[-1].size > budget


@pytest.mark.parametrize("number", [0, 1])
def test_without_files_or_with_one_nothing_goes(number):
    assert beyond_budget([WaitingFile("a", 1, ("s",), 5, False)] * number, 1) == []
