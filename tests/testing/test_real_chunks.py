"""Chunks of the simulated beamline, of recordings and of event files, as the engine makes them."""

from __future__ import annotations

import os
import shutil

import pytest

from livered_core.errors import ConfigError, DataModelError
from livered_core.recording import Block
from livered_core.testing.named import find_plugin
from livered_core.testing.real_chunks import chunks_of, read_runs
from livered_core.testing.trial_configuration import trial_configuration
from nexus_support import write_nexus
from trial_support import write_recording

SIMULATED = ("simulate.run_length=2", "simulate.rate=20000")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture
def counts():
    return find_plugin("trial_plugins:Counts")


def arrays(chunk):
    events = chunk.events
    yield from (events.pixel_id, events.tof, events.pulse_time_ns, events.proton_charge_pc, events.flags)
    for monitor in chunk.monitors.values():
        yield from (monitor.tof, monitor.pulse_time_ns)
    for log in chunk.logs.values():
        yield from (log.time_ns, log.value)


def test_the_simulated_beamline_gives_the_same_chunks_each_time(counts):
    first, again = (chunks_of("simulate", counts, settings=SIMULATED, chunk_events=5000) for _ in range(2))
    (run,) = first
    assert run.run.instrument == "TST"
    assert len(run.chunks) >= 7
    assert run.n_events == sum(len(chunk.events.tof) for chunk in run.chunks)
    assert [chunk.sequence for chunk in run.chunks] == list(range(1, len(run.chunks) + 1))
    assert not run.missing
    assert run.chunks[0].instrument.xml
    for chunk, same in zip(run.chunks, again[0].chunks, strict=True):
        for array, other in zip(arrays(chunk), arrays(same), strict=True):
            assert str(array.tolist()) == str(other.tolist())


def test_a_recording_gives_what_was_recorded(recording, counts):
    (run,) = chunks_of(recording, counts, chunk_events=5000)
    (simulated,) = chunks_of("simulate", counts, settings=SIMULATED, chunk_events=5000)
    assert run.run.title == "A recorded run"
    assert [chunk.n_events for chunk in run.chunks] == [chunk.n_events for chunk in simulated.chunks]


def test_a_folder_is_read_as_well(recording, counts, tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(recording, folder / "f00000001-run-1.adara")
    (run,) = chunks_of(folder, counts)
    assert run.n_events == chunks_of(recording, counts)[0].n_events


def test_no_array_belongs_to_somebody_else(recording, counts):
    (run,) = chunks_of(recording, counts, chunk_events=5000)
    every = [array for chunk in run.chunks for array in arrays(chunk)]
    assert all(array.flags.owndata and array.flags.writeable for array in every)


def test_a_short_run_is_cut_into_some_chunks(recording, counts):
    (run,) = chunks_of(recording, counts, chunk_events=1_000_000)
    assert [chunk.sequence for chunk in run.chunks] == [1, 2, 3, 4, 5, 6]
    assert [chunk.n_pulses for chunk in run.chunks] == [20] * 6


def test_no_more_is_read_than_is_wanted(recording, counts):
    (run,) = chunks_of(recording, counts, chunk_events=2000, max_events=5000)
    assert 5000 <= run.n_events < 8000
    assert run.missing == ("It is not read to its end: there are enough events.",)


class Pieces:
    """A recording that counts how much of it was read."""

    def __init__(self, path):
        self.name, self._data, self.read = str(path), path.read_bytes(), 0
        self.size = len(self._data)

    def blocks(self, block_size=0):
        for begin in range(0, self.size, 10_000):
            self.read = min(begin + 10_000, self.size)
            yield Block(self._data[begin : self.read], self.read, opens_connection=begin == 0)


def test_reading_ends_when_there_is_enough(recording, counts, tmp_path):
    pieces = Pieces(recording)
    loaded = trial_configuration(counts, tmp_path, recorded=()).loaded
    read_runs(pieces, loaded, chunk_events=1000, max_events=2000)
    assert pieces.read < pieces.size / 2


def test_a_nexus_file_is_read_as_well(counts, tmp_path):
    path = tmp_path / "run.nxs.h5"
    write_nexus(path, {"bank1_events": [[(1, 1000), (2, 2000)], [(3, 3000)], []]})
    (run,) = chunks_of(path, counts)
    assert (run.run.number, run.run.instrument, run.n_events) == (1234, "TST", 3)
    assert [chunk.events.pixel_id.tolist() for chunk in run.chunks] == [[1, 2], [3], []]


def test_an_instrument_can_be_named(recording, counts):
    (run,) = chunks_of(recording, counts, instrument="XYZ")
    assert run.run.instrument == "XYZ"


def test_the_configuration_of_the_source_counts(recording, counts, tmp_path):
    file = tmp_path / "late.toml"
    file.write_text("[source]\nleave_out_vetoed = true\n")
    vetoed = write_recording(tmp_path, "simulate.vetoed=0.5")
    n_all = chunks_of(vetoed, counts)[0].chunks
    n_left = chunks_of(vetoed, counts, config_file=file)[0].chunks
    assert sum(chunk.n_pulses for chunk in n_left) < sum(chunk.n_pulses for chunk in n_all) == 120


def test_the_environment_is_as_before(recording, counts, monkeypatch):
    monkeypatch.setenv("LIVERED_UPDATE_EVERY", "nonsense")
    before = dict(os.environ)
    chunks_of(recording, counts)
    with pytest.raises(ConfigError):
        chunks_of("/nowhere.adara", counts)
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        pytest.param("/nowhere.adara", ConfigError, "cannot be read", id="not there"),
        pytest.param("between", DataModelError, "no data of a run", id="no run"),
    ],
)
def test_what_cannot_be_read_is_said(source, error, words, recording, counts, tmp_path):
    if source == "between":
        source = tmp_path / "between.adara"
        # The prologue is whole, and the run has not one pulse.
        source.write_bytes(recording.read_bytes()[:8_000])
    with pytest.raises(error, match=words):
        chunks_of(source, counts)
