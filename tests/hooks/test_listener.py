"""Whoever listens to the calls of hooks."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from hooks_support import plugin
from livered_core import SKIP, HookError, Receipt, RunEndReason, SinkLater, hookimpl
from livered_core.hooks.calls import FinishedCall
from livered_core.hooks.dispatch import Dispatcher
from livered_core.testing import (
    ManualClock,
    make_chunk,
    make_events,
    make_result,
    make_run,
    make_session,
    make_update,
)

RUN = make_run(7)
CHUNK = make_chunk(make_events([1], [500.0]), sequence=3)


class Everything:
    """Answers as it is told."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def _answer(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    @hookimpl
    def session_started(self):
        return self._answer()

    @hookimpl
    def run_ended(self):
        return self._answer()

    @hookimpl
    def process_chunk(self):
        return self._answer()

    @hookimpl
    def post_publish(self):
        return self._answer()


class Wrapper:
    @hookimpl(wrapper=True)
    def process_chunk(self):
        answer = yield
        return answer


def listened(*instances: Any, clock: Any = None) -> tuple[Dispatcher, list[FinishedCall]]:
    heard: list[FinishedCall] = []
    plugins = [plugin(type(instance).__name__.lower(), instance) for instance in instances]
    return Dispatcher(plugins, {}, clock or ManualClock(), listener=heard.append), heard


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(np.ones(1), "returned", id="data"),
        pytest.param(SKIP, "skip", id="skip"),
        pytest.param(None, "none", id="left-to-the-default"),
        pytest.param(KeyError("x"), "raised", id="raised"),
        pytest.param(SystemExit(3), "raised", id="exit"),
    ],
)
def test_a_transform_is_heard_of_with_its_run_and_chunk(answer: Any, outcome: str) -> None:
    hooks, heard = listened(Everything(answer))
    if outcome == "raised":
        with pytest.raises(HookError):
            hooks.process_chunk(CHUNK, RUN)
    else:
        hooks.process_chunk(CHUNK, RUN)
    call = heard[0]
    assert (call.plugin, call.hook, call.run, call.chunk) == ("everything", "process_chunk", 7, 3)
    assert (call.outcome, bool(call.error)) == (outcome, outcome == "raised")
    # The default has answered where nobody did.
    assert [call.plugin for call in heard[1:]] == (["livered defaults"] if outcome == "none" else [])


def test_a_wrapper_is_heard_of_after_what_it_wraps() -> None:
    hooks, heard = listened(Wrapper(), Everything(SKIP))
    hooks.process_chunk(CHUNK, RUN)
    assert [(call.plugin, call.outcome) for call in heard] == [("everything", "skip"), ("wrapper", "skip")]
    hooks, heard = listened(Wrapper(), Everything(KeyError("x")))
    with pytest.raises(HookError):
        hooks.process_chunk(CHUNK, RUN)
    assert [(call.plugin, call.error) for call in heard] == [
        ("everything", "KeyError: 'x'"),
        ("wrapper", "KeyError: 'x'"),
    ]


def test_lifecycle_hooks_return_nothing_and_that_is_well() -> None:
    hooks, heard = listened(Everything())
    hooks.session_started(make_session())
    hooks.run_ended(RUN, RunEndReason.ENDED)
    assert [(call.hook, call.run, call.chunk, call.outcome) for call in heard] == [
        ("session_started", None, None, "returned"),
        ("run_ended", 7, None, "returned"),
    ]


def test_a_lifecycle_hook_that_raises_is_heard_of() -> None:
    hooks, heard = listened(Everything(ValueError("two\nlines")))
    hooks.run_ended(RUN, RunEndReason.ENDED)
    assert [(call.outcome, call.error) for call in heard] == [("raised", "ValueError: two lines")]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(Receipt("there", 1, 2), "returned", id="receipt"),
        pytest.param(None, "none", id="nothing-to-do"),
        pytest.param(SinkLater(5), "raised", id="later"),
    ],
)
def test_a_sink_is_heard_of(answer: Any, outcome: str) -> None:
    hooks, heard = listened(Everything(answer))
    if outcome == "raised":
        with pytest.raises(SinkLater):
            hooks.post_publish("everything", make_result(RUN), RUN, make_update())
    else:
        hooks.post_publish("everything", make_result(RUN), RUN, make_update())
    assert [(call.hook, call.run, call.outcome) for call in heard] == [("post_publish", 7, outcome)]


def test_times_are_those_of_the_clock() -> None:
    clock = ManualClock(seconds=100.0)

    class Slow:
        @hookimpl
        def process_chunk(self):
            clock.advance(2.5)
            return 1

    hooks, heard = listened(Slow(), clock=clock)
    clock.advance(10)
    hooks.process_chunk(CHUNK, RUN)
    assert [(call.began_s, call.seconds) for call in heard] == [(110.0, 2.5)]


def test_a_chunk_is_not_held_after_its_call() -> None:
    hooks, heard = listened(Wrapper(), Everything(SKIP))
    chunk = make_chunk(make_events([1], [500.0]))
    held = weakref.ref(chunk.events.pixel_id)
    gc.disable()
    try:
        hooks.process_chunk(chunk, RUN)
        del chunk
        assert held() is None
    finally:
        gc.enable()
    assert heard
