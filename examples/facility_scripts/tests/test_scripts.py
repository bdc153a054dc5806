"""The scripts against a powder of known peaks. They need Mantid."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mantid", reason="the scripts run in Mantid")

from livered_core.testing import PluginHarness, as_mantid, find_plugin, powder_chunk, small_instrument

FOLDER = Path(__file__).parents[1]
SCRIPTS = {
    "process": str(FOLDER / "reduce_PG3_live_proc.py"),
    "post_process": str(FOLDER / "reduce_PG3_live_post_proc.py"),
    "preserve_events": False,
}
PEAKS = [1.0, 1.2612]  # Angstrom


@pytest.fixture(scope="module")
def chunks():
    chunks = [
        powder_chunk(small_instrument("PG3"), PEAKS, n_events=10_000, seed=n, sequence=n) for n in (1, 2)
    ]
    return [as_mantid(chunk) for chunk in chunks]


@pytest.fixture
def harness():
    scripts = find_plugin("scripts").plugin_class
    with PluginHarness(scripts, SCRIPTS, name="scripts", check=False) as harness:
        yield harness


def test_peaks_stand_where_they_belong(harness, chunks):
    (curve,) = harness.reduce(*chunks).curves
    assert harness.failures == ()
    for d in PEAKS:
        near = np.flatnonzero(abs(curve.x_centres - d) < 0.05 * d)
        assert curve.x_centres[near[curve.y[near].argmax()]] == pytest.approx(d, rel=0.004)


def test_the_result_is_normalised_to_the_charge_of_all_chunks(harness, chunks):
    once = harness.reduce(chunks[0]).curves[0]
    twice = harness.reduce(chunks[0], chunks[0]).curves[0]
    np.testing.assert_allclose(twice.y, once.y)


def test_a_script_that_raises_loses_one_chunk(chunks, tmp_path):
    failing = tmp_path / "reduce_PG3_live_proc.py"
    failing.write_text(
        (FOLDER / failing.name).read_text() + "\nif input.getNumberEvents() == 0: raise ValueError('dark')"
    )
    dark = as_mantid(powder_chunk(small_instrument("PG3"), PEAKS, n_events=0, sequence=2))
    scripts = find_plugin("scripts").plugin_class
    settings = {**SCRIPTS, "process": str(failing)}
    with PluginHarness(scripts, settings, name="scripts", check=False) as harness:
        harness.reduce(chunks[0], dark)
        assert "dark" in harness.failures[0].error
        (update,) = harness.updates
        assert (update.n_chunks, update.dropped_chunks, update.complete) == (1, 1, False)
