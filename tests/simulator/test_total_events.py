"""Events that are drawn from a total S(Q), on the instrument that ships with NOMAD's plugin."""

from __future__ import annotations

import itertools
from pathlib import Path

import attrs
import numpy as np
import pytest

from livered_core.adara import Framer, RunInfoPacket, decode, read_run_info
from livered_core.config.simulate import SimulateConfig
from livered_core.errors import ConfigError
from livered_core.geometry import difc, read_instrument
from livered_core.model import Instrument, InstrumentDefinition
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.distribution import Scattering
from livered_core.simulator.events import draw
from livered_core.simulator.moderator import Spectrum
from livered_core.simulator.sample import load_powder
from livered_core.simulator.stream import emissions
from livered_core.simulator.structure_factor import PointTable
from livered_core.simulator.tables import EventTables, Frame, make_tables
from livered_core.simulator.total_structure import TotalStructure, total_structure_factor
from livered_core.simulator.truth import Truth, truth_of

OWN = Path(__file__).parents[2] / "plugins" / "nom" / "src" / "livered_nom" / "simulated_instrument.xml"
pytestmark = pytest.mark.skipif(not OWN.exists(), reason=f"{OWN.name} of the NOM plugin is not there")

FRAME = Frame(300.0, 16_667.0)
EVERY = 37
"""Of so many pixels one is taken: from all angles of each bank."""
Q_STEP = 0.02
# First and last pixel, and a range of Q that all pixels of the bank see, inverse Angstrom.
BANKS = {1: (0, 14_335, 1.6, 20.0), 2: (14_336, 37_887, 2.0, 40.0), 5: (64_512, 82_943, 4.5, 40.0)}
N_EVENTS = 2_000_000


@attrs.frozen(eq=False)
class Drawn:
    total: TotalStructure
    tables: EventTables
    counts: dict[int, np.ndarray]


@attrs.frozen(eq=False)
class Nomad:
    instrument: Instrument
    truth: Truth
    samples: dict[str, Drawn]

    def sample(self, name: str) -> Drawn:
        """Draw events of a sample, once."""
        if name not in self.samples:
            total = total_structure_factor(name)
            tables = make_tables(self.instrument, self.truth, Scattering(total), FRAME)
            self.samples[name] = Drawn(total, tables, counted(tables, self.instrument, len(self.samples)))
        return self.samples[name]


def some_pixels(instrument: Instrument, rows: np.ndarray) -> Instrument:
    return attrs.evolve(
        instrument,
        pixel_id=instrument.pixel_id[rows],
        position=instrument.position[rows],
        bank=instrument.bank[rows],
    )


def edges(bank: int) -> np.ndarray:
    _, _, low, high = BANKS[bank]
    return np.arange(round(low / Q_STEP), round(high / Q_STEP) + 1) * Q_STEP


def rows_of(instrument: Instrument, bank: int) -> np.ndarray:
    first, last, _, _ = BANKS[bank]
    return np.flatnonzero((instrument.pixel_id >= first) & (instrument.pixel_id <= last))


def counted(tables: EventTables, instrument: Instrument, seed: int) -> dict[int, np.ndarray]:
    """Draw events and sort them by Q, bank by bank: Q from L, two-theta and TOF alone.

    ``Q = 4 pi sin(theta) / lambda`` and ``lambda = h t / (m_n L)``, with h / m_n = 3956.034 m/s Angstrom.
    """
    rng = np.random.default_rng(seed)
    total = {bank: np.zeros(len(edges(bank)) - 1) for bank in BANKS}
    per_pixel = (
        4.0 * np.pi * np.sin(instrument.two_theta / 2.0) * (instrument.l1 + instrument.l2) / 3956.034e-6
    )
    for _ in range(2):
        events = draw(tables, rng, np.full(10, N_EVENTS / 20))
        row = np.searchsorted(instrument.pixel_id, events.pixel_id)
        # A tick is counted when it has begun.
        place = (per_pixel[row] / ((events.tof + 0.5) / 10.0) / Q_STEP).astype(np.int64)
        for bank in BANKS:
            rows, (low, high) = rows_of(instrument, bank), np.rint(edges(bank)[[0, -1]] / Q_STEP).astype(int)
            in_bank = place[(row >= rows[0]) & (row <= rows[-1])]
            total[bank] += np.bincount(in_bank, minlength=high)[low:high]
    return total


@pytest.fixture(scope="module")
def nomad() -> Nomad:
    whole = read_instrument(InstrumentDefinition("NOM", OWN.read_text()))
    instrument = some_pixels(whole, np.arange(0, len(whole.pixel_id), EVERY))
    truth = truth_of(instrument.pixel_id, difc(instrument))
    return Nomad(instrument, truth, {})


