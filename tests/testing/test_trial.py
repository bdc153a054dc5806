"""A plugin is run over data by the real engine: what it does is seen, and nothing of the person's is touched."""

from __future__ import annotations

import functools
import json
import os
import re
import threading
from pathlib import Path

import attrs
import pytest

from livered_core.errors import ConfigError, PluginLoadError
from livered_core.hooks.calls import RunningCall
from livered_core.testing.named import find_plugin
from livered_core.testing.trial import TrialRequest, run_trial
from livered_core.testing.trial_configuration import private_places
from livered_core.testing.trial_findings import findings, remarks, sums
from livered_core.testing.trial_json import trial_json
from livered_core.testing.trial_left import no_silent_end, threads_left
from livered_core.testing.trial_text import trial_text
from trial_support import SETTINGS, write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def done(recording, tmp_path_factory):
    """Trials over the recording with nothing configured: each plugin is tried once for all tests."""

    @functools.cache
    def done(name):
        request = TrialRequest(tmp_path_factory.mktemp(name), source=str(recording), chunk_events=5000)
        return run_trial(find_plugin(f"trial_plugins:{name}"), request)

    return done


@pytest.fixture
def try_plugin(recording, tmp_path):
    def try_plugin(name, **request):
        request = {"source": str(recording), "chunk_events": 5000, **request}
        return run_trial(find_plugin(f"trial_plugins:{name}"), TrialRequest(tmp_path / "out", **request))

    return try_plugin


def hooks_of(trial):
    return [(call.plugin, call.hook, call.chunk, call.outcome) for call in trial.calls]


def text_of(trial):
    return "\n".join(trial_text(trial))


def test_a_plugin_that_does_well_is_said_to(done):
    trial = done("Counts")
    assert findings(trial) == []
    assert trial_text(trial)[-1] == "All is well."
    (run,) = trial.runs
    assert run.n_events == trial.n_events == trial.counts["events"] > 30_000
    assert [(curve.label, curve.n_points, curve.total) for curve in run.curves] == [
        ("counts", 512, run.n_events)
    ]
    assert run.update.final
    assert trial.page.name == "TST_1.html"
    assert b"<svg" in trial.page.read_bytes()
    assert {path.name for path in trial.files} == {"TST_1.h5", "TST_1.html", "TST_1_counts.dat"}


def test_all_calls_are_seen_in_their_order(done):
    trial = done("Counts")
    own = [(hook, chunk) for plugin, hook, chunk, _ in hooks_of(trial) if plugin == "counts"]
    n = len(trial.chunks)
    # After 1, 2, 4, ... chunks there is an update, and one at the end.
    expected = []
    for chunk in range(1, n + 1):
        expected.append(("process_chunk", chunk))
        if chunk in (1, 2, 4, 8, 16):
            expected.append(("post_process", None))
    assert own == [*expected, ("post_process", None)]
    assert [begun.began_s for begun in trial.calls] == sorted(begun.began_s for begun in trial.calls)
    (row,) = [row for row in trial.times() if (row.plugin, row.hook) == ("counts", "process_chunk")]
    assert (row.calls, row.failures) == (n, 0)
    assert 0 < row.mean_s <= row.longest_s <= row.total_s


def test_the_counts_add_up(done):
    trial = done("ThirdFails")
    (received, total, places), (_, handed_on, fates) = sums(trial)
    assert received == "received"
    assert total == trial.counts["events"] == sum(places.values())
    assert handed_on == sum(fates.values()) == fates["accumulated"] + fates["dropped"]
    assert fates["dropped"] == trial.chunks[1, 3]
    assert f"{total:,} received = {total:,} handed on" in text_of(trial)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ThirdFails", ["third_fails failed in process_chunk on chunk 3: ValueError: three is too much"]),
        (
            "AllFail",
            [
                r"all_fail failed in process_chunk on chunk 1 \(5 times\): ValueError: no good",
                "Gave up after 5 failures",
                "Nothing was reduced of run 1: 5 chunks were lost to failures",
            ],
        ),
        ("SkipsAll", [r"Nothing was reduced of run 1: \d+ chunks were skipped"]),
        ("NoResult", ["There is no result of run 1"]),
        ("NoCurve", ["The result of run 1 has neither a curve nor an image"]),
        ("OnlyNan", ["'counts' of run 1 has no finite value: all 512"]),
        ("Empty", ["'counts' of run 1 has no points"]),
        (
            "BadSink",
            [
                r"bad_sink failed in post_publish( \(\d+ times\))?: OSError: nobody",
                "The sink bad_sink did not take",
            ],
        ),
    ],
)
def test_what_is_wrong_is_said(name, wrong, done, try_plugin):
    # A sink is asked again until the session ends.
    trial = done(name) if name != "BadSink" else try_plugin(name, settings=["publish.stop_timeout=0.2"])
    found = findings(trial)
    assert len(found) == len(wrong)
    for sentence, words in zip(found, wrong, strict=True):
        assert re.search(words, sentence)
    text = text_of(trial)
    assert all(sentence in text for sentence in found)
    document = json.loads(trial_json(trial))
    assert (document["ok"], document["wrong"]) == (False, found)


