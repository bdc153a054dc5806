"""Changed plugins and settings taken up at the boundary of a chunk, and what is refused."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from hooks_support import result, run_info, update
from livered_core.hooks.boundary import Boundary, Swapped
from reload_support import COUNTS, MODULE, PLUGIN, Led
from waiting import until


@pytest.fixture
def led(tmp_path, install):
    led = Led(tmp_path, install)
    yield led
    led.reloader.close()


def in_run(led, *events):
    led.begin_run()
    for n in events or (10, 20):
        led.take(n)
    return led


def calls_of(instance):
    return sys.modules[type(instance).__module__].calls


def test_changed_code_takes_over_and_what_is_accumulated_stays(led):
    in_run(led)
    old, counted = led.instrument, type(led.accumulated)
    assert led.curve() == 30.0
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 100"))
    swapped = led.reload()
    assert isinstance(swapped, Swapped)
    assert (swapped.replay, swapped.note) == ("", "Code or settings of plugins were loaded anew at 1 events.")
    assert led.curve() == 3000.0
    led.take(5)
    assert led.curve() == 3500.0
    assert type(led.accumulated) is not counted
    assert led.instrument is not old
    assert led.state == "ok"
    assert led.sentence == "Reloaded: rel 1.0."
    assert led.witness.failures == []


def test_the_new_are_told_of_session_and_run_before_the_old_are_told_of_their_end(led):
    in_run(led)
    old_calls = calls_of(led.instrument)
    assert led.reload() is not None
    new_calls = calls_of(led.instrument)
    # First the instance on which it was tried.
    tried = ["session_started", "run_started", "run_ended SESSION_STOPPED", "session_ended"]
    assert new_calls == [*tried, "session_started", "run_started"]
    until(lambda: old_calls[-1] == "session_ended")
    assert old_calls == ["session_started", "run_started", "run_ended SESSION_STOPPED", "session_ended"]


def test_where_nothing_has_changed_nothing_is_said_and_nothing_replayed(tmp_path, install):
    led = in_run(Led(tmp_path, install, '[reload]\naccumulated = "replay"'))
    led.can_replay = True
    assert led.reload().replay
    led.take(8)
    swapped = led.reload()
    assert (swapped.replay, swapped.note) == ("", "")
    assert led.curve() == 8.0


def test_between_runs_nothing_is_carried(led):
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    assert led.reload() is not None
    in_run(led)
    assert led.curve() == 60.0


def test_the_same_size_and_time_do_not_hide_a_change(tmp_path, install, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    led = in_run(Led(tmp_path, install))
    assert list((led.package / "__pycache__").glob("plugin.*.pyc"))
    source = led.package / "plugin.py"
    kept = source.stat()
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 7"))
    os.utime(source, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert source.stat().st_size == kept.st_size
    assert led.reload() is not None
    assert led.curve() == 210.0


REFUSED = {
    "syntax error": (PLUGIN.replace("SCALE = 1", "SCALE = = 1"), "invalid syntax"),
    "import error": (
        PLUGIN.replace("SCALE = 1", "import no_such_module"),
        "No module named 'no_such_module'",
    ),
    "exits when it is imported": (PLUGIN.replace("SCALE = 1", "raise SystemExit(3)"), "SystemExit: 3"),
    "class is gone": (PLUGIN.replace("class Instrument", "class Other"), "has no attribute 'Instrument'"),
    "misspelt hook": (PLUGIN.replace("def process_chunk", "def proces_chunk"), "did you mean process_chunk?"),
    "its check": (PLUGIN.replace("return []", 'return ["no file"]'), "plugins.rel: no file"),
    "its check raises": (PLUGIN.replace("return []", "return 1 / 0"), "its check failed: ZeroDivisionError"),
    "session_started": (
        PLUGIN.replace('calls.append("session_started")', "raise ValueError('not ready')"),
        "it failed in session_started when it was tried: ValueError: not ready",
    ),
    "run_started": (
        PLUGIN.replace('calls.append("run_started")', "raise ValueError('no run')"),
        "it failed in run_started when it was tried: ValueError: no run",
    ),
    "raises on the chunk": (
        PLUGIN.replace("return Counts(chunk.n_events)", "raise KeyError('bank')"),
        "it failed in process_chunk when it was tried: KeyError: 'bank'",
    ),
    "returns nonsense": (
        PLUGIN.replace("return Result(run.number", "return (run.number").replace(
            '"counts")])', '"counts")],)'
        ),
        "must return a Result or None and returned a tuple",
    ),
    "returns another run's result": (
        PLUGIN.replace("Result(run.number", "Result(run.number + 1"),
        "returned a result of run 8 in run 7",
    ),
    "makes no result": (PLUGIN.replace("return Result", "Result"), "no plugin makes a result"),
    "settings have changed": (
        PLUGIN.replace("factor: int = 1", "factor: int"),
        "plugins.rel.factor",
    ),
}


@pytest.mark.parametrize(("source", "why"), REFUSED.values(), ids=list(REFUSED))
def test_what_does_not_work_is_refused_and_everyone_sees_why(led, source, why):
    in_run(led)
    old, accumulated, modules = led.instrument, led.accumulated, dict(sys.modules)
    led.write(source)
    assert led.reload() is None
    assert led.state == "refused"
    assert why in led.sentence
    assert led.sentence.endswith("What ran before still runs.")
    assert [failure.sentence for failure in led.witness.failures] == [led.sentence]
    assert led.instrument is old
    assert led.accumulated is accumulated
    assert {name: sys.modules.get(name) for name in modules} == modules
    led.take(3)
    assert led.curve() == 33.0
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    assert led.reload() is not None
    assert led.state == "ok"
    assert led.curve() == 66.0


def test_a_file_that_is_gone_is_refused(led):
    in_run(led)
    (led.package / "counts.py").unlink()
    assert led.reload() is None
    assert "No module named 'rel_plugin.counts'" in led.sentence
    led.take(3)
    assert led.curve() == 33.0


@pytest.mark.parametrize("where", ["import", "session_started", "process_chunk"])
def test_what_hangs_is_left_after_the_time_limit(tmp_path, install, where):
    led = in_run(Led(tmp_path, install, "[reload]\ntime_limit = 2.0"))
    lines = {"import": "SCALE = 1", "session_started": 'calls.append("session_started")'}
    line = lines.get(where, "return Counts(chunk.n_events)")
    go = tmp_path / "go"
    hang = f"__import__('reload_hang').hang({str(go)!r})"
    (tmp_path / "site" / "reload_hang.py").write_text(
        "import os, time\ndef hang(path):\n    while not os.path.exists(path):\n        time.sleep(0.01)\n"
    )
    led.write(PLUGIN.replace(line, f"{line if where == 'import' else hang}; {hang}"))
    began_s = time.monotonic()
    assert led.reload() is None
    assert time.monotonic() < began_s + 12.0
    assert "did not come to an end within 2 s" in led.sentence
    assert ("while it is imported" if where == "import" else "while it is tried") in led.sentence
    led.take(3)
    assert led.curve() == 33.0
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    assert led.reload() is None
    assert "still hangs" in led.sentence
    modules = {name: module for name, module in sys.modules.items() if name.startswith(MODULE)}
    go.touch()
    until(lambda: "livered-reload" not in [thread.name for thread in threading.enumerate()])
    assert {name: module for name, module in sys.modules.items() if name.startswith(MODULE)} == modules
    assert led.reload() is not None
    assert led.curve() == 66.0


def test_asked_to_stop_nothing_is_waited_for(tmp_path, install):
    led = in_run(Led(tmp_path, install))
    go = tmp_path / "go"
    loop = f"while not __import__('os').path.exists({str(go)!r}): __import__('time').sleep(0.01)"
    led.write(PLUGIN.replace("SCALE = 1", loop))
    threading.Timer(0.2, lambda: setattr(led, "stopping", True)).start()
    assert led.reload() is None
    assert "asked to stop meanwhile" in led.sentence
    go.touch()
    until(lambda: "livered-reload" not in [thread.name for thread in threading.enumerate()])


def test_a_trial_leaves_what_is_accumulated_alone(led):
    """A plugin that changes it in place, against its contract, does so with a copy."""
    in_run(led)
    spoils = """
        @hookimpl
        def accumulate(self, accumulated, processed):
            if accumulated is None:
                return processed
            object.__setattr__(accumulated, "total", accumulated.total + processed.total)
            return accumulated
    """
    led.write(PLUGIN + spoils)
    assert led.reload() is not None
    assert led.accumulated.total == 30


QUEUE = """
        @hookimpl
        def accumulate(self, accumulated, processed):
            accumulated = __import__("collections").deque() if accumulated is None else accumulated
            accumulated.append(processed.total)
            return accumulated

        @hookimpl
        def post_process(self, accumulated, run):
            return Result(run.number, run.title, [Curve("n", [0.0], [len(accumulated)], [0.0], "one", "counts")])
