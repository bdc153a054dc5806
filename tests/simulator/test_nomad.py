"""NOMAD with its 101,376 pixels: the plugin's own instrument, and the real one where its files are there."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from livered_core.config.simulate import SimulateConfig
from livered_core.diffraction.calibration import read_calibration
from livered_core.geometry import difc, read_instrument
from livered_core.model import InstrumentDefinition
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.events import draw
from livered_core.simulator.moderator import Resolution
from livered_core.simulator.stream import emissions
from livered_core.simulator.truth import truth_of

REPOSITORY = Path(__file__).parents[2]
OWN = REPOSITORY / "plugins" / "nom" / "src" / "livered_nom" / "simulated_instrument.xml"
REAL = REPOSITORY.parent / "shared" / "data" / "nomad"
DIAMOND_A = 3.56679
LINES = [DIAMOND_A / np.sqrt(squares) for squares in (3, 8, 11)]

# First and last pixel, mean scattering angle (degrees) and the lines seen without doubt, by bank.
BANKS = {
    1: (0, 14_335, 15.15, LINES[:2]),
    2: (14_336, 37_887, 31.1, LINES),
    3: (37_888, 52_223, 65.6, LINES),
    4: (52_224, 64_511, 122.0, LINES[1:]),
    5: (64_512, 82_943, 151.4, LINES[1:]),
}


def check_peaks(config: SimulateConfig) -> None:
    assert config.idf is not None
    beamline = build_beamline(config, "NOM")
    instrument = read_instrument(InstrumentDefinition("NOM", config.idf.read_text()))
    calibration = read_calibration(config.calibration) if config.calibration else None
    truth = truth_of(instrument.pixel_id, difc(instrument), calibration)
    assert np.array_equal(instrument.pixel_id, np.arange(101_376))

    events = draw(beamline.tables, np.random.default_rng(2), np.full(20, 150_000.0))
    pixel = events.pixel_id.astype(np.int64)
    tof = events.tof / 10.0
    d = tof / truth.difc[pixel]
    for _ in range(10):
        late = (truth.difa[pixel] * d + truth.difc[pixel]) * d + truth.tzero[pixel] - tof
        d -= late / (truth.difc[pixel] + 2.0 * truth.difa[pixel] * d)
    for bank, (first, last, angle, lines) in BANKS.items():
        in_bank = d[(pixel >= first) & (pixel <= last)]
        half_width = 2.5 * float(Resolution()(np.radians([angle]))[0])
        for expected in lines:
            counts, edges = np.histogram(in_bank[np.abs(in_bank / expected - 1.0) < half_width], 40)
            middle = (edges[1:] + edges[:-1]) / 2.0
            above = counts - np.linspace(counts[:4].mean(), counts[-4:].mean(), len(counts))
            assert np.sum(above * middle) / np.sum(above) == pytest.approx(expected, rel=1e-3), (
                bank,
                expected,
            )


@pytest.mark.skipif(not OWN.exists(), reason=f"{OWN.name} of the NOM plugin is not there")
def test_peaks_stand_at_their_d_on_the_plugins_instrument():
    check_peaks(SimulateConfig(idf=OWN))


@pytest.mark.skipif(not OWN.exists(), reason=f"{OWN.name} of the NOM plugin is not there")
def test_two_million_events_a_second_take_less_than_300_megabytes():
    tracemalloc.start()
    try:
        beamline = build_beamline(SimulateConfig(idf=OWN, rate=2e6, run_length=1.0), "NOM")
        sent = sum(
            len(emission.data)
            for emission in itertools.takewhile(
                lambda emission: not emission.idle, emissions(beamline, 10**18)
            )
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent > 15_000_000
    assert peak < 300 << 20


@pytest.mark.skipif(not REAL.exists(), reason="the real files of NOMAD (../shared/data/nomad) are not there")
@pytest.mark.parametrize("calibrated", [False, True])
def test_peaks_stand_at_their_d_on_the_real_instrument(calibrated: bool):
    calibration = REAL / "NOMAD_243451_2026-06-09_shifter.h5" if calibrated else None
    check_peaks(SimulateConfig(idf=REAL / "NOMAD_Definition.xml", calibration=calibration))
