from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest

from livered_core import (
    Chunk,
    DataModelError,
    Instrument,
    InstrumentDefinition,
    Result,
    RunInfo,
    SessionInfo,
)
from livered_core.diffraction import (
    DIAMOND_A,
    UAH_PER_PC,
    Calibration,
    calibration_from_geometry,
    read_calibration,
    write_calibration,
)
from livered_core.geometry import difc
from livered_core.testing import PluginHarness, make_events, make_update, split_chunk
from livered_core.testing import make_chunk as make_chunk_of
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings
from livered_nom.settings_total import TotalScatteringSettings

ONE_BANK = TotalScatteringSettings(bank_q_min=(0.0,), bank_q_max=(0.0,))
UPDATE = make_update(proton_charge_pc=3.6e9, last_pulse_ns=1_700_000_060_000_000_000)
MakeChunk = Callable[..., Chunk]

DIAMOND_D = DIAMOND_A / np.sqrt([3.0, 8.0, 11.0])
LABELS = [
    "bank 1 - 15 deg",
    "bank 2 - 31 deg",
    "bank 3 - 67 deg",
    "bank 4 - 122 deg",
    "bank 5 - 154 deg",
    "bank 6 - 7 deg",
]


def diamond_events(calibration: Calibration, n: int = 60_000, seed: int = 1) -> tuple[Any, Any]:
    """Pixels and ticks of a powder: three reflections, 0.4 % wide, on a flat background in TOF."""
    rng = np.random.default_rng(seed)
    row = rng.integers(0, len(calibration.detid), n)
    d = rng.choice(DIAMOND_D, n, p=[0.5, 0.3, 0.2]) * (1 + 0.0017 * rng.standard_normal(n))
    tof = calibration.difc[row] * d + calibration.difa[row] * d**2 + calibration.tzero[row]
    background = (rng.random(n) < 0.5) | (tof < 300) | (tof >= 16667)
    tof = np.where(background, rng.uniform(300, 16667, n), tof)
    return calibration.detid[row].astype(np.uint32), np.floor(tof * 10).astype(np.uint32)


def distorted(instrument: Instrument, use: Any = None) -> Calibration:
    """A calibration that is a few percent off the geometry, differently for each pixel."""
    n = len(instrument.pixel_id)
    rng = np.random.default_rng(4)
    return Calibration(
        detid=instrument.pixel_id,
        difc=difc(instrument) * (1 + 0.03 * rng.standard_normal(n)),
        difa=rng.uniform(-5, 0.5, n),
        tzero=rng.uniform(-15, 15, n),
        group=np.ones(n),
        use=np.ones(n, bool) if use is None else use,
        instrument="NOMAD",
    )


def with_calibration(path: Path, calibration: Calibration) -> NomPlugin:
    write_calibration(path, calibration)
    return NomPlugin(NomSettings(calibration=path))


def assert_diamond_in_every_bank(result: Result, tolerance_percent: float = 0.05) -> None:
    assert [curve.label for curve in result.curves] == LABELS
    for curve in result.curves:
        assert abs(curve.metadata["peak_difference_percent"]) < tolerance_percent, curve.label
        expected = curve.metadata["expected_peak_angstrom"]
        assert expected in np.round(DIAMOND_D, 4)
        assert curve.metadata["strongest_peak_angstrom"] == pytest.approx(
            expected, rel=tolerance_percent / 100
        )


def test_livered_takes_it(make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo) -> None:
    with PluginHarness(NomPlugin, run=run) as harness:
        result = harness.reduce(make_chunk([20_000], [57_000], definition))
    assert result.title == "Diamond <powder>"
    assert dict(harness.session.plugins) == {"nom": version("livered-nom")}
    owners = {call.hook: call.plugin for call in harness.transcript}
    assert owners["process_chunk"] == owners["post_process"] == "nom"
    assert owners["accumulate"] == "livered defaults"  # they add


def test_diamond_stands_at_its_d_in_every_bank(
    make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument, run: RunInfo
) -> None:
    plugin = NomPlugin(NomSettings())
    plugin.run_started(run)
    events = diamond_events(calibration_from_geometry(instrument))
    histogram = plugin.process_chunk(make_chunk(*events, definition))
    result = plugin.post_process(histogram, run, UPDATE)
    assert_diamond_in_every_bank(result)
    assert (result.run_number, result.title) == (7, "Diamond <powder>")
    assert result.metadata["calibration"] == "none: DIFC from the geometry"


