"""Small-angle scattering: I(Q) of the whole wavelength band and of parts of it, and the picture on the detector."""

from importlib.resources import files

import attrs
import numpy as np

from livered_core import Chunk, Curve, Image, InstrumentDefinition, Result, RunInfo, hookimpl
from livered_core.geometry import InstrumentCache, tof_from_wavelength, wavelength_from_tof

from .counts import SansCounts
from .pixels import X_EDGES, Y_EDGES, Pixels, look
from .settings import SansSettings

UNITS = ("1/Angstrom", "counts/(sr uC)")


@attrs.define(eq=False)
class Sans:
    """The plugin."""

    settings_class = SansSettings
    data_models = ("native",)

    settings: SansSettings
    _instruments: InstrumentCache = attrs.field(factory=InstrumentCache, init=False)
    _pixels: Pixels | None = attrs.field(default=None, init=False)
    _own: InstrumentDefinition = attrs.field(init=False)

    @_own.default
    def _read_own(self) -> InstrumentDefinition:
        xml = (files("livered_sans") / "eqsans.xml").read_text(encoding="utf-8")
        return InstrumentDefinition("EQSANS", xml)

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> SansCounts:
        """Sort a chunk's neutrons by wavelength and momentum transfer."""
        settings, pixels = self.settings, self._look(chunk)
        ids, events = pixels.instrument.pixel_id, chunk.events
        row = np.searchsorted(ids, events.pixel_id).clip(0, len(ids) - 1)
        known = ids[row] == events.pixel_id
        row, tof = row[known], events.tof_us[known]
        picture = np.bincount(pixels.cell[row], minlength=(len(Y_EDGES) - 1) * (len(X_EDGES) - 1))
        n_known, used = len(row), pixels.used[row]
        row, tof = row[used], tof[used]
        # The detector's clock begins again with each pulse, and the slowest neutrons come after the next one.
        path = pixels.path[row]
        since = np.mod(tof - tof_from_wavelength(settings.wavelength_min, path), settings.frame_us)
        wavelength = settings.wavelength_min + wavelength_from_tof(since, path)
        n_slices, n_q = pixels.exposure.shape
        slice_ = in_bins(wavelength, settings.slices)
        bin_ = in_bins(pixels.angle[row] / wavelength, settings.q_edges)
        inside = (slice_ >= 0) & (slice_ < n_slices) & (bin_ >= 0) & (bin_ < n_q)
        counts = np.bincount(slice_[inside] * n_q + bin_[inside], minlength=n_slices * n_q)
        return SansCounts(
            counts.reshape(n_slices, n_q),
            pixels.exposure * (chunk.proton_charge_pc * 1e-6),
            picture.reshape(len(Y_EDGES) - 1, -1),
            n_masked=n_known - len(row),
            n_beyond=len(row) - int(inside.sum()),
            n_unknown=events.n_events - n_known,
        )

    @hookimpl
    def post_process(self, accumulated: SansCounts, run: RunInfo) -> Result:
        """Divide neutrons by what has seen them."""
        n_slices, slices = len(accumulated.counts), self.settings.slices
        curves = [self._curve("whole band", accumulated, slice(0, n_slices))]
        each = n_slices // self.settings.bands
        for begin in range(0, n_slices, each) if self.settings.bands > 1 else ():
            low, high = slices[begin], slices[begin + each]
            curves.append(
                self._curve(f"{low:.2f} to {high:.2f} Angstrom", accumulated, slice(begin, begin + each))
            )
        picture = Image("detector", X_EDGES, Y_EDGES, accumulated.picture, "m", "m", "counts")
        names = ("n_masked", "n_beyond", "n_unknown")
        notes = {name.removeprefix("n_"): getattr(accumulated, name) for name in names}
        return Result(run.number, run.title, curves, [picture], metadata=notes)

    def _curve(self, label: str, accumulated: SansCounts, band: slice) -> Curve:
        counts, exposure = accumulated.counts[band].sum(axis=0), accumulated.exposure[band].sum(axis=0)
        seen = np.where(exposure > 0, exposure, np.inf)  # what nothing has seen is 0
        notes = {"counts": int(counts.sum())}
        y, e = counts / seen, np.sqrt(counts) / seen
        return Curve(label, self.settings.q_edges, y, e, *UNITS, "Q", "I(Q)", metadata=notes)

    def _look(self, chunk: Chunk) -> Pixels:
        """Return what the pixels see. The detector may have moved since the chunk before."""
        instrument = self._instruments.read(
            chunk.instrument or self._own, {**self.settings.logs, **chunk.logs}
        )
        if self._pixels is None or self._pixels.instrument is not instrument:
            self._pixels = look(instrument, self.settings)
        return self._pixels


def in_bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return in which bins of equal width values are; those below and above have no bin."""
    return np.floor((values - edges[0]) * ((len(edges) - 1) / (edges[-1] - edges[0]))).astype(np.int64)
