from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import h5py
import numpy as np
import pytest

from livered_core import BackendUnavailable, DataModelError, Instrument
from livered_core.diffraction import (
    Calibration,
    calibration_from_geometry,
    fit_calibration,
    read_calibration,
    write_calibration,
)

COLUMNS = ("detid", "difc", "difa", "tzero", "group", "use")


@pytest.fixture
def calibration() -> Calibration:
    return Calibration(
        detid=[0, 1, 2, 7],
        difc=[1000.0, 2000.0, 3000.5, 4000.0],
        difa=[0.0, -3.5, 0.25, 0.0],
        tzero=[0.0, -1.5, 2.25, 0.0],
        group=[1, 1, 2, 0],
        use=[True, True, True, False],
        instrument="NOMAD",
        source="made here",
    )


def test_what_is_written_is_read(tmp_path: Path, calibration: Calibration) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    read = read_calibration(path)
    for name in COLUMNS:
        ours, theirs = getattr(calibration, name), getattr(read, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert read.instrument == "NOMAD"
    assert read.source == str(path)
    assert read.n_use == 3
    assert [item.name for item in tmp_path.iterdir()] == ["calibration.h5"]


def test_the_layout_is_that_of_savediffcal(tmp_path: Path, calibration: Calibration) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    with h5py.File(path) as file:
        assert file["calibration"].attrs["NX_class"] == b"NXentry"
        assert file["calibration/instrument"].attrs["NX_class"] == b"NXinstrument"
        assert [file["calibration"][name].dtype.str for name in COLUMNS] == [
            "<i4",
            "<f8",
            "<f8",
            "<f8",
            "<i4",
            "<i4",
        ]


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_calibration(path, attrs.evolve(calibration, instrument="OTHER"))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_arrays_are_copied_and_read_only(calibration: Calibration) -> None:
    difc = np.array([1.0])
    made = Calibration([0], difc, [0.0], [0.0], [1], [True])
    difc[0] = 5.0
    assert made.difc[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        made.difc[0] = 2.0


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataModelError, match=r"There is no calibration file .*nowhere\.h5"):
        read_calibration(tmp_path / "nowhere.h5")
    with pytest.raises(DataModelError, match="There is no calibration file"):
        read_calibration(tmp_path)


def test_a_file_that_is_not_hdf5_is_said(tmp_path: Path) -> None:
    path = tmp_path / "calibration.h5"
    path.write_text("# detid difc\n")
    with pytest.raises(DataModelError, match="is not HDF5"):
        read_calibration(path)


def test_a_truncated_file_is_said(tmp_path: Path, calibration: Calibration) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataModelError, match=r"cannot be read|no dataset"):
        read_calibration(path)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_dataset_is_said(tmp_path: Path, calibration: Calibration, name: str) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    with h5py.File(path, "r+") as file:
        del file["calibration"][name]
    with pytest.raises(DataModelError, match=f"no dataset /calibration/{name}"):
        read_calibration(path)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_different_lengths_are_said(tmp_path: Path, calibration: Calibration, name: str) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    with h5py.File(path, "r+") as file:
        short = file["calibration"][name][:-1]
        del file["calibration"][name]
        file["calibration"][name] = short
    with pytest.raises(DataModelError, match=rf"different lengths .*{name}\[3\]"):
        read_calibration(path)


def test_text_instead_of_numbers_is_said(tmp_path: Path, calibration: Calibration) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    with h5py.File(path, "r+") as file:
        del file["calibration/difc"]
        file["calibration/difc"] = [b"a"] * 4
    with pytest.raises(DataModelError, match="no numbers in /calibration/difc"):
        read_calibration(path)


def test_a_pixel_that_stands_twice_is_said(tmp_path: Path, calibration: Calibration) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    with h5py.File(path, "r+") as file:
        file["calibration/detid"][...] = [0, 7, 2, 7]
    with pytest.raises(DataModelError, match=r"1 pixels more than once, the first is pixel 7"):
        read_calibration(path)


def test_a_file_without_a_name_fits_any_instrument(tmp_path: Path, calibration: Calibration) -> None:
    path = tmp_path / "calibration.h5"
    write_calibration(path, calibration)
    with h5py.File(path, "r+") as file:
        del file["calibration/instrument"]
    read = read_calibration(path)
    assert read.instrument == ""
    assert read.is_for("NOMAD")


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BackendUnavailable, match=r"livered-core\[native\]"):
        read_calibration(tmp_path / "calibration.h5")


@pytest.mark.parametrize(
    ("name", "fits"),
    [("NOMAD", True), ("nom", True), ("NOM", True), ("POWGEN", False), ("NOMENKLATUR", False)],
)
def test_names_fit_when_one_begins_with_the_other(calibration: Calibration, name: str, fits: bool) -> None:
    assert calibration.is_for(name) is fits


def test_what_does_not_fit_is_counted_and_said(
    calibration: Calibration, make_instrument: Callable[..., Instrument]
) -> None:
    broken = attrs.evolve(calibration, difc=[0.0, 2000.0, np.nan, -1.0])
    fit = fit_calibration(broken, make_instrument([0, 1, 2, 3, 4]))
    assert (fit.problem, fit.n_missing, fit.n_foreign, fit.n_unusable) == ("", 2, 1, 2)
    assert len(fit.sentences) == 3
    assert fit.sentences[0] == "2 pixels are missing from the calibration and are masked."
    assert fit_calibration(calibration, make_instrument([0, 1, 2, 7])).sentences == ()


def test_the_calibration_of_another_instrument_is_a_problem(
    calibration: Calibration, make_instrument: Callable[..., Instrument]
) -> None:
    assert "is for NOMAD and the data come from POWGEN" in (
        fit_calibration(calibration, make_instrument([0, 1], "POWGEN")).problem
    )
    assert "none of the 2 pixels" in fit_calibration(calibration, make_instrument([100, 101])).problem


def test_the_calibration_of_the_geometry(make_instrument: Callable[..., Instrument]) -> None:
    instrument = make_instrument([5, 6, 9])
    made = calibration_from_geometry(instrument)
    # 252.7784 us/(A m): DIFC = 2 (L1 + L2) sin(theta) m_n / h.
    expected = 252.7784 * 2 * (instrument.l1 + instrument.l2) * np.sin(instrument.two_theta / 2)
    np.testing.assert_allclose(made.difc, expected, rtol=1e-6)
    np.testing.assert_array_equal(made.detid, instrument.pixel_id)
    assert not made.difa.any()
    assert not made.tzero.any()
    assert made.use.all()
    assert fit_calibration(made, instrument).sentences == ()


def test_the_real_calibration(shared: Path) -> None:
    real = read_calibration(shared / "data/nomad/NOMAD_243451_2026-06-09_shifter.h5")
    assert real.instrument == "NOMAD"
    assert len(real.detid) == 101_376
    assert real.n_use == 32_368
    assert np.bincount(real.group[real.use]).tolist() == [0, 4694, 10882, 6007, 4574, 6210, 1]
    assert np.count_nonzero(real.difa) == 21_485
