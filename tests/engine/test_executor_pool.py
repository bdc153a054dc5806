"""Blocks on workers: who gets which, and what becomes of those that a worker is lost with."""

from __future__ import annotations

import attrs
import pytest

from executor_support import Bench, Counter, CounterSettings, FakeCrew, chunk, info, run_info
from livered_core import RunEndReason
from livered_core.engine.executors.order import OrderMaker
from livered_core.engine.executors.reducer import Reducer
from livered_core.hooks.elsewhere import Answer
from livered_core.model import HookFailure


def begun(n=2, **how):
    bench = Bench(FakeCrew.of(n), **how)
    bench.pool.begin(run_info())
    return bench, bench.pool, bench.crew.all


def test_a_worker_has_one_and_another_on_the_way():
    _, pool, workers = begun(2)
    for sequence in range(1, 5):
        assert not pool.is_full
        pool.send(chunk(sequence), run_info())
    assert pool.is_full
    assert [worker.seen for worker in workers] == [[1, 3], [2, 4]]


def test_what_is_not_done_is_not_taken():
    _, pool, workers = begun()
    assert pool.take(wait=False) is None
    assert pool.take(wait=True) is None
    pool.send(chunk(1), run_info())
    assert pool.take(wait=False) is None
    workers[0].finish()
    done = pool.take(wait=False)
    assert (done.chunk.sequence, done.answer.answered_by, done.answer.failure) == (1, "count", None)
    assert pool.take(wait=False) is None


def test_a_lost_workers_blocks_are_sent_again_once_each_and_give_one_answer_each(caplog):
    _, pool, (first, second) = begun(2)
    for sequence in (1, 2, 3):
        pool.send(chunk(sequence), run_info())
    first.lose()
    taken = []
    while (done := pool.take(wait=True)) is not None:
        taken.append(done.chunk.sequence)
    assert taken == [1, 2, 3]
    assert pool.counts.sent_again == 2
    assert sorted(first.seen + second.seen) == [1, 1, 2, 3, 3]
    assert "A worker is lost with chunk 1, which is sent again: killed" in caplog.text


def test_the_answer_of_a_worker_that_was_taken_for_lost_comes_to_nobody():
    _, pool, (first, second) = begun(2)
    pool.send(chunk(1), run_info())
    ((*_, late),) = first.out
    first.is_there = False
    assert pool.take(wait=False) is None
    assert late.cancelled()
    assert second.seen == [1]
    second.finish()
    assert pool.take(wait=False).chunk.sequence == 1
    assert pool.take(wait=True) is None


def test_a_block_that_a_worker_was_lost_with_is_alone_with_the_next():
    _, pool, (first, second) = begun(2)
    for sequence in (1, 2, 3):
        pool.send(chunk(sequence), run_info())
    first.lose()
    assert pool.take(wait=False) is None
    pool.send(chunk(4), run_info())
    # The third would be the second one of a worker, and the fourth may be that of one which has no suspect.
    assert [[sent[1].sequence for sent in worker.out] for worker in (first, second)] == [[1], [2, 4]]
    first.finish()
    assert pool.take(wait=False).chunk.sequence == 1
    assert [sent[1].sequence for sent in first.out] == [3]


@attrs.frozen
class Loses:
    """What a worker comes to that should finish its block."""

    worker: object

    def finish(self):
        self.worker.lose()


def test_a_block_that_ends_each_worker_is_dropped_as_the_plugins_failure_and_takes_no_other_with_it():
    bench, pool, workers = begun(2)
    poison = 1

    def choose(busy):
        for worker in busy:
            if any(sent[1].sequence == poison for sent in worker.out):
                return Loses(worker)
        return busy[0]

    bench.choose = choose
    for sequence in (1, 2, 3, 4):
        pool.send(chunk(sequence), run_info())
    answers = {}
    while (done := pool.take(wait=True)) is not None:
        answers[done.chunk.sequence] = done.answer
    failure = answers[1].failure
    assert (failure.plugin, failure.hook, failure.chunk_sequence) == ("count", "process_chunk", 1)
    assert "3 workers were lost with it" in failure.error
    assert [answers[sequence].failure for sequence in (2, 3, 4)] == [None, None, None]
    # Block 3 was with the first worker; after that the poison was alone.
    assert sorted(sequence for worker in workers for sequence in worker.seen) == [1, 1, 1, 2, 3, 3, 4]
    assert (pool.counts.given_up, pool.counts.sent_again) == (1, 3)


