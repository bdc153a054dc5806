from __future__ import annotations

import threading

import pytest

from hooks_support import Recorder, dispatcher, plugin, session_info
from livered_core import hookimpl
from livered_core.clocks import SystemClock
from livered_core.engine.last_calls import end_within, whose_call


class Ends:
    def __init__(self, error=None):
        self.go, self.error = threading.Event(), error

    @hookimpl
    def session_ended(self):
        assert self.go.wait(30)
        if self.error is not None:
            raise self.error


def test_plugins_that_end_in_time_leave_no_word():
    calls: list[str] = []
    hooks = dispatcher(Recorder("a", calls), Recorder("b", calls))
    assert end_within(hooks, session_info(), 30.0, SystemClock()) == ""
    assert calls == ["b.session_ended", "a.session_ended"]
    assert whose_call(hooks, 0.0) == ""


def test_one_that_does_not_is_named(caplog):
    ends = Ends()
    hooks = dispatcher(plugin("slow", ends), Recorder("b", []))
    sentence = end_within(hooks, session_info(), 0.05, SystemClock())
    assert sentence.startswith("Plugin slow has been in session_ended for 0 s: the process ends without it")
    assert sentence in caplog.text
    ends.go.set()


def test_what_is_no_failure_of_a_plugins_is_raised():
    ends = Ends(KeyboardInterrupt())
    ends.go.set()
    with pytest.raises(KeyboardInterrupt):
        end_within(dispatcher(plugin("p", ends)), session_info(), 30.0, SystemClock())
