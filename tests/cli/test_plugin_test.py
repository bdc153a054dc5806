"""``livered plugin test``: what it prints, writes and opens, and what it ends with."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

import livered_core.cli.plugin_test as command
from livered_core.cli import main
from trial_support import write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("recording"))


class NoSignals:
    """The test's process keeps its own handlers."""

    def __init__(self, *_):
        pass

    def install(self):
        pass


@pytest.fixture
def opened(monkeypatch):
    addresses = []
    monkeypatch.setattr(command.webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


@pytest.fixture
def try_command(recording, opened, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "StopSignals", NoSignals)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(name, *arguments):
        source = [] if "--source" in arguments else ["--source", str(recording)]
        monkeypatch.setattr(sys, "argv", ["livered", "plugin", "test", name, *source, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_all_is_well(try_command, tmp_path, opened):
    code, out, err = try_command("trial_plugins:Wanders", "--json", "trial.json")
    assert (code, err) == (0, "")
    for heading in (
        "Plugin  wanders (trial_plugins:Wanders)",
        "Calls of hooks",
        "Times",
        "Events",
        "Memory",
        "Results",
    ):
        assert f"\n{heading}\n" in f"\n{out}"
    assert out.endswith("All is well.\nThe curves: output/wanders-trial/TST_1.html\n")
    assert (tmp_path / "output" / "wanders-trial" / "TST_1.html").is_file()
    assert json.loads((tmp_path / "trial.json").read_text())["ok"]
    # Nobody sits at a terminal.
    assert opened == []


def test_something_is_wrong(try_command):
    code, out, _ = try_command("trial_plugins:ThirdFails", "--output-dir", "here")
    assert code == 1
    assert "1 thing is wrong:\n  third_fails failed in process_chunk on chunk" in out
    assert out.endswith("The curves: here/TST_1.html\n")


def test_the_page_is_opened_when_asked(try_command, opened, tmp_path):
    try_command("trial_plugins:Counts", "--open")
    assert opened == [(tmp_path / "output" / "counts-trial" / "TST_1.html").as_uri()]
    try_command("trial_plugins:Counts", "--no-open")
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("trial_plugins:Cuonts", [], "did you mean Counts?"),
        ("nothing_like_it", [], "There is no plugin 'nothing_like_it'"),
        ("trial_plugins:Misspelt", [], "did you mean process_chunk?"),
        ("trial_plugins:Scaled", [], "plugins.scaled.factor"),
        ("trial_plugins:Counts", ["--set", "plugins.counts.factor=1"], "plugins.counts.factor"),
        ("trial_plugins:Counts", ["--set", "nonsense"], "write it as KEY=VALUE"),
        ("trial_plugins:Counts", ["--config", "nowhere.toml"], "nowhere.toml"),
        ("trial_plugins:Counts", ["--source", "nowhere.adara"], "nowhere.adara cannot be read"),
        ("trial_plugins:Sink", ["--instrument", "NOWHERE"], "Unknown instrument 'NOWHERE'"),
        ("trial_plugins:Counts", ["--budget", "0"], "--budget"),
    ],
)
def test_a_wrong_name_or_configuration_is_said_in_a_sentence(name, arguments, words, try_command, tmp_path):
    code, out, err = try_command(name, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert not (tmp_path / "output").exists()


def test_a_class_in_the_working_directory_is_found(try_command, tmp_path):
    (tmp_path / "found_here.py").write_text(
        "from trial_plugins import Counts\n\nclass Here(Counts):\n    pass\n"
    )
    try:
        code, out, _ = try_command("found_here:Here")
    finally:
        sys.modules.pop("found_here", None)
    assert (code, out.splitlines()[0]) == (0, "Plugin  here (found_here:Here)")


def test_a_file_that_cannot_be_written_is_said(try_command):
    code, _, err = try_command("trial_plugins:Counts", "--json", "/proc/nowhere/trial.json")
    assert code == 1
    assert "name another file with --json" in err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_at_a_terminal_it_says_how_far_it_has_come(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    progress = command._Progress()
    source = SimpleNamespace(read_fraction=0.25, counts={"events": 1234567})
    progress(None)
    progress(SimpleNamespace(source=source))
    progress.clear()
    assert terminal.getvalue() == "\r\x1b[K1,234,567 events received, 25% read\r\x1b[K"


def test_the_page_opens_by_itself_at_a_terminal_with_a_display(monkeypatch, opened, tmp_path):
    monkeypatch.setattr(sys, "stdout", Terminal())
    trial = SimpleNamespace(page=tmp_path / "page.html")
    for name in command._DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    command._show(trial, None)
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    command._show(trial, None)
    assert opened == [trial.page.as_uri()]
