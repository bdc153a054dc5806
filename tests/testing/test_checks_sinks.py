"""Sinks that are wrong, each of which must be caught; nothing is handed to one unasked."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from checks_support import DATA, IN_PROCESS, Good, assert_wrong, look
from livered_core import Receipt, SinkUnavailable, hookimpl
from livered_core.testing.checks import Verdict, check_plugin, problems

SINK_CHECKS = ("receipts", "same result twice", "result not changed", "leaks")


@attrs.frozen
class Place:
    file: Path = attrs.field(metadata={"help": "where it writes"})


class Sink:
    """Writes the newest result over the one before."""

    settings_class = Place

    def __init__(self, settings):
        self.path = settings.file

    @hookimpl
    def post_publish(self, result, run, update):
        if not update.final:
            return None
        self.write(run)
        return Receipt(str(self.path), 1, self.path.stat().st_size, [self.path])

    def write(self, run):
        self.path.write_text(f"run {run.number}\n")


def sees(sink, check, tmp_path):
    return look(sink, check, {"file": tmp_path / "runs.txt"})


def test_with_a_good_sink_nothing_is_wrong(tmp_path):
    findings = check_plugin(Sink, {"file": tmp_path / "runs.txt"}, data=DATA, only=IN_PROCESS)
    assert problems(findings) == []
    said = {finding.check: finding for finding in findings}
    assert {said[check].verdict for check in SINK_CHECKS} == {Verdict.OK}
    assert said["same result twice"].sentence.startswith(
        "the same final result twice: no file has grown, and none has come"
    )


def test_nothing_is_handed_to_a_sink_unasked(tmp_path):
    settings = {"file": tmp_path / "runs.txt"}
    findings = check_plugin(Sink, settings, data=DATA, publish=False, only=IN_PROCESS)
    assert [f.check for f in findings if f.verdict is Verdict.NOT_TRIED] == list(SINK_CHECKS[:3])
    assert not (tmp_path / "runs.txt").exists()


class ReturnsText(Sink):
    @hookimpl
    def post_publish(self, result):
        return "sent"


class NamesNoFile(Sink):
    def write(self, run):
        self.path.write_text("")
        self.path = self.path.with_suffix(".gone")


class Fails(Sink):
    @hookimpl
    def post_publish(self, result):
        raise KeyError("url")


class LiesOfFiles(Sink):
    @hookimpl
    def post_publish(self, result):
        return Receipt("here", 1, 1, [self.path.with_suffix(".gone")])


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        (ReturnsText, "post_publish must return a Receipt or None and returned a str."),
        (Fails, "post_publish fails: KeyError: 'url'."),
        (LiesOfFiles, "the Receipt names "),
    ],
)
def test_a_sink_that_does_not_say_what_it_did_is_caught(tmp_path, sink, said):
    assert_wrong(sees(sink, "receipts", tmp_path), said)


class Refuses(Sink):
    @hookimpl
    def post_publish(self, result):
        raise SinkUnavailable("The server does not answer.")


@pytest.mark.parametrize("check", SINK_CHECKS[:3])
def test_a_sink_that_says_why_it_does_not_take_a_result_is_not_wrong(tmp_path, check):
    finding = sees(Refuses, check, tmp_path)
    assert finding.verdict is Verdict.NOT_TRIED
    assert "The server does not answer" in finding.sentence


class Appends(Sink):
    def write(self, run):
        with self.path.open("a") as file:
            file.write(f"run {run.number}\n")


class AnotherFile(Sink):
    def write(self, run):
        while self.path.exists():
            self.path = self.path.with_name(f"{self.path.stem}-again.txt")
        super().write(run)


class FailsTheSecondTime(Sink):
    def write(self, run):
        with self.path.open("x") as file:
            file.write(f"run {run.number}\n")


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        (Appends, "runs.txt grow by 6 bytes more"),
        (AnotherFile, "makes another file, "),
        (FailsTheSecondTime, "the same final result again: post_publish fails: FileExistsError"),
    ],
)
def test_a_sink_that_does_twice_what_it_does_is_caught(tmp_path, sink, said):
    assert_wrong(sees(sink, "same result twice", tmp_path), said)


class ChangesNotes(Sink):
    @hookimpl
    def post_publish(self, result):
        result.curves[0].metadata["sent"] = True


def test_a_sink_that_changes_the_result_is_caught(tmp_path):
    said = "post_publish changes the result (.curves[0].metadata"
    assert_wrong(sees(ChangesNotes, "result not changed", tmp_path), said)


class LeavesThread(Sink):
    go = threading.Event()

    @hookimpl
    def session_started(self):
        threading.Thread(target=self.go.wait, name="left-behind", daemon=True).start()


class LeavesFile(Sink):
    left: ClassVar = []

    @hookimpl
    def post_publish(self, result):
        self.left.append(self.path.open("w"))


class ReducesAndLeavesFile(Good):
    left: ClassVar = []

    @hookimpl
    def run_started(self):
        self.left.append(Path(__file__).open())  # noqa: SIM115  (it is left open)


class Descriptor:
    def __init__(self):
        self.number = os.open(__file__, os.O_RDONLY)

    def __del__(self):
        os.close(self.number)


class ForgetsFile(Sink):
    """Which is closed when the plugin goes: at the beamline it stays."""

    @hookimpl
    def session_started(self):
        self.file, self.itself = Descriptor(), self
        os.environ["LEFT_BY_A_TEST"] = "1"


def test_what_a_session_leaves_behind_is_caught_after_other_sessions(tmp_path, monkeypatch):
    from livered_core.testing.checks import sinks

    monkeypatch.setattr(sinks, "_ENDS_WITHIN_S", 0.05)
    findings = check_plugin(
        ForgetsFile, {"file": tmp_path / "runs.txt"}, data=DATA, only=["receipts", "leaks"]
    )
    (said,) = problems(findings)
    assert "test_checks_sinks.py" in said
    assert "LEFT_BY_A_TEST" in said
    assert "LEFT_BY_A_TEST" not in os.environ


def test_what_a_session_leaves_behind_is_caught(tmp_path, monkeypatch):
    from livered_core.testing.checks import sinks

    monkeypatch.setattr(sinks, "_ENDS_WITHIN_S", 0.05)
    try:
        said = "left-behind"
        assert_wrong(sees(LeavesThread, "leaks", tmp_path), said)
        assert_wrong(sees(LeavesFile, "leaks", tmp_path), "runs.txt")
        assert_wrong(look(ReducesAndLeavesFile, "leaks"), "test_checks_sinks.py")
    finally:
        LeavesThread.go.set()
        for file in (*LeavesFile.left, *ReducesAndLeavesFile.left):
            file.close()
