"""NOMAD's chunks counted with Mantid and by livered's own kernels: the same events give the same counts."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest

import livered_nom
import livered_nom.mantid_chunks
import livered_nom.mantid_conversion
import livered_nom.plugin
from hooks_support import update
from livered_core import (
    Chunk,
    DataModelError,
    EventBatch,
    GeometryError,
    InstrumentDefinition,
    RunInfo,
    SessionInfo,
    SlowLog,
)
from livered_core.clocks import SystemClock
from livered_core.config.simulate import SimulateConfig
from livered_core.diffraction import (
    Calibration,
    EventFilter,
    focus_table,
    group_by_calibration,
    read_calibration,
    write_calibration,
)
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.geometry import difc, read_instrument
from livered_core.simulator.process import start_simulator
from livered_core.workspaces import run_algorithm
from livered_nom.counting import NativeFiles
from livered_nom.counts import MEMBERS, NomCounts, Tables
from livered_nom.mantid_counts import count_workspace
from livered_nom.mantid_files import MantidFiles
from livered_nom.mantid_focus import prepare_focusing
from livered_nom.mantid_geometry import read_geometry
from livered_nom.plugin import NomPlugin
from livered_nom.prepared import prepare
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from mantid_support import START_NS, batch_of, mantid_chunk, native_chunk, small_definition, workspace_of
from nexus_support import write_nexus

SIMULATED = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
SHARED = Path(__file__).parents[3] / "shared"
RUN = RunInfo(number=7, instrument="NOM", title="diamond")
SESSION = SessionInfo("NOM", "mantid", "", "", 0, "", {})
UPDATE = attrs.evolve(update(), first_pulse_ns=START_NS, last_pulse_ns=START_NS + 60_000_000_000)
NUMBERS = (
    "proton_charge_pc",
    "n_events",
    "n_binned",
    "n_out_of_range",
    "n_masked",
    "n_unknown",
    "n_filtered",
)
Both = Callable[..., tuple[NomCounts, NomCounts]]


BANKS: dict[str, Any] = {
    "bank_first": tuple(range(0, 120, 20)),
    "bank_last": (*range(19, 100, 20), 109),  # ten pixels are in no bank
    "n_bins": 500,
    "view_strips": 20,
    "view_bins": 100,
}


@pytest.fixture(scope="module")
def definition_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("instrument") / "NOMAD_Definition.xml"
    path.write_text(small_definition(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def definition(definition_file: Path) -> InstrumentDefinition:
    return InstrumentDefinition("NOM", definition_file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def calibration(definition: InstrumentDefinition) -> Calibration:
    """Some percent off the geometry, with DIFA and TZERO, and with a third of the pixels out of use."""
    return distorted(definition)


def distorted(definition: InstrumentDefinition) -> Calibration:
    instrument = read_instrument(definition)
    n = len(instrument.pixel_id)
    rng = np.random.default_rng(4)
    by_place = difc(instrument)
    # A tenth of what leaves the longest times of flight without a d-spacing.
    most = 0.1 * by_place**2 / (4 * 16667.0)
    return Calibration(
        detid=instrument.pixel_id,
        difc=by_place * (1 + 0.03 * rng.standard_normal(n)),
        difa=np.where(rng.random(n) < 0.2, 0.0, np.clip(rng.uniform(-5, 0.5, n), -most, most)),
        tzero=np.where(rng.random(n) < 0.2, 0.0, rng.uniform(-15, 15, n)),
        group=np.ones(n),
        use=rng.random(n) < 0.67,
        instrument="NOMAD",
    )


@pytest.fixture(scope="module")
def calibration_file(calibration: Calibration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "NOM.h5"
    write_calibration(path, calibration)
    return path


@pytest.fixture(scope="module")
def both(
    definition: InstrumentDefinition, definition_file: Path
) -> Callable[..., tuple[NomCounts, NomCounts]]:
    def count(batch: EventBatch, file: Path | None = None, **settings: Any) -> tuple[NomCounts, NomCounts]:
        """Count a batch natively, and with Mantid."""
        said = definition if file is None else InstrumentDefinition("NOM", file.read_text(encoding="utf-8"))
        counts = []
        for chunk in (
            native_chunk(batch, said),
            mantid_chunk(batch, workspace_of(batch, file or definition_file)),
        ):
            plugin = NomPlugin(NomSettings(**({} if file else BANKS) | settings))
            plugin.run_started(RUN)
            counts.append(plugin.process_chunk(chunk))
            plugin.session_ended()
        return counts[0], counts[1]

    return count


@pytest.fixture(params=["as this Mantid does", "AlignDetectors"])
def aligned(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How many of 10,000 events may be in another bin: none where Mantid's formula has livered's rounding."""
    from mantid.api import AlgorithmFactory

    if request.param == "AlignDetectors":
        if not AlgorithmFactory.exists("AlignDetectors"):
            pytest.skip("this Mantid has no AlignDetectors")
        monkeypatch.setattr(
            livered_nom.mantid_conversion, "has_algorithm", lambda name: name != "ApplyDiffCal"
        )
        yield 0
        return
    yield 2 if AlgorithmFactory.exists("ApplyDiffCal") else 0


