"""Files that may be anything are opened without waiting, and leave no descriptor behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from livered_core.opening import open_unwaiting


def descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_an_ordinary_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    with open_unwaiting(tmp_path / "file") as file:
        assert file.read(100) == b"text"


def test_a_file_is_found_in_a_folder_that_is_open(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with open_unwaiting("file", folder=folder) as file:
            assert file.read() == b"text"
    finally:
        os.close(folder)


def test_a_link_is_followed_only_where_it_may_be(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic links"):
        open_unwaiting(tmp_path / "link")
    with open_unwaiting(tmp_path / "link", follow=True) as file:
        assert file.read() == b"text"


def test_a_folder_is_refused_and_its_descriptor_is_closed(tmp_path):
    before = descriptors()
    with pytest.raises(IsADirectoryError):
        open_unwaiting(tmp_path)
    assert descriptors() == before


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with open_unwaiting(tmp_path / "pipe") as file:
        assert not file.read(100)


def test_nothing_else_opens_by_descriptor():
    source = Path(__file__).parents[2] / "src"
    found = {path.name for path in source.rglob("*.py") if "os.fdopen(" in path.read_text(encoding="utf-8")}
    # The first writes what it has made itself; the second has looked already that it is a file.
    assert found == {"atomic.py", "downloads.py"}
