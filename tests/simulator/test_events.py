from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.diffraction.calibration import Calibration
from livered_core.errors import ConfigError
from livered_core.geometry import difc, read_instrument
from livered_core.model import Instrument, InstrumentDefinition
from livered_core.simulator.events import EventBlock, draw
from livered_core.simulator.monitors import draw_monitors, make_monitor_tables
from livered_core.simulator.sample import load_powder
from livered_core.simulator.tables import EventTables, Frame, Scattering, make_tables
from livered_core.simulator.truth import Truth, truth_of

FRAME = Frame(300.0, 16_667.0)
DIAMOND_A = 3.56679  # NCrystal's lattice parameter, Angstrom
ALLOWED = ((1, 1, 1), (2, 2, 0), (3, 1, 1), (4, 0, 0), (3, 3, 1), (4, 2, 2))


@pytest.fixture(scope="module")
def scattering() -> Scattering:
    return Scattering(load_powder("diamond"))


@pytest.fixture(scope="module")
def instrument(idf: Path) -> Instrument:
    return read_instrument(InstrumentDefinition("TINY", idf.read_text()))


@pytest.fixture(scope="module")
def calibration(instrument: Instrument) -> Calibration:
    """Half of the pixels are calibrated, and far from their geometry."""
    n = len(instrument.pixel_id)
    use = np.arange(n) % 2 == 0
    return Calibration(
        detid=np.append(instrument.pixel_id, 10_000).astype(np.int32),
        difc=np.append(difc(instrument) * 1.04, 1.0),
        difa=np.append(np.full(n, -5.0), 0.0),
        tzero=np.append(np.full(n, 20.0), 0.0),
        group=np.ones(n + 1, np.int32),
        use=np.append(use, True),
        instrument="TINY",
    )


def drawn(tables: EventTables, n_events: float, seed: int = 1, pulses: int = 10) -> EventBlock:
    return draw(tables, np.random.default_rng(seed), np.full(pulses, n_events / pulses))


