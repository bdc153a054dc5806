"""Options of the reduction: monitor, filters, views, composition, and what vanadium is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest

from beamline_support import count_run, simulated_run
from livered_core import (
    Chunk,
    Instrument,
    InstrumentDefinition,
    MonitorEvents,
    Result,
    RunInfo,
    SessionInfo,
)
from livered_core.diffraction import Patterns, VanadiumRod, rod_factor
from livered_core.geometry import difc
from livered_core.testing import make_log, make_update
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings

MakeChunk = Callable[..., Chunk]
UPDATE = make_update(proton_charge_pc=3.6e9, last_pulse_ns=1_700_000_060_000_000_000)


def result_of(settings: NomSettings, chunk: Chunk, run: RunInfo) -> Result:
    plugin = NomPlugin(settings)
    return plugin.post_process(plugin.process_chunk(chunk), run, UPDATE)


def with_monitor(chunk: Chunk, number: int, n_events: int) -> Chunk:
    monitor = MonitorEvents(
        pulse_time_ns=np.array([1_700_000_000_000_000_000]),
        tof=np.zeros(n_events, np.uint32),
        event_offset=np.array([0, n_events], np.int64),
    )
    return attrs.evolve(chunk, monitors={number: monitor})


def test_counts_are_divided_by_the_counts_of_the_monitor_that_is_named(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    chunk = with_monitor(make_chunk([20_000] * 4, [57_000] * 4, definition), 2, 8)
    curve = result_of(NomSettings(normalise_by="monitor", monitor=2), chunk, run).curves[1]
    assert (curve.y_unit, curve.y.sum(), curve.e.max()) == ("counts/monitor count", 0.5, 0.25)
    without = result_of(NomSettings(normalise_by="monitor", monitor=1), chunk, run)
    assert without.curves[1].y_unit == "counts"
    assert without.curves[1].y.sum() == 4
    assert "monitor" in without.metadata["normalisation"]


def test_the_monitor_is_not_counted_in_pulses_that_are_left_out(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    times = 1_700_000_000_000_000_000 + np.arange(2) * 16_666_667
    events = attrs.evolve(
        make_chunk([20_000] * 4, [57_000] * 4, definition).events,
        pulse_time_ns=times,
        proton_charge_pc=np.ones(2),
        event_offset=np.array([0, 2, 4]),
        flags=np.array([0x4, 0], np.uint32),
    )
    monitor = MonitorEvents(times, np.array([0, 3, 8]), np.zeros(8, np.uint32))
    chunk = attrs.evolve(make_chunk([1], [1], definition), data=events, monitors={1: monitor})
    for leave_out, counted, divided_by in ((False, 4, 8), (True, 2, 5)):
        settings = NomSettings(normalise_by="monitor", leave_out_vetoed=leave_out)
        curve = result_of(settings, chunk, run).curves[1]
        assert curve.y.sum() == pytest.approx(counted / divided_by)


def test_vetoed_pulses_and_prompt_events_are_left_out_and_counted(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    chunk = make_chunk([20_000] * 5, [57_000, 57_000, 4_999, 5_000, 171_000], definition)
    result = result_of(NomSettings(prompt_pulse_width_us=500.0), chunk, run)
    # 17100 us is 433 us after the next proton pulse.
    assert result.metadata["n_filtered"] == 2
    assert result.metadata["n_events"] == 5
    vetoed = attrs.evolve(chunk, data=attrs.evolve(chunk.events, flags=np.array([0x4], np.uint32)))
    kept = result_of(NomSettings(), vetoed, run)
    assert kept.metadata["n_filtered"] == 0
    left_out = result_of(NomSettings(leave_out_vetoed=True), vetoed, run)
    assert left_out.metadata["n_filtered"] == 5
    assert left_out.metadata["proton_charge_uAh"] == 0.0
    assert left_out.curves[1].y_unit == "counts"


def test_the_views_show_where_the_counts_are(
    make_chunk: MakeChunk, definition: InstrumentDefinition, instrument: Instrument, run: RunInfo
) -> None:
    pixel, d = 20_000, 1.5
    row = int(np.flatnonzero(instrument.pixel_id == pixel)[0])
    tick = int(10 * d * difc(instrument)[row])
    chunk = make_chunk([pixel] * 7, [tick] * 7, definition)
    by_angle, by_pixel = result_of(NomSettings(), chunk, run).images
    (strip,), (column,) = np.nonzero(by_angle.z)
    assert by_angle.z[strip, column] == 7
    assert by_angle.x[column] <= d * 1.001
    assert d * 0.999 <= by_angle.x[column + 1]
    two_theta = np.degrees(instrument.two_theta[row])
    assert by_angle.y[strip] <= two_theta <= by_angle.y[strip + 1]
    assert by_pixel.z[pixel % 128, pixel // 128] == 7
    assert by_pixel.z.sum() == 7
    assert by_pixel.metadata["silent_pixels"] == len(instrument.pixel_id) - 1


@pytest.mark.parametrize(
    ("fields", "setting", "said"),
    [
        ({"chemical_formula": "Si"}, "", None),
        ({"chemical_formula": "Si"}, "Ni", None),
        ({"chemical_formula": "brown powder"}, "", "The composition 'brown powder' cannot be read"),
        ({"formula": " "}, "", "need the sample's composition"),
        ({"chemical_formula": "Ti0.676Zr0.324"}, "", "scatters hardly anything"),
    ],
)
def test_the_composition_is_that_of_the_settings_or_of_the_run(
    fields: dict[str, str], setting: str, said: str | None, tmp_path: Path, run: RunInfo, session: SessionInfo
) -> None:
    vanadium = simulated_run(tmp_path / "v.adara", "vanadium", 1, rate=1e6, run_length=0.5, recycle="never")
    references = ReferenceSettings(vanadium=vanadium, cache=False)
    plugin = NomPlugin(
        NomSettings(references=references, total_scattering=TotalScatteringSettings(composition=setting))
    )
    plugin.session_started(attrs.evolve(session, live=False))
    counts, _ = count_run(plugin, vanadium)
    result = plugin.post_process(counts, attrs.evolve(run, sample=fields), UPDATE)
    assert ("composition_of_the_run" in result.metadata) == bool(setting)
    if said is None:
        assert result.metadata["composition"] == (setting or "Si")
        assert result.curves[6].label == "S(Q)"
    else:
        assert said in result.metadata["total_scattering"]
        assert len(result.curves) == 6


def test_the_composition_may_come_from_a_log(
    make_chunk: MakeChunk, definition: InstrumentDefinition, run: RunInfo
) -> None:
    plugin = NomPlugin(NomSettings())
    logs = {"SampleFormula": make_log(" Si ", name="SampleFormula")}
    plugin.process_chunk(attrs.evolve(make_chunk([1], [1], definition), logs=logs))
    plugin.process_chunk(make_chunk([1], [1], definition))  # a log comes when it changes
    standing = plugin._standing_for_updates()
    scattering, problem = plugin._scattering(run, standing)
    assert (problem, scattering and scattering.formula) == ("", "Si")
    fields, _ = plugin._scattering(attrs.evolve(run, sample={"formula": "Ni"}), standing)
    assert fields is not None
    assert fields.formula == "Ni"
    plugin.run_started(run)
    assert plugin._scattering(run, standing)[0] is None


def test_vanadium_is_less_its_background_and_corrected_for_its_rod(
    tmp_path: Path,
    definition: InstrumentDefinition,
    instrument: Instrument,
    run: RunInfo,
    session: SessionInfo,
) -> None:
    vanadium = simulated_run(tmp_path / "v.adara", "vanadium", 1, rate=1e6, run_length=0.5, recycle="never")
    empty = simulated_run(tmp_path / "e.adara", "container", 2, rate=1e5, run_length=0.5, recycle="never")

    def smooth(**settings: object) -> Patterns:
        references = ReferenceSettings(vanadium=vanadium, cache=False, strip_vanadium_peaks=False, **settings)
        plugin = NomPlugin(NomSettings(references=references))
        plugin.session_started(attrs.evolve(session, live=False))
        count_run(plugin, empty)
        assert plugin._references is not None
        prepared = plugin._references.ready(None).vanadium
        assert prepared is not None
        return prepared.smooth

    plain = smooth()
    less = smooth(vanadium_background=empty)
    assert 0.8 < less.y[4].sum() / plain.y[4].sum() < 0.95
    corrected = smooth(correct_rod=True, rod_radius_cm=0.4)
    bank = (instrument.pixel_id >= 64512) & (instrument.pixel_id <= 82943)
    two_theta = float(np.mean(instrument.two_theta[bank]))
    d = (plain.edges[4][:-1] + plain.edges[4][1:]) / 2
    factor = rod_factor(VanadiumRod(radius_cm=0.4), 2 * d * np.sin(two_theta / 2), two_theta)
    np.testing.assert_allclose(corrected.y[4], plain.y[4] / factor, rtol=1e-3)
    assert abs(factor - 1).max() > 0.02
