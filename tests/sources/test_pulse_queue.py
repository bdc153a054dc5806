"""The queue between the reader and the reduction: order, bounds, and who is woken when."""

import threading
from itertools import islice

import numpy as np
import pytest

from livered_core.chunking.items import Pulse, weight
from livered_core.sources.pulse_queue import PulseQueue
from waiting import WAIT, until


def pulse(number, n=60):
    return Pulse(number, 1.0, 0, np.zeros(n, np.uint32), np.zeros(n, np.uint32))


WEIGHT = weight(pulse(0))


class Woken:
    """Counts how often a queue wakes whoever waits."""

    def __init__(self, queue):
        self.times = 0
        self._notify = queue._condition.notify_all
        queue._condition.notify_all = self.notify

    def notify(self):
        self.times += 1
        self._notify()


class Putting(threading.Thread):
    """A reader that puts items at once, and what it was told."""

    def __init__(self, queue, items):
        super().__init__(daemon=True)
        self.queue, self.items, self.wanted = queue, items, None
        self.start()

    def run(self):
        self.wanted = self.queue.put(self.items)

    def answer(self):
        self.join(WAIT)
        assert not self.is_alive()
        return self.wanted


def test_what_nobody_waits_for_wakes_nobody():
    queue = PulseQueue(10 * WEIGHT)
    woken = Woken(queue)
    assert queue.put([pulse(1), pulse(2)])
    assert (queue.n_items, queue.n_events) == (2, 120)
    assert [queue.get(0.0).time_ns, queue.get(0.0).time_ns, queue.get(0.0)] == [1, 2, None]
    assert (queue.n_items, queue.n_events, woken.times) == (0, 0, 0)


def test_a_reader_that_waited_goes_on_when_a_quarter_is_free():
    queue = PulseQueue(8 * WEIGHT)
    reader = Putting(queue, [pulse(number) for number in range(12)])
    until(lambda: queue._reader_waits)
    woken = Woken(queue)
    assert queue.n_items == 8
    queue.get(0.0)
    # One more would fit, and each one would be waited for.
    assert (queue.is_full, woken.times) == (False, 0)
    queue.get(0.0)
    assert woken.times == 1
    until(lambda: queue.n_items == 8)
    assert [queue.get(WAIT).time_ns for _ in range(10)] == list(range(2, 12))
    assert reader.answer() is True


@pytest.mark.parametrize("n", [7, 1000])
def test_an_item_of_any_size_fits_when_nothing_else_waits(n):
    queue = PulseQueue(100)
    reader = Putting(queue, [pulse(number, n) for number in range(50)])
    assert [queue.get(WAIT).time_ns for _ in range(50)] == list(range(50))
    assert reader.answer() is True


def test_the_reduction_is_woken_once_for_many_items():
    queue = PulseQueue(1000 * WEIGHT)
    got = []
    reduction = threading.Thread(target=lambda: got.append(queue.get(WAIT)), daemon=True)
    reduction.start()
    until(lambda: queue._reduction_waits)
    woken = Woken(queue)
    assert queue.put([pulse(number) for number in range(100)])
    reduction.join(WAIT)
    assert (got[0].time_ns, woken.times) == (0, 1)


def test_a_reader_that_waits_wakes_the_reduction_first():
    queue = PulseQueue(2 * WEIGHT)
    got = []
    reduction = threading.Thread(target=lambda: got.extend(queue.get(WAIT) for _ in range(9)), daemon=True)
    reduction.start()
    until(lambda: queue._reduction_waits)
    assert queue.put([pulse(number) for number in range(9)])
    reduction.join(WAIT)
    assert [each.time_ns for each in got] == list(range(9))


def test_closing_wakes_both_sides_and_what_waits_can_still_be_taken():
    queue = PulseQueue(2 * WEIGHT)
    reader = Putting(queue, [pulse(number) for number in range(3)])
    until(lambda: queue._reader_waits)
    queue.close()
    assert reader.answer() is False
    assert queue.put([pulse(9)]) is False
    assert [queue.get(WAIT).time_ns, queue.get(WAIT).time_ns, queue.get(WAIT)] == [0, 1, None]


def test_more_room_wakes_the_reader():
    queue = PulseQueue(2 * WEIGHT)
    reader = Putting(queue, [pulse(number) for number in range(3)])
    until(lambda: queue._reader_waits)
    queue.set_max_events(4 * WEIGHT)
    assert reader.answer() is True


def test_every_item_arrives_once_and_in_order_however_both_sides_run():
    queue = PulseQueue(5 * WEIGHT)
    numbers = iter(range(6000))
    batches = []
    while batch := [pulse(number) for number in islice(numbers, 1 + len(batches) % 13)]:
        batches.append(batch)
    least = []

    def read():
        for batch in batches:
            queue.put(batch)
            least.append(min(queue.n_events, queue._put_weight - queue._got_weight))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert [queue.get(WAIT).time_ns for _ in range(6000)] == list(range(6000))
    reader.join(WAIT)
    assert (queue.n_events, queue.n_items, queue.is_full) == (0, 0, False)
    assert min(least) >= 0
