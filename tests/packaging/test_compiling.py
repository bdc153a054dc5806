"""Compiled loops are kept on disk, and run whatever is wrong with that folder."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
from pathlib import Path

import pytest

numba = pytest.importorskip("numba")

LOOP = """
def double(x: int) -> int:
    return 2 * x
"""
CALL = """
import logging, sys
logging.basicConfig(format="%(message)s")
sys.path.insert(0, sys.argv[1])
from livered_core.compiling import compile_kept
import loop
print([compile_kept(loop.double)(21), compile_kept(loop.double)(21)])
"""


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function in a file of its own, which is kept in a folder of its own."""
    from livered_core import compiling

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    compiling._say.cache_clear()
    path = tmp_path / "loop.py"
    path.write_text(LOOP)
    names: dict = {"__name__": "loop"}
    exec(compile(LOOP, str(path), "exec"), names)
    return names["double"]


def hits(compiled) -> int:
    return sum(compiled.stats.cache_hits.values())


def files(tmp_path: Path, ending: str) -> list[Path]:
    return sorted((tmp_path / "kept").rglob(f"*.{ending}"))


def test_what_was_compiled_once_is_read_the_next_time(loop, tmp_path, caplog):
    from livered_core.compiling import compile_kept

    first, second = compile_kept(loop), compile_kept(loop)
    assert (first(21), hits(first)) == (42, 0)
    assert (second(21), hits(second)) == (42, 1)
    assert len(files(tmp_path, "nbc")) == 1
    assert caplog.records == []


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"no pickle"], ids=["cut off", "something else"])
def test_a_file_that_cannot_be_read_is_made_anew(loop, tmp_path, caplog, ending, content):
    from livered_core.compiling import compile_kept

    compile_kept(loop)(21)
    (damaged,) = files(tmp_path, ending)
    damaged.write_bytes(content)
    again, after = compile_kept(loop), compile_kept(loop)
    assert (again(21), hits(again)) == (42, 0)
    assert (after(21), hits(after)) == (42, 1)
    assert caplog.records == []


def test_a_full_disk_is_said_once_and_keeps_nothing_from_running(loop, tmp_path, monkeypatch, caplog):
    from numba.core.caching import IndexDataCacheFile

    from livered_core.compiling import compile_kept

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    with caplog.at_level(logging.DEBUG, "livered_core.compiling"):
        assert [compile_kept(loop)(21), compile_kept(loop)(21)] == [42, 42]
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert str(tmp_path / "kept") in said
    assert "No space left on device" in said
    assert "NUMBA_CACHE_DIR" in said


def test_without_any_folder_it_is_said_once(loop, monkeypatch, caplog):
    from numba.core import caching

    from livered_core.compiling import compile_kept

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "not here")

    monkeypatch.setattr(caching.tempfile, "TemporaryFile", refused)
    assert [compile_kept(loop)(21), compile_kept(loop)(21)] == [42, 42]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "no folder for it can be written" in said


def test_an_installed_package_that_cannot_be_written_keeps_it_in_the_cache_of_the_person(tmp_path):
    package, home = tmp_path / "package", tmp_path / "home"
    package.mkdir()
    (package / "loop.py").write_text(LOOP)
    # A file in the place of the folder: even root cannot write there.
    (package / "__pycache__").touch()
    for before in (False, True):
        assert bool(list(home.rglob("*.nbc"))) is before
        done = subprocess.run(
            [sys.executable, "-c", CALL, str(package)],
            env={"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert (done.stdout, done.stderr) == ("[42, 42]\n", "")
    assert len(list((home / ".cache" / "numba").rglob("*.nbc"))) == 1