def test_without_a_worker_it_waits_and_says_so_once(caplog):
    bench, pool, workers = begun(1)
    caplog.set_level("INFO")
    workers[0].is_there = False
    pool.send(chunk(1), run_info())
    assert pool.counts.no_workers

    def come():
        if bench.paused == 3:
            workers[0].is_there = True

    bench.meanwhile = come
    assert pool.take(wait=True).chunk.sequence == 1
    assert not pool.counts.no_workers
    assert caplog.text.count("There is no worker at nowhere: the reduction waits until one comes.") == 1
    assert caplog.text.count("There are workers at nowhere again") == 1


def test_one_that_may_not_be_sent_is_the_plugins_failure():
    class Forgets(Counter):
        def save_state(self):
            raise OSError("the disk is gone")

        def restore_state(self, state):
            pass

    bench = Bench(FakeCrew.of(1), instance=Forgets())
    bench.pool.begin(run_info())
    bench.pool.send(chunk(3), run_info())
    failure = bench.pool.take(wait=True).answer.failure
    assert (failure.hook, failure.chunk_sequence) == ("save_state", 3)
    assert bench.crew.all[0].seen == []


def test_forgotten_blocks_are_given_back():
    _, pool, workers = begun(1)
    for sequence in (1, 2, 3):
        pool.send(chunk(sequence), run_info())
    assert [each.sequence for each in pool.forget()] == [1, 2, 3]
    assert all(sent[3].cancelled() for sent in workers[0].out)
    assert pool.counts.in_flight == 0


@pytest.mark.parametrize("reason", [RunEndReason.ENDED, RunEndReason.SESSION_STOPPED], ids=lambda r: r.value)
def test_the_end_of_a_run_waits_for_all(reason):
    bench = Bench(FakeCrew.of(2), CounterSettings())
    bench.pipeline.run_began(run_info())
    for sequence in (1, 2, 3):
        bench.pipeline.take_chunk(chunk(sequence))
    bench.pipeline.run_ended(reason)
    assert bench.published[-1][2].n_chunks == 3


class Other:
    """A worker on which something else is installed."""

    def process(self, order, chunk, run):
        failure = HookFailure("count", "1", "process_chunk", "it is another one", "", chunk.sequence, 1)
        return Answer(failure=failure, refused=True)


def test_a_worker_that_refuses_a_run_gets_none_of_its_chunks_and_none_is_lost(caplog):
    bench, pool, (first, second) = begun(2)
    first.reducer = Other()
    for sequence in range(1, 9):
        while pool.is_full:
            pool.take(wait=True)
        pool.send(chunk(sequence), run_info())
        while pool.take(wait=False) is not None:
            pass
        for worker in bench.crew.busy():
            worker.finish()
    answers = []
    while (done := pool.take(wait=True)) is not None:
        answers.append(done.answer.failure)
    assert not any(answers)
    assert sorted(second.seen) == list(range(1, 9))
    assert len(first.seen) <= 2
    assert caplog.text.count("Worker worker 0 gets no chunks of this run: it is another one") == 1
    assert pool.counts.sent_again == 0
    # It may be mended for the next.
    pool.begin(run_info())
    pool.send(chunk(9), run_info())
    assert first.seen[-1] == 9


def test_where_all_refuse_each_chunk_is_a_failure_with_the_reason():
    _, pool, workers = begun(2)
    for worker in workers:
        worker.reducer = Other()
    for sequence in (1, 2, 3):
        pool.send(chunk(sequence), run_info())
    failures = [pool.take(wait=True).answer.failure for _ in range(3)]
    assert [(failure.error, failure.chunk_sequence) for failure in failures] == [
        ("it is another one", 1),
        ("it is another one", 2),
        ("it is another one", 3),
    ]


def test_where_one_was_right_it_is_waited_for_another():
    bench, pool, (first, second) = begun(2)
    first.reducer = Other()
    for sequence in (1, 2):
        pool.send(chunk(sequence), run_info())
    for worker in (second, first):
        worker.finish()
    assert pool.take(wait=False) is None
    second.finish() if second.out else None
    second.is_there = False
    pool.send(chunk(3), run_info())
    assert pool.counts.no_workers
    bench.meanwhile = lambda: setattr(second, "is_there", bench.paused > 2)
    failures = []
    while (done := pool.take(wait=True)) is not None:
        failures.append(done.answer.failure)
    assert failures == [None, None, None]


def test_why_a_worker_refuses_is_said_in_each_run():
    bench = Bench(FakeCrew.of(1))
    other = OrderMaker(
        "s", bench.hooks, dict, lambda: {"count": None}, lambda: attrs.evolve(info(), livered_version="0.0")
    )
    reducer = Reducer()
    for _ in range(2):
        answer = reducer.process(other(run_info()), chunk(1), run_info())
        assert answer.refused
        assert answer.failure.error.startswith("livered-core is ")
        assert answer.failure.error.endswith("0.0 where livered runs: install the same version there.")