def test_the_calibration_is_used(
    tmp_path: Path,
    make_chunk: MakeChunk,
    definition: InstrumentDefinition,
    instrument: Instrument,
    run: RunInfo,
) -> None:
    truth = distorted(instrument)
    chunk = make_chunk(*diamond_events(truth), definition)
    calibrated = with_calibration(tmp_path / "calibration.h5", truth)
    result = calibrated.post_process(calibrated.process_chunk(chunk), run, UPDATE)
    assert_diamond_in_every_bank(result)
    assert result.metadata["calibration"] == "calibration.h5"
    # Without it the peaks are smeared over the 3 % of the distortion.
    plain = NomPlugin(NomSettings())
    smeared = plain.post_process(plain.process_chunk(chunk), run, UPDATE)
    for sharp, broad in zip(result.curves, smeared.curves, strict=True):
        assert sharp.y.max() > 2 * broad.y.max()


def test_pixels_not_in_use_are_masked(
    tmp_path: Path, make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument
) -> None:
    use = np.arange(len(instrument.pixel_id)) % 2 == 0
    plugin = with_calibration(tmp_path / "calibration.h5", distorted(instrument, use))
    pixel, tof = diamond_events(calibration_from_geometry(instrument))
    histogram = plugin.process_chunk(make_chunk(pixel, tof, definition))
    assert histogram.d.n_masked == np.count_nonzero(pixel % 2 == 1)


