"""Final results that wait for a sink, in a real session."""

from __future__ import annotations

import pytest

from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.publish.outbox import unsent_files
from livered_support import private_environment
from played_source import PlayedSource

PLUGIN = """
    from pathlib import Path
    from livered_core import Curve, Receipt, Result, hookimpl

    TAKEN = []

    class Instrument:
        @hookimpl
        def post_process(self, accumulated, run, update):
            return Result(run.number, "sum", (Curve("sum", [0.0], [1.0], [0.0], "one", "counts"),))

    class Sink:
        @hookimpl
        def post_publish(self, result, run, update):
            if Path("down").exists():
                raise OSError("down")
            TAKEN.append((run.number, update.final))
            return Receipt("here", 0, 1)
"""


@pytest.fixture
def play(tmp_path, install, monkeypatch):
    """Run a session of some runs; return it, and what its sink has taken."""
    points = {
        "livered.instruments": ["TST = unsent_plugins:Instrument"],
        "livered.plugins": ["sink = unsent_plugins:Sink"],
    }
    install("livered-unsent-test", {"unsent_plugins.py": PLUGIN}, points)
    monkeypatch.chdir(tmp_path)

    def play(*numbers, config="", sink="[plugins.sink]\n", recording=None, **environment):
        (tmp_path / "c.toml").write_text(f"{config}\n[plugins.files]\nformats = ['text']\n{sink}")
        environ = private_environment(tmp_path, **environment)
        loaded = load_configuration("TST", tmp_path / "c.toml", {}, environ)
        session = Session(
            loaded,
            SystemClock(),
            recording=recording,
            make_source=lambda *_: PlayedSource(*numbers),
            environ=environ,
        )
        assert session.run() == 0
        import unsent_plugins  # the `install` fixture has made it

        taken = list(unsent_plugins.TAKEN)
        unsent_plugins.TAKEN.clear()
        return session, taken

    return play


def unsent(tmp_path):
    folder = tmp_path / ".local" / "state" / "livered" / "TST" / "unsent"
    return [(file.sink, file.run) for file in sorted(unsent_files(folder), key=lambda file: file.name)]


def test_what_a_sink_did_not_take_is_said_kept_and_sent_by_the_next_session(play, tmp_path):
    (tmp_path / "down").touch()
    session, taken = play(7, 8)
    assert (taken, unsent(tmp_path)) == ([], [("sink", 7), ("sink", 8)])
    assert session.unsent == [
        "Sink sink did not take the final results of runs 7, 8, which are kept on disk and sent when livered starts "
        "again: OSError: down"
    ]
    (tmp_path / "down").unlink()
    session, taken = play(8, 9)
    assert (taken, unsent(tmp_path), session.unsent) == ([(7, True), (8, True), (9, True)], [], [])


def test_what_is_older_than_configured_is_given_up(play, tmp_path):
    (tmp_path / "down").touch()
    play(7)
    (path,) = (tmp_path / ".local" / "state" / "livered" / "TST" / "unsent" / "sink").iterdir()
    name = path.name
    hours_ago = int(name[:20]) - 3 * 3600 * 10**9
    path.rename(path.with_name(f"{hours_ago:020d}{name[20:]}"))
    (tmp_path / "down").unlink()
    assert play(config="[publish]\ngive_up_after = 4")[1] == [(7, True)]
    (tmp_path / "down").touch()
    play(8)
    (path,) = (tmp_path / ".local" / "state" / "livered" / "TST" / "unsent" / "sink").iterdir()
    path.rename(path.with_name(f"{hours_ago:020d}{path.name[20:]}"))
    (tmp_path / "down").unlink()
    assert play(config="[publish]\ngive_up_after = 2")[1] == []
    assert unsent(tmp_path) == []


def test_a_sink_that_is_not_configured_any_more_is_told_of(play, tmp_path, caplog):
    (tmp_path / "down").touch()
    play(7)
    play(sink="")
    (warning,) = [r.getMessage() for r in caplog.records if "not configured any more" in r.getMessage()]
    assert warning.startswith("1 final result of an earlier session waits for the sink sink, ")
    assert unsent(tmp_path) == [("sink", 7)]


def test_without_a_state_folder_sinks_are_served_all_the_same(play, tmp_path, caplog):
    (tmp_path / "state").write_text("a file")
    session, taken = play(7, XDG_STATE_HOME=str(tmp_path / "state"))
    assert (taken, session.unsent) == ([(7, True)], [])
    (said,) = [r.getMessage() for r in caplog.records if "cannot be kept on disk" in r.getMessage()]
    assert str(tmp_path / "state") in said


def test_a_recording_keeps_nothing_and_is_sent_as_often_as_it_is_reduced(play, tmp_path):
    for _ in range(2):
        assert play(7, recording=object())[1] == [(7, True)]
    (tmp_path / "down").touch()
    session, _ = play(7, recording=object())
    assert session.unsent == ["Sink sink did not take the final result of run 7: OSError: down"]
    assert not (tmp_path / ".local" / "state").exists()
