"""The plugin against neutrons of known wavelength and angle, and against silver behenate measured on EQSANS."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from livered_sans.plugin import Sans

from livered_core import InstrumentDefinition, RunInfo
from livered_core.geometry import read_instrument
from livered_core.testing import (
    PluginHarness,
    chunks_of,
    empty_chunk,
    find_plugin,
    make_chunk,
    make_events,
    one_event_chunk,
    split_chunk,
)

H_OVER_M = 3956.034  # m/s Angstrom: Planck's constant over the neutron's mass
FRAME_US = 1e6 / 60
MEASURED = Path(__file__).parent / "silver_behenate.nxs"
CENTRE = {"beam_x": -0.0159, "beam_y": -0.0083}  # m: where the direct beam is in that run


def positions(distance=5.0):
    """Return where the pixels are; the sample is at 0."""
    xml = (files("livered_sans") / "eqsans.xml").read_text(encoding="utf-8")
    logs = {"detectorZ": 1000 * distance, "sampToMod": 14122.0}
    return read_instrument(InstrumentDefinition("EQSANS", xml), logs).position


def arrival(wavelength, pixel, distance=5.0):
    """Return when a neutron arrives, on the detector's clock, which begins again with each pulse."""
    path = 14.122 + np.linalg.norm(positions(distance)[pixel], axis=-1)
    return np.round(path / H_OVER_M * wavelength * 1e6 % FRAME_US, 1)


@pytest.mark.parametrize("distance", [5.0, 4.0])
@pytest.mark.parametrize(
    "wavelength", [2.0, 3.3, 5.0], ids=["first frame", "its end", "after the next pulse"]
)
def test_a_neutron_is_where_it_belongs(wavelength, distance):
    pixel = 30_000
    logs = {"detectorZ": 1000 * distance, "sampToMod": 14122.0}
    chunk = one_event_chunk(pixel, arrival(wavelength, pixel, distance), logs=logs)
    result = PluginHarness(Sans).reduce(chunk)
    x, y, z = positions(distance)[pixel]
    q = 4 * np.pi / wavelength * np.sin(np.arctan2(np.hypot(x, y), z) / 2)
    whole, *bands = result.curves
    (bin_,) = np.flatnonzero(whole.y)
    assert whole.x[bin_] <= q < whole.x[bin_ + 1]
    assert [bool(band.y.any()) for band in bands] == [
        wavelength < 3.03,
        3.03 < wavelength < 4.17,
        wavelength > 4.17,
    ]


