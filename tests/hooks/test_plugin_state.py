from __future__ import annotations

import pytest

from hooks_support import Recorder, plugin
from livered_core.errors import HookError
from livered_core.hooks.plugin_state import restore_states, save_states


class Keeps:
    def __init__(self, value):
        self.value = value

    def save_state(self):
        return self.value

    def restore_state(self, state):
        if state == "wrong":
            message = "this is not mine"
            raise ValueError(message)
        self.value = state


class SavesOnly:
    def save_state(self):
        return 1


class Fails(Keeps):
    def save_state(self):
        raise SystemExit(3)


class Unspeakable(Exception):  # noqa: N818
    def __str__(self):
        raise RuntimeError


class FailsBadly(Keeps):
    def save_state(self):
        raise Unspeakable


def test_what_is_saved_is_given_back():
    before = [plugin("a", Keeps(1)), Recorder("sink", []), plugin("b", Keeps([2]))]
    states = save_states(before)
    assert states == {"a": 1, "b": [2]}
    after = [plugin("a", Keeps(0)), Recorder("sink", []), plugin("b", Keeps(0))]
    assert restore_states(after, states) == ""
    assert [after[0].instance.value, after[2].instance.value] == [1, [2]]


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        (Fails(1), "Plugin a 1.0 failed in save_state: SystemExit: 3"),
        (FailsBadly(1), "Plugin a 1.0 failed in save_state: Unspeakable"),
        (
            SavesOnly(),
            "Plugin a 1.0 failed in save_state: AttributeError: 'SavesOnly' object has no attribute 'restore_state'",
        ),
    ],
)
def test_a_failure_to_save_names_the_plugin(instance, said):
    with pytest.raises(HookError) as caught:
        save_states([plugin("good", Keeps(1)), plugin("a", instance)])
    assert str(caught.value) == said
    assert caught.value.failure.plugin == "a"


def test_a_failure_to_restore_names_the_plugin():
    plugins = [plugin("a", Keeps(0)), plugin("b", Keeps(0))]
    assert restore_states(plugins, {"a": "wrong", "b": 2}) == (
        "Plugin a 1.0 failed in restore_state: ValueError: this is not mine"
    )
    assert restore_states(plugins, {"a": 1}) == (
        "Plugin b 1.0 keeps something of the run, and it was not saved."
    )
