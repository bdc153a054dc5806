"""The files for Mantid: what LoadNexusProcessed insists on. tests/with_mantid loads them."""

from __future__ import annotations

import io
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hooks_support import update
from livered_core.model import Curve, Result, RunInfo, Update
from livered_core.publish.files import FilesPlugin
from livered_core.publish.files_settings import FilesSettings
from livered_core.publish.mantid_file import group_curves, mantid_bytes
from livered_core.publish.mantid_logs import logs_of
from livered_core.publish.mantid_units import XUnit, is_distribution, x_unit, y_unit
from livered_core.publish.text import one_line
from livered_core.references import is_reduced, read_reduced

h5py = pytest.importorskip("h5py", reason="files for Mantid need h5py")

SECOND = 1_000_000_000
NOON = 1_795_348_800 * SECOND
NASTY = "../x\n\x00\u202e\ud800/<&\"'>" + "\N{ANGSTROM SIGN}" * 200
MakeUpdate = Callable[..., Update]

UNGUARDED = {
    "": "NXentry",
    "workspace": "NXdata",
    "workspace/axis1": "f8",
    "workspace/axis2": "text",
    "workspace/values": "f8",
    "workspace/errors": "f8",
    "instrument": "NXinstrument",
    "instrument/name": "text",
    "instrument/instrument_xml": "NXnote",
    "instrument/instrument_xml/data": "text",
    "instrument/detector": "NXdetector",
    "instrument/detector/spectra": "i4",
    "sample": "NXsample",
    "sample/material": "NXdata",
    "sample/material/number_density": "f8",
    "sample/material/temperature": "f8",
    "sample/material/pressure": "f8",
    "sample/num_other_samples": "i4",
    "sample/num_oriented_lattice": "i4",
    "logs": "NXgroup",
    "process": "NXprocess",
}
"""What Mantid opens without asking, or warns of when it is missing; what it must be there."""


@contextmanager
def written(result: Result, run: RunInfo, newest: Update) -> Iterator[Any]:
    data = mantid_bytes(result, run, newest, {"livered-core": "0.1.0"}, NOON)
    assert data is not None
    with h5py.File(io.BytesIO(data), "r") as file:
        yield file


def curve(label: str = "one", n: int = 4, **changed: Any) -> Curve:
    made = Curve(
        label,
        np.arange(n + 1.0),
        np.arange(float(n)),
        np.ones(n),
        "Angstrom",
        "counts",
        "d-spacing",
        "intensity",
    )
    return attrs.evolve(made, **changed)


def text(item: Any, name: str) -> str:
    found = item.attrs.get(name) if name in item.attrs else item[name][0]
    return str(found.decode())