def events_of(calibration: Calibration, n: int = 8000, seed: int = 1, last_tick: int = 200_000) -> EventBatch:
    rng = np.random.default_rng(seed)
    pixel = rng.choice(calibration.detid, n)
    return batch_of(pixel, rng.integers(0, last_tick, n))


def assert_same(native: NomCounts, mantid: NomCounts, moved: int = 0) -> None:
    """Compare everything; `moved` of 10,000 events may be in a neighbouring bin, or beyond the last one."""
    np.testing.assert_array_equal(native.pixels, mantid.pixels)
    for member in MEMBERS:
        ours, theirs = getattr(native, member), getattr(mantid, member)
        # Mantid's places differ in their last digits, and with them the strips of two-theta.
        np.testing.assert_allclose(ours.edges, theirs.edges, rtol=1e-12)
        assert ours.axis == theirs.axis
        limit = moved * max(1, ours.n_events // 10_000)
        assert np.abs(ours.counts - theirs.counts).sum() <= 2 * limit, member
        for name in NUMBERS:
            slack = limit if name in ("n_binned", "n_out_of_range") else 0
            assert abs(getattr(ours, name) - getattr(theirs, name)) <= slack, (member, name)
    assert native.monitor_counts == mantid.monitor_counts


def test_the_same_events_give_the_same_counts(
    both: Both, calibration: Calibration, calibration_file: Path, aligned: int
) -> None:
    native, mantid = both(events_of(calibration), calibration=calibration_file)
    for histogram in (native.d, native.q, native.view):
        assert histogram.n_binned > 1000
        assert histogram.n_masked > 1000
        assert histogram.n_out_of_range > 500
    assert_same(native, mantid, aligned)


def test_the_same_events_by_the_geometry_alone(both: Both, calibration: Calibration, aligned: int) -> None:
    native, mantid = both(events_of(calibration, seed=2))
    assert native.d.n_binned > 2000
    assert_same(native, mantid, aligned)


@pytest.mark.slow
def test_the_simulated_instrument(both: Both, tmp_path: Path, aligned: int) -> None:
    """All 101,376 pixels of it, on the bins and banks that are the defaults."""
    calibration = distorted(InstrumentDefinition("NOM", SIMULATED.read_text(encoding="utf-8")))
    write_calibration(tmp_path / "NOM.h5", calibration)
    native, mantid = both(events_of(calibration), SIMULATED, calibration=tmp_path / "NOM.h5")
    assert native.d.n_binned > 2000
    assert_same(native, mantid, aligned)


@pytest.mark.slow
def test_counts_that_a_mantid_computed_before(tmp_path: Path, aligned: int) -> None:
    """Half a million events of NOMAD, with its definition, its calibration and its groups: golden/README.md."""
    golden = SHARED / "reference" / "golden"
    if not golden.is_dir():
        pytest.skip("golden numbers are not here: no folder `shared` beside the repository")
    calibration = read_calibration(SHARED / "data" / "nomad" / "NOMAD_243451_2026-06-09_shifter.h5")
    definition_file = SHARED / "data" / "nomad" / "NOMAD_Definition.xml"
    events, wanted = np.load(golden / "nomad_events_500k.npz"), np.load(golden / "nomad_focus_n500k.npz")
    in_use = np.isin(events["pixel"], calibration.detid[calibration.use])
    workspace = workspace_of(batch_of(events["pixel"][in_use], events["tick"][in_use]), definition_file)
    geometry = read_geometry(workspace)
    groups = group_by_calibration(geometry.instrument, calibration)
    edges = np.tile(wanted["masked_dlog_edges"], (6, 1))
    table = focus_table(calibration, groups, edges, 100.0, 20_000.0)
    in_q = np.tile(np.linspace(1.0, 40.0, 100), (6, 1))
    q = focus_table(calibration, groups, in_q, 100.0, 20_000.0, "momentum_transfer")
    tables = Tables(table, q, table, int(geometry.instrument.pixel_id.max()) + 1, np.zeros(2))
    focusing = prepare_focusing(workspace, geometry.detector_id, tables)
    counts = count_workspace(workspace, geometry.detector_id, focusing, tables, EventFilter(), 1.0)
    difference = np.abs(counts.d.counts - wanted["masked_dlog"].astype(np.int64))
    assert counts.d.n_binned > 150_000
    assert difference.max() <= 2 * bool(aligned)
    assert difference.sum() <= (1e-4 * counts.d.n_binned if aligned else 0)


def test_events_at_the_limits_of_the_times_of_flight(both: Both, aligned: int) -> None:
    """The first time of flight belongs to the range and the last does not, to the tick."""
    ticks = [2999, 3000, 3001, 166_669, 166_670, 166_671, 0, 4_000_000_000]
    native, mantid = both(batch_of([50] * len(ticks), ticks), d_min=(0.001,) * 6, d_max=(90.0,) * 6)
    assert native.d.n_binned == 3
    assert_same(native, mantid, aligned)
    assert mantid.d.n_binned == 3


def test_a_range_that_begins_at_0(both: Both, calibration: Calibration, aligned: int, tmp_path: Path) -> None:
    """Before TZERO there is no d-spacing: what a pixel's limit becomes there is up to the version."""
    negative = attrs.evolve(calibration, difa=-np.abs(calibration.difa), tzero=np.abs(calibration.tzero))
    write_calibration(tmp_path / "NOM.h5", negative)
    batch = events_of(calibration, 3000, seed=5)
    native, mantid = both(batch, calibration=tmp_path / "NOM.h5", tof_min_us=0.0)
    assert native.d.n_binned > 1000
    assert_same(native, mantid, aligned)


def test_prompt_pulses_are_left_out_alike(both: Both, aligned: int) -> None:
    frame = 1e7 / 60.0
    ticks = [
        0,
        4999,
        5000,
        5001,
        *(int(frame * k) + more for k in (1, 2) for more in (0, 1, 2, 4999, 5001, 5002)),
    ]
    native, mantid = both(batch_of([30] * len(ticks), ticks), prompt_pulse_width_us=500.0)
    assert native.d.n_filtered == 8
    assert_same(native, mantid, aligned)


def test_a_chunk_whose_first_event_is_late_still_loses_the_flash_before_it(both: Both) -> None:
    native, mantid = both(batch_of([30, 31], [100, 90_000]), prompt_pulse_width_us=500.0)
    assert mantid.d.n_filtered == native.d.n_filtered == 1


@pytest.mark.parametrize("n", [0, 1])
def test_almost_no_events(both: Both, calibration_file: Path, n: int) -> None:
    native, mantid = both(batch_of([0] * n, [50_000] * n), calibration=calibration_file)
    assert mantid.d.n_events == n
    assert mantid.d.proton_charge_pc == 3.6e9
    assert_same(native, mantid)


def test_no_pixel_in_use(both: Both, calibration: Calibration, tmp_path: Path) -> None:
    none = attrs.evolve(calibration, use=np.zeros(len(calibration.detid), bool))
    write_calibration(tmp_path / "none.h5", none)
    native, mantid = both(events_of(calibration, 100), calibration=tmp_path / "none.h5")
    assert mantid.d.n_masked == 100
    assert_same(native, mantid)


def test_pixels_that_the_instrument_lacks_are_lost_before_mantid_has_them(
    both: Both, calibration: Calibration
) -> None:
    known = events_of(calibration, 500)
    native, mantid = both(batch_of([*known.pixel_id, 500, 70_000], [*known.tof, 50_000, 50_000]))
    assert native.d.n_unknown == 2
    assert (mantid.d.n_unknown, mantid.d.n_events) == (0, 500)
    np.testing.assert_array_equal(native.pixels, mantid.pixels)


def test_events_in_a_monitors_spectrum_are_of_no_pixel(definition_file: Path) -> None:
    workspace = workspace_of(batch_of([5, 5], [50_000, 60_000]), definition_file)
    add_events(workspace, -1, [50_000])
    counts = NomPlugin(NomSettings(**BANKS)).process_chunk(mantid_chunk(batch_of([], []), workspace))
    assert (counts.d.n_events, counts.d.n_unknown, int(counts.pixels.sum())) == (3, 1, 2)


def add_events(workspace: Any, detector: int, ticks: list[int]) -> None:
    from mantid.kernel import DateAndTime

    for index in range(workspace.getNumberHistograms()):
        if list(workspace.getSpectrum(index).getDetectorIDs()) == [detector]:
            for tick in ticks:
                workspace.getSpectrum(index).addEventQuickly(tick / 10.0, DateAndTime("2023-11-14T22:13:20"))


def test_a_pixel_without_a_d_spacing_is_masked_and_said(
    both: Both, calibration: Calibration, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """ConvertUnits would empty its whole spectrum; AlignDetectors leaves out single events, as livered does."""
    from mantid.api import AlgorithmFactory

    use, difa = np.ones(len(calibration.detid), bool), calibration.difa.copy()
    difa[3] = -0.9 * calibration.difc[3] ** 2 / (2 * 16667.0)
    write_calibration(tmp_path / "NOM.h5", attrs.evolve(calibration, use=use, difa=difa))
    native, mantid = both(batch_of([3, 3, 4], [50_000, 150_000, 50_000]), calibration=tmp_path / "NOM.h5")
    assert native.view.n_masked == 0
    if AlgorithmFactory.exists("ApplyDiffCal"):
        assert mantid.view.n_masked == 2
        assert "1 pixels have no d-spacing for some of the times of flight" in caplog.text
    assert sum(getattr(mantid.view, name) for name in NUMBERS[2:]) == 3


def test_what_cannot_be_left_out_is_refused(definition_file: Path) -> None:
    plugin = NomPlugin(NomSettings(leave_out_vetoed=True, **BANKS))
    batch = batch_of([1], [50_000])
    with pytest.raises(DataModelError, match="do not say which pulses were vetoed"):
        plugin.process_chunk(mantid_chunk(batch, workspace_of(batch, definition_file)))


def test_other_workspaces_are_refused_with_a_sentence(definition_file: Path) -> None:
    plugin = NomPlugin(NomSettings(**BANKS))
    batch = batch_of([1, 1, 2], [50_000, 60_000, 70_000])
    events = workspace_of(batch, definition_file)
    counts = run_algorithm(
        "Rebin", InputWorkspace=events, Params=[0.0, 1000.0, 20_000.0], PreserveEvents=False
    )
    with pytest.raises(DataModelError, match="and not an EventWorkspace"):
        plugin.process_chunk(mantid_chunk(batch, counts))
    without_instrument = run_algorithm("CreateSampleWorkspace", WorkspaceType="Event", XUnit="dSpacing")
    with pytest.raises(DataModelError, match="is in dSpacing and not in time of flight"):
        plugin.process_chunk(mantid_chunk(batch, without_instrument))
    grouped = run_algorithm("SumSpectra", InputWorkspace=events)
    with pytest.raises(DataModelError, match="belongs to 1.. pixels"):
        plugin.process_chunk(mantid_chunk(batch, grouped))
    weighted = run_algorithm(
        "Multiply",
        LHSWorkspace=events,
        RHSWorkspace=run_algorithm("CreateSingleValuedWorkspace", DataValue=0.25),
    )
    with pytest.raises(DataModelError, match="its events have weights"):
        plugin.process_chunk(mantid_chunk(batch, weighted))


def test_a_calibration_of_another_instrument_is_refused(
    definition_file: Path, calibration: Calibration, tmp_path: Path
) -> None:
    write_calibration(tmp_path / "other.h5", attrs.evolve(calibration, instrument="POWGEN"))
    plugin = NomPlugin(NomSettings(calibration=tmp_path / "other.h5", **BANKS))
    batch = batch_of([1], [50_000])
    with pytest.raises(DataModelError, match="is for POWGEN and the data come from NOMAD"):
        plugin.process_chunk(mantid_chunk(batch, workspace_of(batch, definition_file)))


def test_a_conversion_that_leaves_the_calibration_out_is_refused(
    double: Any, definition_file: Path, calibration_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions before 6.2 have ApplyDiffCal, and a ConvertUnits that does not look at what it did."""
    import mantid._powder

    assert double is not None
    monkeypatch.setattr(mantid._powder, "_rows_of", lambda table: {})
    plugin = NomPlugin(NomSettings(calibration=calibration_file, **BANKS))
    batch = batch_of([1] * 120, [50_000] * 120)
    all_pixels = batch_of(np.arange(120), [50_000] * 120)
    with pytest.raises(DataModelError, match="use Mantid 6.2 or later"):
        plugin.process_chunk(mantid_chunk(batch, workspace_of(all_pixels, definition_file)))


def test_neither_the_chunk_nor_the_ads_changes(
    definition_file: Path, calibration: Calibration, calibration_file: Path
) -> None:
    from mantid.api import AnalysisDataService

    batch = events_of(calibration, 500)
    workspace = workspace_of(batch, definition_file)
    before = [sorted(workspace.getSpectrum(i).getTofs()) for i in range(0, 122, 7)]
    edges = workspace.readX(3).tolist()
    plugin = NomPlugin(NomSettings(calibration=calibration_file, prompt_pulse_width_us=100.0, **BANKS))
    plugin.process_chunk(mantid_chunk(batch, workspace))
    assert [sorted(workspace.getSpectrum(i).getTofs()) for i in range(0, 122, 7)] == before
    assert workspace.readX(3).tolist() == edges
    assert workspace.getAxis(0).getUnit().unitID() == "TOF"
    assert AnalysisDataService.getObjectNames() == []


def test_nothing_keeps_the_chunk(double: Any, definition_file: Path, calibration: Calibration) -> None:
    assert double is not None
    batch = events_of(calibration, 200)
    workspace = workspace_of(batch, definition_file)
    data = weakref.ref(workspace._data)
    plugin = NomPlugin(NomSettings(**BANKS))
    counts = plugin.process_chunk(mantid_chunk(batch, workspace))
    del workspace
    assert data() is None
    assert counts.d.n_events == 200


def test_chunks_are_prepared_for_once(
    definition_file: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepared = []
    real = livered_nom.mantid_chunks.prepare_focusing
    monkeypatch.setattr(
        livered_nom.mantid_chunks,
        "prepare_focusing",
        lambda *arguments: prepared.append(1) or real(*arguments),
    )
    plugin = NomPlugin(NomSettings(**BANKS))
    plugin.run_started(RUN)
    batch = events_of(calibration, 100)
    total = sum(
        plugin.process_chunk(mantid_chunk(batch, workspace_of(batch, definition_file))).d.n_events
        for _ in range(3)
    )
    assert (len(prepared), total) == (1, 300)
    # Another run begins anew, and so does an instrument that has moved within one.
    plugin.run_started(RUN)
    plugin.process_chunk(mantid_chunk(batch, workspace_of(batch, definition_file)))
    assert len(prepared) == 2
    moved = tmp_path / "moved.xml"
    moved.write_text(small_definition().replace('z="-19.5"', 'z="-19.4"').replace('y="0.001"', 'y="0.002"'))
    plugin.process_chunk(mantid_chunk(batch, workspace_of(batch, moved)))
    assert len(prepared) == 3


def test_an_instrument_without_pixels_has_no_geometry() -> None:
    with pytest.raises(GeometryError, match="has no source, sample or pixels"):
        read_geometry(run_algorithm("CreateWorkspace", DataX=[0.0, 1.0], DataY=[1.0], UnitX="TOF"))


def test_places_are_those_of_the_definition(definition: InstrumentDefinition, definition_file: Path) -> None:
    native = read_instrument(definition)
    found = read_geometry(workspace_of(batch_of([], []), definition_file))
    assert found.instrument.name == native.name == "NOMAD"
    np.testing.assert_array_equal(found.instrument.pixel_id, native.pixel_id)
    np.testing.assert_allclose(found.instrument.position, native.position, atol=1e-12)
    np.testing.assert_allclose(found.instrument.two_theta, native.two_theta, atol=1e-12)
    assert found.instrument.l1 == pytest.approx(19.5)
    assert sorted(found.instrument.monitor_id.tolist()) == [-2, -1]
    assert set(found.detector_id.tolist()) == {-1, *range(120)}


def test_monitors_are_counted_by_the_listener(definition_file: Path) -> None:
    batch = batch_of([1, 2], [50_000, 60_000])
    workspace = workspace_of(batch, definition_file)
    workspace.mutableRun().addProperty("monitor1_counts", 250, True)
    plugin = NomPlugin(NomSettings(normalise_by="monitor", monitor=1, **BANKS))
    assert plugin.process_chunk(mantid_chunk(batch, workspace)).monitor_counts == 250
    other = NomPlugin(NomSettings(normalise_by="monitor", monitor=2, **BANKS))
    assert other.process_chunk(mantid_chunk(batch, workspace)).monitor_counts == 0


# Vanadium and container.


@pytest.fixture(scope="module")
def nexus_file(definition: InstrumentDefinition, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "NOM_5.nxs.h5"
    rng = np.random.default_rng(3)
    pulses = [
        [
            (int(p), int(t))
            for p, t in zip(rng.integers(0, 120, 300), rng.integers(3000, 166_000, 300), strict=True)
        ]
        for _ in range(40)
    ]
    write_nexus(path, {"bank1_events": pulses}, [1e9 + 10 * n for n in range(40)])
    with h5py.File(path, "a") as file:
        instrument = file["entry"].create_group("instrument")
        instrument["name"] = np.array([b"NOMAD"])
        instrument["name"].attrs["short_name"] = "NOM"
        instrument["instrument_xml/data"] = definition.xml
    return path


@pytest.mark.parametrize("slices", [1, 7])
def test_an_event_file_is_counted_alike(
    nexus_file: Path, definition: InstrumentDefinition, aligned: int, slices: int
) -> None:
    target = prepare(NomSettings(**BANKS), read_instrument(definition), None).target
    native_files = NativeFiles(EventFilter(), 1)
    size = max(1, nexus_file.stat().st_size // slices)
    files = MantidFiles(EventFilter(), native_files, bytes_at_once=size)
    never = threading.Event()
    native, _ = native_files.count(nexus_file, target, never)
    mantid, said = files.count(nexus_file, target, never)
    assert native.d.n_events == 12_000
    assert said == " (run 1234)"
    assert_same(native, mantid, aligned)


def test_counting_a_file_ends_when_it_is_asked_to(nexus_file: Path, definition: InstrumentDefinition) -> None:
    target = prepare(NomSettings(**BANKS), read_instrument(definition), None).target
    stop = threading.Event()
    stop.set()
    with pytest.raises(DataModelError, match="was stopped before its end"):
        MantidFiles(EventFilter(), NativeFiles(EventFilter(), 1)).count(nexus_file, target, stop)


def test_a_file_of_another_instrument_is_refused(nexus_file: Path, definition: InstrumentDefinition) -> None:
    target = prepare(NomSettings(**BANKS), read_instrument(definition), None).target
    other = attrs.evolve(target, instrument="POWGEN")
    with pytest.raises(DataModelError, match="is of NOMAD, and the sample of POWGEN"):
        MantidFiles(EventFilter(), NativeFiles(EventFilter(), 1)).count(nexus_file, other, threading.Event())


def test_the_whole_reduction_with_vanadium(
    definition: InstrumentDefinition,
    definition_file: Path,
    calibration: Calibration,
    nexus_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A characterisation file chooses vanadium and container by the chunk's logs; curves as on the native backend."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    characterization = tmp_path / "NOM_char.txt"
    characterization.write_text(CHARACTERIZATION)
    references = ReferenceSettings(
        characterization=characterization,
        run_files=nexus_file.with_name("NOM_{run}.nxs.h5"),
        strip_vanadium_peaks=False,
    )
    logs = {
        "SpeedRequest1": SlowLog("SpeedRequest1", "", "Hz", np.array([START_NS]), np.array([60.0])),
        "LambdaRequest": SlowLog("LambdaRequest", "", "A", np.array([START_NS]), np.array([1.4])),
    }
    batch = events_of(calibration, 5000)
    results = {}
    chunks: dict[str, Chunk] = {
        "native": native_chunk(batch, definition, logs),
        "mantid": mantid_chunk(batch, workspace_of(batch, definition_file), logs),
    }
    for backend, chunk in chunks.items():
        plugin = NomPlugin(NomSettings(references=references, **BANKS))
        plugin.session_started(attrs.evolve(SESSION, backend=backend, live=False))
        plugin.run_started(RUN)
        results[backend] = plugin.post_process(plugin.process_chunk(chunk), RUN, UPDATE)
        plugin.session_ended()
    native, mantid = results["native"], results["mantid"]
    assert native.metadata["vanadium"] == mantid.metadata["vanadium"] == "NOM_5.nxs.h5 (run 1234)"
    assert native.metadata["container"] == mantid.metadata["container"] == "NOM_5.nxs.h5 (run 1234)"
    assert [curve.label for curve in native.curves] == [curve.label for curve in mantid.curves]
    assert [image.label for image in native.images] == [image.label for image in mantid.images]
    for ours, theirs in zip(native.curves, mantid.curves, strict=True):
        assert (ours.x_unit, ours.y_unit, ours.y_name) == (theirs.x_unit, theirs.y_unit, theirs.y_name)
        np.testing.assert_array_equal(ours.x, theirs.x)
        # A vanadium count in another bin changes the smoothed vanadium everywhere, a little.
        different = ~np.isclose(ours.y, theirs.y, rtol=1e-2, atol=1e-9)
        assert np.count_nonzero(different) <= 6, ours.label


CHARACTERIZATION = """\
60 1.4 1 5 5 0 0.3 8 300 16667
"""


# A whole session: the simulated beamline, StartLiveData, the plugin as it is installed.

SESSION_CONFIG = """
update_every = 0.3
run_transition = "stop"

[plugins.nom]
bank_first = [0, 20, 40, 60, 80, 100]
bank_last = [19, 39, 59, 79, 99, 109]
n_bins = 500
view_strips = 20
view_bins = 100
normalise_by = "monitor"
"""


def test_a_live_run_on_both_backends(
    definition_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "NOM.toml").write_text(SESSION_CONFIG)
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}
    simulate = SimulateConfig(
        idf=definition_file, run_length=1.0, rate=8000.0, hold_for_client=True, run_number=9, title="small"
    )
    taken: dict[str, list[NomCounts]] = {"native": [], "mantid": []}
    real = livered_nom.plugin.make_result
    for backend, counts in taken.items():
        monkeypatch.setattr(
            livered_nom.plugin,
            "make_result",
            lambda accumulated, *rest, counts=counts: counts.append(accumulated) or real(accumulated, *rest),
        )
        with start_simulator(simulate, "NOM") as simulator:
            flags = {"address": simulator.address, "backend": backend, "output_dir": str(tmp_path / backend)}
            loaded = load_configuration("NOM", tmp_path / "NOM.toml", flags, {"HOME": str(tmp_path)})
            assert Session(loaded, SystemClock(), environ=environ).run() == 0
    native, mantid = taken["native"][-1], taken["mantid"][-1]
    assert native.d.n_binned > 1000
    # Monitors that come in a chunk without a pulse, as those before the first one may, go with that chunk.
    assert 0 <= native.monitor_counts - mantid.monitor_counts < 0.03 * native.monitor_counts
    assert_same(native, attrs.evolve(mantid, monitor_counts=native.monitor_counts), 2)
    for backend in taken:
        assert list((tmp_path / backend).glob("*.h5"))
