from __future__ import annotations

import logging
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from livered_core.cli.screen import Screen, text
from livered_core.model.text import printable

WAIT = 20.0


class Terminal:
    """A pipe as a text stream; what was written is read at the end."""

    def __init__(self):
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding="utf-8")

    def written(self):
        self.stream.close()
        with os.fdopen(self.reading, encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def terminal():
    return Terminal()


@given(st.text(st.characters(codec=None)))
def test_text_for_the_screen_is_one_line_that_moves_nothing(anything):
    shown = text(anything).plain
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1
    assert len(printable(anything)) == len(anything)


def test_lines_come_in_order_and_the_last_things_last(terminal):
    screen = Screen(terminal.stream)
    for number in range(100):
        screen.line(f"line {number}\x1b[31m [bold]")
    assert screen.close((Text("last"),))
    screen.line("too late")
    assert terminal.written().splitlines() == [*(f"line {n} [31m [bold]" for n in range(100)), "last"]


def test_what_a_blocked_screen_does_not_take_is_counted(terminal):
    screen = Screen(terminal.stream, most_waiting=10)
    entered, go_on = threading.Event(), threading.Event()

    def blocked():
        entered.set()
        assert go_on.wait(WAIT)
        return Text("view")

    screen.show(blocked)
    assert entered.wait(WAIT)
    for number in range(25):
        screen.line(f"line {number}")
    go_on.set()
    assert screen.close((Text("last"),))
    lines = [line for line in terminal.written().splitlines() if line.startswith(("line", "last", "15"))]
    assert lines == [*(f"line {n}" for n in range(10)), "15 lines were not shown.", "last"]


def test_close_does_not_wait_for_ever(terminal):
    screen = Screen(terminal.stream)
    go_on = threading.Event()

    def blocked():
        go_on.wait(WAIT)
        return Text("view")

    screen.show(blocked)
    while screen._view is not None:
        pass
    assert not screen.close(timeout_s=0.01)
    go_on.set()
    assert screen.close()
    terminal.written()


def test_a_reader_that_has_gone_is_no_error(terminal):
    os.close(terminal.reading)
    screen = Screen(terminal.stream)
    for number in range(10):
        screen.line(f"line {number}")
    screen.show(lambda: Text("view"))
    screen.last_words("ended")
    assert screen.close((Text("last"),))
    terminal.stream.close()


def test_a_view_that_cannot_be_drawn_is_logged_once_and_lines_go_on(terminal, caplog):
    screen = Screen(terminal.stream)

    def wrong():
        raise TypeError("no")

    with caplog.at_level(logging.ERROR):
        screen.show(wrong)
        screen.line("one")
        screen.show(wrong)
        assert screen.close((Text("last"),))
    assert len(caplog.records) <= 1
    assert terminal.written().splitlines()[-1] == "last"


def test_without_a_stream_nothing_happens():
    screen = Screen(None)
    screen.line("x")
    screen.show(lambda: Text("view"))
    screen.last_words("x")
    assert not screen.live
    assert screen.close((Text("last"),))


def test_last_words_do_not_wait_for_a_full_pipe(terminal):
    os.set_blocking(terminal.stream.fileno(), False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(terminal.stream.fileno(), b"x" * 4096)
    os.set_blocking(terminal.stream.fileno(), True)
    screen = Screen(terminal.stream)
    screen.last_words("ended")
    assert screen.close()
    assert "ended" not in terminal.written()


def test_prints_become_lines(terminal):
    screen = Screen(terminal.stream)
    with screen.takes_prints():
        print("one", end=" ")
        print("two\x1b[2J\nthree")
        print("no end", end="")
    assert screen.close()
    assert terminal.written().splitlines() == ["one two [2J", "three", "no end"]
