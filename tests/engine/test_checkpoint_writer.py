from __future__ import annotations

import logging
import threading
import time

import attrs
import numpy as np
import pytest

from checkpoint_support import FINGERPRINT, Plain, checkpoint, livered_alone, same
from livered_core.engine.checkpoint_writer import CheckpointStatus, CheckpointWriter
from livered_core.errors import ConfigError
from livered_core.reduction.checkpoint_codec import NotStorable, encode
from livered_core.reduction.checkpoint_store import CheckpointStore, CheckpointTooLarge
from waiting import until


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.time = 100.0

    def now_ns(self):
        return int(self.time * 1e9)

    def monotonic(self):
        return self.time

    def wait(self, event, timeout):
        return event.wait(timeout)


class Store:
    """Writes down what is done, takes as long as it is told, and fails as it is told."""

    def __init__(self, clock):
        self.clock = clock
        self.done = []
        self.takes_s = 0.0
        self.failure = None
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()

    def save(self, item):
        self.began.set()
        self.gate.wait(20)
        self.clock.time += self.takes_s
        if self.failure is not None:
            raise self.failure
        self.done.append(item.state.accumulated)
        return 1000

    def clear(self):
        self.gate.wait(20)
        self.done.append("cleared")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(clock):
    return Store(clock)


@pytest.fixture
def writer(store, clock):
    made = CheckpointWriter(store, clock, 30.0)
    yield made
    store.gate.set()
    made.close(None, 20)


def rest(writer):
    """Wait until there is nothing left to do."""
    until(writer._idle.is_set)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "livered-checkpoint"]


def test_it_is_due_at_once_and_then_after_its_time(writer, clock):
    assert writer.due(clock.monotonic())
    writer.offer(checkpoint("a"))
    rest(writer)
    assert not writer.due(clock.monotonic() + 29.9)
    assert writer.due(clock.monotonic() + 30.0)


def test_none_is_due_while_one_is_written(writer, store, clock):
    store.gate.clear()
    writer.offer(checkpoint("a"))
    assert not writer.due(clock.monotonic() + 1000)
    store.began.wait(20)
    assert not writer.due(clock.monotonic() + 1000)
    store.gate.set()
    rest(writer)
    assert writer.due(clock.monotonic() + 1000)


def test_no_more_than_a_twentieth_of_the_time_is_spent(writer, store, clock):
    store.takes_s = 10.0
    begun = clock.monotonic()
    writer.offer(checkpoint("a"))
    rest(writer)
    ended = clock.monotonic()
    assert ended - begun == 10.0
    assert not writer.due(ended + 189.9)
    assert writer.due(ended + 190.1)


def test_a_failure_takes_its_time_too(writer, store, clock):
    store.takes_s, store.failure = 10.0, OSError(28, "No space left on device")
    writer.offer(checkpoint("a"))
    rest(writer)
    assert not writer.due(clock.monotonic() + 189.9)
    assert writer.due(clock.monotonic() + 190.1)


def test_the_latest_wins(writer, store):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    for number, name in enumerate("bcd", 2):
        writer.offer(checkpoint(name, number))
    store.gate.set()
    rest(writer)
    assert store.done == ["a", "d"]
    assert writer.status().written == 2


def test_offering_does_not_wait_for_the_disk(writer, store):
    store.gate.clear()
    begun = time.monotonic()
    for number in range(100):
        writer.offer(checkpoint(number, number))
    assert time.monotonic() - begun < 5
    assert store.done == []