def test_the_account_is_in_the_result(
    tmp_path: Path,
    make_chunk: MakeChunk,
    definition: InstrumentDefinition,
    instrument: Instrument,
    run: RunInfo,
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = distorted(instrument)
    shorter = Calibration(
        **{name: getattr(known, name)[:-100] for name in ("detid", "difc", "difa", "tzero", "group", "use")},
        instrument="NOMAD",
    )
    plugin = with_calibration(tmp_path / "calibration.h5", shorter)
    missing, exists, nowhere = 101_375, 20_000, 200_000
    tof_of_2 = int(10 * (known.difc[exists] * 2 + known.difa[exists] * 4 + known.tzero[exists]))
    chunk = make_chunk(
        [missing, exists, exists, nowhere, exists], [50_000, tof_of_2, 2_999, 1, 166_670], definition
    )
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            histogram = plugin.process_chunk(chunk)
    assert [record.getMessage().count("100 pixels are missing") for record in caplog.records] == [1]
    result = plugin.post_process(histogram + histogram, run, UPDATE)
    assert {name: result.metadata[name] for name in result.metadata if name.startswith("n_")} == {
        "n_events": 10,
        "n_filtered": 0,
        "n_binned": 2,
        "n_out_of_range": 4,
        "n_masked": 2,
        "n_unknown": 2,
        "n_pixels_missing_from_calibration": 100,
    }
    assert result.metadata["proton_charge_uAh"] == pytest.approx(2.0)
    assert "normalisation" not in result.metadata
    assert [curve.metadata["counts"] for curve in result.curves] == [0, 2, 0, 0, 0, 0]
    # Two counts are no peak.
    assert "strongest_peak_angstrom" not in result.curves[1].metadata


def test_events_outside_the_range_of_tof_are_not_counted(
    make_chunk: MakeChunk, definition: InstrumentDefinition
) -> None:
    plugin = NomPlugin(NomSettings(tof_min_us=5000.0, tof_max_us=6000.0))
    chunk = make_chunk([20_000] * 4, [49_999, 50_000, 59_999, 60_000], definition)
    histogram = plugin.process_chunk(chunk)
    assert (histogram.d.n_binned, histogram.d.n_out_of_range) == (2, 2)


def test_a_peak_beside_its_place_is_said_in_percent(
    make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument, run: RunInfo
) -> None:
    truth = calibration_from_geometry(instrument)
    moved = attrs.evolve(truth, difc=truth.difc * 1.01)
    plugin = NomPlugin(NomSettings())
    histogram = plugin.process_chunk(make_chunk(*diamond_events(moved), definition))
    for curve in plugin.post_process(histogram, run, UPDATE).curves:
        assert curve.metadata["peak_difference_percent"] == pytest.approx(1.0, abs=0.05)
        ratio = curve.metadata["strongest_peak_angstrom"] / curve.metadata["expected_peak_angstrom"]
        assert ratio == pytest.approx(1.01, abs=5e-4)


def test_intensities_are_counts_per_charge_with_their_errors(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    plugin = NomPlugin(NomSettings())
    chunk = make_chunk([20_000] * 4, [57_000] * 4, definition, charge=2 / UAH_PER_PC)
    curve = plugin.post_process(plugin.process_chunk(chunk), run, UPDATE).curves[1]
    assert (curve.x_unit, curve.y_unit, curve.x_name, curve.y_name) == (
        "Angstrom",
        "counts/uAh",
        "d-spacing",
        "intensity",
    )
    assert curve.is_histogram
    assert (curve.y.max(), curve.y.sum()) == (pytest.approx(2.0), pytest.approx(2.0))
    assert (curve.e.max(), curve.e.sum()) == (pytest.approx(1.0), pytest.approx(1.0))


def test_without_charge_counts_are_shown_as_counts(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    plugin = NomPlugin(NomSettings())
    chunk = make_chunk([20_000] * 4, [57_000] * 4, definition, charge=0.0)
    result = plugin.post_process(plugin.process_chunk(chunk), run, UPDATE)
    assert result.curves[1].y_unit == "counts"
    assert result.curves[1].y.sum() == 4
    assert result.metadata["normalisation"] == "not normalised: no proton charge"
    assert all(np.isfinite(curve.y).all() and np.isfinite(curve.e).all() for curve in result.curves)


def test_it_does_not_matter_where_a_run_is_cut(
    definition: InstrumentDefinition, instrument: Instrument, run: RunInfo
) -> None:
    pixel, tick = diamond_events(calibration_from_geometry(instrument), 5000)
    events = make_events(pixel, tick / 10, pulses=30, proton_charge_pc=100.0)
    chunk = make_chunk_of(events, instrument=definition)
    whole, parts = (PluginHarness(NomPlugin, run=run) for _ in range(2))
    one, other = whole.reduce(chunk), parts.reduce(*split_chunk(chunk, [1, 9, 20]))
    for name in ("d", "q"):
        left, right = getattr(whole.accumulated, name), getattr(parts.accumulated, name)
        np.testing.assert_array_equal(left.counts, right.counts)
    np.testing.assert_array_equal(whole.accumulated.pixels, parts.accumulated.pixels)
    assert one.metadata == other.metadata
    assert one.metadata["n_events"] == 5000
    for left, right in zip(one.curves, other.curves, strict=True):
        np.testing.assert_array_equal(left.y, right.y)


def test_another_geometry_is_followed(
    make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument
) -> None:
    plugin = NomPlugin(NomSettings())
    events = [20_000], [57_000]
    before = plugin.process_chunk(make_chunk(*events, definition))
    # The same beamline with its moderator 10 % further away: d is smaller.
    assert definition.xml.count("-19.5") == 1
    moved = InstrumentDefinition("NOM", definition.xml.replace("-19.5", "-21.45"))
    after = plugin.process_chunk(make_chunk(*events, moved))
    ratio = after.d.edges[1][after.d.counts[1].argmax()] / before.d.edges[1][before.d.counts[1].argmax()]
    l2 = instrument.l2[20_000]
    assert ratio == pytest.approx((19.5 + l2) / (21.45 + l2), rel=2e-3)
    again = plugin.process_chunk(make_chunk(*events, definition))
    np.testing.assert_array_equal(again.d.counts, before.d.counts)


def test_a_chunk_without_geometry_is_refused(make_chunk: MakeChunk) -> None:
    with pytest.raises(DataModelError, match="Chunk 1 comes without an instrument definition"):
        NomPlugin(NomSettings()).process_chunk(make_chunk([1], [1], None))


def test_what_was_accumulated_with_other_banks_is_refused(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    histogram = NomPlugin(NomSettings()).process_chunk(make_chunk([1], [1], definition))
    one = NomSettings(
        bank_labels=("all",),
        bank_first=(0,),
        bank_last=(9,),
        d_min=(1.0,),
        d_max=(2.0,),
        total_scattering=ONE_BANK,
    )
    with pytest.raises(DataModelError, match="6 groups for 1 banks"):
        NomPlugin(one).post_process(histogram, run, UPDATE)


def test_a_run_without_title_gets_one(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    plugin = NomPlugin(NomSettings())
    histogram = plugin.process_chunk(make_chunk([1], [1], definition))
    assert plugin.post_process(histogram, attrs.evolve(run, title=""), UPDATE).title == "NOM run 7"


def test_without_a_calibrant_peaks_are_not_compared(
    make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument, run: RunInfo
) -> None:
    plugin = NomPlugin(NomSettings(calibrant=""))
    events = diamond_events(calibration_from_geometry(instrument))
    metadata = (
        plugin.post_process(plugin.process_chunk(make_chunk(*events, definition)), run, UPDATE)
        .curves[1]
        .metadata
    )
    assert "strongest_peak_angstrom" in metadata
    assert "expected_peak_angstrom" not in metadata


# Calibrations that do not do.


def test_check_finds_nothing_wrong(tmp_path: Path, instrument: Instrument) -> None:
    assert NomPlugin(NomSettings()).check() == []
    assert with_calibration(tmp_path / "calibration.h5", distorted(instrument)).check() == []


def test_check_says_what_is_wrong_with_the_file(tmp_path: Path, instrument: Instrument) -> None:
    missing = NomPlugin(NomSettings(calibration=tmp_path / "nowhere.h5"))
    assert missing.check() == [f"There is no calibration file {tmp_path / 'nowhere.h5'}: correct the path."]
    plugin = with_calibration(tmp_path / "calibration.h5", distorted(instrument))
    with h5py.File(tmp_path / "calibration.h5", "r+") as file:
        del file["calibration/difa"]
    assert len(plugin.check()) == 1
    assert "no dataset /calibration/difa" in plugin.check()[0]


def test_check_says_what_is_wrong_with_the_content(tmp_path: Path, instrument: Instrument) -> None:
    nothing = distorted(instrument, np.zeros(len(instrument.pixel_id), bool))
    problems = with_calibration(tmp_path / "c.h5", attrs.evolve(nothing, instrument="POWGEN")).check()
    assert len(problems) == 2
    assert "is for POWGEN" in problems[0]
    assert "has no pixel in use" in problems[1]


def test_a_bad_calibration_is_said_at_the_start_and_never_replaced_by_the_geometry(
    tmp_path: Path,
    make_chunk: MakeChunk,
    definition: InstrumentDefinition,
    session: SessionInfo,
    run: RunInfo,
) -> None:
    plugin = NomPlugin(NomSettings(calibration=tmp_path / "nowhere.h5"))
    chunk = make_chunk([1], [1], definition)
    for call in (
        lambda: plugin.session_started(session),
        lambda: plugin.run_started(run),
        lambda: plugin.process_chunk(chunk),
        lambda: plugin.process_chunk(chunk),
    ):
        with pytest.raises(DataModelError, match="There is no calibration file"):
            call()


def test_the_calibration_of_another_instrument_is_refused(
    tmp_path: Path, make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument
) -> None:
    other = attrs.evolve(distorted(instrument), instrument="POWGEN")
    plugin = with_calibration(tmp_path / "calibration.h5", other)
    with pytest.raises(DataModelError, match="is for POWGEN and the data come from"):
        plugin.process_chunk(make_chunk([1], [1], definition))


def test_each_run_takes_the_calibration_of_its_beginning(
    tmp_path: Path,
    make_chunk: MakeChunk,
    definition: InstrumentDefinition,
    instrument: Instrument,
    run: RunInfo,
) -> None:
    path = tmp_path / "calibration.h5"
    first = distorted(instrument)
    plugin = with_calibration(path, first)
    chunk = make_chunk([20_000], [57_000], definition)
    plugin.run_started(run)
    before = plugin.process_chunk(chunk).d.counts
    write_calibration(path, attrs.evolve(first, difc=first.difc * 1.1))
    np.testing.assert_array_equal(plugin.process_chunk(chunk).d.counts, before)
    plugin.run_started(attrs.evolve(run, number=8))
    assert plugin.process_chunk(chunk).d.counts[1].argmax() < before[1].argmax()
    # A file that cannot be read must not leave the next run to the calibration of the one before.
    path.unlink()
    with pytest.raises(DataModelError):
        plugin.run_started(attrs.evolve(run, number=9))
    with pytest.raises(DataModelError):
        plugin.process_chunk(chunk)


# Real data.


def test_golden_events_with_the_real_calibration(shared: Path, make_chunk: MakeChunk, run: RunInfo) -> None:
    real = shared / "data/nomad"
    xml = (real / "NOMAD_Definition.xml").read_text(encoding="utf-8")
    with np.load(shared / "reference/golden/nomad_events_500k.npz") as events:
        charge = float(events["charge_pC"].sum(dtype=np.float64))
        chunk = make_chunk(events["pixel"], events["tick"], InstrumentDefinition("NOM", xml), charge)
    path = real / "NOMAD_243451_2026-06-09_shifter.h5"
    plugin = NomPlugin(NomSettings(calibration=path))
    assert plugin.check() == []
    histogram = plugin.process_chunk(chunk)
    # Mantid keeps 160,098 events.
    assert histogram.d.n_masked == 500_335 - 160_098
    assert histogram.d.n_unknown == 0
    result = plugin.post_process(histogram, run, UPDATE)
    assert result.metadata["proton_charge_uAh"] == pytest.approx(0.9602809916666666, rel=1e-14)
    for curve in result.curves[:5]:
        assert abs(curve.metadata["peak_difference_percent"]) < 0.03
    assert "strongest_peak_angstrom" not in result.curves[5].metadata


def test_the_banks_are_the_groups_of_the_real_calibration(shared: Path) -> None:
    calibration = read_calibration(shared / "data/nomad/NOMAD_243451_2026-06-09_shifter.h5")
    settings = NomSettings()
    used = calibration.detid[calibration.use]
    bank = np.searchsorted(settings.bank_first, used, side="right")
    np.testing.assert_array_equal(bank, calibration.group[calibration.use])
    assert (used <= np.array(settings.bank_last)[bank - 1]).all()
