"""``livered plugin check``: what it says, and what it ends with."""

from __future__ import annotations

import json
import sys

import pytest

from livered_core.cli import main

PLUGIN = """
    import numpy as np
    from livered_core import Curve, Result, hookimpl

    class Good:
        data_models = ("native",)

        @hookimpl
        def process_chunk(self, chunk):
            return np.bincount(chunk.events.tof // 10_000, minlength=50)[:50]

        @hookimpl
        def post_process(self, accumulated, run):
            curve = Curve("all", np.arange(51), accumulated, np.sqrt(accumulated), "ms", "counts")
            return Result(run.number, run.title, [curve])

    class Bad(Good):
        @hookimpl
        def post_process(self, accumulated, run):
            accumulated += 1
            print("a note")
            return super().post_process(accumulated, run)

    class Misspelt(Good):
        @hookimpl
        def proces_chunk(self, chunk):
            return 1
"""
NEEDY = """
    from pathlib import Path
    import attrs
    from livered_core import hookimpl

    @attrs.frozen
    class Place:
        file: Path = attrs.field(metadata={"help": "where it writes"})

    class Sink:
        settings_class = Place

        def __init__(self, settings):
            self.settings = settings

        @hookimpl
        def post_publish(self, result):
            self.settings.file.write_text(result.title)
"""


SLOW = ("--set", "simulate.rate=2000")
"""Not many events in a run."""


@pytest.fixture
def check(install, tmp_path, monkeypatch, capsys):
    lines = ["XYZ = livered_xyz:Good"]
    site = install(
        "livered-xyz", {"livered_xyz.py": PLUGIN, "needy.py": NEEDY}, {"livered.instruments": lines}
    )
    with (site / "livered_xyz-1.0.dist-info" / "METADATA").open("a") as metadata:
        metadata.write("Requires-Dist: livered-core[native]\n")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["livered", "plugin", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_a_good_plugin_is_all_well_and_a_bad_one_is_said_in_full(check):
    code, out, err = check("livered_xyz:Good", *SLOW)
    assert (code, err) == (0, "")
    assert out.startswith("xyz: livered_xyz:Good of livered-xyz 1.0\ndata: run 1 of XYZ (simulated), ")
    assert "\n  ok     order of chunks  " in out
    assert ", 0 wrong, " in out

    code, out, err = check("livered_xyz:Bad", "--json", *SLOW)
    assert code == 1
    assert set(err.splitlines()) == {"a note"}
    document = json.loads(out)
    assert document["format"] == 1
    wrong = [each["check"] for each in document["findings"] if each["verdict"] == "wrong"]
    assert wrong == ["accumulated not changed", "updates in between"]
    assert document["n_events"] > 10_000


def test_wrong_hooks_are_a_finding_and_nothing_is_run(check):
    code, out, err = check("livered_xyz:Misspelt")
    assert (code, err) == (1, "")
    assert "WRONG: hooks\n  proces_chunk is marked with @hookimpl and there is no such hook" in out
    assert "data: run" not in out
    assert "Not tried: native data, mantid data, " in out


def test_settings_that_are_missing_are_a_wrong_configuration_and_the_class_is_checked_all_the_same(check):
    code, out, err = check("needy:Sink")
    assert code == 2
    assert err == "livered: plugins.sink.file (command line) is missing: give a path.\n"
    assert "\n  ok     settings strict  " in out


def test_a_sink_is_handed_results_when_asked(check, tmp_path):
    given = ("needy:Sink", "--set", f"plugins.sink.file={tmp_path}/title.txt")
    code, out, _ = check(*given)
    assert code == 0
    assert "\n  ?      receipts  " in out
    assert not (tmp_path / "title.txt").exists()
    code, out, _ = check(*given, "--publish")
    assert code == 0
    assert "\n  ok     receipts  " in out
    assert (tmp_path / "title.txt").exists()


def test_a_name_that_nobody_has_is_said(check):
    code, out, err = check("xyy")
    assert (code, out) == (2, "")
    assert "There is no plugin 'xyy' (did you mean XYZ?)" in err
