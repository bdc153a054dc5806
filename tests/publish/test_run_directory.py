from __future__ import annotations

import json
import math
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from functools import partial

import pytest

from livered_core import config
from livered_core.errors import LiveredError
from livered_core.publish import run_directory
from livered_core.publish.run_directory import AlreadyRunning, RunDirectory
from waiting import WAIT


def test_the_files_are_the_users_alone_and_do_not_wait_for_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("synced"))
    before = os.umask(0o022)
    try:
        with RunDirectory(tmp_path) as folder:
            folder.replace("status.json", ["{", "}"])
            folder.keep("status.json", "runs/3.json")
    finally:
        os.umask(before)
    assert (tmp_path / "status.json").read_text() == "{}"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"lock": 0o600, "runs": 0o700, "status.json": 0o600, "3.json": 0o600}


def test_a_session_begins_with_the_files_of_the_one_before_it_and_without_what_it_left_half_written(tmp_path):
    with RunDirectory(tmp_path) as folder:
        folder.replace("latest.json", ["old"])
        folder.replace("runs/3.json", ["old"])
    for place in (tmp_path, tmp_path / "runs"):
        (place / ".0123456789abcdef.partial").write_text("{")
    with RunDirectory(tmp_path) as folder:
        names = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*"))
        assert names == ["latest.json", "lock", "runs", "runs/3.json"]
        assert folder.kept_runs() == {3}


def test_the_lock_names_its_owner_and_nobody_else(tmp_path):
    (tmp_path / "lock").write_text(
        "process 4194304 on a-machine-with-a-name-that-is-longer-than-this-one's\n" * 5
    )
    with RunDirectory(tmp_path):
        expected = f"process {os.getpid()} on {socket.gethostname()}\n"
        assert (tmp_path / "lock").read_text() == expected


