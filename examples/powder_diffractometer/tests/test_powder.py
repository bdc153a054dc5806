"""The plugin against a powder of known peaks."""

from importlib.resources import files

import numpy as np
import pytest
from livered_powder.plugin import Powder

from livered_core import InstrumentDefinition
from livered_core.testing import (
    PluginHarness,
    empty_chunk,
    make_chunk,
    make_events,
    powder_chunk,
    split_chunk,
)

PEAKS = [1.0, 1.6375, 1.9201]  # Angstrom


@pytest.fixture(scope="module")
def definition():
    return InstrumentDefinition("PDX", (files("livered_powder") / "powder.xml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chunk(definition):
    return powder_chunk(definition, PEAKS, pulses=60)


def test_peaks_stand_where_they_belong(chunk):
    (curve,) = PluginHarness(Powder).reduce(chunk).curves
    for d in PEAKS:
        near = np.flatnonzero(abs(curve.x_centres - d) < 0.05 * d)
        top = near[curve.y[near].argmax()]
        assert curve.x_centres[top] == pytest.approx(d, rel=0.002)
        assert curve.y[top] > 20 * np.median(curve.y[near])
    assert curve.y_unit == "counts/uAh"


def test_it_is_normalised_to_the_charge(definition, chunk):
    once = PluginHarness(Powder).reduce(chunk).curves[0]
    beam = empty_chunk(pulses=60, sequence=2, instrument=definition)
    twice = PluginHarness(Powder).reduce(chunk, beam).curves[0]
    np.testing.assert_allclose(twice.y, once.y / 2)
    uah = chunk.proton_charge_pc * 1e-6 / 3600
    assert (once.y * uah).sum() == pytest.approx(once.metadata["counts"])


def test_the_sum_is_the_same_however_the_run_is_cut(chunk):
    whole = PluginHarness(Powder).reduce(chunk).curves[0]
    cut = PluginHarness(Powder).reduce(*split_chunk(chunk, [1, 20, 39])).curves[0]
    assert (whole.y == cut.y).all()
    assert whole.metadata == cut.metadata


def test_every_event_is_accounted_for(definition):
    events = make_events([0, 0, 5000], [16_000.0, 100.0, 16_000.0])
    (curve,) = PluginHarness(Powder).reduce(make_chunk(events, instrument=definition)).curves
    assert curve.metadata == {"counts": 1, "out of range": 1, "masked": 0, "unknown pixels": 1}
