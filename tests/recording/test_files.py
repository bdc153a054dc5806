from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import ConfigError
from livered_core.recording import open_recording
from livered_core.recording.files import FileRecording
from livered_core.recording.index import IndexEntry, Mark, format_entry, index_path, read_index


def joined(recording, block_size: int) -> bytes:
    return b"".join(block.data for block in recording.blocks(block_size))


def test_one_file_is_read_in_blocks_that_say_how_far_they_reach(recorded: Path, stream: bytes):
    recording = open_recording(recorded)
    blocks = list(recording.blocks(100))
    assert b"".join(block.data for block in blocks) == stream
    assert max(len(block.data) for block in blocks) == 100
    assert [block.opens_connection for block in blocks] == [True] + [False] * (len(blocks) - 1)
    assert blocks[-1].position == recording.size == len(stream)


def test_a_file_is_read_with_those_in_which_it_was_continued(tmp_path: Path, stream: bytes):
    for name, piece in (
        ("a.adara", stream[:50]),
        ("a.0002.adara", stream[50:90]),
        ("a.0003.adara", stream[90:]),
    ):
        (tmp_path / name).write_bytes(piece)
    (tmp_path / "a.0005.adara").write_bytes(b"of something else")
    assert joined(open_recording(tmp_path / "a.adara"), 64) == stream


def test_what_was_received_between_damage_and_a_new_connection_is_known(tmp_path: Path):
    path = tmp_path / "r.adara"
    path.write_bytes(bytes(range(100)))
    marks = [
        (Mark.CONNECTION, 0),
        (Mark.DAMAGE, 30),
        (Mark.CONNECTION, 40),
        (Mark.DAMAGE, 60),
        (Mark.FILE, 70),
    ]
    lines = [format_entry(IndexEntry(mark, offset, 1)) for mark, offset in marks]
    index_path(path).write_bytes(b"".join(lines))
    recording = open_recording(path)
    blocks = [(len(block.data), block.opens_connection, block.given_up) for block in recording.blocks(25)]
    # Behind the last damage nothing came again: whatever is good there is to be found.
    assert blocks == [
        (25, True, False),
        (5, False, False),
        (10, False, True),
        (25, True, False),
        (25, False, False),
        (10, False, False),
    ]


@given(
    cuts=st.lists(st.integers(1, 999), unique=True, max_size=6).map(sorted),
    connections=st.lists(st.integers(0, 1000), unique=True, max_size=6).map(sorted),
    block_size=st.integers(1, 400),
)
def test_however_it_is_cut_each_connection_begins_with_a_block_and_nothing_else_does(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], connections: list[int], block_size: int
):
    folder = tmp_path_factory.mktemp("cut")
    data = os.urandom(1000)
    edges = [0, *cuts, 1000]
    paths = []
    for begin, end in itertools.pairwise(edges):
        paths.append(folder / f"{begin}.adara")
        paths[-1].write_bytes(data[begin:end])
    recording = FileRecording("cut", tuple(paths), tuple(connections))
    position, opened, read = 0, [], b""
    for block in recording.blocks(block_size):
        if block.opens_connection:
            opened.append(position)
        assert 0 < len(block.data) <= block_size
        read += block.data
        position += len(block.data)
        assert block.position == position
    assert read == data
    assert opened == sorted({0, *(each for each in connections if each < 1000)})


def test_the_server_s_folders_are_read_in_the_order_in_which_their_files_were_written(tmp_path: Path):
    names = [
        "20261123/20261123-235900.000000001/f00000001.adara",
        "20261124/20261124-000100.000000002-run-42/m00000001-f00000001-run-42.adara",
        "20261124/20261124-000100.000000002-run-42/m00000001-f00000002-run-42.adara",
        "20261124/20261124-000100.000000002-run-42/m00000001-f00000002-p00001-run-42.adara",
        "20261124/20261124-000100.000000002-run-42/m00000002-f00000003-run-42.adara",
        "20261124/20261124-000100.000000002-run-42/m00000010-f00000011-run-42.adara",
        "20261124/20261124-010000.000000003/f00000001.adara",
    ]
    others = [
        "20261124/20261124-000100.000000002-run-42/ds00000001-s00000001.adara",
        "20261124/20261124-000100.000000002-run-42/prologue-run-42.adara",
        "20261124/20261124-000100.000000002-run-42/translation_completed",
    ]
    for name in reversed(names + others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    assert joined(open_recording(tmp_path), 1 << 20).decode().split() == names


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "cannot be read (No such file or directory)"),
        (lambda path: path.touch(), "is empty: nothing was recorded"),
        (lambda path: path.mkdir(), "holds no .adara files of a stream"),
    ],
)
def test_what_is_no_recording_is_said(tmp_path: Path, make, sentence: str):
    path = tmp_path / "x.adara"
    make(path)
    with pytest.raises(ConfigError, match="x.adara") as caught:
        open_recording(path)
    assert sentence in str(caught.value)


def test_a_file_that_goes_away_is_said(recorded: Path):
    recording = open_recording(recorded)
    recorded.unlink()
    with pytest.raises(ConfigError, match=r"run\.adara cannot be read \(No such file"):
        list(recording.blocks())


def test_connections_are_taken_from_the_index(recorded: Path, stream: bytes):
    entries = [
        IndexEntry(Mark.CONNECTION, 0, 1),
        IndexEntry(Mark.RUN, 36, 1, "5 NEW_RUN"),
        IndexEntry(Mark.CONNECTION, 120, 2),
    ]
    index_path(recorded).write_bytes(b"".join(map(format_entry, entries)))
    blocks = list(open_recording(recorded).blocks(1 << 20))
    assert [len(block.data) for block in blocks] == [120, len(stream) - 120]
    assert all(block.opens_connection for block in blocks)


def test_an_index_cut_off_or_damaged_gives_what_can_be_read(tmp_path: Path):
    entry = IndexEntry(Mark.FILE, 7, 8, "night.0002.adara")
    path = tmp_path / "x.index"
    line = format_entry(entry)
    path.write_bytes(
        line
        + b"not json\n"
        + b'{"format": 2, "mark": "file", "offset": 1, "time_ns": 1, "text": ""}\n'
        + b"[1]\n"
        + b"[" * 4000
        + b"\n"
        + b'{"format": 1, "mark": "file", "offset": 1e400, "time_ns": 1, "text": ""}\n'
        + line
        + line[:-1]
    )
    assert list(read_index(path)) == [entry, entry]
    assert list(read_index(tmp_path / "none")) == []
