from __future__ import annotations

import threading

import pytest

from livered_core import DataModelError
from livered_core.references import Background, Failed, Preparing, Ready

WAIT = 20.0


@pytest.fixture
def background():
    made = Background()
    yield made
    made.close()


def test_a_job_runs_beside_and_its_value_waits(background: Background) -> None:
    started, go_on = threading.Event(), threading.Event()

    def job(stop: threading.Event) -> str:
        started.set()
        go_on.wait(WAIT)
        return threading.current_thread().name

    assert background.state("vanadium") is None
    background.ask("vanadium", "k1", job)
    assert started.wait(WAIT)
    assert background.state("vanadium") == Preparing()
    assert not background.wait(timeout=0.01)
    go_on.set()
    assert background.wait(WAIT)
    state = background.state("vanadium")
    assert isinstance(state, Ready)
    assert state.value == "livered-references"


def test_the_same_key_is_not_done_twice_and_another_is(background: Background) -> None:
    done: list[str] = []
    for key in ("k1", "k1", "k2"):
        background.ask("vanadium", key, lambda stop, key=key: done.append(key))
        assert background.wait(WAIT)
    assert done == ["k1", "k2"]


def test_a_failure_is_a_sentence_and_is_tried_again(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    def known(stop: threading.Event) -> None:
        raise DataModelError("There is no vanadium: give one.")

    def unknown(stop: threading.Event) -> None:
        raise ZeroDivisionError("oh")

    background.ask("a", "k", known)
    background.ask("b", "k", unknown)
    assert background.wait(WAIT)
    assert background.state("a") == Failed("There is no vanadium: give one.")
    state = background.state("b")
    assert isinstance(state, Failed)
    assert "ZeroDivisionError: oh" in state.sentence
    assert "Traceback" in caplog.text
    background.ask("a", "k", lambda stop: 3)
    assert background.wait(WAIT)
    assert isinstance(background.state("a"), Ready)


def test_a_new_key_takes_the_place_of_one_that_waits(background: Background) -> None:
    go_on, done = threading.Event(), list[str]()
    background.ask("first", "k", lambda stop: go_on.wait(WAIT))
    background.ask("vanadium", "old", lambda stop: done.append("old"))
    background.ask("vanadium", "new", lambda stop: done.append("new"))
    background.ask("container", "k", lambda stop: done.append("container"))
    background.forget("container")
    go_on.set()
    assert background.wait(WAIT)
    assert done == ["new"]
    assert background.state("container") is None


def test_closing_ends_a_job_that_looks_at_the_event() -> None:
    before = set(threading.enumerate())
    background = Background()
    started = threading.Event()

    def endless(stop: threading.Event) -> None:
        started.set()
        stop.wait()
        raise DataModelError("stopped")

    background.ask("endless", "k", endless)
    assert started.wait(WAIT)
    background.close()
    assert not background.wait(WAIT)
    assert background.state("endless") == Failed("stopped")
    assert set(threading.enumerate()) <= before


def test_a_job_whose_place_another_takes_is_asked_to_end() -> None:
    background = Background()
    started = threading.Event()

    def endless(stop: threading.Event) -> None:
        started.set()
        assert stop.wait(WAIT)

    for replace in (lambda: background.ask("one", "other", lambda stop: 2), lambda: background.forget("one")):
        started.clear()
        background.ask("one", "key", endless)
        assert started.wait(WAIT)
        replace()
        assert background.wait(WAIT)
    assert background.state("one") is None
    background.close()


def test_a_wait_can_be_given_up() -> None:
    background = Background()
    background.ask("endless", "k", lambda stop: stop.wait())
    asked = []
    assert not background.wait(None, lambda: asked.append(1) or len(asked) == 2)
    assert len(asked) == 2
    background.close()


def test_after_closing_nothing_is_begun() -> None:
    background = Background()
    background.close()
    background.ask("late", "k", lambda stop: 1)
    assert background.state("late") == Preparing()
    assert not background.wait(0.01)


def test_opened_again_it_has_what_was_ready_and_does_what_is_asked(background: Background) -> None:
    done: list[str] = []
    started = threading.Event()

    def never(stop: threading.Event) -> None:
        started.set()
        stop.wait(WAIT)
        raise DataModelError("It was stopped.")

    background.ask("vanadium", "k", lambda stop: done.append("first"))
    background.ask("container", "k", never)
    assert started.wait(WAIT)
    background.close()
    background.reopen()
    background.reopen()
    assert isinstance(background.state("vanadium"), Ready)
    assert background.state("container") is None
    for name in ("vanadium", "container"):
        background.ask(name, "k", lambda stop, name=name: done.append(name))
    assert background.wait(WAIT)
    assert done == ["first", "container"]
