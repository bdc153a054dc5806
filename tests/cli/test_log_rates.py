from __future__ import annotations

import gc
import logging
import re
import threading
import weakref

import pytest

from livered_core.cli.log_rates import MOST_KINDS, PLACE_FACTOR, TRACE_AGAIN_S, WINDOW_S, RateLimit
from livered_core.cli.logs import LogFormatter, message_lines, start_logging
from livered_core.clocks import SystemClock
from livered_core.config import LogConfig


class Hand(SystemClock):
    """A clock that a test sets."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        return self.now_s


class Written(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
        self.setFormatter(LogFormatter())

    def emit(self, record):
        self.lines.append(self.format(record).partition(": ")[2])


class Limited:
    """Two handlers, as the file and the screen, behind one limit of three lines."""

    def __init__(self, most=3):
        self.clock = Hand()
        self.later = []
        self.limit = RateLimit(
            most, message_lines, self.clock, lambda after_s, call: self.later.append((after_s, call))
        )
        self.handlers = [Written(), Written()]
        self.log = logging.getLogger("livered_core.tests.rates")
        self.log.propagate = False
        self.log.setLevel(logging.DEBUG)
        for handler in self.handlers:
            handler.addFilter(self.limit)
            self.log.addHandler(handler)

    @property
    def lines(self):
        one, other = (handler.lines for handler in self.handlers)
        assert one == other
        return one

    def go_on(self, seconds):
        """Let time go by, and call what was to be called."""
        self.clock.now_s += seconds
        due, self.later = self.later, []
        for _, call in due:
            call()


@pytest.fixture
def limited():
    made = Limited()
    yield made
    for handler in made.handlers:
        made.log.removeHandler(handler)
    made.log.propagate = True


def test_lines_that_differ_in_digits_only_are_counted_beyond_some(limited):
    for number in range(415):
        limited.log.warning("Pulse %d of %s", number, "0xdeadbeef")
    assert limited.lines == [f"Pulse {number} of 0xdeadbeef" for number in range(3)]
    limited.go_on(WINDOW_S)
    summary = "412 more lines like those before were left out within 60 s, the last: Pulse 414 of 0xdeadbeef"
    assert limited.lines[3:] == [summary]
    limited.log.warning("Pulse %d of %s", 500, "0xdeadbeef")
    assert limited.lines[4:] == ["Pulse 500 of 0xdeadbeef"]
    assert not limited.later


def test_the_count_of_a_later_flood_is_said_when_its_own_minute_is_over(limited):
    for text in ("a", "b"):
        for _ in range(5):
            limited.log.error(text)
        limited.clock.now_s += 40.0
    limited.go_on(0.0)
    assert [line[-1] for line in limited.lines if line.startswith("2 more")] == ["a"]
    limited.go_on(WINDOW_S)
    assert [line[-1] for line in limited.lines if line.startswith("2 more")] == ["a", "b"]
    assert not limited.later


def test_the_count_is_said_before_the_next_line_where_nobody_has_called(limited):
    for _ in range(5):
        limited.log.error("again")
    limited.clock.now_s += WINDOW_S
    limited.log.error("another")
    assert [line[:7] for line in limited.lines] == ["again"] * 3 + ["2 more ", "another"]


def test_other_lines_other_severities_and_other_minutes_are_not_the_same(limited):
    for minute in range(3):
        for _ in range(3):
            limited.log.error("a")
            limited.log.warning("a")
            limited.log.error("b %s", "x")
            limited.log.error("b %s", "y")
        limited.go_on(WINDOW_S)
        assert len(limited.lines) == 12 * (minute + 1)


def test_what_is_left_out_is_not_held_for_its_traceback_may_hold_a_chunk(limited):
    held = []
    for _ in range(5):
        record = logging.LogRecord("livered_core.x", logging.ERROR, "x.py", 1, "It %s", ("broke",), None)
        assert limited.limit.filter(record) == (len(held) < 3)
        held.append(weakref.ref(record))
    del record
    gc.collect()
    assert [reference() for reference in held] == [None] * 5


def test_one_place_cannot_flood_the_log_with_ever_other_lines(limited):
    texts = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(5000)]
    for text in texts:
        limited.log.error("odd: %s", text)
    assert len(limited.lines) == 3 * PLACE_FACTOR
    limited.limit.flush()
    assert limited.lines[-1].startswith(f"{5000 - 3 * PLACE_FACTOR} more lines")


def test_what_is_remembered_is_bounded_and_every_line_is_written_or_counted(limited):
    number = 0
    for kind in range(2 * MOST_KINDS):
        name = "".join(chr(97 + int(digit)) for digit in str(kind))
        for _ in range(5):
            number += 1
            limited.log.handle(
                limited.log.makeRecord(limited.log.name, 30, f"{name}.py", kind, name, (), None)
            )
    assert len(limited.limit._windows) <= MOST_KINDS
    limited.limit.flush()
    counts = [int(found[1]) for line in limited.lines if (found := re.match(r"(\d+) more line", line))]
    assert len(limited.lines) - len(counts) + sum(counts) == number


def test_a_traceback_that_was_written_is_referred_to_until_a_day_later(limited):
    def fail(text="Traceback\n  line 5\nValueError: 0x1234"):
        limited.log.error("%s\n%s", "It broke.", text)
        limited.go_on(WINDOW_S)

    fail()
    fail("Traceback\n  line 5\nValueError: 0x9999")
    fail("Traceback\n  line 5\nOther")
    first, again, other = limited.lines
    assert "line 5" in first
    assert re.search(
        r"It broke\.\n    \(the traceback is the same as at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)", again
    )
    assert "Other" in other
    limited.clock.now_s += TRACE_AGAIN_S
    fail()
    assert limited.lines[-1] == first


def test_no_limit_and_nothing_that_is_critical(limited):
    for _ in range(50):
        limited.log.critical("x")
    assert len(limited.lines) == 50
    limited.limit._most = 0
    for _ in range(50):
        limited.log.error("x")
    assert len(limited.lines) == 100


def test_many_threads_lose_nothing(limited):
    def write():
        for _ in range(500):
            limited.log.error("the same")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    limited.limit.flush()
    assert sorted(line[:9] for line in limited.handlers[0].lines) == ["3997 more"] + 3 * ["the same"]


def test_the_end_says_what_was_counted(tmp_path):
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        start_logging(LogConfig(file=tmp_path / "l", rate=2), [], lambda _: None, logging.ERROR)
        for _ in range(9):
            logging.getLogger("livered_core.x").error("the same")
        for handler in set(root.handlers) - set(before):
            handler.close()
        assert "7 more lines like those before were left out" in (tmp_path / "l").read_text()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("livered_core").setLevel(logging.NOTSET)
