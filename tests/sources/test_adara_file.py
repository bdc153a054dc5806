from __future__ import annotations

import threading
from pathlib import Path

import pytest

from adara_support import banked, end_run, geometry, new_run, pulse_time, run_info
from livered_core.adara import encode
from livered_core.chunking.items import DataMissing, LogSample, Pulse, Remark, RunBegan, RunStopped
from livered_core.chunking.stream_state import StreamState
from livered_core.errors import ConfigError
from livered_core.recording import FileRecording, open_recording
from livered_core.recording.walk import PacketWalk
from livered_core.sources.adara_file import RecordingReader
from livered_core.sources.base import Connection
from recording_support import run_packets, to_bytes


def read(recording, take=lambda item: True):
    items, stop = [], threading.Event()

    def put(said) -> bool:
        items.extend(said)
        return all(map(take, said))

    state = StreamState("TST")
    reader = RecordingReader(recording, state, put)
    reader.read_until(stop)
    return items, state, reader


def recording_of(folder: Path, *connections: bytes) -> FileRecording:
    path = folder / "r.adara"
    path.write_bytes(b"".join(connections))
    begins = [sum(map(len, connections[:i])) for i in range(len(connections))]
    return FileRecording(str(path), (path,), tuple(begins))


def times(items) -> list[int]:
    return [item.time_ns for item in items if isinstance(item, Pulse)]


def test_runs_come_as_they_were_and_the_file_ends(tmp_path: Path):
    data = to_bytes(run_packets(5) + run_packets(6, first=200, n=10))
    items, state, reader = read(recording_of(tmp_path, data))
    assert times(items) == [pulse_time(i) for i in [*range(20), *range(200, 210)]]
    assert [item.run.number for item in items if isinstance(item, RunBegan)] == [5, 6]
    assert len([item for item in items if isinstance(item, RunStopped)]) == 2
    assert not [item for item in items if isinstance(item, (DataMissing, Remark))]
    assert reader.status.connection is Connection.CLOSED
    assert reader.status.read_fraction == 1.0
    assert reader.where == str(tmp_path / "r.adara")
    assert state.counts.reduced_pulses == 30


def test_a_recording_that_ends_before_the_run_makes_it_incomplete(tmp_path: Path):
    data = to_bytes(run_packets(5)[:-1])
    items, _, _ = read(recording_of(tmp_path, data))
    assert len(times(items)) == 20
    (missing,) = [item.sentence for item in items if isinstance(item, DataMissing)]
    assert missing.startswith("The recording ends before the run does")
    assert not [item for item in items if isinstance(item, RunStopped)]


def test_what_came_again_over_a_new_connection_is_taken_once(tmp_path: Path):
    packets = run_packets(5)
    first = to_bytes(packets[:15])[:-10]
    again = to_bytes([geometry(), *packets])
    items, state, _ = read(recording_of(tmp_path, first, again))
    assert times(items) == [pulse_time(i) for i in range(20)]
    # The packet that was cut off came again.
    assert not [item for item in items if isinstance(item, (DataMissing, Remark))]
    assert next(item for item in items if isinstance(item, RunBegan)).missing == ""
    assert state.counts.skipped_bytes > 0
    assert state.counts.replayed_pulses == 9


def test_a_damaged_place_is_left_out_and_said(tmp_path: Path):
    packets = run_packets(5)
    data = to_bytes(packets[:10]) + b"\xee" * 50 + to_bytes(packets[10:])
    items, state, _ = read(recording_of(tmp_path, data))
    assert len(times(items)) == 20
    (missing,) = [item.sentence for item in items if isinstance(item, DataMissing)]
    assert missing.startswith(
        f"50 bytes of the stream, from byte {len(to_bytes(packets[:10]))} on, are left out"
    )
    assert state.counts.skipped_bytes == 50


def test_what_a_recorder_gave_up_and_received_again_is_not_missing(tmp_path: Path):
    """A packet lost its second half; the recorder saw it when the next header made no sense, and connected again."""
    packets = run_packets(5)
    good = to_bytes(packets[:10])
    cut_off = to_bytes(packets[10:11])[:-8] + to_bytes(packets[11:13])
    again = to_bytes([geometry(), *packets])
    path = tmp_path / "r.adara"
    path.write_bytes(good + cut_off + again)
    walk, connection = PacketWalk(), len(good + cut_off)
    assert list(walk.walk(memoryview(good + cut_off)))
    assert len(good) < walk.offset < connection
    recording = FileRecording(str(path), (path,), (0, connection), ((walk.offset, connection),))
    items, state, _ = read(recording)
    assert times(items) == [pulse_time(i) for i in range(20)]
    assert not [item for item in items if isinstance(item, (DataMissing, Remark))]
    assert state.counts.skipped_bytes == len(cut_off)


def test_it_ends_when_nobody_wants_more(tmp_path: Path):
    first, second = to_bytes(run_packets(5)), to_bytes(run_packets(6, first=100))
    recording = recording_of(tmp_path, first, second)
    items, _, reader = read(recording, take=lambda item: not isinstance(item, Pulse))
    assert times(items) == [pulse_time(i) for i in range(20)]
    assert len(times(read(recording)[0])) == 40
    assert reader.status.connection is Connection.CLOSED


def test_a_file_that_goes_away_ends_the_session(tmp_path: Path):
    recording = recording_of(tmp_path, to_bytes(run_packets(5)))
    (tmp_path / "r.adara").unlink()
    with pytest.raises(ConfigError, match=r"r\.adara cannot be read"):
        read(recording)


def test_values_of_a_recording_keep_their_times(tmp_path: Path):
    from livered_core.adara import VariableDouble

    old = VariableDouble(time_ns=pulse_time(0) - 10**15, device_id=1, variable_id=2, value=3.5)
    data = b"".join(map(encode, [geometry(), old, new_run(1), run_info(1), banked(0), end_run(1)]))
    path = tmp_path / "r.adara"
    path.write_bytes(data)
    items, _, _ = read(open_recording(path))
    (sample,) = [item for item in items if isinstance(item, LogSample)]
    assert (sample.time_ns, sample.value) == (old.time_ns, 3.5)
