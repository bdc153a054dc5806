from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from livered_core.model import Curve, Image, Result, RunInfo, Update
from livered_core.publish.nexus import ENTRY_FIELDS, nexus_bytes

h5py = pytest.importorskip("h5py", reason="NeXus files need h5py")

NOON = 1_795_348_800 * 1_000_000_000
VERSIONS = {"livered-core": "0.1.0", "publish_monitor": "2"}
NASTY = "../x\n\x00\u202e\ud800/" + "y" * 500
ITEM_NAME = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_.]*[a-zA-Z0-9_])?")


@contextmanager
def written(result: Result, run: RunInfo, update: Update) -> Iterator[Any]:
    with h5py.File(io.BytesIO(nexus_bytes(result, run, update, VERSIONS, NOON)), "r") as file:
        yield file


def default_plot(file: Any) -> Any:
    """Follow the default attributes as a NeXus reader does."""
    found = file
    while found.attrs["NX_class"] != "NXdata":
        found = found[found.attrs["default"]]
    return found


def text(dataset: Any) -> str:
    return str(dataset[()].decode())


def test_a_reader_finds_signal_axis_and_errors_by_the_attributes(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    curve = result.curves[0]
    with written(result, run, make_update()) as file:
        assert file.attrs["NX_class"] == "NXroot"
        assert file["entry"].attrs["NX_class"] == "NXentry"
        data = default_plot(file)
        assert data.name == "/entry/bank_2_31_deg"
        assert text(data["title"]) == "bank 2 - 31 deg"
        signal, axis = data.attrs["signal"], data.attrs["axes"][0]
        assert (signal, axis) == ("intensity", "d_spacing")
        assert data.attrs["d_spacing_indices"] == 0
        for name, values, unit in (
            (axis, (curve.x[:-1] + curve.x[1:]) / 2, "angstrom"),
            ("d_spacing_edges", curve.x, "angstrom"),
            (signal, curve.y, "counts/uC"),
            (f"{signal}_errors", curve.e, "counts/uC"),
        ):
            assert data[name].dtype == np.float64
            assert np.array_equal(data[name][()], values)
            assert data[name].attrs["units"] == unit
        assert data[signal].attrs["long_name"] == "intensity (counts/uC)"
        assert data["metadata/strongest_d"][()] == 2.0597
        assert data["metadata/strongest_d"].attrs["key"] == "strongest d"
        assert data["metadata/pixels"][()] == 23552


def test_every_curve_has_a_group(result: Result, run: RunInfo, make_update: Callable[..., Update]) -> None:
    with written(result, run, make_update()) as file:
        groups = [g for g in file["entry"].values() if g.attrs.get("NX_class") == "NXdata"]
        assert [text(group["title"]) for group in groups] == ["bank 2 - 31 deg", "S(Q)"]
        assert np.array_equal(file["entry/S_Q/x"][()], result.curves[1].x)
        assert "x_edges" not in file["entry/S_Q"]
        assert np.array_equal(file["entry/S_Q/y_errors"][()], result.curves[1].e)


def test_the_entry_says_what_the_curves_rest_on(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    with written(result, run, make_update(3, missing=("Chunk 3 was dropped.", "No start."))) as file:
        entry = file["entry"]
        assert text(entry["title"]) == "diamond"
        assert text(entry["entry_identifier"]) == "7"
        assert text(entry["experiment_identifier"]) == "IPTS-1"
        assert text(entry["start_time"]) == "2026-11-22T11:50:00Z"
        assert text(entry["end_time"]) == "2026-11-22T11:59:55Z"
        assert entry["proton_charge"][()] == 7.2e9
        assert entry["proton_charge"].attrs["units"] == "picocoulomb"
        assert text(entry["instrument/name"]) == "NOM"
        assert entry["sample"].attrs["NX_class"] == "NXsample"
        assert text(entry["sample/name"]) == "diamond"
        assert entry["sample/mass_g"].attrs["key"] == "mass (g)"
        state = entry["livered"]
        assert state["run_number"][()] == 7
        assert not state["complete"][()]
        assert state["final"][()]
        assert [reason.decode() for reason in state["missing"][()]] == ["Chunk 3 was dropped.", "No start."]
        assert state["n_events"][()] == 1234567
        assert state["dropped_chunks"][()] == 2
        assert (state["skipped_chunks"][()], state["skipped_events"][()]) == (4, 1600000)
        assert state["last_pulse_ns"][()] == NOON - 5_000_000_000
        assert text(state["versions/publish_monitor"]) == "2"
        assert text(state["metadata/strongest"]) == "bank 2"
        assert state["metadata/in_range"][()]
        assert file.attrs["file_time"] == "2026-11-22T12:00:00Z"
        assert file.attrs["creator"] == "livered 0.1.0"


def test_a_complete_result_misses_nothing(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    with written(result, run, make_update()) as file:
        assert file["entry/livered/complete"][()]
        assert file["entry/livered/missing"].shape == (0,)


def test_images_are_written_too(result: Result, run: RunInfo, make_update: Callable[..., Update]) -> None:
    image = Image(
        "bank 2 - 31 deg", [0.0, 1, 2], [0.0, 1, 2, 3], np.arange(6.0).reshape(3, 2), "m", "s", "counts"
    )
    with written(attrs.evolve(result, images=(image,)), run, make_update()) as file:
        data = file["entry/bank_2_31_deg_2"]
        assert list(data.attrs["axes"]) == ["y", "x"]
        assert np.array_equal(data[data.attrs["signal"]][()], image.z)
        assert np.array_equal(data["y_edges"][()], image.y)
        assert data["y"][()].tolist() == [0.5, 1.5, 2.5]
        assert data["x"][()].tolist() == [0.5, 1.5]
        assert data["y"].attrs["units"] == data["y_edges"].attrs["units"] == "s"


def test_any_text_is_stored_under_valid_names(make_update: Callable[..., Update]) -> None:
    notes = {NASTY: NASTY, NASTY + "!": 2**80, "number": 2**63 - 1, "": np.float32(1.5)}
    curves = [
        Curve(label, np.arange(3.0), np.ones(2), np.ones(2), NASTY, NASTY, NASTY, NASTY, notes)
        for label in (NASTY, NASTY + "!", "", *sorted(ENTRY_FIELDS))
    ]
    run = RunInfo(7, NASTY, NASTY, NASTY, 0, notes)
    with written(Result(7, NASTY, curves, (), notes), run, make_update(missing=(NASTY,))) as file:
        names: list[str] = []
        file.visit(lambda path: names.append(path.rpartition("/")[2]))
        assert all(ITEM_NAME.fullmatch(name) for name in names)
        groups = [g for g in file["entry"].values() if g.attrs.get("NX_class") == "NXdata"]
        assert len(groups) == len(curves)
        for group in groups:
            assert group[group.attrs["signal"]].shape == (2,)
            assert group[group.attrs["axes"][0]].shape == (2,)
            assert group[f"{group.attrs['axes'][0]}_edges"].shape == (3,)
        stored = {dataset[()] for dataset in file["entry/livered/metadata"].values()}
        assert str(2**80).encode() in stored
        assert 2**63 - 1 in stored


def test_every_axis_is_as_long_as_its_signal(
    result: Result, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    """What silx asks of NXdata, else it draws nothing: the manual would allow the edges of bins."""
    image = Image("i", [0.0, 1, 2], [0.0, 1, 2, 3], np.ones((3, 2)), "m", "s", "counts")
    with written(attrs.evolve(result, images=(image,)), run, make_update()) as file:
        groups = [g for g in file["entry"].values() if g.attrs.get("NX_class") == "NXdata"]
        assert len(groups) == 3
        for group in groups:
            shape = group[group.attrs["signal"]].shape
            assert tuple(group[axis].size for axis in group.attrs["axes"]) == shape


def test_silx_draws_every_group(
    result: Result, run: RunInfo, make_update: Callable[..., Update], tmp_path: Path
) -> None:
    nxdata = pytest.importorskip("silx.io.nxdata", reason="needs silx")
    path = tmp_path / "result.h5"
    path.write_bytes(nexus_bytes(result, run, make_update(), VERSIONS, NOON))
    with h5py.File(path) as file:
        default = nxdata.get_default(file)
        assert (default.title, default.errors.shape) == ("bank 2 - 31 deg", (50,))
        for group in file["entry"].values():
            if group.attrs.get("NX_class") == "NXdata":
                assert nxdata.NXdata(group).issues == []


@pytest.mark.parametrize(
    ("x_name", "y_name"),
    [
        ("y", "y"),
        ("title", "metadata"),
        ("y errors", "y"),
        ("", ""),
        ("Y", "y"),
        ("q", "q edges"),
        ("y errors", "y errors edges"),
        ("errors", "y"),
    ],
)
def test_quantities_never_collide(
    x_name: str, y_name: str, run: RunInfo, make_update: Callable[..., Update]
) -> None:
    curve = Curve("c", np.arange(3.0), np.ones(2), np.zeros(2), "a", "b", x_name, y_name, {"n": 1})
    with written(Result(7, "r", (curve,)), run, make_update()) as file:
        data = default_plot(file)
        signal, axis = data.attrs["signal"], data.attrs["axes"][0]
        fields = {signal, axis, f"{signal}_errors", f"{axis}_edges", "title", "metadata"}
        assert len(fields) == 6
        assert set(data) == fields
        assert "errors" not in fields
        assert np.array_equal(data[f"{axis}_edges"][()], curve.x)
        assert np.array_equal(data[signal][()], curve.y)
        assert np.array_equal(data[f"{signal}_errors"][()], curve.e)


def test_a_result_without_curves_is_still_a_file(run: RunInfo, make_update: Callable[..., Update]) -> None:
    with written(Result(7, "r", ()), run, make_update()) as file:
        assert "default" not in file["entry"].attrs
        assert file["entry/livered/n_events"][()] == 1234567
