"""The files of the format ``mantid`` are loaded by Mantid, with all that stands in them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from hooks_support import update as an_update
from livered_core import Curve, Result
from livered_core.model import RunInfo
from livered_core.publish.mantid_file import mantid_bytes
from livered_core.workspaces import curves_of

h5py = pytest.importorskip("h5py", reason="files for Mantid need h5py")

PAGE = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
START = 1_795_348_800 * 1_000_000_000
RUN = RunInfo(4711, "NOM", "IPTS-7", "diamond at 300 K", START, {"name": "diamond", "mass (g)": "1.5"})
UPDATE = attrs.evolve(
    an_update(final=True),
    n_events=3_000_000_000,
    n_pulses=36000,
    proton_charge_pc=7.2e9,
    first_pulse_ns=START + 1_000_000_000,
    last_pulse_ns=START + 600_000_000_001,
    complete=False,
    missing=("Chunk 3 was dropped.", "The start was missed."),
)
EDGES = np.geomspace(0.5, 2.0, 41)


def bank(label: str, shift: float = 0.0, **changed: Any) -> Curve:
    y = np.arange(1.0, 41.0) + shift
    made = Curve(label, EDGES, y, np.sqrt(y), "Angstrom", "counts/uAh", "d-spacing", "intensity")
    return attrs.evolve(made, **changed)


def of(x: np.ndarray, unit: str, name: str, y_unit: str, label: str = "one") -> Curve:
    y = np.linspace(-1.0, 3.0, 20)
    return Curve(label, x, y, np.full(20, 0.1), unit, y_unit, name, "intensity")


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    from mantid import simpleapi

    def loaded(curves: Sequence[Curve], algorithm: str = "LoadNexusProcessed", **more: Any) -> Any:
        path = tmp_path / "NOM_4711_mantid.nxs"
        data = mantid_bytes(
            Result(4711, "result", tuple(curves), (), {"strongest d": 2.06}),
            RUN,
            UPDATE,
            {"livered-core": "1"},
            START,
        )
        assert data is not None
        path.write_bytes(data)
        return getattr(simpleapi, algorithm)(Filename=str(path), OutputWorkspace="loaded", **more)

    return loaded


@pytest.mark.parametrize("algorithm", ["LoadNexusProcessed", "Load"])
def test_banks_with_the_same_bins_are_the_spectra_of_one_workspace(
    load: Callable[..., Any], algorithm: str
) -> None:
    banks = [bank("bank 1 - 15\N{DEGREE SIGN}"), bank("bank 2", 5.0), bank("bank 3", 7.0)]
    workspace = load(banks, algorithm)
    assert workspace.id() == "Workspace2D"
    assert workspace.isHistogramData()
    assert not workspace.isDistribution()
    assert workspace.getTitle() == "diamond at 300 K"
    assert workspace.getAxis(0).getUnit().unitID() == "dSpacing"
    assert workspace.YUnit() == workspace.YUnitLabel() == "counts/uAh"
    assert workspace.getNumberHistograms() == 3
    assert workspace.getAxis(1).isText()
    for index, curve in enumerate(banks):
        assert workspace.getAxis(1).label(index) == curve.label
        assert workspace.getSpectrum(index).getSpectrumNo() == index + 1
        assert not workspace.spectrumInfo().hasDetectors(index)
        np.testing.assert_array_equal(workspace.readX(index), EDGES)
        np.testing.assert_array_equal(workspace.readY(index), curve.y)
        np.testing.assert_array_equal(workspace.readE(index), curve.e)


def test_logs_and_instrument_are_loaded_with_it(load: Callable[..., Any]) -> None:
    workspace = load([bank("bank 1")])
    assert workspace.getRunNumber() == 4711
    assert workspace.getInstrument().getName() == "NOM"
    assert workspace.getInstrument().getNumberDetectors() == 0
    run = workspace.run()
    assert run.getProtonCharge() == pytest.approx(2.0)
    expected = {
        "run_number": "4711",
        "run_title": "diamond at 300 K",
        "experiment_identifier": "IPTS-7",
        "start_time": "2026-11-22T12:00:00.000000000",
        "run_end": "2026-11-22T12:10:00.000000001",
        "total_counts": 3_000_000_000,
        "total_pulses": 36000,
        "livered_complete": 0,
        "livered_final": 1,
        "livered_missing": "Chunk 3 was dropped. The start was missed.",
        "sample_name": "diamond",
        "sample_mass_g": "1.5",
        "result_strongest_d": 2.06,
    }
    assert {name: run.getProperty(name).value for name in expected} == expected
    assert run.getProperty("duration").value == pytest.approx(600.0)
    assert run.getProperty("gd_prtn_chrg").units == "uA.hour"


def test_banks_with_bins_of_their_own_keep_them(load: Callable[..., Any]) -> None:
    banks = [bank("bank 1"), bank("bank 2", x=2 * EDGES)]
    workspace = load(banks)
    for index, curve in enumerate(banks):
        np.testing.assert_array_equal(workspace.readX(index), curve.x)
        np.testing.assert_array_equal(workspace.readY(index), curve.y)


def test_curves_with_other_axes_are_a_group_of_workspaces(load: Callable[..., Any]) -> None:
    from mantid.simpleapi import mtd

    q = np.linspace(0.5, 30.0, 21)
    curves = [
        bank("bank 1"),
        of(q, "1/Angstrom", "momentum transfer", "dimensionless", "S(Q)"),
        bank("bank 2"),
        of(q, "1/Angstrom", "momentum transfer", "1/Angstrom", "Q[S(Q)-1]"),
        of(q[1:], "Angstrom", "distance", "1/Angstrom^2", "G(r)"),
    ]
    group = load(curves)
    names = ["NOM_4711_d_spacing", "NOM_4711_S_Q", "NOM_4711_Q_S_Q_1", "NOM_4711_G_r"]
    assert list(group.getNames()) == names
    assert [mtd[name].getNumberHistograms() for name in names] == [2, 1, 1, 1]
    assert [mtd[name].isDistribution() for name in names] == [False, True, True, False]
    assert [mtd[name].isHistogramData() for name in names] == [True, True, True, False]
    assert [mtd[name].getAxis(1).label(0) for name in names] == ["bank 1", "S(Q)", "Q[S(Q)-1]", "G(r)"]
    assert mtd[names[0]].getAxis(1).label(1) == "bank 2"
    np.testing.assert_array_equal(mtd[names[3]].readX(0), q[1:])
    np.testing.assert_array_equal(mtd[names[3]].readY(0), curves[4].y)
    assert all(mtd[name].getRunNumber() == 4711 for name in names)


def test_one_workspace_of_several_can_be_loaded(load: Callable[..., Any]) -> None:
    curves = [bank("bank 1"), of(EDGES[:20], "K", "temperature", "V")]
    assert load(curves, EntryNumber=2).getAxis(1).label(0) == "one"


@pytest.mark.parametrize(
    ("unit", "name", "unit_id"),
    [
        ("Angstrom", "d-spacing", "dSpacing"),
        ("Angstrom", "wavelength", "Wavelength"),
        ("Angstrom", "distance", "AtomicDistance"),
        ("1/Angstrom", "momentum transfer", "MomentumTransfer"),
        ("us", "time of flight", "TOF"),
        ("meV", "energy", "Energy"),
        ("meV", "energy transfer", "DeltaE"),
        ("K", "temperature", "Label"),
        ("dimensionless", "pixel", "Label"),
    ],
)
def test_what_is_loaded_becomes_the_same_curves_again(
    load: Callable[..., Any], unit: str, name: str, unit_id: str
) -> None:
    curve = of(np.linspace(1.0, 2.0, 21), unit, name, "counts", "one")
    workspace = load([curve])
    assert workspace.getAxis(0).getUnit().unitID() == unit_id
    [again] = curves_of(workspace, "one")
    assert (again.x_unit, again.x_name) == (unit, name)
    assert (again.y_unit, again.y_name) == ("counts", "counts")
    np.testing.assert_array_equal(again.x, curve.x)
    np.testing.assert_array_equal(again.y, curve.y)


def test_values_that_are_no_numbers_stay_so(load: Callable[..., Any]) -> None:
    y = np.where(np.arange(40) == 3, np.nan, 1.0)
    np.testing.assert_array_equal(load([bank("bank 1", y=y)]).readY(0), y)


def test_a_single_value_stays_a_spectrum_with_its_logs(load: Callable[..., Any]) -> None:
    workspace = load([bank("bank 1", x=[1.0, 2.0], y=[5.0], e=[1.0])])
    assert workspace.id() == "Workspace2D"
    assert workspace.getRunNumber() == 4711


def _with(data: bytes, change: Callable[[Any], None]) -> bytes:
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        change(file["mantid_workspace_1"])
    return buffer.getvalue()


def _another_class(entry: Any) -> None:
    entry["workspace"].attrs["NX_class"] = np.bytes_("NXcollection")


def _no_second_axis(entry: Any) -> None:
    del entry["workspace/axis2"]


def _an_array_as_attribute(entry: Any) -> None:
    entry["workspace/values"].attrs["axes"] = np.array([1, 2], np.int32)


def _a_group_beside(entry: Any) -> None:
    entry.parent.create_group("livered").attrs["NX_class"] = np.bytes_("NXcollection")


@pytest.mark.parametrize("change", [_another_class, _no_second_axis, _an_array_as_attribute, _a_group_beside])
def test_the_double_refuses_what_mantid_refuses(
    load: Callable[..., Any], tmp_path: Path, double: Any, change: Callable[[Any], None]
) -> None:
    from mantid.simpleapi import LoadNexusProcessed

    load([bank("bank 1")])
    path = tmp_path / "NOM_4711_mantid.nxs"
    path.write_bytes(_with(path.read_bytes(), change))
    with pytest.raises(RuntimeError):
        LoadNexusProcessed(Filename=str(path), OutputWorkspace="changed")


def test_the_double_cuts_off_texts_of_the_padding_that_h5py_writes(
    load: Callable[..., Any], tmp_path: Path, double: Any
) -> None:
    from mantid.simpleapi import LoadNexusProcessed

    def change(entry: Any) -> None:
        del entry["title"]
        entry["title"] = np.array([b"diamond"])

    load([bank("bank 1")])
    path = tmp_path / "NOM_4711_mantid.nxs"
    path.write_bytes(_with(path.read_bytes(), change))
    title = LoadNexusProcessed(Filename=str(path), OutputWorkspace="changed").getTitle()
    assert title.rstrip("\0") == "diamon"


def test_without_logs_or_instrument_the_double_warns_as_mantid_does(
    load: Callable[..., Any], tmp_path: Path, double: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from mantid.simpleapi import LoadNexusProcessed

    load([bank("bank 1")])
    assert "Warning" not in capsys.readouterr().err
    path = tmp_path / "NOM_4711_mantid.nxs"
    whole = path.read_bytes()
    for group in ("sample", "logs", "instrument", "instrument/detector", "process"):
        path.write_bytes(_with(whole, lambda entry, group=group: entry.pop(group)))  # type: ignore[misc]
        LoadNexusProcessed(Filename=str(path), OutputWorkspace="changed")
        assert "Warning" in capsys.readouterr().err


def test_the_lines_of_the_documentation_load_it(
    load: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mantid.simpleapi import mtd

    load([bank("bank 1"), of(EDGES[:20], "K", "temperature", "V")])
    mtd.clear()
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"<!-- load with Mantid -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "publishing.md", "exec"), {})
    assert list(mtd["NOM_4711"].getNames()) == ["NOM_4711_bank_1", "NOM_4711_one"]
