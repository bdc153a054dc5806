"""Vanadium and container: from where they come, when they are used, and what is said when they are not."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import h5py
import numpy as np
import pytest

import livered_nom.counting
import livered_nom.references
from beamline_support import count_run, simulated_run
from livered_core import (
    Chunk,
    DataModelError,
    InstrumentDefinition,
    Result,
    RunInfo,
    SessionInfo,
)
from livered_core.publish.mantid_file import mantid_bytes
from livered_core.publish.nexus import nexus_bytes
from livered_core.references import read_reduced, read_run
from livered_core.testing import make_log, make_session, make_update
from livered_nom.counts import NomCounts
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings
from nexus_support import write_nexus

UPDATE = make_update(n_pulses=1, proton_charge_pc=3.6e9, last_pulse_ns=1_700_000_060_000_000_000)
SESSION = make_session(instrument="NOM")
RELATIVE = "intensity relative to vanadium"


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with short runs of silicon, vanadium, the container, and one without events."""
    folder = tmp_path_factory.mktemp("runs")
    for number, (sample, rate) in enumerate((("silicon", 1e5), ("vanadium", 2e5), ("container", 2e4)), 1):
        simulated_run(folder / f"NOM_{number}.adara", sample, number, rate=rate, run_length=2.0)
    simulated_run(folder / "NOM_4.adara", "vanadium", 4, rate=0.0, run_length=1.0)
    return folder


@pytest.fixture(autouse=True)
def cache_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@attrs.frozen
class Reduced:
    plugin: NomPlugin
    counts: NomCounts
    run: RunInfo
    result: Result

    def again(self) -> Result:
        return self.plugin.post_process(self.counts, self.run, UPDATE)


@pytest.fixture(scope="session")
def silicon(runs: Path) -> list[tuple[Chunk, RunInfo]]:
    taken: list[tuple[Chunk, RunInfo]] = []
    read_run(runs / "NOM_1.adara", lambda chunk, run: taken.append((chunk, run)))
    return taken


@pytest.fixture
def reduce_silicon(silicon: list[tuple[Chunk, RunInfo]], session: SessionInfo) -> Callable[..., Reduced]:
    """Reduce the run of silicon with what is given in ``[plugins.nom.references]`` and ``[plugins.nom]``."""

    def reduce(references: ReferenceSettings, live: bool = False, **settings: Any) -> Reduced:
        plugin = NomPlugin(NomSettings(references=references, **settings))
        plugin.session_started(attrs.evolve(session, live=live))
        parts = [plugin.process_chunk(chunk) for chunk, _ in silicon]
        counts, run = sum(parts[1:], parts[0]), silicon[-1][1]
        return Reduced(plugin, counts, run, plugin.post_process(counts, run, UPDATE))

    return reduce


def bank(result: Result, number: int) -> Any:
    return result.curves[number - 1]


def write_reduced(path: Path, result: Result, run: RunInfo) -> Path:
    path.write_bytes(nexus_bytes(result, run, UPDATE, {}, 0))
    return path


def reduced_vanadium(runs: Path, path: Path, **settings: Any) -> Path:
    """Reduce the vanadium run without corrections, and write it as livered does."""
    plugin = NomPlugin(NomSettings(**settings))
    counts, run = count_run(plugin, runs / "NOM_2.adara")
    return write_reduced(path, plugin.post_process(counts, run, UPDATE), run)


def test_a_sample_is_divided_by_vanadium(runs: Path, reduce_silicon: Callable[..., Reduced]) -> None:
    plain = reduce_silicon(ReferenceSettings()).result
    result = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    assert result.metadata["vanadium"] == "NOM_2.adara (run 2)"
    for number in (2, 3, 4, 5):
        assert (bank(result, number).y_name, bank(result, number).y_unit) == (RELATIVE, "dimensionless")
        assert np.isfinite(bank(result, number).y).all()
        assert np.isfinite(bank(result, number).e).all()
        # Where there are counts the division changes the scale and adds to the relative error.
        counted = (bank(plain, number).y > 0) & (bank(result, number).y > 0)
        relative = bank(result, number).e[counted] / bank(result, number).y[counted]
        before = bank(plain, number).e[counted] / bank(plain, number).y[counted]
        assert np.all(relative >= before)
        assert np.median(relative / before) < 1.05
    assert bank(plain, 2).y_name == "intensity"


