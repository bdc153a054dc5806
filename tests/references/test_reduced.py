from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from hooks_support import run_info, update
from livered_core import Curve, DataModelError, Image, Result
from livered_core.publish.nexus import nexus_bytes
from livered_core.references import is_reduced, read_reduced

EDGES = np.array([1.0, 2.0, 4.0])


def own_file(path: Path) -> Path:
    curves = [
        Curve(
            "bank 2 - 31 deg",
            EDGES,
            [5.0, 7.0],
            [0.5, 0.7],
            "Angstrom",
            "counts/uAh",
            "d-spacing",
            "intensity",
        ),
        Curve("G(r)", [1.0, 2.0], [3.0, 4.0], [0.1, 0.1], "Angstrom", "1/Angstrom^2"),
    ]
    image = Image("view", EDGES, EDGES, np.ones((2, 2)), "Angstrom", "deg", "counts")
    result = Result(7, "Vanadium", curves, [image])
    path.write_bytes(nexus_bytes(result, run_info(), update(), {}, 0))
    return path


def mantid_file(path: Path, axis: object = EDGES) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("mantid_workspace_1/workspace")
        group["values"] = [[1.0, 2.0], [3.0, 4.0]]
        group["errors"] = [[0.1, 0.2], [0.3, 0.4]]
        group["axis1"] = axis
        group["axis1"].attrs["units"] = "dSpacing"
    return path


def test_what_livered_wrote_is_read(tmp_path: Path) -> None:
    path = own_file(tmp_path / "NOM_7.nxs")
    assert is_reduced(path)
    curves = {curve.label: curve for curve in read_reduced(path)}
    bank = curves["bank 2 - 31 deg"]
    assert (bank.x.tolist(), bank.y.tolist(), bank.e.tolist()) == (EDGES.tolist(), [5.0, 7.0], [0.5, 0.7])
    assert (bank.x_unit, bank.y_unit) == ("Angstrom", "counts/uAh")
    assert curves["G(r)"].x.tolist() == [1.0, 2.0]


def test_files_with_the_edges_as_their_axis_are_read(tmp_path: Path) -> None:
    path = own_file(tmp_path / "old.h5")
    with h5py.File(path, "a") as file:
        group = file["entry/bank_2_31_deg"]
        del group["d_spacing"]
        group.move("d_spacing_edges", "d_spacing")
    curves = {curve.label: curve for curve in read_reduced(path)}
    assert curves["bank 2 - 31 deg"].x.tolist() == EDGES.tolist()


@pytest.mark.parametrize("axis", [EDGES, np.stack([EDGES, 2 * EDGES])])
def test_what_mantid_wrote_is_read(tmp_path: Path, axis: np.ndarray) -> None:
    path = mantid_file(tmp_path / "van.nxs", axis)
    assert is_reduced(path)
    first, second = read_reduced(path)
    assert (first.label, first.x.tolist(), first.y.tolist(), first.e.tolist()) == (
        "1",
        EDGES.tolist(),
        [1.0, 2.0],
        [0.1, 0.2],
    )
    assert second.x.tolist() == np.atleast_2d(axis)[-1].tolist()
    assert second.x_unit == "dSpacing"


def test_other_files_are_not_reduced(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no HDF5")
    events = tmp_path / "events.nxs"
    with h5py.File(events, "w") as file:
        file.create_group("entry/bank1_events").attrs["NX_class"] = "NXevent_data"
    for path in (text, events, tmp_path, tmp_path / "nothing"):
        assert not is_reduced(path)
    with pytest.raises(DataModelError, match="no reduced curves"):
        read_reduced(events)
    for path in (text, tmp_path / "nothing"):
        with pytest.raises(DataModelError, match="cannot be read"):
            read_reduced(path)


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    target = mantid_file(tmp_path / "target.nxs")
    path = tmp_path / "links.nxs"
    with h5py.File(path, "w") as file:
        file["mantid_workspace_1"] = h5py.ExternalLink(str(target), "/mantid_workspace_1")
    assert not is_reduced(path)
    with h5py.File(path, "w") as file:
        group = file.create_group("mantid_workspace_1/workspace")
        group["values"] = h5py.ExternalLink(str(target), "/mantid_workspace_1/workspace/values")
        group["errors"], group["axis1"] = [[1.0]], [1.0, 2.0]
    with pytest.raises(DataModelError, match="no values, errors and axis1"):
        read_reduced(path)


def test_numbers_that_do_not_fit_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataModelError, match="do not fit together"):
        read_reduced(mantid_file(tmp_path / "van.nxs", np.arange(7.0)))
    with pytest.raises(DataModelError, match="holds no numbers"):
        read_reduced(mantid_file(tmp_path / "van2.nxs", np.array([b"a", b"b"])))
