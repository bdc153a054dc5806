"""The example of small-angle scattering on the real event file, against the file itself and plain numpy."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from examples_support import EXAMPLES
from livered_core import InstrumentDefinition
from livered_core.geometry import read_instrument
from livered_core.testing import PluginHarness, chunks_of, find_plugin

FILE = Path(__file__).parents[3] / "shared" / "data" / "events" / "EQSANS_1466_event.nxs"
PACKAGE = EXAMPLES / "sans_eqsans"
CENTRE = (-0.0159, -0.0083)  # m

pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="the real file (../shared/data/events) is not there"
)


@pytest.fixture(scope="module")
def neutrons():
    """What the file says of each neutron, without livered: x, y, z in m, of its pixel, and time of flight in us."""
    places, tofs = [], []
    with h5py.File(FILE) as file:
        positions = np.full((49_152, 3), np.nan)
        for number in range(1, 49):
            bank = file[f"entry/instrument/bank{number}"]
            r, polar, azimuth = (
                bank[name][()].astype(float) for name in ("distance", "polar_angle", "azimuthal_angle")
            )
            at = [r * np.sin(polar) * np.cos(azimuth), r * np.sin(polar) * np.sin(azimuth), r * np.cos(polar)]
            # The file has the detector at 8 m; its motor was at 5 m.
            positions[bank["pixel_id"][()].ravel()] = np.stack(at, -1).reshape(-1, 3) - [0, 0, 3]
            events = file[f"entry/bank{number}_events"]
            if len(events["event_index"]) > 1:
                places.append(events["event_id"][()])
                tofs.append(events["event_time_offset"][()])
    return positions, positions[np.concatenate(places)], np.concatenate(tofs).astype(float)


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PACKAGE / "src")
        named = find_plugin("livered_sans.plugin:Sans")
        (run,) = chunks_of(FILE, named, instrument="EQSANS")
        settings = {"beam_x": CENTRE[0], "beam_y": CENTRE[1]}
        with PluginHarness(named.plugin_class, settings, run=run.run) as harness:
            made = harness.reduce(*run.chunks)
            yield made, harness.updates[-1]
        for name in [each for each in sys.modules if each.partition(".")[0] == "livered_sans"]:
            del sys.modules[name]


def test_pixels_are_where_the_file_says(neutrons):
    positions, _, _ = neutrons
    xml = (PACKAGE / "src" / "livered_sans" / "eqsans.xml").read_text(encoding="utf-8")
    logs = {"detectorZ": 5000.0, "sampToMod": 14122.0}
    made = read_instrument(InstrumentDefinition("EQSANS", xml), logs)
    assert (made.pixel_id == np.arange(49_152)).all()
    np.testing.assert_allclose(made.position, positions, atol=2e-6)
    assert made.l1 == 14.122
    still = (PACKAGE / "src" / "livered_sans" / "simulated.xml").read_text(encoding="utf-8")
    np.testing.assert_array_equal(
        read_instrument(InstrumentDefinition("EQSANS", still)).position, made.position
    )


def test_every_neutron_is_accounted_for(result, neutrons):
    made, update = result
    _, places, _ = neutrons
    assert made.curves[0].metadata["counts"] + sum(made.metadata.values()) == update.n_events == 20_400
    assert update.proton_charge_pc == pytest.approx(5.134942805555555 * 3.6e9)
    near = np.hypot(places[:, 0] - CENTRE[0], places[:, 1] - CENTRE[1]) <= 0.035
    assert made.metadata["masked"] == near.sum()
    assert made.images[0].z.sum() == 20_400


def test_the_beam_is_where_the_settings_say(neutrons):
    _, places, _ = neutrons
    spot = places[np.hypot(places[:, 0] - CENTRE[0], places[:, 1] - CENTRE[1]) < 0.02]
    assert len(spot) > 400
    assert spot[:, :2].mean(axis=0) == pytest.approx(CENTRE, abs=5e-4)


def test_counts_are_those_of_numpy(result, neutrons):
    made, _ = result
    _, places, tof = neutrons
    away = places - [*CENTRE, 0]
    l2 = np.linalg.norm(away, axis=1)
    h_over_m = 3956.034 / 1e6  # Angstrom m/us: Planck's constant over the neutron's mass
    begin, frame = 1.9 * (14.122 + l2) / h_over_m, 1e6 / 60
    wavelength = h_over_m * (begin + (tof - begin) % frame) / (14.122 + l2)
    q = 4 * np.pi / wavelength * np.sin(np.arccos(away[:, 2] / l2) / 2)
    taken = (np.hypot(away[:, 0], away[:, 1]) > 0.035) & (wavelength < 5.3)
    whole, *bands = made.curves
    # The log says 5000.019 mm from the middle of the run on, and the constants differ in their last digits.
    assert int(whole.metadata["counts"]) == pytest.approx((taken & (q > 0.01) & (q < 0.4)).sum(), abs=2)
    edges = np.linspace(1.9, 5.3, 4)
    for band, low, high in zip(bands, edges, edges[1:], strict=False):
        here = taken & (wavelength >= low) & (wavelength < high)
        expected, _ = np.histogram(q[here], whole.x)
        # Poisson: y is n over something, and e the root of n over the same.
        counted = np.divide(band.y, band.e, out=np.zeros_like(band.y), where=band.e > 0) ** 2
        assert abs(counted - expected).sum() <= 6


def test_the_ring_of_silver_behenate_stands_at_the_same_q_for_all_wavelengths(result):
    made, _ = result
    rings = []
    for curve in made.curves:
        q = curve.x_centres
        near = (q > 0.09) & (q < 0.125)
        background = np.median(curve.y[(q > 0.13) & (q < 0.2)])
        rings.append(np.average(q[near], weights=(curve.y - background)[near].clip(0)))
    assert rings == pytest.approx([2 * np.pi / 58.38] * 4, rel=0.015)
    assert max(rings) - min(rings) < 0.005 * rings[0]


def test_the_small_file_of_the_package_is_the_beginning_of_the_real_one(neutrons):
    with h5py.File(FILE) as real, h5py.File(PACKAGE / "tests" / "silver_behenate.nxs") as small:
        charge = "entry/DASlogs/proton_charge/value"
        np.testing.assert_array_equal(small[charge][()], real[charge][:300])
        index = [
            real[f"entry/bank{number}_events/event_index"][()].astype(np.int64) for number in range(1, 49)
        ]
        assert len(small["entry/bank1_events/event_id"]) == sum(each[300] for each in index if len(each) > 1)
        assert not any("user" in name for name in small["entry"])
    assert (PACKAGE / "tests" / "silver_behenate.nxs").stat().st_size < 100_000
