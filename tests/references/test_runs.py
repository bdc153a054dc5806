from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from livered_core import Chunk, ConfigError, DataModelError, RunInfo
from livered_core.references import content_key, fingerprint, read_run
from recording_support import run_packets, to_bytes


class Taken:
    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.runs: list[RunInfo] = []

    def __call__(self, chunk: Chunk, run: RunInfo) -> None:
        self.chunks.append(chunk)
        self.runs.append(run)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "run.adara"
    path.write_bytes(to_bytes(run_packets(number=5, n=20)))
    return path


def test_all_events_of_a_recorded_run_come_once(recording: Path) -> None:
    taken = Taken()
    read = read_run(recording, taken)
    assert read.run.number == 5
    assert read.missing == ()
    pixels = np.concatenate([chunk.events.pixel_id for chunk in taken.chunks])
    assert pixels.tolist() == [i for i in range(20) for _ in range(i % 4)]
    assert read.n_events == len(pixels) == sum(chunk.n_events for chunk in taken.chunks)
    assert {run.number for run in taken.runs} == {5}
    assert taken.chunks[0].instrument is not None


def test_chunks_are_bounded(recording: Path) -> None:
    taken = Taken()
    assert read_run(recording, taken, max_chunk_events=5).n_events == 30
    assert len(taken.chunks) > 3


def test_a_run_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.adara"
    path.write_bytes(to_bytes(run_packets(n=20)[:-1]))
    read = read_run(path, Taken())
    assert any("ends before the run does" in sentence for sentence in read.missing)


def test_two_runs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.adara"
    path.write_bytes(to_bytes(run_packets(number=5, n=8) + run_packets(number=6, first=100, n=8)))
    with pytest.raises(DataModelError, match="holds runs 5 and 6"):
        read_run(path, Taken())


def test_no_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.adara"
    path.write_bytes(to_bytes(run_packets(n=20)[3:9]))
    with pytest.raises(DataModelError, match="holds no run"):
        read_run(path, Taken())


def test_what_the_taker_raises_comes_out(recording: Path) -> None:
    def refuse(chunk: Chunk, run: RunInfo) -> None:
        raise DataModelError("not for me")

    with pytest.raises(DataModelError, match="not for me"):
        read_run(recording, refuse)


def test_a_stopped_reading_gives_nothing(recording: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(DataModelError, match="was stopped"):
        read_run(recording, Taken(), stop=stop)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing.adara"):
        read_run(tmp_path / "nothing.adara", Taken())


def test_a_fingerprint_is_of_the_content(recording: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "name.nxs"
    other.parent.mkdir()
    other.write_bytes(recording.read_bytes())
    first = fingerprint(recording)
    assert fingerprint(other) == first
    with other.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff")
    assert fingerprint(other) != first
    with pytest.raises(DataModelError, match="cannot be read"):
        fingerprint(tmp_path / "nothing.nxs")
    stop = threading.Event()
    stop.set()
    with pytest.raises(DataModelError, match="stopped"):
        fingerprint(recording, stop)


def test_keys_tell_parts_apart() -> None:
    keys = [
        content_key("ab", "c"),
        content_key("a", "bc"),
        content_key("abc"),
        content_key(1),
        content_key(1.0),
        content_key(True),
        content_key("1"),
        content_key(None),
        content_key(np.arange(3)),
        content_key(np.arange(3.0)),
        content_key(np.arange(3)[:, np.newaxis]),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key("a", np.arange(6)[::2]) == content_key("a", np.array([0, 2, 4]))
