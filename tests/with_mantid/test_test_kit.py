"""Chunks of the test kit as Mantid's workspaces, and a plugin on either model."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from livered_core import DataModelError, hookimpl
from livered_core.sources.mantid_chunks import ChunkReader
from livered_core.testing import (
    PluginHarness,
    as_mantid,
    empty_chunk,
    make_chunk,
    make_events,
    powder_chunk,
    small_instrument,
    split_chunk,
)
from livered_core.workspaces import kind_of, n_events_of, slow_logs_of


def test_the_workspace_holds_the_events_of_the_chunk() -> None:
    chunk = make_chunk(
        make_events([3, 300, 3, 511], [1000.1, 2000.0, 3000.0, 4000.0], pulses=3),
        instrument=small_instrument(),
        logs={"temperature": [300.0, 301.0], "shutter": "open"},
        sequence=4,
    )
    mantid = as_mantid(chunk)
    assert (mantid.model, mantid.sequence, mantid.instrument) == ("mantid", 4, None)
    for name in ("n_events", "n_pulses", "proton_charge_pc", "first_pulse_ns", "last_pulse_ns", "logs"):
        assert getattr(mantid, name) == getattr(chunk, name)
    assert (kind_of(mantid.data), n_events_of(mantid.data)) == ("events", 4)
    events = mantid.data.getSpectrum(3)
    assert list(events.getDetectorIDs()) == [3]
    assert events.getTofs().tolist() == pytest.approx([1000.1, 3000.0])
    pulses = events.getPulseTimesAsNumpy().astype(np.int64)
    assert pulses.tolist() == chunk.events.pulse_time_ns[[0, 2]].tolist()
    logs = slow_logs_of(mantid.data.run())
    assert logs["temperature"].value.tolist() == [300.0, 301.0]
    assert logs["temperature"].time_ns.tolist() == chunk.logs["temperature"].time_ns.tolist()
    assert logs["shutter"].last == "open"


def test_the_mantid_backend_reads_the_same_of_it() -> None:
    chunk = powder_chunk(small_instrument(), [2.0], n_events=200, pulses=20, proton_charge_pc=1.5e7)
    reader = ChunkReader("TST")
    for part in split_chunk(chunk, [5, 15]):
        mantid = as_mantid(part)
        said, _ = reader.read(mantid.data)
        for name in ("n_events", "n_pulses", "first_pulse_ns", "last_pulse_ns"):
            assert getattr(said, name) == getattr(mantid, name)
        assert said.proton_charge_pc == pytest.approx(part.proton_charge_pc)


def test_events_of_other_pixels_are_left_out_and_not_counted() -> None:
    mantid = as_mantid(make_chunk(make_events([3, 100_000], [1.0, 2.0]), instrument=small_instrument()))
    assert (mantid.n_events, n_events_of(mantid.data)) == (1, 1)


def test_a_chunk_without_events_is_a_workspace_without_events() -> None:
    mantid = as_mantid(empty_chunk(pulses=5, instrument=small_instrument()))
    assert (n_events_of(mantid.data), mantid.n_pulses) == (0, 5)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        pytest.param({"instrument": None}, "without an instrument definition", id="no-instrument"),
        pytest.param({"data": object()}, "holds a object: give a native one", id="no-events"),
    ],
)
def test_what_cannot_be_made_a_workspace_is_refused(fields: dict, match: str) -> None:
    with pytest.raises(DataModelError, match=match):
        as_mantid(attrs.evolve(empty_chunk(instrument=small_instrument()), **fields))


class Counts:
    """Counts events on either model."""

    @hookimpl
    def process_chunk(self, chunk):
        return chunk.data.getNumberEvents() if chunk.model == "mantid" else chunk.events.n_events

    @hookimpl
    def accumulate(self, accumulated, processed):
        return processed if accumulated is None else accumulated + processed


@pytest.mark.parametrize("make", [as_mantid, lambda chunk: chunk], ids=["mantid", "native"])
def test_a_plugin_runs_on_either_model(make) -> None:
    parts = split_chunk(powder_chunk(small_instrument(), [2.0], n_events=100, pulses=10), [3, 7])
    harness = PluginHarness(Counts)
    harness.feed(*map(make, parts))
    assert harness.accumulated == 100


def test_the_default_makes_curves_of_workspaces() -> None:
    class Idle:
        @hookimpl
        def run_started(self, run):
            """Nothing."""

    chunk = powder_chunk(small_instrument(), [2.0], n_events=100, pulses=10)
    result = PluginHarness(Idle).reduce(as_mantid(chunk))
    assert result.curves
