from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from livered_core import DataModelError
from livered_core.references import Shelf, content_key, default_cache_folder
from waiting import until

KEY = content_key("a run")
ARRAYS = {"counts": np.arange(12).reshape(3, 4), "edges": np.linspace(0, 1, 5)}


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "deep" / "shelf")
    assert shelf.get(KEY) is None
    shelf.put(KEY, ARRAYS, {"run": 7, "charge": 0.5, "label": "µ", "whole": True})
    stored = shelf.get(KEY)
    assert stored is not None
    assert stored.notes == {"run": 7, "charge": 0.5, "label": "µ", "whole": True}
    assert set(stored.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert stored.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(stored.arrays[name], array)


def test_files_are_private(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")
    shelf.put(KEY, ARRAYS, {})
    (file,) = shelf.folder.iterdir()
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: b"", lambda data: b"PK" + data[9:]])
def test_what_is_damaged_counts_as_absent(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path)
    shelf.put(KEY, ARRAYS, {})
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    assert shelf.get(KEY) is None
    assert "made anew" in caplog.text


def test_pickles_are_neither_written_nor_read(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    objects = np.array([{}, None], object)
    with pytest.raises(DataModelError, match="only plain arrays"):
        shelf.put(KEY, {"objects": objects}, {})
    notes = np.frombuffer(b"{}", np.uint8)
    np.savez(tmp_path / f"{KEY}.npz", objects=objects, notes=notes)
    assert shelf.get(KEY) is None


def test_the_oldest_used_goes_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shelf = Shelf(tmp_path, max_bytes=50_000)
    keys = [content_key(number) for number in range(5)]
    for number, key in enumerate(keys[:4]):
        shelf.put(key, {"noise": rng.random(1500)}, {})
        os.utime(tmp_path / f"{key}.npz", (1000 + number, 1000 + number))
    assert shelf.get(keys[0]) is not None  # used just now
    shelf.put(keys[4], {"noise": rng.random(1500)}, {})
    assert [shelf.get(key) is not None for key in keys] == [True, False, True, True, True]


def test_what_a_killed_process_left_makes_room_first(tmp_path: Path) -> None:
    left = tmp_path / ".0123456789abcdef.partial"
    left.write_bytes(bytes(60_000))
    os.utime(left, (1000, 1000))
    shelf = Shelf(tmp_path, max_bytes=50_000)
    shelf.put(content_key(1), {"zeros": np.zeros(10)}, {})
    assert not left.exists()
    assert shelf.get(content_key(1)) is not None


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "ABCDEF0123456789", "a" * 15])
def test_keys_are_no_paths(tmp_path: Path, key: str) -> None:
    with pytest.raises(DataModelError, match="no key"):
        Shelf(tmp_path).get(key)


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "shelf").write_text("a file where the folder should be")
    with pytest.raises(DataModelError, match="cannot be written"):
        Shelf(tmp_path / "shelf").put(KEY, ARRAYS, {})


WRITER = """
import sys
import numpy as np
from pathlib import Path
from livered_core.references import Shelf
shelf, key = Shelf(Path(sys.argv[1])), sys.argv[2]
array = np.random.default_rng(int(sys.argv[3])).random(200_000)
Path(sys.argv[1], "ready" + sys.argv[3]).touch()
while True:
    shelf.put(key, {"noise": array}, {"sum": float(array.sum())})
"""


def test_processes_that_write_and_are_killed_leave_only_whole_files(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), KEY, str(number)]) for number in (1, 2)
    ]
    try:
        until((tmp_path / f"{KEY}.npz").exists)
        for _ in range(20):
            stored = shelf.get(KEY)
            assert stored is not None
            assert stored.arrays["noise"].sum() == stored.notes["sum"]
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    stored = shelf.get(KEY)
    assert stored is not None
    assert stored.arrays["noise"].sum() == stored.notes["sum"]


def test_the_folder_is_the_persons_cache(tmp_path: Path) -> None:
    assert default_cache_folder("NOM", {"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "livered" / "NOM"
    assert default_cache_folder("NOM", {"HOME": "/home/me"}) == Path("/home/me/.cache/livered/NOM")
