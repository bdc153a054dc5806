from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adara_support import banked, end_run, new_run, pulse_time, run_status
from livered_core.adara import RunStatusCode, encode
from livered_core.clocks import SystemClock
from livered_core.errors import ConfigError
from livered_core.recording import open_recording
from livered_core.recording.index import Mark, index_path, read_index
from livered_core.recording.walk import PacketWalk
from livered_core.recording.writer import RecordingWriter
from recording_support import run_packets, to_bytes

STREAM = to_bytes(run_packets(5) + run_packets(6, first=200, n=10))
EDGES = {0}
for packet in run_packets(5) + run_packets(6, first=200, n=10):
    EDGES.add(max(EDGES) + len(encode(packet)))


def pieces(data: bytes, cuts: list[int]) -> list[memoryview]:
    edges = [0, *sorted(cuts), len(data)]
    return [memoryview(data)[a:b] for a, b in zip(edges, edges[1:], strict=False)]  # noqa: RUF007


def record(path: Path, *connections: list[memoryview], roll_bytes: int = 10**9) -> RecordingWriter:
    writer = RecordingWriter(path, SystemClock(), roll_bytes)
    for parts in connections:
        writer.connection_opened("here")
        for part in parts:
            writer.write(part)
    writer.close()
    return writer


def marks(path: Path, kind: Mark) -> list[tuple[int, str]]:
    return [(entry.offset, entry.text) for entry in read_index(index_path(path)) if entry.mark is kind]


CUTS = st.lists(st.integers(0, len(STREAM)), max_size=40)


@given(cuts=CUTS)
def test_the_walk_finds_the_end_of_each_packet_however_the_bytes_are_split(cuts: list[int]):
    walk, ends, before, offsets = PacketWalk(), [], 0, []
    for piece in pieces(STREAM, cuts):
        for passed in walk.walk(piece):
            ends.append(before + passed.end)
            offsets.append(passed.offset)
        before += len(piece)
    assert walk.problem == ""
    assert {0, *ends} == EDGES
    assert sorted(EDGES)[:-1] == offsets


@settings(deadline=None)
@given(cuts=CUTS, roll_bytes=st.integers(100, 3000))
def test_all_bytes_are_written_once_in_files_that_end_between_packets(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], roll_bytes: int
):
    path = tmp_path_factory.mktemp("write") / "a.adara"
    writer = record(path, pieces(STREAM, cuts), roll_bytes=roll_bytes)
    recording = open_recording(path)
    assert b"".join(block.data for block in recording.blocks()) == STREAM
    sizes = [each.stat().st_size for each in recording.paths]
    assert writer.written.n_files == len(sizes)
    assert writer.written.n_bytes == len(STREAM)
    assert writer.written.n_packets == len(EDGES) - 1
    begins = [sum(sizes[:i]) for i in range(len(sizes))]
    assert set(begins) <= EDGES
    assert [offset for offset, _ in marks(path, Mark.FILE)] == begins
    assert all(size >= roll_bytes / 2 for size in sizes[:-1])
    longest = max(b - a for a, b in zip(sorted(EDGES), sorted(EDGES)[1:], strict=False))
    assert all(size < roll_bytes + longest for size in sizes)


def test_a_file_ends_where_the_server_ended_one_or_a_run_if_it_is_half_full(tmp_path: Path):
    path = tmp_path / "a.adara"
    pulses = [banked(index, pixels=[1] * 100) for index in range(4)]
    packets = [new_run(1), pulses[0], run_status(RunStatusCode.RUN_EOF, 1)]
    packets += [
        run_status(RunStatusCode.RUN_BOF, 1),
        pulses[1],
        end_run(1),
        new_run(2),
        pulses[2],
        end_run(2),
    ]
    data = to_bytes(packets)
    size = len(encode(pulses[0]))
    record(path, [memoryview(data)], roll_bytes=2 * size)
    begins = [offset for offset, _ in marks(path, Mark.FILE)]
    ends_of_files = [len(to_bytes(packets[:3])), len(to_bytes(packets[:6])), len(data)]
    assert begins == [0, *ends_of_files]
    assert path.with_name("a.0004.adara").read_bytes() == b""


def test_the_index_says_where_runs_connections_times_and_damage_are(tmp_path: Path):
    path = tmp_path / "a.adara"
    an_hour = 60 * 60 * 60
    packets = [new_run(7), *(banked(an_hour * index // 20) for index in range(20)), end_run(7)]
    first, damage = to_bytes(packets), b"\xff" * 20
    writer = record(path, [memoryview(first), memoryview(damage)], [memoryview(first)])
    assert marks(path, Mark.CONNECTION) == [(0, "here"), (len(first) + 20, "here")]
    assert [text for _, text in marks(path, Mark.RUN)] == ["7 NEW_RUN", "7 END_RUN"] * 2
    times = [entry.time_ns for entry in read_index(index_path(path)) if entry.mark is Mark.TIME]
    assert len(times) == 10
    assert min(b - a for a, b in zip(times, times[1:], strict=False)) >= 300 * 10**9  # noqa: RUF007
    ((offset, text),) = marks(path, Mark.DAMAGE)
    assert offset == len(first)
    assert "payload length of 4294967295" in text
    assert writer.written.problem == ""
    assert (writer.written.run, writer.written.ended_run) == (0, 7)
    assert writer.written.last_pulse_ns == pulse_time(an_hour * 19 // 20)
    recording = open_recording(path)
    blocks = [(block.opens_connection, block.given_up) for block in recording.blocks()]
    assert blocks == [(True, False), (False, True), (True, False)]


def test_where_packets_cannot_be_told_apart_files_end_all_the_same(tmp_path: Path):
    path = tmp_path / "a.adara"
    writer = record(path, [memoryview(b"\xff" * 1000)] * 10, roll_bytes=1000)
    assert "4294967295" in writer.written.problem
    assert writer.written.n_files == 4
    assert sum(each.stat().st_size for each in open_recording(path).paths) == 10_000


def test_files_are_private_and_never_written_over(tmp_path: Path):
    path = tmp_path / "a.adara"
    record(path, [memoryview(STREAM)], roll_bytes=500)
    for each in tmp_path.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    for name in ("a.adara", "a.adara.index"):
        path.unlink(missing_ok=True)
        with pytest.raises(ConfigError, match=r"is there already, and no recording is ever written over"):
            RecordingWriter(path, SystemClock())
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=r"a\.0002\.adara is there already"):
        RecordingWriter(path, SystemClock())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"cannot be written \(No such file or directory\): choose another place"
    ):
        RecordingWriter(tmp_path / "none" / "a.adara", SystemClock())


def test_a_full_disk_is_waited_for_and_nothing_is_lost(tmp_path: Path):
    path, errors = tmp_path / "a.adara", []

    def make_room(error: OSError) -> bool:
        errors.append(error.errno)
        if len(errors) == 3:
            os.dup2(real, writer._fd)
        return True

    writer = RecordingWriter(path, SystemClock(), wait_for_room=make_room)
    real, full = os.dup(writer._fd), os.open("/dev/full", os.O_WRONLY)
    writer.write(memoryview(STREAM)[:100])
    os.dup2(full, writer._fd)
    writer.write(memoryview(STREAM)[100:])
    writer.close()
    for fd in (real, full):
        os.close(fd)
    assert errors == [errno.ENOSPC] * 3
    assert path.read_bytes() == STREAM
    assert writer.written.n_bytes == len(STREAM)