def scattered_alike(n, distance=5.0, without=()):
    """Return a chunk of neutrons that go into all directions alike, and how many go into one sr."""
    rng, places = np.random.default_rng(1), positions(distance)
    l2 = np.linalg.norm(places, axis=1)
    solid_angle = 0.0055 * 0.004296875 * np.hypot(places[:, 0], places[:, 2]) / l2**3
    pixel = rng.choice(len(places), n, p=solid_angle / solid_angle.sum())
    wavelength = rng.uniform(1.9, 5.3, n)
    counting = ~np.isin(pixel // 1024, without)
    pixel, wavelength = pixel[counting], wavelength[counting]
    events = make_events(pixel, arrival(wavelength, pixel, distance), proton_charge_pc=2e6)
    chunk = make_chunk(events, logs={"detectorZ": 1000 * distance, "sampToMod": 14122.0})
    return chunk, n / solid_angle.sum()


@pytest.mark.parametrize("distance", [5.0, 1.2])
def test_what_scatters_alike_everywhere_is_flat(distance):
    chunk, n = scattered_alike(200_000, distance)
    settings = {"wavelength_max": 5.2, "q_max": 0.4 * 5 / distance, "q_step": 0.01 * 5 / distance}
    result = PluginHarness(Sans, settings).reduce(chunk)
    expected = n / 2.0 * (5.2 - 1.9) / (5.3 - 1.9)  # of 2 uC, and of that part of the band
    for curve in result.curves:
        good = curve.y > 5 * curve.e
        assert good.sum() > 15
        pulls = (curve.y - expected)[good] / curve.e[good]
        assert abs(pulls).max() < 5
        assert abs(pulls[-8:].mean()) < 1.5  # at large angles tubes look shorter


def test_a_dead_bank_is_left_out_of_both():
    # The banks of the rear half, which have every other 1024 pixels.
    rear = range(1, 48, 2)
    chunk, n = scattered_alike(100_000, without=rear)
    result = PluginHarness(Sans, {"dead_banks": [f"bank{number}" for number in range(25, 49)]}).reduce(chunk)
    curve = result.curves[0]
    good = curve.y > 5 * curve.e
    assert good.sum() > 15
    assert abs((curve.y - n / 2.0)[good] / curve.e[good]).mean() < 1.5


def test_every_event_is_accounted_for():
    behind_the_stop = 25_726
    chunk = make_chunk(make_events([0, 30_000, behind_the_stop, 60_000], [5000.0, 9000.0, 9000.0, 9000.0]))
    result = PluginHarness(Sans, CENTRE).reduce(chunk)
    assert result.metadata == {"masked": 1, "beyond": 1, "unknown": 1}
    assert result.curves[0].metadata["counts"] == 1
    assert result.images[0].z.sum() == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dead_banks": ["bank99"]}, "has no bank99, but bank1 to bank48"),
        ({"wavelength_max": 6.0}, "5.3.. Angstrom"),
    ],
)
def test_settings_that_do_not_fit_the_instrument_are_said(settings, said):
    with pytest.raises(Exception, match=said):
        PluginHarness(Sans, settings).reduce(one_event_chunk())


@pytest.fixture(scope="module")
def measured():
    (run,) = chunks_of(MEASURED, find_plugin("EQSANS"))
    return run


def test_the_ring_of_silver_behenate_is_where_it_belongs(measured):
    result = PluginHarness(Sans, CENTRE, run=RunInfo(1466, "EQSANS")).reduce(*measured.chunks)
    assert all(chunk.logs["detectorZ"].last == pytest.approx(5000.019) for chunk in measured.chunks)
    rings = []
    for curve in result.curves:
        q = (curve.x[:-1] + curve.x[1:]) / 2
        near = (q > 0.09) & (q < 0.125)
        background = np.median(curve.y[(q > 0.13) & (q < 0.2)])
        height = (curve.y - background)[near].clip(0)
        assert height.max() > 4 * background
        rings.append(np.average(q[near], weights=height))
    # d(001) is 58.38 Angstrom (Huang et al., J. Appl. Cryst. 26 (1993) 180). The distances are not calibrated.
    assert rings == pytest.approx([2 * np.pi / 58.38] * 4, rel=0.02)
    # A wrong frame or a wrong path would have it elsewhere for each wavelength.
    assert max(rings) - min(rings) < 0.005 * rings[0]
    whole = result.curves[0]
    assert (
        whole.metadata["counts"] + sum(result.metadata.values())
        == measured.n_events
        == result.images[0].z.sum()
    )


def test_chunks_add_up_however_they_are_cut(measured):
    whole = PluginHarness(Sans, CENTRE).reduce(*measured.chunks)
    parts = [part for chunk in measured.chunks for part in split_chunk(chunk, [1, chunk.n_pulses - 1])]
    cut = PluginHarness(Sans, CENTRE).reduce(*parts)
    for a, b in zip(whole.curves, cut.curves, strict=True):
        np.testing.assert_allclose(a.y, b.y, rtol=1e-12)


def test_pulses_without_neutrons_count_as_exposure():
    pixel = np.arange(49_152)
    chunk = make_chunk(make_events(pixel, arrival(3.0, pixel), pulses=60))
    once = PluginHarness(Sans).reduce(chunk).curves[0]
    twice = PluginHarness(Sans).reduce(chunk, empty_chunk(pulses=60, sequence=2)).curves[0]
    np.testing.assert_allclose(twice.y, once.y / 2)
