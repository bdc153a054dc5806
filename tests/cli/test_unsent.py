"""``livered unsent``, the real program, on folders that a real outbox wrote."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hooks_support import result, run_info, update
from livered_core.publish.latest import Published
from livered_core.publish.outbox import Outbox
from livered_support import WAIT, livered, private_environment

AN_HOUR_NS = 3_600_000_000_000
NOON_NS = 1_795_953_600_000_000_000


@pytest.fixture
def waiting(tmp_path):
    """Three final results in two folders; return the state folder."""
    state = tmp_path / ".local" / "state" / "livered"
    for name, runs in (("NOM", (7, 8)), ("POWGEN", (7,))):
        folder = state / name
        folder.mkdir(parents=True)
        outbox = Outbox(lambda folder=folder: folder)
        outbox.open()
        for number, run in enumerate(runs):
            item = Published(1, result(run), run_info(run), update(2, final=True))
            outbox.keep(
                item, ["monitor", "files"] if run == 8 else ["monitor"], NOON_NS + number * AN_HOUR_NS
            )
        outbox.close()
    return state


def files(state):
    return sorted(f"{path.parent.name} {path.name[21:]}" for path in state.glob("*/unsent/*/[!.]*"))


def drop(folder, *arguments, answer=""):
    return subprocess.run(
        [sys.executable, "-m", "livered_core", "unsent", "drop", *arguments],
        cwd=folder,
        env=private_environment(folder),
        input=answer,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def test_it_lists_what_waits_oldest_first(tmp_path, waiting):
    shown = livered(tmp_path, "unsent", "list")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = [line.split("  ")[:4] for line in shown.stdout.splitlines()]
    assert [(*line[:3], line[3][:26]) for line in lines] == [
        ("NOM", "run 7", "for monitor", "since 2026-11-29T12:00:00Z"),
        ("NOM", "run 8", "for files", "since 2026-11-29T13:00:00Z"),
        ("NOM", "run 8", "for monitor", "since 2026-11-29T13:00:00Z"),
        ("POWGEN", "run 7", "for monitor", "since 2026-11-29T12:00:00Z"),
    ]
    one = livered(tmp_path, "unsent", "list", "-i", "NOM", "--sink", "files").stdout
    assert [line.split("  ")[1] for line in one.splitlines()] == ["run 8"]


def test_it_says_when_nothing_waits(tmp_path):
    shown = livered(tmp_path, "unsent", "list")
    assert (shown.returncode, shown.stdout) == (0, "No final result waits.\n")
    assert not (tmp_path / ".local").exists()
    assert livered(tmp_path, "unsent", "list", "-i", "NOM", "--sink", "s").stdout == (
        "No final result waits for the sink s of NOM.\n"
    )


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path, waiting):
    (waiting / "NOM" / "unsent").rename(waiting / "NOM" / "aside")
    (waiting / "NOM" / "unsent").write_text("a file")
    shown = livered(tmp_path, "unsent", "list")
    assert shown.returncode == 2
    assert "unsent cannot be read (Not a directory)" in shown.stderr


def test_a_run_is_dropped_after_a_question(tmp_path, waiting):
    refused = drop(tmp_path, "7", "-i", "NOM", answer="n\n")
    assert (refused.returncode, len(files(waiting))) == (1, 4)
    assert "Nothing was dropped." in refused.stdout
    assert drop(tmp_path, "7", "-i", "NOM").returncode == 1
    assert len(files(waiting)) == 4
    dropped = drop(tmp_path, "7", "-i", "NOM", answer="y\n")
    assert dropped.returncode == 0
    assert "for ever?" in dropped.stdout
    assert dropped.stdout.endswith("Dropped 1.\n")
    assert files(waiting) == ["files run8-0.unsent", "monitor run7-0.unsent", "monitor run8-0.unsent"]


def test_all_of_a_sink_is_dropped_and_what_was_set_aside_with_it(tmp_path, waiting):
    (waiting / "NOM" / "unsent" / "monitor" / "x.unsent.damaged").write_text("x")
    assert "Set aside because it cannot be read" in livered(tmp_path, "unsent", "list").stdout
    dropped = drop(tmp_path, "--all", "--sink", "monitor", "--yes")
    assert (dropped.returncode, dropped.stdout.splitlines()[-1]) == (0, "Dropped 4.")
    assert files(waiting) == ["files run8-0.unsent"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "Name a run, as in livered unsent drop 4711, or say --all; not both."),
        (("7", "--all"), 2, "not both"),
        (("9", "--yes"), 1, "no final result of run 9 waits: see livered unsent list."),
        (("--all", "--yes", "-i", "NOBODY"), 1, "no final result waits of NOBODY"),
        (("7", "-i", "../NOM"), 2, "instrument"),
        (("none",), 2, "is not a valid integer"),
    ],
)
def test_what_cannot_be_dropped_is_said(tmp_path, waiting, arguments, code, sentence):
    refused = drop(tmp_path, *arguments)
    assert refused.returncode == code
    assert sentence in refused.stderr
    assert len(files(waiting)) == 4