def wrong_texts(file: Any) -> list[str]:
    """Names of texts and groups that are not as the NeXus library writes them."""
    wrong = []

    def look(path: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "NX_class" not in item.attrs:
            wrong.append(f"{path} has no class")
        given = [(f"{path}@{name}", h5py.h5a.open(item.id, name.encode()), ()) for name in item.attrs]
        if isinstance(item, h5py.Dataset):
            given.append((path, item.id, (1,)))
        for name, identifier, shape in given:
            kind = identifier.get_type()
            if kind.get_class() == h5py.h5t.STRING and (
                kind.is_variable_str()
                or kind.get_strpad() != h5py.h5t.STR_NULLTERM
                or identifier.get_space().shape != shape
                or (shape == () and kind.get_size() > 127)
            ):
                wrong.append(name)
            elif shape == () and identifier.get_space().shape != ():
                wrong.append(f"{name} is an array")

    file.visititems(look)
    return wrong


def test_everything_is_there_that_mantid_opens_without_asking(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    with written(result, run, make_update()) as file:
        assert list(file) == ["mantid_workspace_1", "mantid_workspace_2"]
        for entry in file.values():
            for path, wanted in UNGUARDED.items():
                item = entry[path] if path else entry
                if wanted.startswith("NX"):
                    assert text(item, "NX_class") == wanted, path
                elif wanted == "text":
                    assert item.dtype.kind == "S", path
                else:
                    assert item.dtype == np.dtype(wanted), path
                    assert item.size, path
            for path, version in (("instrument", 1), ("sample", 1), ("logs", 1), ("sample/material", 2)):
                assert entry[path].attrs["version"] == version
            assert text(entry["sample"], "name") == "diamond"
            assert text(entry["sample"], "shape_xml") == " "
            assert text(entry["sample/material"], "formulaStyle") == "empty"
            assert text(entry["instrument"], "name") == "NOM"
            assert len(entry["logs"]) > 1
            assert all(text(log, "NX_class") == "NXlog" and "value" in log for log in entry["logs"].values())
        assert wrong_texts(file) == []


def test_the_values_are_those_of_the_curves(result: Result, run: RunInfo, make_update: MakeUpdate) -> None:
    bank, points = result.curves
    with written(result, run, make_update()) as file:
        data = file["mantid_workspace_1/workspace"]
        assert data["values"][()].tolist() == [bank.y.tolist()]
        assert data["errors"][()].tolist() == [bank.e.tolist()]
        assert data["axis1"][()].tolist() == bank.x.tolist()
        assert (text(data["axis1"], "units"), text(data["axis1"], "distribution")) == ("dSpacing", "0")
        assert (text(data["values"], "units"), text(data["values"], "unit_label")) == (
            "counts/uC",
            "counts/uC",
        )
        assert (text(data, "axis2"), text(data["axis2"], "units")) == ("bank 2 - 31 deg", "TextAxis")
        assert text(file["mantid_workspace_1"], "title") == "diamond"
        assert text(file["mantid_workspace_1"], "workspace_name") == "NOM_7_bank_2_31_deg"
        assert text(file["mantid_workspace_1/process/MantidEnvironment"], "data") == "livered-core: 0.1.0"
        data = file["mantid_workspace_2/workspace"]
        assert data["axis1"][()].tolist() == points.x.tolist()
        assert text(data["axis1"], "units") == "MomentumTransfer"


def test_several_curves_share_a_workspace_where_their_axes_are_the_same() -> None:
    curves = [
        curve("a"),
        curve("points", x=np.arange(4.0)),
        curve("b", x=np.arange(5.0) * 2),
        curve("longer", n=5),
        curve("other unit", y_unit="counts/s"),
        curve("other quantity", x_name="wavelength"),
        curve("empty", x=[], y=[], e=[]),
    ]
    assert [[each.label for each in group] for group in group_curves(curves)] == [
        ["a", "b"],
        ["points"],
        ["longer"],
        ["other unit"],
        ["other quantity"],
    ]


def test_curves_of_one_workspace_have_one_axis_or_each_its_own(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    one = attrs.evolve(result, curves=(curve("a"), curve("b", y=np.ones(4))))
    with written(one, run, make_update()) as file:
        assert file["mantid_workspace_1/workspace/axis1"].shape == (5,)
        assert file["mantid_workspace_1/workspace/values"].shape == (2, 4)
        assert file["mantid_workspace_1/instrument/detector/spectra"][()].tolist() == [1, 2]
        assert text(file["mantid_workspace_1"], "workspace_name") == "NOM_7_d_spacing"
    other = attrs.evolve(result, curves=(curve("a"), curve("b", x=np.arange(5.0) * 2)))
    with written(other, run, make_update()) as file:
        assert file["mantid_workspace_1/workspace/axis1"][1].tolist() == [0, 2, 4, 6, 8]


def test_livered_reads_it_as_a_reduced_file(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    banks = tuple(curve(f"bank {n}", y=np.full(4, n), y_unit="counts/uAh") for n in range(1, 7))
    data = mantid_bytes(attrs.evolve(result, curves=(*banks, *result.curves)), run, make_update(), {}, NOON)
    assert data is not None
    path = tmp_path / "vanadium_mantid.nxs"
    path.write_bytes(data)
    assert is_reduced(path)
    read = read_reduced(path)
    assert [each.label for each in read] == ["1", "2", "3", "4", "5", "6"]
    for bank, again in zip(banks, read, strict=True):
        assert (again.x_unit, again.y_unit) == ("dSpacing", "counts/uAh")
        np.testing.assert_array_equal(again.x, bank.x)
        np.testing.assert_array_equal(again.y, bank.y)
        np.testing.assert_array_equal(again.e, bank.e)


@settings(max_examples=30)
@given(labels=st.lists(st.text(max_size=30), min_size=1, max_size=5, unique=True))
def test_each_label_is_a_line_of_its_own(labels: list[str]) -> None:
    data = mantid_bytes(
        Result(7, "r", tuple(map(curve, labels))), RunInfo(7, "NOM"), update(final=True), {}, NOON
    )
    assert data is not None
    with h5py.File(io.BytesIO(data), "r") as file:
        lines = text(file["mantid_workspace_1/workspace"], "axis2").split("\n")
    assert len(lines) == len(labels)
    assert all(line.strip() == line != "" for line in lines)


def test_any_text_can_be_written(make_update: MakeUpdate) -> None:
    notes = {
        NASTY: NASTY,
        NASTY + "!": 2**80,
        "whole": 2**63 - 1,
        "": np.float32(1.5),
        "yes": True,
        "nperiods": 2,
    }
    curves = [
        curve(NASTY, x_unit=NASTY, x_name=NASTY, y_unit=NASTY),
        curve(NASTY + "!", x_unit="K", x_name=NASTY, y_unit=NASTY),
        curve("", x_unit="dimensionless", x_name=""),
    ]
    run = RunInfo(
        7, NASTY, NASTY, NASTY, 0, {NASTY: NASTY, "name": NASTY, "proton_charge": "1", "nperiods": "3"}
    )
    with written(Result(7, NASTY, tuple(curves), (), notes), run, make_update(missing=(NASTY,))) as file:
        assert wrong_texts(file) == []
        xml = ET.fromstring(text(file["mantid_workspace_1/instrument/instrument_xml"], "data"))
        assert xml.get("name") == one_line(NASTY)
        assert text(file["mantid_workspace_1/workspace/axis1"], "caption") in one_line(NASTY)
        names = [text(entry, "workspace_name") for entry in file.values()]
        assert len(set(names)) == len(names) == 3
        logs = file["mantid_workspace_1/logs"]
        assert not {"proton_charge", "nperiods"} & set(logs)
        assert logs["result_whole/value"][()].tolist() == [2**63 - 1]
        assert logs["result_unnamed/value"][()].tolist() == [1.5]
        assert logs["result_yes/value"][()].tolist() == [1]


def test_nothing_known_is_said_of_nothing(make_update: MakeUpdate) -> None:
    newest = attrs.evolve(make_update(), first_pulse_ns=0, last_pulse_ns=0)
    run = RunInfo(7, "")
    logs = logs_of(Result(7, "r", (curve(),)), run, newest)
    assert not {"run_title", "start_time", "run_end", "duration", "livered_missing"} & set(logs)
    with written(Result(7, "a title", (curve(),)), run, newest) as file:
        assert text(file["mantid_workspace_1"], "title") == "a title"
        assert file["mantid_workspace_1/sample"].attrs["name_empty"] == 1
        assert wrong_texts(file) == []


def test_the_logs_say_what_the_curves_rest_on(result: Result, run: RunInfo, make_update: MakeUpdate) -> None:
    logs = logs_of(result, run, make_update(3, missing=("Chunk 3 was dropped.", "No start.")))
    assert logs["run_number"] == ("7", "")
    assert logs["gd_prtn_chrg"] == (2.0, "uA.hour")
    assert logs["total_counts"] == (1234567, "counts")
    assert logs["run_start"] == logs["start_time"] == ("2026-11-22T11:50:00.000000000", "")
    assert logs["run_end"] == logs["end_time"] == ("2026-11-22T11:59:55.000000000", "")
    assert logs["duration"] == (595.0, "second")
    assert (logs["livered_complete"], logs["livered_final"]) == ((0, ""), (1, ""))
    assert logs["livered_missing"] == ("Chunk 3 was dropped. No start.", "")
    assert (logs["livered_skipped_chunks"], logs["livered_skipped_events"]) == ((4, ""), (1600000, ""))
    assert logs["sample_mass_g"] == ("1.5", "")
    assert logs["result_strongest"] == ("bank 2", "")
    assert logs["result_in_range"] == (1, "")
    assert type(logs["result_in_range"][0]) is int


@pytest.mark.parametrize(
    ("unit", "name", "expected"),
    [
        ("Angstrom", "d-spacing", XUnit("dSpacing")),
        ("\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "D-spacing", XUnit("dSpacing")),
        ("Angstrom", "", XUnit("Label", "x", "Angstrom")),
        ("Angstrom^-1", "Q", XUnit("MomentumTransfer")),
        ("1/Angstrom", "wavenumber", XUnit("Label", "wavenumber", "1/Angstrom")),
        ("us", "", XUnit("TOF")),
        ("us", "delay", XUnit("Label", "delay", "us")),
        ("s", "time measured", XUnit("Label", "time measured", "s")),
        ("dimensionless", "pixel", XUnit("Label", "pixel", "")),
    ],
)
def test_a_unit_of_mantids_stands_only_for_what_surely_is_it(unit: str, name: str, expected: XUnit) -> None:
    assert x_unit(curve(x_unit=unit, x_name=name)) == expected


@pytest.mark.parametrize(
    ("unit", "in_mantid", "distribution"),
    [
        ("counts", "Counts", False),
        ("counts/uAh", "counts/uAh", False),
        ("dimensionless", "dimensionless", True),
        ("1/Angstrom^2", "1/Angstrom^2", True),
    ],
)
def test_counts_are_summed_and_ratios_are_not(unit: str, in_mantid: str, distribution: bool) -> None:
    assert y_unit(curve(y_unit=unit)) == in_mantid
    assert is_distribution(curve(y_unit=unit)) is distribution
    assert not is_distribution(curve(y_unit=unit, x=np.arange(4.0)))


def test_the_sink_writes_it_when_asked(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    asked = FilesSettings(directory=tmp_path, formats=("html", "mantid"))
    receipt = FilesPlugin(asked).post_publish(result, run, make_update())
    assert receipt is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["NOM_7.html", "NOM_7_mantid.nxs"]
    assert h5py.is_hdf5(tmp_path / "NOM_7_mantid.nxs")
    assert 'href="NOM_7_mantid.nxs"' in (tmp_path / "NOM_7.html").read_text()
    assert asked.could_write(tmp_path / "NOM_8_mantid.nxs", "NOM", tmp_path)
    assert not asked.could_write(tmp_path / "NOM_8_other.nxs", "NOM", tmp_path)


def test_without_a_curve_there_is_no_file(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    sink = FilesPlugin(FilesSettings(directory=tmp_path, formats=("mantid",)))
    sink.post_publish(result, run, make_update())
    assert len(list(tmp_path.iterdir())) == 1
    for curves in ((), (curve(x=[], y=[], e=[]),)):
        assert sink.post_publish(attrs.evolve(result, curves=curves), run, make_update()) is None
        assert list(tmp_path.iterdir()) == []


def test_without_h5py_the_other_files_are_written_and_that_is_said(
    tmp_path: Path, result: Result, run: RunInfo, make_update: MakeUpdate, monkeypatch, caplog
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    sink = FilesPlugin(FilesSettings(directory=tmp_path, formats=("text", "mantid")))
    assert sink.post_publish(result, run, make_update()) is not None
    assert "need h5py" in caplog.text
    assert {path.suffix for path in tmp_path.iterdir()} == {".dat"}
    [problem] = sink.check()
    assert "need h5py" in problem
