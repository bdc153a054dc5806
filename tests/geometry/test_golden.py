"""Against what Mantid makes of NOMAD's real definitions (tolerances: the README of the golden files)."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from livered_core.geometry import difc, read_instrument
from livered_core.model import Instrument, InstrumentDefinition

CASES = {
    "nomad_geometry_2022.npz": "NOMAD_Definition.xml",
    "nomad_geometry_2017.npz": "NOMAD_Definition_20170201-20220504.xml",
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, shared: Path) -> tuple[Instrument, dict[str, np.ndarray]]:
    xml = (shared / "data" / "nomad" / CASES[request.param]).read_text()
    with np.load(shared / "reference" / "golden" / request.param) as file:
        golden = dict(file)
    return read_instrument(InstrumentDefinition("NOMAD", xml)), golden


def test_every_seventh_pixel_to_the_last_digits(case):
    instrument, golden = case
    chosen = golden["every7_ids"]
    np.testing.assert_array_equal(instrument.pixel_id[chosen], chosen)
    np.testing.assert_allclose(instrument.position[chosen], golden["every7_position"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(instrument.l2[chosen], golden["every7_l2"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(instrument.two_theta[chosen], golden["every7_two_theta"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(difc(instrument)[chosen], golden["every7_difc"], rtol=1e-12, atol=0)


def test_all_pixels(case):
    instrument, golden = case
    np.testing.assert_array_equal(instrument.pixel_id, np.arange(101376))
    np.testing.assert_allclose(instrument.position, golden["position_f32"], rtol=0, atol=2e-7)
    np.testing.assert_allclose(instrument.l2, golden["l2_f32"], rtol=1e-6)
    np.testing.assert_allclose(instrument.two_theta, golden["two_theta_f32"], rtol=1e-6)
    np.testing.assert_allclose(difc(instrument), golden["difc_f32"], rtol=1e-6)


def test_source_sample_and_monitors(case):
    instrument, golden = case
    assert instrument.l1 == pytest.approx(float(golden["l1"]), abs=1e-12)
    np.testing.assert_allclose(instrument.source_position, golden["source_position"], atol=1e-12)
    np.testing.assert_allclose(instrument.sample_position, golden["sample_position"], atol=1e-12)
    order = np.argsort(instrument.monitor_id)
    golden_order = np.argsort(golden["monitor_ids"])
    np.testing.assert_array_equal(instrument.monitor_id[order], golden["monitor_ids"][golden_order])
    np.testing.assert_allclose(
        instrument.monitor_position[order], golden["monitor_position"][golden_order], atol=1e-12
    )


def test_banks_are_the_99_packs(case):
    instrument, _ = case
    assert instrument.bank_names == tuple(f"bank{i}" for i in range(1, 100))
    np.testing.assert_array_equal(instrument.bank, np.arange(101376) // 1024)


def test_nomad_is_read_in_well_under_a_second(shared):
    definition = InstrumentDefinition("NOMAD", (shared / "data/nomad/NOMAD_Definition.xml").read_text())
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        read_instrument(definition)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5
