"""Packages of plugins imported anew, and put back as they were."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from importlib.metadata import EntryPoint

import pytest

from hooks_support import chunk, plugin, result, run_info, update
from livered_core import HookError, Receipt, hookimpl
from livered_core.clocks import SystemClock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.reloading import FreshModules, is_in, plugin_packages


@pytest.fixture
def package(install, monkeypatch):
    # With compiled files, as they lie around.
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    site = install(
        "livered-fresh",
        {
            "fresh_pack/__init__.py": "",
            "fresh_pack/part.py": "VALUE = 1\ndef late():\n    import fresh_pack.part\n    return fresh_pack.part",
            "fresh_space/inner/__init__.py": "",
            "fresh_space/inner/plugin.py": "VALUE = 1",
            "fresh_single.py": "VALUE = 1",
        },
        {},
    )
    for name in ("fresh_pack.part", "fresh_space.inner.plugin", "fresh_single"):
        importlib.import_module(name)
    assert list(site.glob("__pycache__/fresh_single.*.pyc"))
    return site


def points(*values):
    return [EntryPoint("p", value, "livered.plugins") for value in values]


def test_the_packages_of_plugins(package):
    found = plugin_packages(
        points(
            "fresh_pack.part:P",
            "fresh_space.inner.plugin:P",
            "fresh_single:P",
            "livered_core.publish.files:P",
            "not_imported.at_all:P",
        )
    )
    assert [(each.name, each.path.relative_to(package).as_posix()) for each in found] == [
        ("fresh_pack", "fresh_pack"),
        ("fresh_space.inner", "fresh_space/inner"),
        ("fresh_single", "fresh_single.py"),
    ]


@pytest.mark.parametrize("name", ["fresh_pack.part", "fresh_space.inner.plugin", "fresh_single"])
def test_new_code_is_imported_and_the_old_comes_back(package, name):
    names = ("fresh_pack", "fresh_space.inner", "fresh_single")
    old = sys.modules[name]
    modules = {each: module for each, module in sys.modules.items() if is_in(each, names)}
    source = package / f"{name.replace('.', '/')}.py"
    kept = source.stat()
    source.write_text(source.read_text().replace("VALUE = 1", "VALUE = 2"))
    os.utime(source, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    finders = list(sys.meta_path)
    fresh = FreshModules(names)
    fresh.begin()
    new = importlib.import_module(name)
    assert (old.VALUE, new.VALUE) == (1, 2)
    fresh.restore()
    assert {each: module for each, module in sys.modules.items() if is_in(each, names)} == modules
    assert importlib.import_module(name) is old
    if "space" in name:
        assert sys.modules["fresh_space"].inner.plugin is old
    assert sys.meta_path == finders
    fresh = FreshModules(names)
    fresh.begin()
    new = importlib.import_module(name)
    fresh.keep()
    assert importlib.import_module(name) is new
    assert sys.meta_path == finders


def test_what_came_along_goes_again(package):
    (package / "fresh_other.py").write_text("VALUE = 1")
    fresh = FreshModules((), ("fresh_other",))
    fresh.begin()
    importlib.import_module("fresh_other")
    fresh.restore()
    assert "fresh_other" not in sys.modules


class Counting:
    def __init__(self, name):
        self.name, self.calls = name, []
        self.entered, self.leave = threading.Event(), threading.Event()

    @hookimpl
    def process_chunk(self, chunk):
        self.calls.append("process_chunk")
        return self.name

    @hookimpl
    def session_ended(self):
        self.calls.append("session_ended")

    @hookimpl
    def post_publish(self, result, run, update):
        self.entered.set()
        assert self.leave.wait(30)
        return Receipt(self.name, 0, 1)


def test_a_table_is_replaced_as_a_whole_and_statistics_go_on():
    old, new = Counting("old"), Counting("new")
    hooks = Dispatcher([plugin("p", old)], {}, SystemClock())
    assert hooks.process_chunk(chunk(), run_info()) == "old"
    receipts = []
    thread = threading.Thread(
        target=lambda: receipts.append(hooks.post_publish("p", result(), run_info(), update()))
    )
    thread.start()
    assert old.entered.wait(30)
    before = hooks.replace([plugin("p", new)], {})
    assert hooks.process_chunk(chunk(), run_info()) == "new"
    assert hooks.statistics()["p", "process_chunk"].calls == 2
    assert [call.hook for call in hooks.running()] == ["post_publish"]
    assert not before.wait_idle(0.05)
    old.leave.set()
    assert before.wait_idle(30)
    thread.join()
    assert receipts[0].where == "old"
    new.leave.set()
    assert hooks.post_publish("p", result(), run_info(), update()).where == "new"
    assert hooks.running() == ()


def test_failures_are_counted_anew_after_a_replacement():
    class Fails:
        @hookimpl
        def process_chunk(self, chunk):
            raise ValueError(chunk.sequence)

    hooks = Dispatcher([plugin("p", Fails())], {}, SystemClock())

    def consecutive():
        with pytest.raises(HookError) as caught:
            hooks.process_chunk(chunk(), run_info())
        return caught.value.failure.consecutive

    assert [consecutive(), consecutive()] == [1, 2]
    hooks.replace([plugin("p", Fails())], {})
    assert consecutive() == 1
    assert hooks.statistics()["p", "process_chunk"].failures == 3
