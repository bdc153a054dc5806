"""An instrument: the definition as the stream carries it, and what geometry makes of it."""

from __future__ import annotations

import hashlib

import attrs
import numpy as np
import numpy.typing as npt


@attrs.frozen
class InstrumentDefinition:
    """An instrument definition as it came: the handle that a chunk carries.

    Reading it takes time, so nobody reads it before it is wanted: `livered_core.geometry.read_instrument`
    turns it into an `Instrument`. Two definitions are the same when their text is the same.

    Attributes
    ----------
    name
        The instrument's name as the source gives it.
    xml
        Text of Mantid's instrument definition format: from outside, not to be trusted.
    """

    name: str
    xml: str = attrs.field(repr=lambda xml: f"<{len(xml)} characters>")

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the text: the key under which things derived from it may be kept."""
        return hashlib.sha256(self.xml.encode(errors="surrogatepass")).hexdigest()


@attrs.frozen(eq=False)
class Instrument:
    """Where the detector pixels are. All arrays are read-only and ordered by `pixel_id`.

    The beam runs along +z, y points up, and the sample is at `sample_position`.

    Attributes
    ----------
    name
        Name given in the definition.
    pixel_id
        int32[n], ascending and unique; monitors are not among them.
    position
        float64[n, 3], metres: x, y, z.
    bank
        int32[n], index into `bank_names`.
    bank_names
        Name of the innermost named component that holds the pixel's tube or panel.
    source_position, sample_position
        float64[3], metres.
    monitor_id
        int32[m], ids of the monitors, in the order of the definition.
    monitor_position
        float64[m, 3], metres.
    """

    name: str
    pixel_id: npt.NDArray[np.int32]
    position: npt.NDArray[np.float64]
    bank: npt.NDArray[np.int32]
    bank_names: tuple[str, ...]
    source_position: npt.NDArray[np.float64]
    sample_position: npt.NDArray[np.float64]
    monitor_id: npt.NDArray[np.int32]
    monitor_position: npt.NDArray[np.float64]

    @property
    def l1(self) -> float:
        """Distance from source to sample, metres."""
        return float(np.linalg.norm(self.sample_position - self.source_position))

    @property
    def l2(self) -> npt.NDArray[np.float64]:
        """float64[n], distance from sample to pixel, metres. Computed at each access."""
        distance: npt.NDArray[np.float64] = np.linalg.norm(self.position - self.sample_position, axis=1)
        return distance

    @property
    def two_theta(self) -> npt.NDArray[np.float64]:
        """float64[n], scattering angle in radians. Computed at each access."""
        beam = self.sample_position - self.source_position
        scattered = self.position - self.sample_position
        cosine = (scattered @ beam) / (np.linalg.norm(beam) * np.linalg.norm(scattered, axis=1))
        angle: npt.NDArray[np.float64] = np.arccos(np.clip(cosine, -1.0, 1.0))
        return angle