def d_spacing_of(events: EventBlock, instrument: Instrument, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Invert TOF = DIFC d + DIFA d^2 + TZERO by Newton's method; also the row of each event's pixel."""
    row = np.searchsorted(instrument.pixel_id, events.pixel_id)
    tof = events.tof / 10.0
    d = tof / truth.difc[row]
    for _ in range(20):
        wrong = truth.difc[row] * d + truth.difa[row] * d * d + truth.tzero[row] - tof
        d -= wrong / (truth.difc[row] + 2.0 * truth.difa[row] * d)
    return d, row


def peak_centre(d: np.ndarray, near: float, half_width: float) -> float:
    """Centroid above a straight line through the edges of the window, iterated to sit in its middle."""
    centre = near
    for _ in range(5):
        window = d[np.abs(d / centre - 1.0) < half_width]
        counts, edges = np.histogram(window, 60)
        middle = (edges[1:] + edges[:-1]) / 2.0
        line = np.linspace(counts[:6].mean(), counts[-6:].mean(), len(counts))
        centre = float(np.sum((counts - line) * middle) / np.sum(counts - line))
    return centre


@pytest.mark.parametrize("calibrated", [False, True])
def test_peaks_stand_at_the_d_of_diamond_in_every_bank_that_sees_them(
    scattering: Scattering, instrument: Instrument, calibration: Calibration, calibrated: bool
):
    truth = truth_of(instrument.pixel_id, difc(instrument), calibration if calibrated else None)
    events = drawn(make_tables(instrument, truth, scattering, FRAME), 2_000_000)
    d, row = d_spacing_of(events, instrument, truth)
    bank = instrument.bank[row]
    seen = 0
    for index, angle in enumerate((15.0, 31.0, 67.0, 122.0, 154.0)):
        width = float(scattering.resolution(np.radians([angle]))[0])
        for hkl in ALLOWED[:3]:
            expected = DIAMOND_A / np.sqrt(np.dot(hkl, hkl))
            if 2.0 * expected * np.sin(np.radians(angle / 2.0)) > 2.9:
                continue  # beyond the longest wavelength of the frame
            found = peak_centre(d[bank == index], expected, 4.0 * width)
            assert found == pytest.approx(expected, rel=1e-3), (angle, hkl)
            seen += 1
    assert seen == 13


def test_peaks_have_the_width_of_the_resolution(scattering: Scattering, instrument: Instrument):
    truth = truth_of(instrument.pixel_id, difc(instrument))
    events = drawn(make_tables(instrument, truth, scattering, FRAME), 2_000_000)
    d, row = d_spacing_of(events, instrument, truth)
    for index, angle, hkl in ((1, 31.0, (1, 1, 1)), (2, 67.0, (1, 1, 1)), (4, 154.0, (2, 2, 0))):
        width = float(scattering.resolution(np.radians([angle]))[0])
        near = DIAMOND_A / np.sqrt(np.dot(hkl, hkl))
        window = d[(instrument.bank[row] == index) & (np.abs(d / near - 1.0) < 3.0 * width)]
        counts, edges = np.histogram(window, 30)
        middle = (edges[1:] + edges[:-1]) / 2.0
        above = counts - np.linspace(counts[:3].mean(), counts[-3:].mean(), len(counts))
        spread = np.sqrt(np.sum(above * (middle - near) ** 2) / np.sum(above)) / near
        assert spread == pytest.approx(width, rel=0.1), angle


def test_the_strongest_lines_are_those_of_diamond(scattering: Scattering, instrument: Instrument):
    """At low angles (111) is the strongest; at high angles it lies beyond the frame and (220) is."""
    truth = truth_of(instrument.pixel_id, difc(instrument))
    events = drawn(make_tables(instrument, truth, scattering, FRAME), 2_000_000)
    d, row = d_spacing_of(events, instrument, truth)
    for index, strongest in ((1, (1, 1, 1)), (3, (2, 2, 0)), (4, (2, 2, 0))):
        counts, edges = np.histogram(d[instrument.bank[row] == index], np.geomspace(0.6, 2.5, 800))
        at = edges[np.argmax(counts)]
        assert at == pytest.approx(DIAMOND_A / np.sqrt(np.dot(strongest, strongest)), rel=5e-3), index


def test_relative_intensities_follow_the_structure_factors(scattering: Scattering, instrument: Instrument):
    """(111) : (220) in the bank at 31 degrees against Phi lambda d^3 m F^2, computed here."""
    truth = truth_of(instrument.pixel_id, difc(instrument))
    events = drawn(make_tables(instrument, truth, scattering, FRAME), 3_000_000)
    d, row = d_spacing_of(events, instrument, truth)
    d = d[instrument.bank[row] == 1]
    sine = np.sin(np.radians(15.5))

    def area(hkl: tuple[int, int, int]) -> float:
        near = DIAMOND_A / np.sqrt(np.dot(hkl, hkl))
        counts, _ = np.histogram(d[np.abs(d / near - 1.0) < 0.03], 60)
        return float(np.sum(counts - np.linspace(counts[:4].mean(), counts[-4:].mean(), 60)))

    def expected(multiplicity: int, squares: int, structure_factor2: float) -> float:
        spacing = DIAMOND_A / np.sqrt(squares)
        wavelength = 2.0 * spacing * sine
        flux = scattering.spectrum(np.array([wavelength]))[0]
        return float(flux * wavelength * spacing**3 * multiplicity * structure_factor2)

    # Unit cell of diamond: |F|^2 = 32 b^2 for mixed, 64 b^2 for even indices, times exp(-2 W).
    damping = {3: 0.9834, 8: 0.9562}
    ratio = expected(8, 3, 32.0 * damping[3]) / expected(12, 8, 64.0 * damping[8])
    assert area((1, 1, 1)) / area((2, 2, 0)) == pytest.approx(ratio, rel=0.05)


def test_banks_share_the_neutrons_as_the_beam_and_the_angles_say(
    scattering: Scattering, instrument: Instrument
):
    """(220) at 31 degrees and at 122 degrees: same pixels, same distance, another wavelength of the beam."""
    truth = truth_of(instrument.pixel_id, difc(instrument))
    events = drawn(make_tables(instrument, truth, scattering, FRAME), 3_000_000)
    d, row = d_spacing_of(events, instrument, truth)
    near = DIAMOND_A / np.sqrt(8.0)
    area, expected = [], []
    for index, angle in ((1, 31.0), (3, 122.0)):
        width = float(scattering.resolution(np.radians([angle]))[0])
        counts, _ = np.histogram(
            d[(instrument.bank[row] == index) & (np.abs(d / near - 1.0) < 4.0 * width)], 60
        )
        area.append(np.sum(counts - np.linspace(counts[:4].mean(), counts[-4:].mean(), 60)))
        wavelength = 2.0 * near * np.sin(np.radians(angle / 2.0))
        expected.append(scattering.spectrum(np.array([wavelength]))[0] * wavelength)
    assert area[0] / area[1] == pytest.approx(expected[0] / expected[1], rel=0.05)


def test_no_event_lies_outside_the_frame_and_the_whole_frame_is_used(
    scattering: Scattering, instrument: Instrument
):
    truth = truth_of(instrument.pixel_id, difc(instrument))
    events = drawn(make_tables(instrument, truth, scattering, Frame(1000.0, 9000.05)), 500_000)
    assert events.tof.min() >= 10_000
    assert events.tof.max() <= 90_000
    assert events.tof.min() < 10_100
    assert events.tof.max() > 89_800


def test_numbers_of_events_are_poisson_and_ordered_by_bank(scattering: Scattering, instrument: Instrument):
    truth = truth_of(instrument.pixel_id, difc(instrument))
    tables = make_tables(instrument, truth, scattering, FRAME)
    events = drawn(tables, 400_000, pulses=400)
    per_pulse = events.counts.sum(axis=1)
    assert per_pulse.sum() == len(events.tof) == len(events.pixel_id)
    assert per_pulse.mean() == pytest.approx(1000.0, abs=4.0 * np.sqrt(1000.0 / 400.0))
    assert per_pulse.var() == pytest.approx(1000.0, rel=0.35)
    bank = instrument.bank[np.searchsorted(instrument.pixel_id, events.pixel_id)]
    expected = np.repeat(np.tile(np.arange(events.counts.shape[1]), 400), events.counts.ravel())
    assert np.array_equal(bank, expected)


def test_pixels_are_drawn_in_proportion_to_their_solid_angle(scattering: Scattering, instrument: Instrument):
    """A pixel twice as far away gets a quarter of the events."""
    position = instrument.position.copy()
    first = np.flatnonzero(instrument.bank == 3)[0]
    position[first] *= 2.0
    moved = attrs.evolve(instrument, position=position)
    # The truth stays, so that distance changes nothing but the solid angle.
    truth = truth_of(instrument.pixel_id, difc(instrument))
    events = drawn(make_tables(moved, truth, scattering, FRAME), 400_000)
    counts = np.bincount(events.pixel_id, minlength=len(instrument.pixel_id))
    near = counts[np.flatnonzero(instrument.bank == 3)[1:]].mean()
    assert counts[first] / near == pytest.approx(0.25, rel=0.05)


def test_the_same_seed_gives_the_same_events(scattering: Scattering, instrument: Instrument):
    truth = truth_of(instrument.pixel_id, difc(instrument))
    tables = make_tables(instrument, truth, scattering, FRAME)
    one, same, other = (drawn(tables, 10_000, seed) for seed in (7, 7, 8))
    assert np.array_equal(one.tof, same.tof)
    assert np.array_equal(one.pixel_id, same.pixel_id)
    assert not np.array_equal(one.counts, other.counts)


def test_without_beam_there_are_no_events(scattering: Scattering, instrument: Instrument):
    truth = truth_of(instrument.pixel_id, difc(instrument))
    tables = make_tables(instrument, truth, scattering, FRAME)
    events = draw(tables, np.random.default_rng(1), np.array([0.0, 100.0, 0.0]))
    assert events.counts.sum(axis=1)[[0, 2]].tolist() == [0, 0]
    assert len(events.tof) == events.counts[1].sum() > 0


def test_an_instrument_that_sees_nothing_is_a_sentence(scattering: Scattering, instrument: Instrument):
    nothing = Truth(*np.zeros((3, len(instrument.pixel_id))))
    with pytest.raises(ConfigError, match=r"no pixel of TINY sees a neutron between 300 and 16667 us"):
        make_tables(instrument, nothing, scattering, FRAME)


def test_a_pixel_without_truth_gets_no_events(scattering: Scattering, instrument: Instrument):
    truth = truth_of(instrument.pixel_id, difc(instrument))
    broken = truth.difc.copy()
    broken[5] = 0.0
    tables = make_tables(instrument, attrs.evolve(truth, difc=broken), scattering, FRAME)
    assert instrument.pixel_id[5] not in drawn(tables, 100_000).pixel_id


def test_calibrated_pixels_follow_the_calibration_and_the_others_their_geometry(
    instrument: Instrument, calibration: Calibration
):
    geometric = difc(instrument)
    truth = truth_of(instrument.pixel_id, geometric, calibration)
    used = np.arange(len(geometric)) % 2 == 0
    assert np.array_equal(truth.difc[used], geometric[used] * 1.04)
    assert np.array_equal(truth.difc[~used], geometric[~used])
    assert set(truth.difa[used]) == {-5.0}
    assert set(truth.tzero[used]) == {20.0}
    assert not truth.difa[~used].any()
    assert not truth.tzero[~used].any()


@given(
    difc_us=st.floats(100.0, 12_000.0),
    difa=st.floats(-8.0, 8.0),
    tzero=st.floats(-50.0, 50.0),
    d=st.floats(0.05, 5.0),
)
def test_d_spacing_inverts_the_truth(difc_us: float, difa: float, tzero: float, d: float):
    truth = Truth(*(np.array([value]) for value in (difc_us, difa, tzero)))
    tof = truth.tof_us(np.array([d]))
    assert truth.d_spacing(float(tof[0]))[0] == pytest.approx(d, rel=1e-6)


def test_times_that_the_truth_cannot_reach_end_at_the_longest_it_can():
    truth = Truth(np.array([100.0]), np.array([-10.0]), np.array([0.0]))
    assert truth.d_spacing(10_000.0)[0] == pytest.approx(5.0)
    assert Truth(np.array([100.0]), np.zeros(1), np.array([500.0])).d_spacing(400.0)[0] == 0.0


def test_monitors_see_the_beam(instrument: Instrument, scattering: Scattering):
    tables = make_monitor_tables(instrument, scattering.spectrum, FRAME)
    assert tables.monitor_id.tolist() == [1]
    block = draw_monitors(tables, np.random.default_rng(3), np.array([1.0, 0.0, 1.0] * 200))
    assert block.counts.shape == (600, 1)
    assert block.counts[1::3].sum() == 0
    assert block.counts.sum() == len(block.tof)
    assert block.counts.sum() == pytest.approx(400 * 8.0, rel=0.1)
    assert block.tof.min() >= 3000
    assert block.tof.max() < 166_670
