"""The diffractometer's calibration: which time of flight means which d-spacing, pixel by pixel."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.diffraction.columns import bool_column, float64_column, int32_column
from livered_core.errors import BackendUnavailable, DataModelError
from livered_core.geometry import difc as geometric_difc
from livered_core.model import Instrument

COLUMNS = ("detid", "difc", "difa", "tzero", "group", "use")
"""Names of the columns of a calibration file."""


@attrs.frozen(eq=False)
class Calibration:
    """TOF = DIFC d + DIFA d^2 + TZERO, for each pixel. Arrays are copied and made read-only.

    Attributes
    ----------
    detid
        int32[n], pixel ids, each once.
    difc
        float64[n], us/Angstrom.
    difa
        float64[n], us/Angstrom^2.
    tzero
        float64[n], us.
    group
        int32[n], the group that the calibration puts the pixel into; 0 for none.
    use
        bool[n], false for pixels to be left out.
    instrument
        Name of the instrument it was made for; empty when not known.
    source
        Where it came from, for people.

    Raises
    ------
    DataModelError
        When the columns differ in length, or a pixel stands there twice.
    """

    detid: npt.NDArray[np.int32] = attrs.field(converter=int32_column, repr=False)
    difc: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    difa: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    tzero: npt.NDArray[np.float64] = attrs.field(converter=float64_column, repr=False)
    group: npt.NDArray[np.int32] = attrs.field(converter=int32_column, repr=False)
    use: npt.NDArray[np.bool_] = attrs.field(converter=bool_column, repr=False)
    instrument: str = ""
    source: str = ""

    def __attrs_post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in COLUMNS}
        if any(shape != (len(self.detid),) for shape in shapes.values()):
            lengths = ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())
            message = f"Calibration {self.source} has columns of different lengths ({lengths}): make it anew."
            raise DataModelError(message)
        ids, times = np.unique(self.detid, return_counts=True)
        twice = ids[times > 1]
        if len(twice):
            message = (
                f"Calibration {self.source} has {len(twice)} pixels more than once, the first is pixel "
                f"{twice[0]}: make it anew."
            )
            raise DataModelError(message)

    @property
    def n_use(self) -> int:
        """Number of pixels in use."""
        return int(np.count_nonzero(self.use))

    def is_for(self, instrument: str) -> bool:
        """Tell whether it was made for an instrument of this name.

        Names fit when one begins with the other (NOM, NOMAD), whatever the case; an empty name fits any.
        """
        ours, theirs = self.instrument.strip().upper(), instrument.strip().upper()
        return ours.startswith(theirs) or theirs.startswith(ours)

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """bool[n], true where the pixel is in use and its numbers can be computed with."""
        finite = np.isfinite(self.difc) & np.isfinite(self.difa) & np.isfinite(self.tzero)
        usable: npt.NDArray[np.bool_] = self.use & finite & (self.difc > 0)
        return usable


@attrs.frozen
class CalibrationFit:
    """How well a calibration fits an instrument.

    Attributes
    ----------
    problem
        One sentence why the calibration cannot be used with this instrument; empty when it can.
    n_missing
        Pixels of the instrument that the calibration does not know; they are masked.
    n_foreign
        Pixels of the calibration that the instrument does not have; they are ignored.
    n_unusable
        Pixels in use whose numbers make no sense (DIFC not above 0, or not finite); they are masked.
    """

    problem: str
    n_missing: int
    n_foreign: int
    n_unusable: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person should know of it, one sentence each; empty when all is well."""
        said = (
            self.problem,
            self.n_missing and f"{self.n_missing} pixels are missing from the calibration and are masked.",
            self.n_foreign and f"{self.n_foreign} pixels of the calibration are not in the instrument.",
            self.n_unusable and f"{self.n_unusable} pixels in use have no usable DIFC and are masked.",
        )
        return tuple(sentence for sentence in said if sentence)


def fit_calibration(calibration: Calibration, instrument: Instrument) -> CalibrationFit:
    """Compare a calibration with the instrument that it is to be used for.

    Parameters
    ----------
    calibration, instrument
        What to compare; not modified. Names are compared as `Calibration.is_for` says.

    Returns
    -------
    CalibrationFit
        What differs, counted.
    """
    known = np.isin(instrument.pixel_id, calibration.detid)
    problem = ""
    if not calibration.is_for(instrument.name):
        problem = (
            f"Calibration {calibration.source} is for {calibration.instrument} and the data come from "
            f"{instrument.name}: give the calibration of this instrument."
        )
    elif not known.any():
        problem = (
            f"Calibration {calibration.source} has none of the {len(known)} pixels of {instrument.name}: "
            "give the calibration of this instrument."
        )
    return CalibrationFit(
        problem=problem,
        n_missing=int(np.count_nonzero(~known)),
        n_foreign=int(np.count_nonzero(~np.isin(calibration.detid, instrument.pixel_id))),
        n_unusable=int(np.count_nonzero(calibration.use & ~calibration.usable)),
    )