def mean_cross_section(total: TotalStructure, edges: np.ndarray) -> np.ndarray:
    """Average over each bin, by Simpson's rule on twelve steps."""
    steps = np.linspace(0.0, 1.0, 13)
    weight = np.array([1.0, *[4.0, 2.0] * 5, 4.0, 1.0]) / 36.0
    q = edges[:-1, np.newaxis] + np.diff(edges)[:, np.newaxis] * steps
    return total.cross_section(q.ravel()).reshape(q.shape) @ weight


@pytest.mark.parametrize("name", ["diamond", "nickel", "container", "liquid"])
def test_counts_over_those_of_vanadium_are_s_of_q(nomad: Nomad, name: str):
    """Absolutely: for as many atoms in the beam, by the strengths of the tables. Nothing is fitted."""
    drawn, isotropic = nomad.sample(name), nomad.sample("vanadium")
    as_many_atoms = drawn.tables.strength / isotropic.tables.strength
    for bank, vanadium in isotropic.counts.items():
        sample, q = drawn.counts[bank], edges(bank)
        ratio = mean_cross_section(drawn.total, q) / isotropic.total.self_sr / as_many_atoms
        enough = (vanadium > 30) & (ratio * vanadium > 10)
        assert enough.mean() > 0.7
        # Poisson: the variance of sample - ratio * vanadium, where the one has ratio times the mean of the other.
        chi2 = (sample - ratio * vanadium)[enough] ** 2 / (ratio * (sample + vanadium))[enough]
        tolerance = 5.0 * np.sqrt(2.0 / enough.sum())
        assert chi2.mean() == pytest.approx(1.0, abs=tolerance), (name, bank, chi2.mean())
        difference = np.sum((sample - ratio * vanadium)[enough])
        assert abs(difference) < 5.0 * np.sqrt(np.sum((ratio * (sample + vanadium))[enough])), (name, bank)


@pytest.mark.parametrize("name", ["diamond", "silicon", "nickel", "vanadium"])
def test_counts_are_s_of_q_times_the_spectrum(nomad: Nomad, name: str):
    """In absolute numbers, from the geometry and the spectrum, without the tables: chi-squared of each bank.

    A pixel detects ``phi(lambda) (lambda / Q) dsigma/dOmega(Q) / L2^2`` of each Q: at a fixed angle
    ``d lambda = lambda / Q dQ``.
    """
    drawn, spectrum, instrument = nomad.sample(name), Spectrum(), nomad.instrument
    for bank, found in drawn.counts.items():
        rows, middle = rows_of(instrument, bank), (edges(bank)[1:] + edges(bank)[:-1]) / 2.0
        wavelength = 4.0 * np.pi * np.sin(instrument.two_theta[rows] / 2.0)[:, np.newaxis] / middle
        seen = (spectrum(wavelength) * wavelength / instrument.l2[rows, np.newaxis] ** 2).sum(axis=0)
        section = mean_cross_section(drawn.total, edges(bank))
        expected = N_EVENTS / drawn.tables.strength * seen * section * Q_STEP / middle
        # Diamond scatters hardly anything between its first peaks.
        enough = expected > 10.0
        assert enough.mean() > 0.5, (name, bank)
        chi2 = float(np.mean((found - expected)[enough] ** 2 / expected[enough]))
        assert chi2 == pytest.approx(1.0, abs=5.0 * np.sqrt(2.0 / enough.sum())), (name, bank)
        assert abs(np.sum((found - expected)[enough])) < 5.0 * np.sqrt(expected[enough].sum()), (name, bank)


@pytest.mark.parametrize(("name", "mass"), [("diamond", 12.011), ("silicon", 28.086), ("nickel", 58.693)])
def test_a_powder_is_as_strong_as_its_total_scattering(nomad: Nomad, name: str, mass: float):
    """The one is of bound atoms; in the other the fastest neutrons see free ones, with (A / (A + 1))^2 of that."""
    powder = make_tables(nomad.instrument, nomad.truth, Scattering(load_powder(name)), FRAME)
    ratio = powder.strength / nomad.sample(name).tables.strength
    assert (mass / (mass + 1.00866)) ** 2 < ratio < 1.0


def expected(tables: EventTables, row: int, q: np.ndarray) -> np.ndarray:
    """What the tables say of one pixel, without drawing: parts of the class in bins of Q."""
    first = tables.first_quantile[row]
    d = tables.quantiles[first : first + tables.cells + 1].astype(np.float64)
    part = np.interp(2.0 * np.pi / q[::-1], d, np.arange(tables.cells + 1) / tables.cells)
    return np.diff(part)[::-1]