def test_the_container_is_subtracted_with_its_errors(
    runs: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    plain = reduce_silicon(ReferenceSettings()).result
    scaled = ReferenceSettings(container=runs / "NOM_3.adara", container_scale=0.5)
    result = reduce_silicon(scaled).result
    container, _ = count_run(NomPlugin(NomSettings()), runs / "NOM_3.adara")
    charge = container.d.proton_charge_pc / 3.6e9
    for row, curve in enumerate(plain.curves):
        behind = container.d.counts[row]
        difference, errors = result.curves[row].y, result.curves[row].e
        np.testing.assert_allclose(difference, curve.y - 0.5 * behind / charge, atol=1e-9)
        np.testing.assert_allclose(errors, np.hypot(curve.e, 0.5 * np.sqrt(behind) / charge), atol=1e-9)
    assert container.d.counts.sum() > 1000
    assert result.metadata["container"] == "NOM_3.adara (run 3)"
    assert "warning" not in bank(result, 5).metadata


def test_a_container_that_exceeds_the_sample_is_marked(
    runs: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    too_much = ReferenceSettings(container=runs / "NOM_3.adara", container_scale=50.0)
    result = reduce_silicon(too_much).result
    assert bank(result, 3).metadata["warning"] == "the container exceeds the sample"
    assert bank(result, 3).y.sum() < 0


def test_total_scattering_is_made_with_vanadium(runs: Path, reduce_silicon: Callable[..., Reduced]) -> None:
    references = ReferenceSettings(vanadium=runs / "NOM_2.adara", container=runs / "NOM_3.adara")
    result = reduce_silicon(
        references, total_scattering=TotalScatteringSettings(composition="Si", wanted_error=0.26)
    ).result
    assert [curve.label for curve in result.curves[6:]] == ["S(Q)", "Q[S(Q)-1]", "G(r)", "error of S(Q)"]
    assert [curve.x_unit for curve in result.curves[6:]] == ["1/Angstrom", "1/Angstrom", "Angstrom", "s"]
    now, left = result.metadata["statistical_error"], result.metadata["seconds_until_enough"]
    expected = result.curves[9]
    assert np.all(np.diff(expected.y) < 0)
    assert np.interp(60.0, expected.x, expected.y) == pytest.approx(now, rel=1e-2)
    assert np.interp(60.0 + left, expected.x, expected.y) == pytest.approx(0.26, rel=1e-2)
    assert result.metadata["events_per_second"] == pytest.approx(result.metadata["n_events"] / 60.0)
    assert result.metadata["statistics"].startswith("error of S(Q) 0.")
    plain = reduce_silicon(ReferenceSettings()).result
    assert (
        plain.metadata["total_scattering"]
        == "S(Q) and G(r) need vanadium: name it in [plugins.nom.references]"
    )
    nothing = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    assert "need the sample's composition" in nothing.metadata["total_scattering"]


def test_a_reduced_file_serves_like_the_events(
    runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    from_events = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    path = reduced_vanadium(runs, tmp_path / "vanadium.nxs")
    from_file = reduce_silicon(ReferenceSettings(vanadium=path)).result
    assert from_file.metadata["vanadium"] == "vanadium.nxs"
    for one, other in zip(from_events.curves, from_file.curves, strict=True):
        np.testing.assert_allclose(one.y, other.y, rtol=1e-12)
        np.testing.assert_allclose(one.e, other.e, rtol=1e-12)


def test_what_was_counted_is_kept_by_content(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reduce_silicon: Callable[..., Reduced],
) -> None:
    first = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    copied = shutil.copy(runs / "NOM_2.adara", tmp_path / "elsewhere.adara")
    read: list[Path] = []

    def spy(path: Path, *args: Any, **kwargs: Any) -> Any:
        read.append(path)
        return read_run(path, *args, **kwargs)

    monkeypatch.setattr(livered_nom.counting, "read_run", spy)
    second = reduce_silicon(ReferenceSettings(vanadium=Path(copied))).result
    assert read == []
    np.testing.assert_array_equal(bank(first, 5).y, bank(second, 5).y)
    # Other bins, another filter, or no cache: counted anew.
    reduce_silicon(ReferenceSettings(vanadium=Path(copied)), n_bins=3000)
    reduce_silicon(ReferenceSettings(vanadium=Path(copied)), prompt_pulse_width_us=500.0)
    reduce_silicon(ReferenceSettings(vanadium=Path(copied), cache=False))
    assert len(read) == 3


def test_a_reference_that_was_replaced_counts_with_the_next_run(
    runs: Path, tmp_path: Path, silicon: list[tuple[Chunk, RunInfo]], session: SessionInfo
) -> None:
    path = Path(shutil.copy(runs / "NOM_2.adara", tmp_path / "vanadium.adara"))
    plugin = NomPlugin(NomSettings(references=ReferenceSettings(vanadium=path)))
    plugin.session_started(attrs.evolve(session, live=False))

    def reduced() -> np.ndarray:
        plugin.run_started(silicon[-1][1])
        parts = [plugin.process_chunk(chunk) for chunk, _ in silicon]
        result = plugin.post_process(sum(parts[1:], parts[0]), silicon[-1][1], UPDATE)
        assert result.metadata["vanadium"].startswith("vanadium.adara (run ")
        return bank(result, 5).y

    before, again = reduced(), reduced()
    np.testing.assert_array_equal(before, again)
    shutil.copy(runs / "NOM_1.adara", path)
    assert not np.array_equal(reduced(), before)


def test_what_is_ready_serves_the_next_session_of_the_same_instance(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silicon: list[tuple[Chunk, RunInfo]],
    session: SessionInfo,
) -> None:
    path = Path(shutil.copy(runs / "NOM_2.adara", tmp_path / "vanadium.adara"))
    read: list[Path] = []
    fingerprint = livered_nom.references.fingerprint
    monkeypatch.setattr(
        livered_nom.references, "fingerprint", lambda path, stop: read.append(path) or fingerprint(path, stop)
    )
    plugin = NomPlugin(NomSettings(references=ReferenceSettings(vanadium=path)))

    def reduced(plugin: NomPlugin) -> np.ndarray:
        run = silicon[-1][1]
        plugin.session_started(attrs.evolve(session, live=False))
        plugin.run_started(run)
        parts = [plugin.process_chunk(chunk) for chunk, _ in silicon]
        result = plugin.post_process(sum(parts[1:], parts[0]), run, UPDATE)
        plugin.session_ended()
        assert result.metadata["vanadium"].startswith("vanadium.adara (run ")
        return bank(result, 5).y

    first, second = reduced(plugin), reduced(plugin)
    np.testing.assert_array_equal(first, second)
    assert read == [path]
    shutil.copy(runs / "NOM_1.adara", path)
    third = reduced(plugin)
    assert read == [path, path]
    assert not np.array_equal(third, first)
    np.testing.assert_array_equal(third, reduced(NomPlugin(plugin.settings)))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)
    path.write_bytes(data)


def _without_a_number(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for name, array in arrays.items():
        if array.dtype == np.uint8:
            arrays[name] = np.frombuffer(
                array.tobytes().replace(b"view_n_filtered", b"view_n_filtereD"), np.uint8
            )
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize("damage", [_cut, _flipped, _without_a_number])
def test_kept_counts_that_were_damaged_are_made_anew(
    damage: Callable[[Path], None], runs: Path, cache_in: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    first = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    kept = [path for path in cache_in.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        damage(path)
    second = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    assert second.metadata["vanadium"] == "NOM_2.adara (run 2)"
    np.testing.assert_array_equal(bank(first, 5).y, bank(second, 5).y)


def read_when(goes_on: threading.Event, begun: threading.Event | None = None) -> Callable[..., Any]:
    """Return a `read_run` that says when it has begun, and goes on when it may."""

    def read(path: Path, *args: Any, **kwargs: Any) -> Any:
        if begun is not None:
            begun.set()
        assert goes_on.wait(60)
        return read_run(path, *args, **kwargs)

    return read


def test_live_curves_do_not_wait(
    runs: Path, monkeypatch: pytest.MonkeyPatch, reduce_silicon: Callable[..., Reduced]
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    monkeypatch.setattr(livered_nom.counting, "read_run", read_when(goes_on, begun))
    reduced = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara", cache=False), live=True)
    assert begun.wait(60)
    before = reduced.again()
    assert before.metadata["vanadium"] == "NOM_2.adara is being prepared: the curves are shown without it"
    assert before.metadata["total_scattering"] == "S(Q) and G(r) need vanadium: see what is said of vanadium"
    assert (bank(before, 2).y_name, bank(before, 2).y_unit) == ("intensity", "counts/uAh")
    goes_on.set()
    assert reduced.plugin._references is not None
    reduced.plugin._references.ready(None)
    after = reduced.again()
    assert after.metadata["vanadium"] == "NOM_2.adara (run 2)"
    assert bank(after, 2).y_name == RELATIVE


def test_the_last_update_of_a_live_run_waits_for_them(
    runs: Path, monkeypatch: pytest.MonkeyPatch, reduce_silicon: Callable[..., Reduced]
) -> None:
    asked = threading.Event()

    monkeypatch.setattr(livered_nom.counting, "read_run", read_when(asked))
    references = ReferenceSettings(vanadium=runs / "NOM_2.adara", cache=False, wait_at_end=60.0)
    reduced = reduce_silicon(references, live=True)
    assert bank(reduced.result, 2).y_name == "intensity"
    waits = threading.Timer(0.1, asked.set)
    waits.start()
    last = reduced.plugin.post_process(reduced.counts, reduced.run, attrs.evolve(UPDATE, final=True))
    waits.join()
    assert bank(last, 2).y_name == RELATIVE
    impatient = attrs.evolve(references, wait_at_end=0.0)
    asked.clear()
    reduced = reduce_silicon(impatient, live=True)
    last = reduced.plugin.post_process(reduced.counts, reduced.run, attrs.evolve(UPDATE, final=True))
    assert bank(last, 2).y_name == "intensity"
    asked.set()


def test_the_end_of_the_session_ends_what_is_prepared(
    runs: Path, monkeypatch: pytest.MonkeyPatch, reduce_silicon: Callable[..., Reduced]
) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def endless(path: Path, *args: Any, stop: threading.Event, **kwargs: Any) -> Any:
        begun.set()
        assert stop.wait(60)
        stopped.set()
        return read_run(path, *args, stop=stop, **kwargs)

    monkeypatch.setattr(livered_nom.counting, "read_run", endless)
    reduced = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara", cache=False), live=True)
    assert begun.wait(60)
    reduced.plugin.session_ended()
    assert stopped.is_set()


def _renamed(runs: Path, folder: Path) -> Path:
    """The vanadium, measured on another instrument."""
    xml = livered_nom.counting.__file__
    source = Path(xml).with_name("simulated_instrument.xml").read_text(encoding="utf-8")
    assert source.count('name="NOMAD"') == 1
    idf = folder / "other.xml"
    idf.write_text(source.replace('name="NOMAD"', 'name="POWGEN"'), encoding="utf-8")
    return simulated_run(folder / "PG3_9.adara", "vanadium", 9, idf=idf, rate=1e4, run_length=1.0)


def _two_runs(runs: Path, folder: Path) -> Path:
    path = folder / "two.adara"
    path.write_bytes((runs / "NOM_2.adara").read_bytes() + (runs / "NOM_3.adara").read_bytes())
    return path


def _page(runs: Path, folder: Path) -> Path:
    path = folder / "page.nxs"
    path.write_text("<html>not found</html>")
    return path


def _other_bins(runs: Path, folder: Path) -> Path:
    return reduced_vanadium(runs, folder / "other_bins.nxs", n_bins=3000)


def _by_monitor(runs: Path, folder: Path) -> Path:
    return reduced_vanadium(runs, folder / "other_unit.nxs", normalise_by="monitor")


def _of_mantid(runs: Path, folder: Path, unit_label: str) -> Path:
    """The same as Mantid's SaveNexusProcessed writes it."""
    plain = reduced_vanadium(runs, folder / "plain.nxs")
    curves = read_reduced(plain)[:6]
    path = folder / "mantid.nxs"
    with h5py.File(path, "w") as file:
        group = file.create_group("mantid_workspace_1/workspace")
        group["values"] = np.array([curve.y for curve in curves])
        group["values"].attrs["units"] = "Counts"
        group["values"].attrs["unit_label"] = unit_label
        group["errors"] = np.array([curve.e for curve in curves])
        group["axis1"] = np.array([curve.x for curve in curves])
        group["axis1"].attrs["units"] = "dSpacing"
    return path


def test_what_mantid_normalised_by_current_serves(
    runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    path = _of_mantid(runs, tmp_path, "Counts per microAmp.hour")
    one = reduce_silicon(ReferenceSettings(vanadium=path)).result
    other = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    assert one.metadata["vanadium"] == "mantid.nxs"
    np.testing.assert_allclose(bank(one, 5).y, bank(other, 5).y, rtol=1e-12)


def test_the_file_for_mantid_serves_too(
    runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    counts, run = count_run(plugin := NomPlugin(NomSettings()), runs / "NOM_2.adara")
    data = mantid_bytes(plugin.post_process(counts, run, UPDATE), run, UPDATE, {}, 0)
    assert data is not None
    path = tmp_path / "NOM_2_mantid.nxs"
    path.write_bytes(data)
    one = reduce_silicon(ReferenceSettings(vanadium=path)).result
    other = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara")).result
    assert one.metadata["vanadium"] == "NOM_2_mantid.nxs"
    np.testing.assert_allclose(bank(one, 5).y, bank(other, 5).y, rtol=1e-12)


def test_a_reduced_file_in_another_unit_is_refused(
    runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    plain = reduced_vanadium(runs, tmp_path / "per_charge.nxs")
    result = reduce_silicon(ReferenceSettings(vanadium=plain), normalise_by="monitor").result
    assert "is in counts/uAh and not in counts/monitor count" in result.metadata["vanadium"]
    counts = _of_mantid(runs, tmp_path, "")
    result = reduce_silicon(ReferenceSettings(vanadium=counts)).result
    assert "is in Counts and not in counts/uAh" in result.metadata["vanadium"]


def test_a_reference_that_is_cut_off_is_used_and_said_to_be_incomplete(
    runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    path = tmp_path / "cut.adara"
    data = (runs / "NOM_2.adara").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    for _ in range(2):  # counted, and from what was kept
        said = reduce_silicon(ReferenceSettings(vanadium=path)).result.metadata["vanadium"]
        assert said.startswith("cut.adara (run 2), INCOMPLETE: ")


def test_what_the_settings_name_stays_where_the_characterisation_does_not_fit(
    runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    path = tmp_path / "characterization.txt"
    path.write_text(CHARACTERIZATION)
    named = ReferenceSettings(
        vanadium=runs / "NOM_2.adara", characterization=path, run_files=runs / "NOM_{run}.a*"
    )
    result = reduce_silicon(named).result
    # The simulated run says no frequency, so that both lines fit.
    assert "has several lines" in result.metadata["references"]
    assert result.metadata["vanadium"] == "NOM_2.adara (run 2)"
    assert bank(result, 5).y_name == RELATIVE


def test_a_stop_ends_the_wait_and_no_result_is_made(
    runs: Path, monkeypatch: pytest.MonkeyPatch, reduce_silicon: Callable[..., Reduced]
) -> None:
    goes_on = threading.Event()

    monkeypatch.setattr(livered_nom.counting, "read_run", read_when(goes_on))
    reduced = reduce_silicon(ReferenceSettings(vanadium=runs / "NOM_2.adara", cache=False), live=True)
    offline = attrs.evolve(SESSION, live=False, stopping=lambda: True)
    reduced.plugin.session_started(offline)
    with pytest.raises(DataModelError, match="asked to stop while vanadium or container was prepared"):
        reduced.again()
    goes_on.set()


def _fewer_banks(runs: Path, folder: Path) -> Path:
    labels = ("one", "two", "three", "four", "five", "six")
    return reduced_vanadium(runs, folder / "other_banks.nxs", bank_labels=labels)


def _not_a_number(runs: Path, folder: Path) -> Path:
    path = reduced_vanadium(runs, folder / "nan.nxs")
    with h5py.File(path, "a") as file:
        found: list[h5py.Dataset] = []
        file.visititems(
            lambda name, node: found.append(node) if getattr(node, "shape", ()) == (6000,) else None
        )
        assert found
        for dataset in found:
            dataset[100:200] = np.nan
    return path


def _no_charge(runs: Path, folder: Path) -> Path:
    path = folder / "no_charge.nxs.h5"
    write_nexus(path, {"bank1_events": [[(20_000, 57_000)] * 3] * 10}, [0.0] * 10)
    return path


BAD: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "missing": (lambda runs, folder: runs / "NOM_99.adara", "cannot be read (No such file or directory)"),
    "a page": (_page, "page.nxs"),
    "no events": (lambda runs, folder: runs / "NOM_4.adara", "has no event in any bin: give a run that has."),
    "no charge": (_no_charge, "is not normalised: no proton charge: give a run that has some."),
    "other instrument": (_renamed, "is of POWGEN, and the sample of NOMAD."),
    "two runs": (_two_runs, "holds runs 2 and 3"),
    "other bins": (_other_bins, "has other bins than this run"),
    "other unit": (_by_monitor, "and not in counts/uAh: reduce it with the same settings."),
    "other banks": (_fewer_banks, "has no curve 'bank 1 - 15 deg'"),
    "NaN": (_not_a_number, "has values that are no numbers in 'bank 1 - 15 deg'"),
}


@pytest.mark.parametrize("role", ["vanadium", "container"])
@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_said_and_the_run_goes_on(
    case: str, role: str, runs: Path, tmp_path: Path, reduce_silicon: Callable[..., Reduced]
) -> None:
    make, words = BAD[case]
    path = make(runs, tmp_path)
    result = reduce_silicon(ReferenceSettings(**{role: path})).result
    said = result.metadata[role]
    assert said.startswith("not used: ")
    assert words in said
    assert said.endswith(".")
    assert "\n" not in said
    assert bank(result, 2).y_unit == "counts/uAh"
    assert bank(result, 2).y.sum() > 0
    assert all(np.isfinite(curve.y).all() and np.isfinite(curve.e).all() for curve in result.curves)


def test_a_run_without_charge_is_not_divided_by_vanadium(
    runs: Path,
    make_chunk: Callable[..., Chunk],
    definition: InstrumentDefinition,
    run: RunInfo,
    session: SessionInfo,
) -> None:
    plugin = NomPlugin(NomSettings(references=ReferenceSettings(vanadium=runs / "NOM_2.adara")))
    plugin.session_started(attrs.evolve(session, live=False))
    counts = plugin.process_chunk(make_chunk([20_000] * 4, [57_000] * 4, definition, charge=0.0))
    result = plugin.post_process(counts, run, UPDATE)
    assert result.metadata["vanadium"] == "not used: the run is not normalised: no proton charge"
    assert bank(result, 2).y_unit == "counts"


def test_a_run_without_events_gives_curves_of_zeros(
    runs: Path,
    make_chunk: Callable[..., Chunk],
    definition: InstrumentDefinition,
    run: RunInfo,
    session: SessionInfo,
) -> None:
    settings = NomSettings(
        references=ReferenceSettings(vanadium=runs / "NOM_2.adara", container=runs / "NOM_3.adara"),
        total_scattering=TotalScatteringSettings(composition="Si"),
    )
    plugin = NomPlugin(settings)
    plugin.session_started(attrs.evolve(session, live=False))
    result = plugin.post_process(plugin.process_chunk(make_chunk([], [], definition)), run, UPDATE)
    assert len(result.curves) == 6
    assert all(np.isfinite(curve.y).all() and np.isfinite(curve.e).all() for curve in result.curves)
    assert "total_scattering" in result.metadata


CHARACTERIZATION = """\
#S 1 characterization runs
#L frequency(Hz) center_wavelength(angstrom) bank_num vanadium_run empty_run vanadium_back d_min d_max tof_min tof_max
60 1.4 1 2 3 0 0.1 2.2 300 16667
30 2.8 1 4 0 0 0.1 4.4 300 33333
"""


def with_logs(chunk: Chunk, **values: float) -> Chunk:
    logs = {name: make_log(value, name=name, device="chopper") for name, value in values.items()}
    return attrs.evolve(chunk, logs=logs)


@pytest.mark.parametrize(
    ("frequency", "vanadium", "container"),
    [(60.0, "NOM_2.adara (run 2)", "NOM_3.adara (run 3)"), (30.0, "not used: ", None)],
)
def test_the_characterisation_chooses(
    frequency: float,
    vanadium: str,
    container: str | None,
    *,
    runs: Path,
    tmp_path: Path,
    make_chunk: Callable[..., Chunk],
    definition: InstrumentDefinition,
    run: RunInfo,
    session: SessionInfo,
) -> None:
    path = tmp_path / "characterization.txt"
    path.write_text(CHARACTERIZATION)
    references = ReferenceSettings(characterization=path, run_files=runs / "NOM_{run}.a*")
    plugin = NomPlugin(NomSettings(references=references))
    assert plugin.check() == []
    plugin.session_started(attrs.evolve(session, live=False))
    chunk = make_chunk([20_000] * 4, [57_000] * 4, definition)
    chunk = with_logs(
        chunk, SpeedRequest1=0.0, Speed1=frequency, LambdaRequest=1.4 if frequency > 50 else 2.8
    )
    metadata = plugin.post_process(plugin.process_chunk(chunk), run, UPDATE).metadata
    # Run 4, the vanadium at 30 Hz, has no events.
    assert metadata["vanadium"].startswith(vanadium)
    assert metadata.get("container") == container


def test_a_characterisation_that_does_not_fit_is_said(
    runs: Path,
    tmp_path: Path,
    make_chunk: Callable[..., Chunk],
    definition: InstrumentDefinition,
    run: RunInfo,
    session: SessionInfo,
) -> None:
    path = tmp_path / "characterization.txt"
    path.write_text(CHARACTERIZATION)
    for pattern, frequency, role, words in (
        (runs / "NOM_{run}.a*", 10.0, "references", "has no line for frequency 10 Hz"),
        (None, 60.0, "vanadium", "run_files in [plugins.nom.references] does not say where runs are"),
        (tmp_path / "{run}.nxs", 60.0, "vanadium", "There is no file of run 2, the vanadium"),
    ):
        plugin = NomPlugin(
            NomSettings(references=ReferenceSettings(characterization=path, run_files=pattern))
        )
        plugin.session_started(attrs.evolve(session, live=False))
        chunk = with_logs(make_chunk([20_000] * 4, [57_000] * 4, definition), SpeedRequest1=frequency)
        result = plugin.post_process(plugin.process_chunk(chunk), run, UPDATE)
        assert words in result.metadata[role]
        assert bank(result, 2).y_unit == "counts/uAh"


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ({"vanadium": "nowhere.nxs"}, "There is no vanadium file"),
        ({"container": "nowhere.nxs"}, "There is no container file"),
        ({"characterization": "nowhere.txt", "run_files": "{run}.nxs"}, "cannot be read (No such file or"),
    ],
)
def test_check_says_which_file_is_missing(references: dict[str, str], words: str, tmp_path: Path) -> None:
    paths = {name: tmp_path / value for name, value in references.items()}
    problems = NomPlugin(NomSettings(references=ReferenceSettings(**paths))).check()
    assert len(problems) == 1
    assert words in problems[0]


def test_check_says_what_cannot_work(runs: Path, tmp_path: Path) -> None:
    same = ReferenceSettings(vanadium=runs / "NOM_2.adara", container=runs / "NOM_2.adara")
    assert NomPlugin(NomSettings(references=same)).check() == [
        f"{runs / 'NOM_2.adara'} is named as container and as vanadium: a run cannot be both; correct "
        "[plugins.nom.references]."
    ]
    (tmp_path / "c.txt").write_text(CHARACTERIZATION)
    (problem,) = NomPlugin(
        NomSettings(references=ReferenceSettings(characterization=tmp_path / "c.txt"))
    ).check()
    assert "run_files does not say where they are" in problem
    # A null scatterer has patterns, and no S(Q).
    water = NomSettings(total_scattering=TotalScatteringSettings(composition="Ti0.676Zr0.324"))
    assert NomPlugin(water).check() == []


def test_check_says_that_a_composition_makes_no_sense() -> None:
    settings = NomSettings(total_scattering=TotalScatteringSettings(composition="Xx2"))
    problems = NomPlugin(settings).check()
    assert len(problems) == 1
    assert "Xx2" in problems[0]
    assert problems[0].endswith("See [plugins.nom.total_scattering].")
