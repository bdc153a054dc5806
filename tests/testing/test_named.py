"""A plugin is found by whatever somebody calls it."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from livered_core.errors import PluginLoadError
from livered_core.hooks.registry import INSTRUMENTS, PLUGINS
from livered_core.testing.named import find_entry, find_plugin

POINTS = [
    EntryPoint("TST", "trial_plugins:Counts", INSTRUMENTS),
    EntryPoint("TESTER", "trial_plugins:Counts", INSTRUMENTS),
    EntryPoint("the_sink", "trial_plugins:Sink", PLUGINS),
    EntryPoint("halves", "trial_plugins:Halves", PLUGINS),
    EntryPoint("watcher", "trial_plugins:Observer", PLUGINS),
    EntryPoint("console", "somewhere:main", "console_scripts"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("TST", "tst"),
        ("tester", "tst"),
        ("the_sink", "the_sink"),
        ("The-Sink", "the_sink"),
        ("trial_plugins:Sink", "the_sink"),
        ("trial_plugins:Counts", "tst"),
        ("trial_plugins:ThirdFails", "third_fails"),
    ],
)
def test_a_name_is_understood(name, found):
    assert find_entry(name, POINTS).name == found
    assert find_plugin(name, POINTS).name == found


@pytest.mark.parametrize(
    ("name", "kind", "needs_instrument", "hooks"),
    [
        ("TST", "instrument", False, ["process_chunk", "post_process"]),
        ("trial_plugins:Warns", "transforms", False, ["process_chunk", "post_process"]),
        ("halves", "wrapper", True, ["process_chunk"]),
        ("the_sink", "sink", True, ["post_publish"]),
        ("watcher", "observer", True, ["run_ended"]),
    ],
)
def test_its_hooks_say_what_it_is_for(name, kind, needs_instrument, hooks):
    found = find_plugin(name, POINTS)
    assert (found.kind, found.needs_instrument) == (kind, needs_instrument)
    assert list(found.hooks) == hooks


def test_settings_and_data_models_are_those_of_the_class():
    found = find_plugin("trial_plugins:Scaled", POINTS)
    assert found.settings_class.__name__ == "ScaledSettings"
    assert found.data_models == ("native", "mantid")
    assert str(found) == "scaled (trial_plugins:Scaled)"


def test_distributions_and_packages_are_names_too(install):
    install(
        "livered-odd-name",
        {
            "odd_package/__init__.py": "from livered_core import hookimpl\n\nclass P:\n    @hookimpl\n    def run_ended(self):\n        pass\n"
        },
        {PLUGINS: ["odd = odd_package:P"]},
        version="2.5",
    )
    for name in ("odd", "livered-odd-name", "Livered_Odd.Name", "odd_package"):
        assert str(find_plugin(name)) == "odd (livered-odd-name 2.5, odd_package:P)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "the_snik",
            r"no plugin 'the_snik' \(did you mean the_sink\?\); installed here are instruments: TESTER, TST; "
            "plugins: halves, the_sink, watcher",
        ),
        ("zzz", r"no plugin 'zzz'; installed here"),
        ("trial_plugins", r"'trial_plugins' stands for more than one plugin: .*TST \(trial_plugins:Counts\)"),
        (
            "trial_plugins:Snik",
            r"no Snik in trial_plugins \(.*trial_plugins.py\) \(did you mean Sink\?\); it has AllFail,",
        ),
        ("nowhere_at_all:Sink", "nowhere_at_all:Sink cannot be loaded: ModuleNotFoundError"),
        ("a:b:c", "not the place of a class"),
        ("trial_plugins:NOT_A_CLASS", "is a int: its entry point must name a class"),
        ("trial_plugins:Misspelt", "did you mean process_chunk"),
    ],
)
def test_what_cannot_be_found_is_said_with_what_there_is(name, words):
    with pytest.raises(PluginLoadError, match=words):
        find_plugin(name, POINTS)


def test_without_any_plugin_it_is_said():
    with pytest.raises(PluginLoadError, match="no plugin is installed here"):
        find_plugin("TST", [])