def test_the_status_says_what_is_on_the_disk(writer, store, clock):
    assert writer.status() == CheckpointStatus()
    store.takes_s = 2.0
    writer.offer(checkpoint("a", made_ns=77))
    rest(writer)
    assert writer.status() == CheckpointStatus(77, 1000, 2.0, 1, "")
    store.failure = OSError(28, "No space left on device")
    writer.offer(checkpoint("b", made_ns=99))
    rest(writer)
    status = writer.status()
    assert (status.made_ns, status.written) == (77, 1)
    assert status.problem == (
        "Checkpoints cannot be kept, so a run may be replayed from its start after a crash: No space left on device."
    )
    store.failure = None
    writer.offer(checkpoint("c", made_ns=111))
    rest(writer)
    assert writer.status() == CheckpointStatus(111, 1000, 2.0, 2, "")


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        (
            [OSError(28, "No space left on device", f"/x/{n}") for n in range(3)],
            "Checkpoints cannot be kept, so a run may be replayed from its start after a crash: No space left on device.",
        ),
        ([CheckpointTooLarge(f"It has {n} bytes.") for n in range(3)], "It has 0 bytes."),
        (
            [ConfigError("There is no home.")] * 3,
            "Checkpoints cannot be kept, so a run may be replayed from its start after a crash: There is no home.",
        ),
        (
            [ZeroDivisionError("oh")] * 3,
            "Checkpoints cannot be kept, so a run may be replayed from its start after a crash: ZeroDivisionError: oh.",
        ),
    ],
    ids=["disk", "size", "folder", "bug"],
)
def test_a_problem_is_said_once_and_so_is_its_end(writer, store, caplog, failures, said):
    caplog.set_level(logging.INFO)
    for failure in [*failures, None, None]:
        store.failure = failure
        writer.offer(checkpoint("a"))
        rest(writer)
    assert [record.getMessage() for record in caplog.records] == [said, "Checkpoints are kept again."]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert (caplog.records[0].exc_info is not None) == isinstance(failures[0], ZeroDivisionError)


def test_another_problem_is_said_too(writer, store, caplog):
    for failure in (OSError(28, "No space left on device"), OSError(5, "Input/output error")):
        store.failure = failure
        writer.offer(checkpoint("a"))
        rest(writer)
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "No space left on device.",
        "Input/output error.",
    ]


