"""Changes that the reloader finds by itself, in the contents of the files."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest

from livered_core.engine import reload_watch
from livered_core.engine.reload_request import REQUEST_FILE, take_request, write_request
from livered_core.engine.watched_files import (
    LARGEST,
    Settling,
    Snapshot,
    WatchedFiles,
    content_of,
    take_snapshot,
)
from reload_support import PLUGIN, Led
from waiting import until

EVERY = "[reload]\nevery = 0.05\n"


@pytest.fixture
def watching(tmp_path, install):
    led = Led(tmp_path, install, EVERY)
    led.begin_run()
    led.take(10)
    led.reloader.start()
    until(lambda: led.reloader.status()["looked_ns"])
    yield led
    led.reloader.close()


def looked_again(led, times=3):
    for _ in range(times):
        seen = led.reloader.status()["looked_ns"]
        until(lambda seen=seen: led.reloader.status()["looked_ns"] > seen)


def test_a_changed_file_is_taken_up(watching):
    watching.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    until(lambda: watching.reloader.wanted)
    swapped = watching.reach()
    assert swapped is not None
    assert swapped.note == "Code or settings of plugins changed at 1 events."
    assert watching.curve() == 20.0
    looked_again(watching)
    assert not watching.reloader.wanted


def test_only_a_change_of_contents_counts(watching):
    for path in watching.package.iterdir():
        if path.is_file():
            os.utime(path)
            path.write_text(path.read_text())
    looked_again(watching)
    assert not watching.reloader.wanted


def test_what_was_refused_is_not_tried_again_until_it_changes(watching):
    watching.write("a = = 1")
    until(lambda: watching.reloader.wanted)
    assert watching.reach() is None
    looked_again(watching)
    assert not watching.reloader.wanted
    assert watching.state == "refused"
    watching.write(PLUGIN)
    until(lambda: watching.state == "ok")
    assert watching.sentence == "The files are again as they were loaded."
    assert not watching.reloader.wanted
    watching.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    until(lambda: watching.reloader.wanted)
    assert watching.reach() is not None


def test_what_is_refused_when_asked_for_is_not_tried_again_by_itself(watching):
    watching.write("a = = 1")
    assert watching.reload() is None
    looked_again(watching)
    assert not watching.reloader.wanted or watching.reach() is None
    assert len(watching.witness.failures) <= 2
    looked_again(watching)
    assert not watching.reloader.wanted


def test_a_file_that_is_replaced_over_and_over_is_left_alone(watching, caplog):
    stop = threading.Event()

    def keep_writing():
        for n in range(10**9):
            part = watching.package / "plugin.part"
            part.write_text(f"n = {n}\n")
            part.replace(watching.package / "plugin.py")
            if stop.wait(0.004):
                return

    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        until(lambda: "change at each look" in caplog.text)
        assert not watching.reloader.wanted
    finally:
        stop.set()
        thread.join()
    watching.take(10)
    assert watching.curve() == 20.0
    watching.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    until(lambda: watching.reloader.wanted)
    assert watching.reach() is not None


def test_a_file_that_changes_while_it_is_loaded_waits_for_the_next_look(watching):
    watching.write(PLUGIN.replace("SCALE = 1", "__import__('os').truncate(__file__, 9000); SCALE = 3"))
    until(lambda: watching.reloader.wanted)
    assert watching.reach() is None
    assert watching.state == "none"
    assert watching.witness.failures == []


def test_configuration_that_appears_is_taken_up(watching, tmp_path):
    own = tmp_path / ".config" / "livered" / "REL.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[plugins.rel]\nfactor = 4")
    until(lambda: watching.reloader.wanted)
    assert watching.reach() is not None
    assert watching.curve() == 40.0


def test_a_file_system_that_does_not_answer_changes_nothing_and_is_said_once(watching, monkeypatch, caplog):
    def stale(_files):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(reload_watch, "take_snapshot", stale)
    until(lambda: watching.reloader.status()["problem"])
    before = watching.reloader.status()["looked_ns"]
    monkeypatch.undo()
    until(lambda: watching.reloader.status()["looked_ns"] > before)
    assert watching.reloader.status()["problem"] == ""
    assert caplog.text.count("cannot be read") == 1
    assert not watching.reloader.wanted


def test_a_reading_that_hangs_holds_up_nothing(watching, monkeypatch):
    entered, leave = threading.Event(), threading.Event()

    def hangs(_files):
        entered.set()
        leave.wait(30)
        return Snapshot()

    monkeypatch.setattr(reload_watch, "take_snapshot", hangs)
    assert entered.wait(30)
    watching.take(10)
    watching.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    assert watching.reload() is not None
    assert watching.curve() == 40.0
    leave.set()


def test_nothing_is_watched_where_that_is_configured(tmp_path, install):
    led = Led(tmp_path, install, f"{EVERY}watch = false")
    led.reloader.start()
    led.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    token = write_request(tmp_path)
    until(lambda: led.reloader.wanted)
    assert led.reloader.status()["looked_ns"] == 0
    assert led.reach() is not None
    assert led.reloader.status()["answers"] == {token: "ok"}
    led.reloader.close()


def test_what_was_seen_before_an_attempt_came_to_its_end_is_no_news(watching):
    watching.write(PLUGIN.replace("SCALE = 1", "SCALE = 2"))
    assert watching.reload() is not None
    instrument, status = watching.instrument, watching.reloader.status()
    watching.reloader._files_changed(watching.reloader._watch.tried, ("plugin.py",))
    assert watching.reach() is None
    assert watching.instrument is instrument
    assert watching.reloader.status()["sentence"] == status["sentence"] == "Reloaded: rel 1.0."


def test_a_request_is_taken_once(tmp_path):
    assert take_request(tmp_path) is None
    token = write_request(tmp_path)
    assert stat.S_IMODE((tmp_path / REQUEST_FILE).stat().st_mode) == 0o600
    assert take_request(tmp_path) == token
    assert take_request(tmp_path) is None
    (tmp_path / REQUEST_FILE).write_bytes(b"\xff" * 1000)
    assert take_request(tmp_path) == ""


def test_a_change_is_one_that_is_seen_twice_the_same():
    loaded, one, other = (Snapshot(code={"a.py": digest}) for digest in ("0", "1", "2"))
    settling = Settling(loaded)
    seen = [settling.look(now) for now in (loaded, one, other, other, loaded, loaded, one, one)]
    assert seen == [(), (), (), ("a.py",), (), (), (), ("a.py",)]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, ""),
        (
            lambda path: path.write_text("a"),
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
        ),
        (os.mkfifo, "no file"),
        (lambda path: path.mkdir(), "no file"),
        (lambda path: (path.touch(), os.truncate(path, LARGEST + 1)), f"{LARGEST + 1} bytes"),
    ],
    ids=["absent", "a file", "a pipe", "a folder", "a large file"],
)
def test_the_content_of_anything_is_told_at_once(tmp_path, make, expected):
    make(tmp_path / "it")
    assert content_of(tmp_path / "it") == expected


def test_what_is_looked_at(tmp_path):
    package = tmp_path / "site" / "pack"
    (package / "deep" / "__pycache__").mkdir(parents=True)
    (package / ".hidden").mkdir()
    for name in ("a.py", "defaults.toml", "data.xml", "deep/b.py", "deep/__pycache__/c.py", ".hidden/d.py"):
        (package / name).write_text(name)
    info = tmp_path / "site" / "Pack_One-1.0.dist-info"
    info.mkdir()
    for name in ("METADATA", "RECORD", "entry_points.txt"):
        (info / name).write_text(name)
    files = WatchedFiles((tmp_path / "c.toml",), (package,), ((tmp_path / "site", "pack_one"),))
    snapshot = take_snapshot(files)
    assert snapshot.settings == {str(tmp_path / "c.toml"): ""}
    assert [path.removeprefix(f"{tmp_path}/site/") for path in sorted(snapshot.code)] == [
        "Pack_One-1.0.dist-info/METADATA",
        "Pack_One-1.0.dist-info/entry_points.txt",
        "pack/a.py",
        "pack/deep/b.py",
        "pack/defaults.toml",
    ]