def calibration_from_geometry(instrument: Instrument) -> Calibration:
    """Make the calibration that follows from where the pixels are: DIFC, with DIFA = TZERO = 0.

    Parameters
    ----------
    instrument
        Where the pixels are; not modified.

    Returns
    -------
    Calibration
        Of all its pixels, each in use where its DIFC is above 0, and all in group 1.
    """
    difc = geometric_difc(instrument)
    zeros = np.zeros(len(difc))
    return Calibration(
        detid=instrument.pixel_id,
        difc=difc,
        difa=zeros,
        tzero=zeros,
        group=np.ones(len(difc), np.int32),
        use=np.isfinite(difc) & (difc > 0),
        instrument=instrument.name,
        source="DIFC from the geometry",
    )


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file as Mantid's SaveDiffCal writes it.

    Layout (HDF5): ``/calibration/{detid, difc, difa, tzero, group, use}``, one value for each pixel, in us and
    Angstrom, and ``/calibration/instrument/name``.

    Parameters
    ----------
    path
        The file; ``~`` is understood.

    Returns
    -------
    Calibration
        All pixels, those not in use included.

    Raises
    ------
    DataModelError
        When there is no such file, it cannot be read, it is not HDF5, or it is not such a calibration.
    BackendUnavailable
        Where h5py is not installed.

    References
    ----------
    Mantid, SaveDiffCal and LoadDiffCal (Framework/DataHandling).
    """
    path = path.expanduser()
    h5py = _h5py(path)
    if not path.is_file():
        message = f"There is no calibration file {path}: correct the path."
        raise DataModelError(message)
    if not os.access(path, os.R_OK):
        message = f"Calibration file {path} may not be read: correct its permissions."
        raise DataModelError(message)
    if not h5py.is_hdf5(path):
        message = f"Calibration file {path} is not HDF5: give a file written by Mantid's SaveDiffCal."
        raise DataModelError(message)
    try:
        with h5py.File(path, "r") as file:
            return _from_hdf5(file, h5py, path)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        message = f"Calibration file {path} cannot be read ({error}): make it anew with Mantid's SaveDiffCal."
        raise DataModelError(message) from error


def _from_hdf5(file: Any, h5py: Any, path: Path) -> Calibration:
    columns = {}
    for name in COLUMNS:
        dataset = file.get(f"calibration/{name}")
        if not isinstance(dataset, h5py.Dataset):
            message = (
                f"Calibration file {path} has no dataset /calibration/{name}: "
                "give a file written by Mantid's SaveDiffCal."
            )
            raise DataModelError(message)
        if dataset.dtype.kind not in "iuf":
            message = f"Calibration file {path} holds no numbers in /calibration/{name}: make it anew."
            raise DataModelError(message)
        columns[name] = dataset[()]
    name_dataset = file.get("calibration/instrument/name")
    instrument = ""
    if isinstance(name_dataset, h5py.Dataset) and name_dataset.size == 1:
        text = np.asarray(name_dataset[()]).reshape(-1)[0]
        instrument = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    columns["use"] = np.asarray(columns["use"]) != 0
    return Calibration(**columns, instrument=instrument, source=str(path))


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration file that `read_calibration` and Mantid's LoadDiffCal read.

    The file appears whole or not at all; one of the same name is replaced.

    Parameters
    ----------
    path
        The file; ``~`` is understood.
    calibration
        What to write; not modified.

    Raises
    ------
    OSError
        When the file cannot be written.
    BackendUnavailable
        Where h5py is not installed.
    """
    path = path.expanduser()
    h5py = _h5py(path)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with h5py.File(unfinished, "x") as file:
            root = file.create_group("calibration")
            root.attrs["NX_class"] = np.bytes_("NXentry")
            for column in COLUMNS:
                values = getattr(calibration, column)
                root.create_dataset(
                    column, data=values.astype(np.int32) if column == "use" else values, compression="gzip"
                )
            instrument = root.create_group("instrument")
            instrument.attrs["NX_class"] = np.bytes_("NXinstrument")
            instrument.create_dataset("name", data=np.array([calibration.instrument.encode()]))
            instrument.create_dataset("instrument_source", data=np.array([calibration.source.encode()]))
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        unfinished.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()


def _h5py(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        message = f"Calibration file {path} needs h5py: pip install 'livered-core[native]'."
        raise BackendUnavailable(message) from error
    return h5py