def test_what_stands_in_for_an_instrument_is_not_seen(try_plugin):
    trial = try_plugin("BadSink", settings=["publish.stop_timeout=0.2"])
    assert trial.failures[0].count == len(
        [call for call in trial.calls if call.hook == "post_publish" and call.outcome == "raised"]
    )
    assert not [call for call in trial.calls if call.plugin == "tst"]


def test_a_failure_is_shown_with_the_plugins_own_frames(done):
    (failed,) = done("ThirdFails").failures
    lines = failed.traceback.splitlines()
    assert "trial_plugins.py" in lines[1]
    assert lines[-1] == "ValueError: three is too much"
    assert "pluggy" not in failed.traceback


def test_skipped_chunks_are_not_wrong(done):
    trial = done("SkipsFirst")
    assert findings(trial) == []
    assert trial.runs[0].skipped_chunks == 1
    assert "1 chunk skipped" in text_of(trial)


def test_a_plugin_may_begin_a_run_anew(done):
    trial = done("BeginsAnew")
    assert findings(trial) == []
    assert any("The detector was moved." in remark for remark in remarks(trial))


def test_who_ends_the_session_is_named(done):
    assert findings(done("Interrupts")) == [
        "interrupts ended the session in process_chunk: KeyboardInterrupt:",
        "Nothing was reduced of run 1: the session ended before.",
    ]


def test_a_call_that_has_not_come_back_is_wrong(done):
    call = RunningCall("counts", "session_ended", 0.0)
    trial = attrs.evolve(done("Counts"), unfinished=(call,), hooks={"session_ended": "owner"})
    assert findings(trial) == [
        "session_ended of counts has not come back: livered would have to end without it."
    ]
    assert remarks(trial) == []


def test_a_thread_that_goes_on_is_wrong(done):
    ends, before = threading.Event(), threading.enumerate()
    thread = threading.Thread(target=ends.wait, name="forever")
    thread.start()
    left = threads_left(before, 0.0)
    ends.set()
    thread.join()
    assert (left, threads_left(before, 0.0)) == (("forever",), ())
    (said,) = findings(attrs.evolve(done("Counts"), threads=left))
    assert said.startswith("The thread 'forever' goes on after session_ended")


@pytest.mark.parametrize(("status", "ends_with"), [(0, 1), (7, 7)])
def test_a_process_that_a_hook_ends_has_not_ended_well(status, ends_with, monkeypatch, capfd):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with no_silent_end():
        os._exit(status)
    os._exit(0)
    assert ended == [ends_with, 0]
    assert ("the plugin ended the process" in capfd.readouterr().err) is (status == 0)


def test_warnings_are_told_and_are_not_wrong(done):
    trial = done("Warns")
    assert findings(trial) == []
    n = len([call for call in trial.calls if call.hook == "post_process"])
    own = {heard.text: heard.count for heard in trial.heard if heard.own}
    assert own == {"UserWarning: careful": n, "run 1 is odd": n}
    assert [heard.where for heard in trial.heard if not heard.own] == ["somebody.else"]
    assert trial_text(trial)[-1] == f"All is well, with {3 * n} warnings."


