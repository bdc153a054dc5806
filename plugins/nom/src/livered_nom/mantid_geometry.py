"""Where the pixels of a Mantid workspace are.

Mantid's Python does not give out the text of an instrument definition, so that the places are taken from the
workspace itself, as Mantid has put them: what moves with logs has been moved.
"""

from __future__ import annotations

import math
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import DataModelError, GeometryError, Instrument

NO_DETECTOR: Final = -1
"""In place of a detector id, for a spectrum of a monitor or of nothing."""
_GLANCES: Final = 64
_Glance = tuple[Any, ...]


@attrs.frozen(eq=False)
class MantidGeometry:
    """The instrument of workspaces, and which spectrum belongs to which pixel.

    Attributes
    ----------
    instrument
        Where the pixels are. Monitors are left out, and all pixels are in one bank.
    detector_id
        int64[spectra], id of each spectrum's pixel, or `NO_DETECTOR`; in the order of the workspace.
    seen
        What was seen of the workspace at a glance.
    """

    instrument: Instrument
    detector_id: npt.NDArray[np.int64] = attrs.field(repr=False)
    seen: _Glance = attrs.field(repr=False)

    def is_of(self, workspace: Any) -> bool:
        """Tell, at a glance, whether a workspace has the same spectra and the same instrument at the same places.

        A few pixels and spectra spread over the instrument are compared: all of them would take as long as reading
        it.
        """
        return self.seen == _glance(workspace)


def read_geometry(workspace: Any) -> MantidGeometry:
    """Read where the pixels of a workspace are; takes about a second for 100,000 pixels.

    Parameters
    ----------
    workspace
        Mantid's, with one spectrum for each pixel; not modified, and not kept.

    Raises
    ------
    GeometryError
        When it has no instrument, no source or sample, or no pixel.
    DataModelError
        When a spectrum belongs to several pixels.
    """
    instrument = workspace.getInstrument()
    name = str(instrument.getName())
    source, sample = instrument.getSource(), instrument.getSample()
    found = [_spectrum(workspace, index) for index in range(int(workspace.getNumberHistograms()))]
    pixels = {spectrum.detector: spectrum.place for spectrum in found if spectrum.is_pixel}
    if source is None or sample is None or not pixels:
        message = (
            f"The workspace's instrument {name!r} has no source, sample or pixels: the stream or the file must "
            "bring an instrument definition."
        )
        raise GeometryError(message)
    ids = sorted(pixels)
    monitors = [spectrum for spectrum in found if spectrum.is_monitor]
    return MantidGeometry(
        instrument=Instrument(
            name=name,
            pixel_id=_frozen(np.array(ids, np.int32)),
            position=_frozen(np.array([pixels[each] for each in ids])),
            bank=_frozen(np.zeros(len(ids), np.int32)),
            bank_names=(name,),
            source_position=_frozen(np.array(_xyz(source.getPos()))),
            sample_position=_frozen(np.array(_xyz(sample.getPos()))),
            monitor_id=_frozen(np.array([each.detector for each in monitors], np.int32)),
            monitor_position=_frozen(np.array([each.place for each in monitors], np.float64).reshape(-1, 3)),
        ),
        detector_id=_frozen(
            np.array([each.detector if each.is_pixel else NO_DETECTOR for each in found], np.int64)
        ),
        seen=_glance(workspace),
    )


@attrs.frozen
class _Spectrum:
    """What belongs to a spectrum."""

    detector: int = NO_DETECTOR
    is_monitor: bool = False
    is_pixel: bool = False
    place: tuple[float, float, float] = (math.nan, math.nan, math.nan)


def _spectrum(workspace: Any, index: int) -> _Spectrum:
    ids = [int(detector) for detector in workspace.getSpectrum(index).getDetectorIDs()]
    if len(ids) > 1:
        message = (
            f"Spectrum {index} of Mantid's workspace belongs to {len(ids)} pixels: the calibration is by pixel, "
            "so the data must not be grouped before."
        )
        raise DataModelError(message)
    info = workspace.spectrumInfo()
    if not ids or not info.hasDetectors(index):
        return _Spectrum()
    is_monitor = bool(info.isMonitor(index))
    return _Spectrum(ids[0], is_monitor, not is_monitor, _xyz(info.position(index)))


def _glance(workspace: Any) -> _Glance:
    n_spectra = int(workspace.getNumberHistograms())
    return (
        str(workspace.getInstrument().getName()),
        n_spectra,
        tuple(_spectrum(workspace, index) for index in _spread(n_spectra)),
    )


def _spread(n: int) -> list[int]:
    """Return a few indices spread over ``range(n)``, the last one among them."""
    return sorted({math.floor(index) for index in np.linspace(0, n - 1, _GLANCES)}) if n else []


def _xyz(vector: Any) -> tuple[float, float, float]:
    return float(vector.X()), float(vector.Y()), float(vector.Z())


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
