"""Final results that no sink loses: through outages, restarts, damage and full disks."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from livered_core import hookimpl
from livered_core.backoff import Backoff
from livered_core.errors import SinkRejected, SinkUnavailable
from livered_core.publish.keeper import KEPT_WITHIN_S
from livered_core.publish.outbox import Outbox, unsent_files
from publish_support import IDLE, WAIT, ManualClock, Sink, closing, ended, item, running
from waiting import until

HOUR = 3600.0
SINK = "livered-publish-sink0"
PATIENT = Backoff(HOUR, HOUR)


def unsent(state):
    return [
        (file.sink, file.run)
        for file in sorted(unsent_files(state / "unsent"), key=lambda f: (f.name, f.sink))
    ]


def down(number=99):
    sink = Sink()
    sink.errors = [OSError("down") for _ in range(number)]
    return sink


def messages(caplog):
    return [record.getMessage().splitlines()[0] for record in caplog.records]


def test_a_final_is_on_disk_before_a_sink_is_offered_it_and_gone_when_all_have_taken_it(tmp_path):
    class Looking(Sink):
        def post_publish(self, result, run, update):
            seen.append(unsent(tmp_path))
            return super().post_publish(result, run, update)

        post_publish.livered_impl = Sink.post_publish.livered_impl

    seen = []
    one, two = Looking(), Looking()
    with running(one, two, state=tmp_path) as worker:
        worker.offer(item(1, sequence=1))
        one.wait_until(lambda: one.taken)
        two.wait_until(lambda: two.taken)
        assert seen == [[], []]
        worker.offer(item(2, final=True))
        one.wait_until(lambda: "1F" in one.taken)
        two.wait_until(lambda: "1F" in two.taken)
    assert seen[2] == [("sink0", 1), ("sink1", 1)]
    assert seen[3][-1] == ("sink1", 1) or seen[3][0] == ("sink0", 1)
    assert unsent(tmp_path) == []


def test_finals_of_an_outage_are_sent_in_order_once_each_after_a_restart(tmp_path):
    good = Sink()
    with running(down(), good, state=tmp_path, backoff=PATIENT, close=False) as worker:
        for run in range(1, 41):
            worker.offer(item(2 * run - 1, run=run))
            worker.offer(item(2 * run, run=run, final=True))
        until(lambda: worker.status()[0].unsent_finals == 40 and worker.status()[1].unsent_finals == 0)
        until(lambda: unsent(tmp_path) == [("sink0", run) for run in range(1, 41)])
        in_memory = [parcel.run for parcel in worker._queues[0].finals if parcel.item is not None]
        assert in_memory in ([1], [])
        (sentence,) = worker.close(WAIT)
    assert sentence == (
        "Sink sink0 did not take the final results of runs 1, 2, 3, 4, 5, 6, 7, 8 and 32 more, "
        "which are kept on disk and sent when livered starts again: OSError: down"
    )
    assert [name for name in good.taken if name.endswith("F")] == [f"{run}F" for run in range(1, 41)]
    one, good = Sink(), Sink()
    one.gate.clear()
    with running(one, good, state=tmp_path) as worker:
        worker.offer(item(1, run=50, final=True))
        one.gate.set()
        one.wait_until(lambda: len(one.taken) == 41)
        good.wait_until(lambda: good.taken)
    assert one.taken == [*(f"{run}F" for run in range(1, 41)), "50F"]
    assert good.taken == ["50F"]
    assert unsent(tmp_path) == []
    with running(Sink(), state=tmp_path) as worker:
        assert worker.status()[0].unsent_finals == 0


def test_what_comes_back_from_the_disk_is_what_was_made(tmp_path):
    class Keeping(Sink):
        def post_publish(self, result, run, update):
            got.append((result, run, update))

        post_publish.livered_impl = Sink.post_publish.livered_impl

    got = []
    made = item(3, run=8, sequence=5, final=True, start_ns=77)
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        worker.offer(made)
    with running(Keeping(), state=tmp_path):
        until(lambda: got)
    (result, run, update) = got[0]
    assert (run, update) == (made.run, made.update)
    assert result.curves[0].y.tobytes() == made.result.curves[0].y.tobytes()


def test_what_a_person_removes_is_not_sent(tmp_path, caplog):
    clock, sink = ManualClock(), down(1)
    with running(sink, state=tmp_path, backoff=Backoff(1.0, 1.0), clock=clock) as worker:
        for run in (1, 2, 3):
            worker.offer(item(run, run=run, final=True))
        sink.wait_until(lambda: sink.tried == ["1F"])
        clock.expect_pause(SINK, 1.0)
        until(lambda: len(unsent(tmp_path)) == 3)
        for path in (tmp_path / "unsent" / "sink0").glob("*-run[12]-*"):
            path.unlink()
        clock.advance(1.0)
        sink.wait_until(lambda: sink.taken)
        assert worker.close(WAIT) == []
    assert (sink.tried, sink.taken) == (["1F", "3F"], ["3F"])
    assert messages(caplog)[-2:] == [
        f"The final result of run {run} for the sink sink0: somebody removed it from the folder, so it is not sent."
        for run in (1, 2)
    ]


def test_a_folder_that_is_gone_drops_nothing(tmp_path, caplog):
    clock, sink = ManualClock(), down(1)
    with running(sink, state=tmp_path, backoff=Backoff(1.0, 1.0), clock=clock) as worker:
        worker.offer(item(1, run=1, final=True))
        worker.offer(item(2, run=2, final=True))
        clock.expect_pause(SINK, 1.0)
        until(lambda: all(parcel.stored for parcel in worker._queues[0].finals))
        (tmp_path / "unsent").rename(tmp_path / "away")
        clock.advance(1.0)
        sink.wait_until(lambda: sink.taken == ["1F"])
        clock.expect_pause(SINK, KEPT_WITHIN_S)
        assert worker.status()[0].unsent_finals == 1
        assert "its file cannot be read" in worker.status()[0].last_error
        (tmp_path / "away").rename(tmp_path / "unsent")
        clock.advance(KEPT_WITHIN_S)
        sink.wait_until(lambda: sink.taken == ["1F", "2F"])
    assert any("cannot be kept on disk" in line for line in messages(caplog))


def test_what_is_damaged_on_disk_blocks_nothing_and_is_said(tmp_path, caplog):
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        for run in (1, 2):
            worker.offer(item(run, run=run, final=True))
        until(lambda: len(unsent(tmp_path)) == 2)
    first, _ = sorted((tmp_path / "unsent" / "sink0").iterdir())
    first.write_bytes(b"livered unsent result 1\nnothing")
    sink = Sink()
    with running(sink, state=tmp_path) as worker:
        sink.wait_until(lambda: sink.taken == ["2F"])
    assert first.with_name(first.name + ".damaged").exists()
    assert any(
        "The final result of run 1 for the sink sink0: it cannot be read" in line for line in messages(caplog)
    )


def test_a_final_that_is_refused_is_kept_and_tried_again_by_the_next_session(tmp_path):
    sink = Sink()
    sink.refuse = "1F"
    with running(sink, state=tmp_path, close=False) as worker:
        worker.offer(item(1, run=1, final=True))
        sink.wait_until(lambda: sink.tried == ["1F"])
        until(lambda: worker.status()[0].refused == 1)
        (sentence,) = worker.close(WAIT)
    assert sentence == (
        "Sink sink0 did not take the final result of run 1, which is kept on disk and sent when livered starts "
        "again: SinkRejected: no 1F"
    )
    assert sink.tried == ["1F"]
    sink = Sink()
    with running(sink, state=tmp_path):
        sink.wait_until(lambda: sink.taken == ["1F"])
    assert unsent(tmp_path) == []


def test_hundreds_of_refused_finals_do_not_hold_up_the_newest_result(tmp_path):
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        for run in range(1, 101):
            worker.offer(item(run, run=run, final=True))
        until(lambda: len(unsent(tmp_path)) == 100)
    sink = Sink()
    sink.errors = [SinkRejected("too large")] * 3
    sink.gate.clear()
    with running(sink, state=tmp_path, backoff=Backoff(0.01, 0.01)) as worker:
        worker.offer(item(1, run=200))
        sink.gate.set()
        sink.wait_until(lambda: "200.1" in sink.tried)
        assert sink.tried.index("200.1") == 1
        sink.wait_until(lambda: len([name for name in sink.taken if name.endswith("F")]) == 100)
    assert unsent(tmp_path) == []


def test_old_finals_are_given_up_where_that_is_configured(tmp_path, caplog):
    clock, sink = ManualClock(), down(2)
    with running(
        sink, state=tmp_path, backoff=Backoff(0.9 * HOUR, 0.9 * HOUR), clock=clock, give_up_after_s=1.5 * HOUR
    ) as worker:
        worker.offer(item(1, run=1, final=True))
        clock.expect_pause(SINK, 0.9 * HOUR)
        clock.advance(0.9 * HOUR)
        sink.wait_until(lambda: len(sink.tried) == 2)
        worker.offer(item(2, run=2, final=True))
        clock.expect_pause(SINK, 0.9 * HOUR)
        clock.advance(0.9 * HOUR)
        sink.wait_until(lambda: sink.taken == ["2F"])
        assert worker.close(WAIT) == []
    assert sink.tried == ["1F", "1F", "2F"]
    assert unsent(tmp_path) == []
    assert any(
        "run 1 for the sink sink0 is given up: it waited longer than give_up_after" in m
        for m in messages(caplog)
    )


def test_without_that_nothing_is_ever_given_up(tmp_path):
    clock = ManualClock()
    with running(
        down(), state=tmp_path, backoff=Backoff(0.9 * HOUR, 0.9 * HOUR), clock=clock, close=False
    ) as worker:
        worker.offer(item(1, run=1, final=True))
        clock.expect_pause(SINK, 0.9 * HOUR)
        with closing(worker, WAIT):
            pass
    clock, sink = ManualClock(), Sink()
    clock.advance(10_000 * HOUR)
    with running(sink, state=tmp_path, clock=clock):
        sink.wait_until(lambda: sink.taken == ["1F"])


def test_a_disk_that_refuses_is_said_once_and_the_sink_gets_the_result_all_the_same(tmp_path, caplog):
    (tmp_path / "unsent").mkdir()
    in_the_way = tmp_path / "unsent" / "sink0"
    in_the_way.write_text("a file")
    sink = Sink()
    with running(sink, state=tmp_path, backoff=PATIENT, close=False) as worker:
        for run in (1, 2, 3):
            worker.offer(item(run, run=run, final=True))
        sink.wait_until(lambda: sink.taken == ["1F", "2F", "3F"])
        assert len([line for line in messages(caplog) if "cannot be kept on disk" in line]) == 1
        sink.errors = [OSError("down")] * 3
        worker.offer(item(4, run=4, final=True))
        sink.wait_until(lambda: sink.tried[-1] == "4F")
        (sentence,) = worker.close(WAIT)
    assert sentence == (
        "Sink sink0 did not take the final result of run 4, which could not be kept on disk and is lost to it: "
        "OSError: down"
    )


def test_what_could_not_be_kept_is_kept_when_the_disk_can_again(tmp_path, caplog):
    (tmp_path / "unsent").mkdir()
    in_the_way = tmp_path / "unsent" / "sink0"
    in_the_way.write_text("a file")
    caplog.set_level("INFO", "livered_core")
    with running(down(), state=tmp_path, backoff=PATIENT, close=False) as worker:
        worker.offer(item(1, run=1, final=True))
        worker.offer(item(2, run=2, final=True))
        until(lambda: worker.status()[0].last_error)
        in_the_way.unlink()
        (sentence,) = worker.close(WAIT)
    assert "runs 1, 2, which are kept on disk" in sentence
    assert unsent(tmp_path) == [("sink0", 1), ("sink0", 2)]
    assert "Final results are kept on disk again." in messages(caplog)


class HangingOutbox(Outbox):
    """A disk that does not answer until it may."""

    def __init__(self, state):
        super().__init__(lambda: state)
        self.answers = threading.Event()

    def keep(self, *arguments):
        assert self.answers.wait(WAIT)
        return super().keep(*arguments)


def test_a_disk_that_hangs_is_said_and_the_sink_gets_the_result_all_the_same(tmp_path, caplog):
    hanging, clock, sink = HangingOutbox(tmp_path), ManualClock(), Sink()
    with running(sink, state=hanging, clock=clock) as worker:
        worker.offer(item(1, run=1, final=True))
        clock.expect_pause(SINK, KEPT_WITHIN_S)
        assert sink.tried == []
        clock.advance(KEPT_WITHIN_S)
        sink.wait_until(lambda: sink.taken == ["1F"])
        clock.expect_pause(SINK, IDLE)
        worker.offer(item(2, run=1))
        sink.wait_until(lambda: sink.taken[-1] == "1.1")
        hanging.answers.set()
        assert worker.close(WAIT) == []
    assert messages(caplog) == [
        "The disk with the unsent final results has not answered for 5 s: the final result of run 1 is sent from memory."
    ]
    assert unsent(tmp_path) == []


def test_a_disk_that_hangs_at_the_start_holds_nobody_up_and_what_it_held_is_sent_later(tmp_path, caplog):
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        worker.offer(item(1, run=1, final=True))
    answers, clock, sink = threading.Event(), ManualClock(), Sink()

    def state():
        assert answers.wait(WAIT)
        return tmp_path

    def wait_for_the_disk():
        clock.expect_pause("MainThread", KEPT_WITHIN_S)
        clock.advance(KEPT_WITHIN_S)

    waiter = threading.Thread(target=wait_for_the_disk)
    waiter.start()
    with running(sink, state=state, clock=clock) as worker:
        worker.offer(item(1, run=2))
        sink.wait_until(lambda: sink.taken == ["2.1"])
        answers.set()
        sink.wait_until(lambda: sink.taken == ["2.1", "1F"])
    waiter.join()
    assert "what earlier sessions left there is sent when it does" in messages(caplog)[-1]


def test_a_run_that_was_published_to_its_end_is_not_sent_again_when_it_is_replayed(tmp_path, caplog):
    sink = Sink()
    with running(sink, state=tmp_path) as worker:
        worker.offer(item(1, run=7, sequence=1, start_ns=5))
        sink.wait_until(lambda: sink.taken)
        worker.offer(item(2, run=7, sequence=2, final=True, start_ns=5))
        worker.offer(item(3, run=7, sequence=3, start_ns=5))
        sink.wait_until(lambda: sink.taken == ["7.1", "7F"])
    for _ in range(2):
        shown, sink = [], Sink()
        caplog.clear()
        with running(sink, state=tmp_path, make_visible=lambda i: shown.append(i.version)) as worker:  # noqa: B023
            worker.offer(item(1, run=7, sequence=1, start_ns=5))
            worker.offer(item(2, run=7, sequence=2, final=True, start_ns=5))
            worker.offer(item(3, run=7, sequence=1, start_ns=6))
            sink.wait_until(lambda: sink.taken == ["7.1"])  # noqa: B023
            until(lambda: 3 in shown)  # noqa: B023
        assert messages(caplog) == [
            "Run 7 was published to its end before: what is made of it now is shown and not sent to sink0."
        ]


def test_a_run_that_waits_for_one_sink_is_sent_to_that_one_only_and_once(tmp_path, caplog):
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        worker.offer(item(1, run=7, final=True, start_ns=5))
    (tmp_path / "published.json").unlink()
    one, two = Sink(), Sink()
    one.gate.clear()
    with running(one, two, state=tmp_path) as worker:
        worker.offer(item(1, run=7, sequence=1, start_ns=5))
        worker.offer(item(2, run=7, final=True, start_ns=5))
        two.wait_until(lambda: "7F" in two.taken)
        one.gate.set()
        one.wait_until(lambda: one.taken)
    assert one.taken == ["7F"]
    assert (
        "Run 7 was published to its end before: what is made of it now is shown and not sent to sink0."
        in messages(caplog)
    )


def test_a_run_that_could_not_be_kept_counts_as_published_when_all_have_taken_it(tmp_path):
    (tmp_path / "unsent").mkdir()
    (tmp_path / "unsent" / "sink1").write_text("in the way")
    one, two = Sink(), Sink()
    two.gate.clear()
    with running(one, two, state=tmp_path) as worker:
        worker.offer(item(1, run=7, final=True, start_ns=5))
        one.wait_until(lambda: one.taken)
        worker.offer(item(2, run=8, final=True, start_ns=5))
        one.wait_until(lambda: len(one.taken) == 2)
        assert not (tmp_path / "published.json").exists()
        two.gate.set()
        two.wait_until(lambda: len(two.taken) == 2)
    assert '"runs": [[7, 5], [8, 5]]' in (tmp_path / "published.json").read_text()


def test_finals_of_a_sink_that_is_not_configured_any_more_are_told_of_once(tmp_path, caplog):
    with running(Sink(), down(), state=tmp_path, backoff=PATIENT) as worker:
        for run in (1, 2):
            worker.offer(item(run, run=run, final=True))
    caplog.clear()
    with running(Sink(), state=tmp_path):
        pass
    assert messages(caplog) == [
        "2 final results of earlier sessions wait for the sink sink1, which is not configured any more: configure it "
        "again, or drop what waits with: livered unsent drop --all --sink sink1"
    ]
    assert unsent(tmp_path) == [("sink1", 1), ("sink1", 2)]


def test_a_second_engine_on_the_same_folder_keeps_its_finals_in_memory(tmp_path, caplog):
    one, two = Sink(), Sink()
    with running(one, state=tmp_path), running(two, state=tmp_path) as second:
        second.offer(item(1, run=1, final=True))
        two.wait_until(lambda: two.taken == ["1F"])
    assert (
        len([line for line in messages(caplog) if "Another livered of yours keeps the unsent" in line]) == 1
    )


def test_what_waits_in_a_folder_that_was_another_engines_is_sent_when_that_one_has_ended(tmp_path):
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        worker.offer(item(1, run=1, final=True))
        until(lambda: unsent(tmp_path) == [("sink0", 1)])
    other = Outbox(lambda: tmp_path)
    other.open()
    sink = Sink()
    with running(sink, state=tmp_path) as worker:
        worker.offer(item(1, run=2, final=True))
        sink.wait_until(lambda: sink.taken == ["2F"])
        other.close()
        worker.offer(item(2, run=3, final=True))
        sink.wait_until(lambda: len(sink.taken) == 3)
        until(lambda: unsent(tmp_path) == [])
    assert sink.taken == ["2F", "1F", "3F"]


def test_results_that_one_sink_has_taken_are_not_kept_in_memory_for_another_that_is_down(tmp_path):
    good, seen = Sink(), []
    gc.disable()
    try:
        with running(down(), good, state=tmp_path, backoff=PATIENT) as worker:

            def offer(published):
                seen.append(weakref.ref(published.result))
                worker.offer(published)

            for version in range(1, 11):
                offer(item(version, run=version, final=True))
            until(lambda: [status.unsent_finals for status in worker.status()] == [10, 0])
            for version in range(11, 21):
                offer(item(version, run=99, sequence=version))
            good.wait_until(lambda: good.taken[-1] == "99.20")
            # The first of the finals and the newest result are what the sink is offered next.
            until(lambda: sum(result() is not None for result in seen) <= 2)
    finally:
        gc.enable()


def test_a_final_whose_file_cannot_be_read_blocks_nothing(tmp_path, caplog):
    clock = ManualClock()
    with running(down(), state=tmp_path, backoff=PATIENT) as worker:
        for run in (1, 2):
            worker.offer(item(run, run=run, final=True))
        until(lambda: unsent(tmp_path) == [("sink0", 1), ("sink0", 2)])
    first = min((tmp_path / "unsent" / "sink0").iterdir())
    first.unlink()
    first.mkdir()
    sink = Sink()
    with running(sink, state=tmp_path, clock=clock) as worker:
        for sequence in (1, 2, 3):
            clock.expect_pause(SINK, KEPT_WITHIN_S)
            worker.offer(item(sequence, run=3, sequence=sequence))
            sink.wait_until(lambda sequence=sequence: len(sink.taken) >= sequence)
            if sequence < 3:
                clock.expect_pause(SINK, KEPT_WITHIN_S)
                clock.advance(KEPT_WITHIN_S)
        sink.wait_until(lambda: len(sink.taken) == 4)
    assert sink.taken == ["3.1", "3.2", "3.3", "2F"]
    assert [
        message for message in messages(caplog) if "final result of run 1: that one is set aside" in message
    ]
    assert (
        len([message for message in messages(caplog) if "run 1 for the sink sink0 cannot be read" in message])
        == 1
    )
    assert first.is_dir()


class FinalsOnly(Sink):
    """Writes final results only, as the files do, to a disk that may be full."""

    full = True
    refusal: Exception = SinkUnavailable("The disk is full.")

    @hookimpl
    def post_publish(self, result, run, update):
        self.nothing_due = "" if update.final else f"{run.number}.{update.sequence}"
        self.errors = [self.refusal] if update.final and self.full else []
        return super().post_publish(result, run, update)


def test_updates_that_a_sink_has_nothing_to_do_with_do_not_set_a_final_aside(tmp_path, caplog):
    sink = FinalsOnly()
    with running(sink, state=tmp_path) as worker:
        worker.offer(item(1, run=1, final=True))
        for sequence in range(1, 6):
            worker.offer(item(1 + sequence, run=2, sequence=sequence))
            sink.wait_until(lambda sequence=sequence: f"2.{sequence}" in sink.tried)
            n_tried = sink.tried.count("1F")
            sink.wait_until(lambda n_tried=n_tried: sink.tried.count("1F") > n_tried)
            assert worker.status()[0].last_error.endswith("The disk is full.")
        sink.full = False
        sink.wait_until(lambda: sink.taken == ["1F"])
        until(lambda: worker.status()[0].last_error == "")
    assert not [message for message in messages(caplog) if "set aside" in message]


def test_updates_that_a_sink_has_nothing_to_do_with_show_nothing_of_the_other_side(tmp_path, caplog):
    """As a chat that is told of final results only, and whose server refuses them."""
    clock, sink = ManualClock(), FinalsOnly()
    sink.refusal = SinkRejected("wrong password")
    with running(sink, state=tmp_path, clock=clock) as worker:
        worker.offer(item(1, run=1, final=True))
        sink.wait_until(lambda: sink.tried == ["1F"])
        worker.offer(item(2, run=2, sequence=1))
        sink.wait_until(lambda: sink.tried == ["1F", "2.1"])
        clock.expect_pause(SINK, IDLE)
        (status,) = worker.status()
        assert (status.delivered, status.refused, status.unsent_finals) == (0, 1, 1)
        assert status.last_error.endswith("wrong password")
        sink.full = False
        worker.offer(item(3, run=2, final=True))
        sink.wait_until(lambda: sink.taken == ["2F", "1F"])
        until(lambda: worker.status()[0].last_error == "")
    assert sink.tried == ["1F", "2.1", "2F", "1F"]


def test_a_final_that_fails_does_not_hold_up_those_of_a_sink_that_takes_no_updates(tmp_path):
    sink = FinalsOnly()
    sink.full, sink.poison = False, "1F"
    with running(sink, state=tmp_path) as worker:
        worker.offer(item(1, run=1, final=True))
        worker.offer(item(2, run=2, final=True))
        for sequence in (1, 2, 3):
            worker.offer(item(2 + sequence, run=3, sequence=sequence))
            sink.wait_until(lambda sequence=sequence: f"3.{sequence}" in sink.tried)
        sink.wait_until(lambda: sink.taken == ["2F"])
        sink.poison = ""
        sink.wait_until(lambda: sink.taken == ["2F", "1F"])


@pytest.mark.parametrize(
    "error", [OSError("gone"), SinkUnavailable("gone")], ids=["any error", "unavailable"]
)
def test_a_sink_that_gives_no_receipts_does_not_fail_for_ever(error):
    sink = Sink()
    sink.errors, sink.nothing_due = [error], "1.2"
    with running(sink, backoff=Backoff(0.2, 0.2)) as worker:
        worker.offer(item(1, sequence=1))
        sink.wait_until(lambda: sink.tried)
        worker.offer(item(2, sequence=2))
        sink.wait_until(lambda: "1.2" in sink.tried)
        until(lambda: worker.status()[0].last_error == "" or isinstance(error, SinkUnavailable))
        assert bool(worker.status()[0].last_error) is isinstance(error, SinkUnavailable)


def test_a_sink_that_comes_back_late_is_not_sent_its_final_again(tmp_path):
    sink = Sink()
    sink.gate.clear()
    with running(sink, state=tmp_path, close=False) as worker:
        worker.offer(item(1, run=1, final=True))
        assert sink.entered.wait(WAIT)
        (sentence,) = worker.close(0.05)
        assert sentence.endswith("sent when livered starts again: it did not answer in time.")
        assert unsent(tmp_path) == [("sink0", 1)]
        sink.gate.set()
        until(lambda: ended(SINK))
        until(lambda: unsent(tmp_path) == [])


@pytest.mark.parametrize("number", [1, 3])
def test_threads_of_the_worker_end_with_it(tmp_path, number):
    before = set(threading.enumerate())
    with running(*(Sink() for _ in range(number)), state=tmp_path) as worker:
        worker.offer(item(1, final=True))
    assert set(threading.enumerate()) == before
