from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from livered_core.atomic import atomic_path, atomic_set, remove_leftovers, write_atomically


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_created_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "status.json"
    write_atomically(path, b"{}")
    assert path.read_bytes() == b"{}"
    assert names_in(path.parent) == ["status.json"]


def test_a_file_is_replaced_by_another_and_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(b"a much longer content than the new one")
    with path.open("rb") as reader:
        write_atomically(path, b"new", durable=False)
        assert reader.read() == b"a much longer content than the new one"
    assert path.read_bytes() == b"new"


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            assert temporary.parent == path.parent
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_a_folder_in_the_place_of_the_file_is_an_error_and_nothing_remains(tmp_path: Path) -> None:
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", b"x")
    assert names_in(tmp_path) == ["taken"]


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    contents = [bytes([65 + i]) * 100_000 for i in range(8)]
    write_atomically(path, contents[0], durable=False)
    stop = threading.Event()
    torn: list[bytes] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            content = path.read_bytes()
            reads += 1
            if content not in contents:
                torn.append(content[:10])

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(400):
        write_atomically(path, contents[turn % 8], durable=False)
    stop.set()
    reader.join()
    assert reads > 10
    assert torn == []


def test_the_content_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        order.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> Path:
        order.append("rename")
        return real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    write_atomically(tmp_path / "file", b"x")
    assert order[0].endswith(".partial")
    assert order[1:] == ["rename", f"sync {tmp_path.name}"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import pathlib, resource, sys\n"
        "from livered_core.atomic import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    write_atomically(pathlib.Path(sys.argv[1]), b'x' * 5000)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "File too large\n", done.stderr
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_set_takes_its_place_when_all_of_it_is_written(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "one", tmp_path / "b" / "two"
    write_atomically(first, b"old")
    with atomic_set() as write:
        write(first, b"new")
        write(second, b"new, too")
        assert first.read_bytes() == b"old"
        assert not second.exists()
    assert (first.read_bytes(), second.read_bytes()) == (b"new", b"new, too")
    assert names_in(first.parent) == ["one"]
    assert names_in(second.parent) == ["two"]


def test_a_set_that_fails_leaves_all_that_was_there(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    write_atomically(first, b"old")

    def fail() -> None:
        with atomic_set() as write:
            write(first, b"new")
            write(second, b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert first.read_bytes() == b"old"
    assert names_in(tmp_path) == ["one"]


def test_a_set_of_which_one_has_no_place_leaves_nothing_half(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"), atomic_set() as write:
        for name in ("before", "taken", "after"):
            write(tmp_path / name, b"new")
    assert names_in(tmp_path) == ["before", "taken"]


def test_a_set_is_on_the_disk_before_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().suffix or "folder")
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> Path:
        order.append("rename")
        return real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    with atomic_set() as write:
        write(tmp_path / "one", b"1")
        write(tmp_path / "two", b"2")
    assert order == [".partial", ".partial", "rename", "rename", "folder"]


def test_old_leftovers_of_this_module_are_removed_and_nothing_else(tmp_path: Path) -> None:
    old_s, limit_ns = 1_000_000, 2_000_000 * 10**9
    ours = f".{'0' * 16}.partial"
    others = [
        f".{'1' * 16}.partial",
        f".{'2' * 15}.partial",
        f".{'g' * 16}.partial",
        "NOM_7.h5",
        f"{'3' * 16}.partial",
    ]
    for name in (ours, *others):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (old_s, old_s))
    os.utime(tmp_path / others[0], (2_000_001, 2_000_001))
    (tmp_path / f".{'4' * 16}.partial").symlink_to(tmp_path / "NOM_7.h5")
    (tmp_path / f".{'5' * 16}.partial").mkdir()
    os.utime(tmp_path / f".{'5' * 16}.partial", (old_s, old_s))
    left = {path.name for path in tmp_path.iterdir()} - {ours}
    assert remove_leftovers(tmp_path, limit_ns) == 1
    assert {path.name for path in tmp_path.iterdir()} == left
    assert remove_leftovers(tmp_path, limit_ns) == 0
    assert remove_leftovers(tmp_path / "nothing", limit_ns) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_leftovers_of_other_people_stay(tmp_path: Path) -> None:
    path = tmp_path / f".{'0' * 16}.partial"
    path.write_bytes(b"x")
    os.utime(path, (0, 0))
    os.chown(path, 65534, 65534)
    assert remove_leftovers(tmp_path, 10**18) == 0
    assert path.exists()
