"""The plugin against a powder of known peaks."""

from importlib.resources import files

import numpy as np
import pytest
from livered_toy import plugin, with_settings

from livered_core import InstrumentDefinition
from livered_core.testing import (
    PluginHarness,
    empty_chunk,
    make_chunk,
    make_events,
    powder_chunk,
    split_chunk,
)

TOY = InstrumentDefinition("TOY", (files("livered_toy") / "toy.xml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def chunk():
    return powder_chunk(TOY, [1.2612], pulses=60)


@pytest.mark.parametrize("toy", [plugin.Toy, with_settings.Toy])
def test_both_panels_have_the_peak(toy, chunk):
    result = PluginHarness(toy).reduce(chunk)
    assert [curve.label for curve in result.curves] == ["panel at 60 deg", "panel at 150 deg"]
    for curve in result.curves:
        assert curve.metadata["peak_d"] == pytest.approx(1.2612, abs=0.004)
        np.testing.assert_array_equal(curve.e, np.sqrt(curve.y))


@pytest.mark.parametrize("toy", [plugin.Toy, with_settings.Toy])
def test_pixels_that_it_does_not_have_are_left_out(toy):
    chunk = make_chunk(make_events([0, 512], [5000.0, 5000.0]), instrument=TOY)
    result = PluginHarness(toy).reduce(chunk)
    assert [curve.metadata["counts"] for curve in result.curves] == [1, 0]


def test_a_setting_cuts_the_curves(chunk):
    result = PluginHarness(with_settings.Toy, {"d_max": 1.5}).reduce(chunk)
    assert [curve.x[-1] for curve in result.curves] == [1.5, 1.5]


def test_the_sum_is_the_same_however_the_run_is_cut(chunk):
    whole = PluginHarness(plugin.Toy).reduce(chunk)
    cut = PluginHarness(plugin.Toy).reduce(
        *split_chunk(chunk, [1, 59]), empty_chunk(sequence=3, instrument=TOY)
    )
    for a, b in zip(whole.curves, cut.curves, strict=True):
        np.testing.assert_array_equal(a.y, b.y)