def test_settings_come_from_a_file_and_from_the_command_line(try_plugin, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[plugins.scaled]\nfactor = 2.0\n")
    once = try_plugin("Scaled", config_file=file)
    twice = try_plugin("Scaled", config_file=file, settings=["plugins.scaled.factor=4"])
    assert 2 * once.runs[0].curves[0].total == twice.runs[0].curves[0].total
    with pytest.raises(ConfigError, match="factor .* is missing"):
        try_plugin("Scaled")
    with pytest.raises(ConfigError, match="write it as KEY=VALUE"):
        try_plugin("Scaled", settings=["factor"])


def test_a_sink_runs_beside_the_defaults(done):
    trial = done("Sink")
    assert findings(trial) == []
    assert (trial.kind, trial.beside) == ("sink", ())
    assert {sink.name: (sink.delivered, sink.where) for sink in trial.sinks}["sink"] == (1, "nowhere, run 1")
    assert trial.runs[0].curves[0].label == "whole detector"


def test_a_sink_runs_beside_an_instrument(try_plugin, install):
    install(
        "livered-own",
        {"own_instrument.py": "from trial_plugins import Counts\n\nclass Own(Counts):\n    pass\n"},
        {"livered.instruments": ["OWN = own_instrument:Own"]},
    )
    trial = try_plugin("Sink", instrument="own")
    assert (trial.instrument, trial.beside) == ("OWN", ("own",))
    assert trial.runs[0].curves[0].label == "counts"
    with pytest.raises(PluginLoadError, match="OWN"):
        try_plugin("Sink", instrument="OWM")


def test_a_wrapper_is_timed_without_what_it_wraps(done):
    trial = done("Halves")
    rows = {(row.plugin, row.hook): row for row in trial.times()}
    wrapped = rows["livered defaults", "process_chunk"].total_s
    assert rows["halves", "process_chunk"].total_s > wrapped
    assert trial.ns_per_event < wrapped / trial.n_events * 1e9
    assert "halves.process_chunk *" in text_of(trial)


def test_an_observer_is_fine(done):
    assert findings(done("Observer")) == []


def test_an_own_reduction_takes_the_place_of_the_instruments(try_plugin, install):
    install(
        "livered-own",
        {"own_instrument.py": "from trial_plugins import NoCurve\n\nclass Own(NoCurve):\n    pass\n"},
        {"livered.instruments": ["OWN = own_instrument:Own"]},
    )
    trial = try_plugin("Counts", instrument="OWN")
    assert trial.beside == ("own",)
    assert findings(trial) == []


def test_hooks_that_were_never_called_are_wrong(try_plugin, install):
    install(
        "livered-own",
        {"own_instrument.py": "from trial_plugins import Counts\n\nclass Own(Counts):\n    pass\n"},
        {"livered.instruments": ["OWN = own_instrument:Own"]},
    )
    trial = try_plugin("Counts", instrument="OWN", settings=["hooks.owner.post_process=own"])
    assert findings(trial) == [
        "post_process of counts was never called: see which plugin answers first, or owns it (hooks.owner)."
    ]


@pytest.mark.parametrize(("budget", "wrong"), [(1e9, 0), (1e-6, 1)])
def test_a_budget_is_looked_at(budget, wrong, try_plugin):
    trial = try_plugin("Counts", budget_ns=budget)
    assert len(findings(trial)) == wrong
    assert f"{budget:g} ns are allowed" in text_of(trial)


def test_what_a_run_lacks_is_worth_a_look(try_plugin, recording, tmp_path):
    short = tmp_path / "short.adara"
    short.write_bytes(recording.read_bytes()[:200_000])
    trial = try_plugin("Counts", source=str(short))
    assert findings(trial) == []
    assert any("incomplete" in remark and "ends before the run" in remark for remark in remarks(trial))


def test_files_of_the_machine_do_not_count(try_plugin, monkeypatch):
    monkeypatch.setattr("livered_core.engine.setup.standard_layers", lambda *_: pytest.fail("they were read"))
    assert findings(try_plugin("Counts")) == []


def test_a_plugin_sees_places_of_the_trial_and_no_variable_of_livereds(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERED_UPDATE_EVERY", "3")
    with private_places(tmp_path) as environ:
        assert environ == dict(os.environ)
        assert not [name for name in environ if name.startswith("LIVERED_")]
        assert Path(environ["XDG_STATE_HOME"]).is_relative_to(tmp_path)
    assert os.environ["LIVERED_UPDATE_EVERY"] == "3"


def test_nothing_of_the_person_is_touched(try_plugin, tmp_path, monkeypatch):
    places = {}
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        places[name] = tmp_path / name
        places[name].mkdir(mode=0o700)
        monkeypatch.setenv(name, str(places[name]))
    config = places["XDG_CONFIG_HOME"] / "livered"
    config.mkdir()
    (config / "TST.toml").write_text('[plugins.publish_monitor]\nurl = "http://localhost:1"\n')
    monkeypatch.setenv("LIVERED_PLUGINS__PUBLISH_MONITOR__URL", "http://localhost:1")
    before = dict(os.environ)
    trial = try_plugin("Counts")
    assert findings(trial) == []
    assert [sink.name for sink in trial.sinks] == ["files"]
    assert dict(os.environ) == before
    left = [path for place in places.values() for path in place.rglob("*")]
    assert left == [config, config / "TST.toml"]


def test_it_can_be_stopped(recording, tmp_path):
    trial = run_trial(
        find_plugin("trial_plugins:Counts"),
        TrialRequest(tmp_path / "out", source=str(recording)),
        begun=lambda stop: stop(),
    )
    assert "It was stopped before its end." in findings(trial)


def test_the_simulated_beamline_is_played_once_and_short(tmp_path):
    trial = run_trial(
        find_plugin("trial_plugins:Counts"),
        TrialRequest(tmp_path / "out", settings=SETTINGS, chunk_events=5000),
    )
    assert findings(trial) == []
    (run,) = trial.runs
    assert (run.run.instrument, run.n_pulses, run.missing) == ("TST", 120, ())
    assert 1.9 < trial.beam_s < 2.1


def test_the_document_for_programs_is_json(done):
    document = json.loads(trial_json(done("OnlyNan")), parse_constant=pytest.fail)
    assert document["runs"][0]["curves"][0]["peak"] is None
    assert document["calls"][0]["began_s"] >= 0
    assert {"times", "memory", "counts", "page", "files", "failures"} <= set(document)


def test_the_page_says_what_each_part_is(done):
    page = (Path(__file__).parents[2] / "docs" / "trying-a-plugin.md").read_text()
    lines = [*trial_text(done("Warns")), *trial_text(done("ThirdFails"))]
    titles = {line for before, line in zip(["", *lines], lines, strict=False) if before == "" and line}
    headings = {line for line in titles if not line.startswith(("Plugin ", "All is well", "1 thing"))}
    assert {"Calls of hooks", "Times", "Warnings", "Failures", "Worth a look"} <= headings
    assert [heading for heading in headings if f"**{heading}**: " not in page] == []