"""


def test_an_object_of_another_package_goes_on_as_it_is_and_is_tried_as_a_copy(led):
    led.write(PLUGIN + QUEUE)
    assert led.reload() is not None
    queue = in_run(led).accumulated
    assert led.reload() is not None
    assert led.accumulated is queue
    assert list(queue) == [10, 20]


NEW_FIELD = COUNTS.replace("total: int\n", "total: int\n        more: int = 0\n")


def test_what_does_not_fit_comes_again_where_it_can(led):
    in_run(led).can_replay = True
    led.write(NEW_FIELD, "counts.py")
    swapped = led.reload()
    assert swapped is not None
    assert swapped.accumulated is None
    assert "does not fit the classes of the changed code" in swapped.replay
    assert led.sentence == "Reloaded: rel 1.0. The run comes again from its start."
    led.take(4)
    assert led.curve() == 4.0


def test_what_does_not_fit_is_refused_where_the_run_cannot_come_again(led):
    in_run(led)
    led.write(NEW_FIELD, "counts.py")
    assert led.reload() is None
    assert "the run cannot be replayed from its start" in led.sentence
    led.take(4)
    assert led.curve() == 34.0
    assert led.reloader.wanted
    assert led.reach() is None
    led.run = led.accumulated = None
    assert led.reach() is not None
    assert led.state == "ok"
    assert not led.reloader.wanted


def test_what_is_kept_between_runs_goes_over_or_is_refused_once(led):
    kept = in_run(led).accumulated
    between = Boundary(accumulated=kept)
    led.reloader.ask("the test")
    swapped = led.reloader.at_boundary(between)
    assert swapped.accumulated.total == 30
    assert type(swapped.accumulated) is not type(kept)
    led.write(NEW_FIELD, "counts.py")
    led.reloader.ask("the test")
    assert led.reloader.at_boundary(Boundary(accumulated=swapped.accumulated)) is None
    assert "it is kept for the next run" in led.sentence
    assert not led.reloader.wanted


@pytest.mark.parametrize(("can", "kept"), [(True, None), (False, 30)])
def test_a_run_is_replayed_where_that_is_configured_and_can_be(tmp_path, install, can, kept):
    led = in_run(Led(tmp_path, install, '[reload]\naccumulated = "replay"'))
    led.can_replay = can
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    swapped = led.reload()
    assert bool(swapped.replay) is can
    assert getattr(swapped.accumulated, "total", None) == kept


STATEFUL = PLUGIN.replace(
    "        def check(self)",
    """        seen: int = attrs.field(default=0, init=False)

        def save_state(self):
            return {"seen": self.seen}

        def restore_state(self, state):
            self.seen = state["seen"]

        def check(self)""",
).replace("return Counts(chunk.n_events)", "self.seen += 1; return Counts(chunk.n_events)")


def test_what_a_plugin_keeps_itself_goes_over_exactly(led):
    led.write(STATEFUL)
    assert led.reload() is not None
    in_run(led)
    assert led.instrument.seen == 2
    assert led.reload() is not None
    assert led.instrument.seen == 2, "the trial counts for nothing"


def test_what_was_tried_is_not_what_is_used(led):
    led.write(STATEFUL.replace("def save_state", "def _saved").replace("def restore_state", "def _restored"))
    assert led.reload() is not None
    in_run(led)
    assert led.reload() is not None
    assert led.instrument.seen == 0


def test_changed_settings_reach_the_plugin_they_are_for_and_no_other(led):
    led.config_file.write_text("[plugins.teller]\n[reload]\nevery = 0.05")
    assert led.reload() is not None
    in_run(led)
    instrument, teller = (plugin.instance for plugin in led.hooks.plugins if plugin.name != "files")
    led.reloader.start()
    until(lambda: led.reloader.status()["looked_ns"])
    led.config_file.write_text('[plugins.teller]\nword = "b"\n[reload]\nevery = 0.05')
    until(lambda: led.reloader.wanted)
    swapped = led.reach()
    assert swapped is not None
    assert swapped.note == ""
    assert next(plugin.instance for plugin in led.hooks.plugins if plugin.name != "files") is instrument
    assert led.hooks.plugins[-1].instance is not teller
    assert led.hooks.plugins[-1].instance.settings.word == "b"
    assert led.sentence == "Reloaded: teller 1.0."


def test_a_change_of_a_plugins_settings_is_seen_in_the_curves(led):
    in_run(led)
    led.config_file.write_text("[plugins.rel]\nfactor = 3")
    assert led.reload() is not None
    assert led.curve() == 90.0


CONFIG_REFUSED = {
    "typo": ("[plugins.rel]\nfacter = 3", "plugins.rel.facter"),
    "no TOML": ("[plugins.rel\n", "c.toml"),
    "wrong type": ('[plugins.rel]\nfactor = "many"', "plugins.rel.factor"),
    "unknown plugin": ("[plugins.no_such]", "'no_such' is wanted by [plugins.no_such] and not installed"),
    "a sink comes": ("[plugins.sink]", "the sink sink was not there at the start"),
    "an owner that is none": ('[hooks.owner]\npost_process = "files"', 'hooks.owner.post_process = "files"'),
}


@pytest.mark.parametrize(("config", "why"), CONFIG_REFUSED.values(), ids=list(CONFIG_REFUSED))
def test_a_wrong_configuration_is_refused(led, config, why):
    in_run(led)
    old = led.instrument
    led.config_file.write_text(config)
    assert led.reload() is None
    assert led.state == "refused"
    assert why in led.sentence
    assert led.instrument is old


def test_a_sink_that_goes_is_refused(tmp_path, install):
    led = Led(tmp_path, install, "[plugins.sink]")
    led.config_file.write_text("")
    assert led.reload() is None
    assert "the sink sink is gone" in led.sentence


def test_what_counts_from_the_next_start_is_named(led):
    led.config_file.write_text(
        'address = "there:1"\n[log]\nlevel = "DEBUG"\n[hooks]\nmax_consecutive_failures = 9'
    )
    swapped = led.reload()
    assert swapped.max_consecutive_failures == 9
    assert led.sentence.endswith("address, log.level count from the next start: livered service restart.")
    assert led.reloader.status()["next_start"] == ["address", "log.level"]
    led.config_file.write_text("")
    led.reload()
    assert led.sentence == "Reloaded: rel 1.0."


def test_plugins_come_and_go(led):
    in_run(led)
    led.config_file.write_text("[plugins.teller]")
    assert led.reload() is not None
    assert "teller 1.0" in led.sentence
    assert led.hooks.plugins[-1].name == "teller"
    led.write("raise RuntimeError('broken')")
    assert led.reload() is None
    assert led.hooks.plugins[-1].instance.heard == [led.sentence]
    led.write(PLUGIN)
    led.config_file.write_text("")
    assert led.reload() is not None
    assert "without teller" in led.sentence


def test_an_upgrade_is_seen_in_the_version(led, tmp_path):
    site = led.package.parent
    info = site / "livered_rel-1.0.dist-info"
    newer = site / "livered_rel-1.1.dist-info"
    info.rename(newer)
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: livered-rel\nVersion: 1.1\n")
    assert led.reload() is not None
    assert led.sentence == "Reloaded: rel 1.1."
    assert led.reloader.info.plugins["rel"] == "1.1"


def test_a_sink_in_a_call_finishes_it_before_its_plugin_is_ended(tmp_path, install):
    led = Led(tmp_path, install, "[plugins.sink]")
    sink = """
        import threading
        from livered_core import Receipt, hookimpl
        entered, leave, ended = threading.Event(), threading.Event(), threading.Event()
        class Teller:
            @hookimpl
            def on_error(self, failure): ...
        class Sink:
            @hookimpl
            def post_publish(self, result, run, update):
                entered.set()
                assert leave.wait(30)
                return Receipt("old", 0, 1)
            @hookimpl
            def session_ended(self):
                ended.set()
    """
    led.write(sink, "../rel_other.py")
    assert led.reload() is not None
    old = sys.modules["rel_other"]
    receipts = []
    thread = threading.Thread(
        target=lambda: receipts.append(led.hooks.post_publish("sink", result(7), run_info(7), update()))
    )
    thread.start()
    assert old.entered.wait(30)
    led.write(sink.replace('"old"', '"new"'), "../rel_other.py")
    assert led.reload() is not None
    sys.modules["rel_other"].leave.set()
    assert led.hooks.post_publish("sink", result(7), run_info(7), update()).where == "new"
    assert not old.ended.wait(0.2)
    old.leave.set()
    thread.join(30)
    assert [receipt.where for receipt in receipts] == ["old"]
    assert old.ended.wait(30)