@pytest.mark.parametrize("name", ["diamond", "nickel"])
@pytest.mark.parametrize("angle", [15.0, 31.0, 67.0, 122.0, 154.0])
def test_the_tables_hold_s_of_q_from_low_to_high(nomad: Nomad, name: str, angle: float):
    total, isotropic = nomad.sample(name).total, nomad.sample("vanadium").total
    order = np.argsort(nomad.instrument.bank, kind="stable")
    row = int(np.argmin(np.abs(np.degrees(nomad.instrument.two_theta[order]) - angle)))
    one = some_pixels(nomad.instrument, order[row : row + 1])
    truth = Truth(nomad.truth.difc[order[row : row + 1]], np.zeros(1), np.zeros(1))
    lowest, highest = (2.0 * np.pi / truth.d_spacing(tof)[0] for tof in (16_667.0, 300.0))
    q = np.arange(np.ceil(max(lowest, 0.3) / 0.02), np.floor(min(highest, 40.0) / 0.02) + 1) * 0.02
    sample, vanadium = (make_tables(one, truth, Scattering(what), FRAME) for what in (total, isotropic))
    found = expected(sample, 0, q) * sample.strength / (expected(vanadium, 0, q) * vanadium.strength)
    wrong = found * isotropic.self_sr / total.self_sr - mean_cross_section(total, q) / total.self_sr
    s = mean_cross_section(total, q) / total.self_sr
    assert np.sqrt(np.mean(wrong**2)) < 1e-3
    assert np.abs(wrong / np.maximum(s, 1.0)).max() < 4e-3


def test_where_nothing_is_scattered_nothing_is_detected(nomad: Nomad):
    dark_below = TotalStructure("x", "", 1.0, 1.0, PointTable(np.array([0.0, 10.0]), np.zeros(2)))
    late = Frame(4000.0, 16_667.0)
    tables = make_tables(nomad.instrument, nomad.truth, Scattering(dark_below), late)
    # In so long a frame bank 1, at 15 degrees, sees no Q above 3.
    assert tables.bank_share[nomad.instrument.bank[0]] == 0.0
    assert tables.bank_share.sum() == pytest.approx(1.0)
    events = draw(tables, np.random.default_rng(1), np.full(2, 1e5))
    row = np.searchsorted(nomad.instrument.pixel_id, events.pixel_id)
    q = 2.0 * np.pi * nomad.truth.difc[row] / (events.tof / 10.0)
    # The darkness shares one cell with what is beside it.
    assert np.mean(q < 9.99) < 2.0 / tables.cells
    dark = TotalStructure("x", "", 1.0, 1.0, PointTable(np.array([0.0, 1000.0]), np.zeros(2)))
    with pytest.raises(ConfigError, match="scatters nothing in the frame"):
        make_tables(nomad.instrument, nomad.truth, Scattering(dark), FRAME)


def test_a_beamline_draws_from_total_scattering_and_says_what_is_in_the_beam(tmp_path: Path, idf: Path):
    path = tmp_path / "s.txt"
    path.write_text("0.5 0.1\n2.0 2.0\n12.0 1.0\n")
    for settings, name, formula in (
        ({}, "diamond", None),
        ({"total_scattering": True, "sample": "corundum"}, "corundum", "Al2O3"),
        ({"total_scattering": True, "sample": "liquid"}, "liquid", None),
        ({"s_of_q": path, "composition": "SiO2"}, "SiO2", "SiO2"),
    ):
        beamline = build_beamline(SimulateConfig(idf=idf, run_length=0.5, rate=1000.0, **settings), "TINY")
        assert (beamline.total is None) == (not settings)
        assert beamline.environment.sample == name
        framer = Framer()
        stream = itertools.takewhile(lambda emission: not emission.idle, emissions(beamline, 10**18))
        packets = [decode(frame) for emission in stream for frame in framer.feed(emission.data)]
        documents = [packet.xml for packet in packets if isinstance(packet, RunInfoPacket)]
        sample = read_run_info(documents[0]).sample
        assert sample == {"name": name, **({"chemical_formula": formula} if formula else {})}


def test_a_file_or_sample_that_does_not_do_stops_the_beamline(tmp_path: Path, idf: Path):
    config = SimulateConfig(idf=idf, s_of_q=tmp_path / "absent.txt", composition="SiO2")
    with pytest.raises(ConfigError, match="simulate.s_of_q: .* cannot be read"):
        build_beamline(config, "TINY")
    config = SimulateConfig(idf=idf, sample="AcrylicGlass_C5O2H8", total_scattering=True)
    with pytest.raises(ConfigError, match="is not crystalline"):
        build_beamline(config, "TINY")