def test_a_run_directory_that_cannot_be_used_is_one_sentence_and_no_lock_is_left(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(LiveredError) as caught, RunDirectory(tmp_path):
        pass
    assert str(caught.value) == (
        f"The run directory {tmp_path} cannot be used (File exists): "
        "remove what is in it, or mend its permissions."
    )
    (tmp_path / "runs").unlink()
    with RunDirectory(tmp_path):
        pass


def test_files_are_replaced_whole_and_leave_nothing_behind(tmp_path):
    def fails():
        yield "{"
        raise ValueError("nothing to say")

    with RunDirectory(tmp_path) as folder:
        for number in range(3):
            folder.replace("status.json", [f'{{"number": {number}}}'])
        with pytest.raises(ValueError, match="nothing to say"):
            folder.replace("status.json", fails())
        assert json.loads((tmp_path / "status.json").read_text()) == {"number": 2}
        assert sorted(p.name for p in tmp_path.iterdir()) == ["lock", "runs", "status.json"]


def test_what_is_kept_stays_when_the_file_is_replaced_and_can_be_kept_again(tmp_path):
    with RunDirectory(tmp_path) as folder:
        folder.replace("latest.json", ["first"])
        for _ in range(2):
            folder.keep("latest.json", "runs/3.json")
        folder.replace("latest.json", ["second"])
        assert (tmp_path / "runs" / "3.json").read_text() == "first"
        folder.keep("latest.json", "runs/3.json")
        assert (tmp_path / "runs" / "3.json").read_text() == "second"
        assert [p.name for p in (tmp_path / "runs").iterdir()] == ["3.json"]
        for _ in range(2):
            folder.remove_run(3)
        assert folder.kept_runs() == set()
        with pytest.raises(FileNotFoundError):
            folder.keep("nothing.json", "runs/4.json")
        assert list((tmp_path / "runs").iterdir()) == []


def test_somebody_who_reads_all_the_time_sees_whole_files_only(tmp_path):
    """A reader in another process, against files that are replaced and kept as fast as it goes."""
    reader = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
print("ready", flush=True)
seen = set()
while not (folder / "over").exists():
    for name in ("latest.json", "runs/1.json"):
        document = json.loads((folder / name).read_text())
        assert document["numbers"] == [document["n"]] * 20000
        seen.add((name, document["n"]))
print(len(seen))
"""
    with RunDirectory(tmp_path) as folder:

        def write(n: int) -> None:
            folder.replace("latest.json", [f'{{"n": {n}, ', '"numbers": ', json.dumps([n] * 20000), "}"])
            folder.keep("latest.json", "runs/1.json")

        write(0)
        with subprocess.Popen(
            [sys.executable, "-c", reader, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout.readline() == "ready\n"
            for n in range(300):
                write(n)
            (tmp_path / "over").touch()
            assert int(other.stdout.read()) > 4
        assert other.returncode == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"format": 1, "n": 3}', "ValueError: another format"),
        (b'{"format": 2, "n": ', "JSONDecodeError"),
        (b'{"n": "\xff"}', "UnicodeDecodeError"),
        (b"[" * 100_000, "RecursionError"),
        (b"[]", "TypeError"),
        (b'{"format": 2, "n": []}', "AttributeError"),
        (b'{"format": 2, "n": 1' + b"0" * 400 + b"}", "OverflowError"),
        (b"{}", "KeyError"),
        (b'{"format": 2, "n": "0123456789 0123456789"}', "ValueError: it has more than 40 bytes"),
    ],
)
def test_a_file_that_is_damaged_or_foreign_is_set_aside_and_said(tmp_path, monkeypatch, caplog, content, why):
    if why.endswith("40 bytes"):
        monkeypatch.setattr(run_directory, "LARGEST_FILE", 40)

    def understand(document):
        if document["format"] != 2:
            raise ValueError("another format")
        return math.isfinite(document["n"].real) and document["n"]

    (tmp_path / "runs.json").write_bytes(content)
    with RunDirectory(tmp_path) as folder:
        assert folder.read("runs.json", understand) is None
        assert (tmp_path / "runs.json.damaged").read_bytes() == content
        assert not (tmp_path / "runs.json").exists()
        (said,) = [record.getMessage() for record in caplog.records]
        assert said.startswith(f"{tmp_path / 'runs.json'} is not as this livered writes it ({why}")
        assert said.endswith("set aside as runs.json.damaged, and begun anew.")
        caplog.clear()
        assert folder.read("runs.json", understand) is None
        assert not caplog.records
        folder.replace("runs.json", ['{"format": 2, "n": 7}'])
        assert folder.read("runs.json", understand) == 7


def test_what_is_no_file_is_set_aside_and_not_waited_for(tmp_path, caplog):
    os.mkfifo(tmp_path / "runs.json")
    (tmp_path / "history.json").symlink_to("/dev/zero")
    (tmp_path / "failures.json").mkdir()
    with RunDirectory(tmp_path) as folder:
        found = []
        names = ("runs.json", "history.json", "failures.json")
        thread = threading.Thread(
            target=lambda: found.extend(folder.read(name, lambda document: document) for name in names),
            daemon=True,
        )
        thread.start()
        thread.join(WAIT)
        assert found == [None, None, None]
    assert len(caplog.records) == 3
    assert not any((tmp_path / name).exists() for name in names)


def test_a_second_engine_is_refused_and_told_who_is_there(tmp_path):
    holder = (
        "import sys, pathlib; from livered_core.publish.run_directory import RunDirectory\n"
        "with RunDirectory(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        (tmp_path / "latest.json").write_text("{}")
        (tmp_path / ".0123456789abcdef.partial").write_text("of the other one")
        pattern = rf"process {other.pid} on .* holds"
        with pytest.raises(AlreadyRunning, match=pattern) as caught, RunDirectory(tmp_path):
            pass
        assert caught.value.exit_code == 1
        assert (tmp_path / "latest.json").read_text() == "{}"
        assert (tmp_path / ".0123456789abcdef.partial").exists()
        other.stdin.close()
        assert other.wait(30) == 0
    with RunDirectory(tmp_path):
        pass


def test_nothing_in_the_folder_looks_old_while_an_engine_is_there(tmp_path):
    with RunDirectory(tmp_path) as folder:
        folder.replace("latest.json", ["{}"])
        folder.keep("latest.json", "runs/3.json")
        paths = [tmp_path / name for name in ("lock", "latest.json", "runs/3.json")]
        for path in paths:
            os.utime(path, (5, 5))
        assert not folder.stay()
        # What cleans up goes by the newest of its times, and readers by the time of writing.
        assert all(path.stat().st_atime > 5 for path in paths)
        assert all(path.stat().st_mtime == 5 for path in paths)


def test_a_folder_that_somebody_removed_is_made_again_and_is_private(tmp_path, caplog):
    runtime, elsewhere = tmp_path / "runtime", tmp_path / "tmp"
    for folder in (runtime, elsewhere):
        folder.mkdir()
    environ = {"XDG_RUNTIME_DIR": str(runtime)}
    make = partial(config.run_directory, "NOM", environ, temporary=elsewhere)
    with RunDirectory(make(True), make) as folder:
        shutil.rmtree(runtime / "livered")
        with pytest.raises(FileNotFoundError):
            folder.replace("latest.json", ["{}"])
        assert not folder.path.exists()
        assert folder.stay()
        folder.replace("latest.json", ["{}"])
        assert folder.path.stat().st_mode & 0o777 == 0o700
        assert not folder.stay()
        assert len(caplog.records) == 1
        with pytest.raises(AlreadyRunning), RunDirectory(folder.path):
            pass
        shutil.rmtree(runtime)
        with pytest.raises(OSError, match="somebody removed it"):
            folder.stay()
        assert list(elsewhere.iterdir()) == []


def test_an_engine_whose_lock_was_removed_leaves_the_folder_to_the_next(tmp_path):
    with RunDirectory(tmp_path, lambda create: tmp_path) as first:
        first.replace("latest.json", ["first"])
        (tmp_path / "lock").unlink()
        with RunDirectory(tmp_path) as second:
            second.replace("latest.json", ["second"])
            with pytest.raises(AlreadyRunning):
                first.stay()
            with pytest.raises(OSError, match="not this engine's"):
                first.replace("latest.json", ["first"])
        assert (tmp_path / "latest.json").read_text() == "second"
        assert first.stay()
        first.replace("latest.json", ["first"])
