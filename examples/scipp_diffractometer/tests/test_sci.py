"""The plugin against a powder of known peaks."""

from importlib.resources import files

import numpy as np
import pytest
from livered_scipp.plugin import Sci

from livered_core import InstrumentDefinition
from livered_core.testing import (
    PluginHarness,
    empty_chunk,
    make_chunk,
    make_events,
    one_event_chunk,
    powder_chunk,
    split_chunk,
)

SCI = InstrumentDefinition("SCI", (files("livered_scipp") / "sci.xml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chunk():
    return powder_chunk(SCI, [1.2612], pulses=60)


def test_both_panels_have_the_peak(chunk):
    result = PluginHarness(Sci).reduce(chunk)
    assert [curve.label for curve in result.curves] == ["panel at 60 deg", "panel at 150 deg"]
    uah = chunk.proton_charge_pc * 1e-6 / 3600
    for curve in result.curves:
        assert curve.x_centres[curve.y.argmax()] == pytest.approx(1.2612, abs=0.004)
        assert (curve.x_unit, curve.y_unit, curve.x_name) == ("Angstrom", "counts/uAh", "d-spacing")
        assert (curve.y * uah).sum() == pytest.approx(curve.metadata["counts"])
        np.testing.assert_allclose(curve.e * uah, np.sqrt(curve.y * uah))
    assert (
        sum(curve.metadata["counts"] for curve in result.curves) + result.metadata["out of range"]
        == chunk.n_events
    )


def test_the_counts_are_those_of_numpy(chunk):
    from livered_core.geometry import difc, read_instrument

    sci = read_instrument(SCI)
    d = chunk.events.tof_us / difc(sci)[chunk.events.pixel_id]
    harness = PluginHarness(Sci)
    harness.reduce(chunk)
    for i in (0, 1):
        expected, _ = np.histogram(d[sci.bank[chunk.events.pixel_id] == i], np.linspace(0.5, 2.5, 1001))
        counted = harness.accumulated["counts"]["panel", i].values
        # An event on the edge of two bins may be in the one or the other.
        assert abs(counted - expected).sum() <= 2


def test_the_sum_is_the_same_however_the_run_is_cut(chunk):
    whole = PluginHarness(Sci).reduce(chunk)
    cut = PluginHarness(Sci).reduce(*split_chunk(chunk, [1, 59]))
    for a, b in zip(whole.curves, cut.curves, strict=True):
        np.testing.assert_array_equal(a.y, b.y)


def test_every_event_is_accounted_for():
    events = make_events([0, 0, 5000], [5000.0, 60_000.0, 5000.0])
    result = PluginHarness(Sci).reduce(make_chunk(events, instrument=SCI))
    assert result.metadata == {"unknown": 1, "out of range": 1}
    assert [curve.metadata["counts"] for curve in result.curves] == [1, 0]


def test_a_chunk_may_be_empty():
    result = PluginHarness(Sci).reduce(
        empty_chunk(instrument=SCI), one_event_chunk(sequence=2, instrument=SCI)
    )
    assert result.curves[0].metadata["counts"] == 1


def test_without_charge_it_says_counts(chunk):
    result = PluginHarness(Sci).reduce(one_event_chunk(instrument=SCI, proton_charge_pc=0.0))
    assert result.curves[0].y_unit == "counts"