def test_what_cannot_be_held_is_said_once_and_not_tried_again(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    writer = CheckpointWriter(CheckpointStore(tmp_path), clock, 30.0)
    for _ in range(3):
        writer.offer(checkpoint({"a": Plain()}))
        rest(writer)
        assert not writer.due(clock.monotonic() + 29)
        assert writer.due(clock.monotonic() + 31)
    (record,) = caplog.records
    assert record.getMessage() == (
        'A checkpoint cannot hold accumulated["a"]: it is a checkpoint_support.Plain. Hold numpy arrays, numbers, '
        "texts, lists, dictionaries, attrs classes and dataclasses instead. Until then a run is replayed from its "
        "start after a crash."
    )
    writer.offer(checkpoint([1]))
    rest(writer)
    assert writer.status().written == 1
    writer.offer(checkpoint({"a": 1}))
    rest(writer)
    assert writer.status().written == 2, "another type had come in between"
    assert writer.close(checkpoint({"a": Plain()}, 9), 20) is False


def test_a_run_that_can_be_held_is_tried_after_one_that_cannot(writer, store):
    store.failure = NotStorable("x", "accumulated", "a x")
    writer.offer(checkpoint({"a": 1}))
    rest(writer)
    store.failure = None
    writer.offer(checkpoint({"a": 2}))
    rest(writer)
    assert store.done == []
    writer.offer(checkpoint({"a": 3}, run=8))
    rest(writer)
    assert store.done == [{"a": 3}]


def test_closing_writes_the_last_one_and_ends_the_thread(writer, store):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    writer.offer(checkpoint("b", 2))
    store.gate.set()
    assert writer.close(checkpoint("c", 3), 20) is True
    assert store.done in (["a", "c"], ["a", "b", "c"])
    assert threads() == []
    writer.offer(checkpoint("d", 4))
    writer.clear()
    assert writer.close(checkpoint("e", 5), 20) is True
    assert store.done[-1] == "c"


def test_closing_does_not_write_again_what_is_on_the_disk(writer, store):
    last = checkpoint("a")
    writer.offer(last)
    rest(writer)
    assert writer.close(last, 20) is True
    assert store.done == ["a"]


def test_closing_writes_what_waits(writer, store):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    writer.offer(checkpoint("b", 2))
    closing = threading.Thread(target=writer.close, args=(None, 20))
    closing.start()
    store.gate.set()
    closing.join(20)
    assert store.done == ["a", "b"]


def test_nothing_was_ever_offered(writer):
    assert writer.close(None, 20) is True
    assert threads() == []


def test_a_failure_at_the_end_is_told(writer, store):
    store.failure = OSError(28, "No space left on device")
    assert writer.close(checkpoint("a"), 20) is False


def test_a_hanging_disk_is_left_behind(writer, store, caplog):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    assert writer.close(checkpoint("b", 2), 0.05) is False
    (record,) = caplog.records
    assert record.getMessage() == (
        "The disk has not taken the last checkpoint within 0.05 s: the run goes on from an older one, or is replayed "
        "from its start."
    )
    (thread,) = threads()
    assert thread.daemon
    store.gate.set()
    thread.join(20)


def test_a_folder_that_somebody_else_has_is_left_alone(writer, store, clock):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    writer.offer(checkpoint("b", 2))
    writer.abandon()
    writer.offer(checkpoint("c", 3))
    writer.clear()
    assert not writer.due(clock.monotonic() + 1000)
    store.gate.set()
    assert writer.close(checkpoint("d", 4), 20) is True
    assert store.done == ["a"]
    assert threads() == []


def test_clearing_comes_after_what_is_written_and_takes_away_what_waits(writer, store):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    writer.offer(checkpoint("b", 2))
    writer.clear()
    store.gate.set()
    rest(writer)
    assert store.done == ["a", "cleared"]


def test_the_next_run_comes_after_the_clearing(writer, store):
    store.gate.clear()
    writer.offer(checkpoint("a", 1))
    store.began.wait(20)
    writer.clear()
    writer.offer(checkpoint("next", 2, run=8))
    store.gate.set()
    rest(writer)
    assert store.done == ["a", "cleared", "next"]


def test_what_was_written_is_not_held_in_memory(writer, store):
    @attrs.define(eq=False)
    class Big:
        alive = 0

        def __attrs_post_init__(self):
            Big.alive += 1

        def __del__(self):
            Big.alive -= 1

    store.save = lambda item: 1
    writer.offer(checkpoint(Big()))
    rest(writer)
    assert Big.alive == 0


@pytest.mark.parametrize(
    "held", [lambda counts: counts, lambda counts: {"a": counts}], ids=["array", "table"]
)
def test_a_plugin_that_adds_in_place_does_not_change_what_is_written(clock, held):
    """It breaks the contract; the array of a checkpoint that waits must not grow all the same."""
    store = Store(clock)
    writer = CheckpointWriter(store, clock, 30.0)
    counts = np.zeros(3)
    accumulated = held(counts)
    for number in (1, 2):
        counts += 1
        writer.offer(checkpoint(accumulated, number))
        rest(writer)
    store.gate.clear()
    counts += 1
    writer.offer(checkpoint(accumulated, 3))
    counts += 100
    store.gate.set()
    rest(writer)
    assert same(store.done[-1], held(np.full(3, 3.0)))
    writer.close(None, 20)


def test_a_new_object_is_not_copied(writer, store):
    first, second = np.zeros(3), np.ones(3)
    writer.offer(checkpoint(first, 1))
    rest(writer)
    writer.offer(checkpoint(second, 2))
    rest(writer)
    assert store.done[0] is first
    assert store.done[1] is second


def test_with_a_real_store(tmp_path, clock):
    store = CheckpointStore(tmp_path)
    writer = CheckpointWriter(store, clock, 30.0)
    counts = np.arange(1000)
    writer.offer(checkpoint(counts, 1))
    assert writer.close(checkpoint(counts + 1, 2), 20) is True
    found = store.load(FINGERPRINT, livered_alone).checkpoint
    assert found.state.accumulated.tolist() == (counts + 1).tolist()
    assert writer.status().bytes > sum(len(piece) for piece in encode(counts))
    writer = CheckpointWriter(store, clock, 30.0)
    writer.clear()
    assert writer.close(None, 20) is True
    assert store.load(FINGERPRINT, livered_alone).checkpoint is None
