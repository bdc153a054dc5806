"""The toy diffractometer with a setting: up to which d-spacing its curves go."""

import attrs
import numpy as np

from livered_core import Chunk, Curve, Result, RunInfo, hookimpl
from livered_core.geometry import difc, read_instrument

PANELS = ("panel at 60 deg", "panel at 150 deg")
D_MIN = 0.5  # Angstrom


@attrs.frozen
class ToySettings:
    """The table ``[plugins.toy]``."""

    d_max: float = attrs.field(
        default=2.5,
        validator=attrs.validators.gt(D_MIN),
        metadata={"help": "largest d-spacing of the curves", "unit": "Angstrom"},
    )


@attrs.define(eq=False)
class Toy:
    settings_class = ToySettings
    data_models = ("native",)

    settings: ToySettings

    @property
    def edges(self) -> np.ndarray:
        return np.linspace(D_MIN, self.settings.d_max, 1001)

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> np.ndarray:
        assert chunk.instrument is not None  # the stream says where its pixels are
        toy = read_instrument(chunk.instrument)
        known = chunk.events.pixel_id < len(toy.pixel_id)
        pixel, tof = chunk.events.pixel_id[known], chunk.events.tof_us[known]
        panel, d = toy.bank[pixel], tof / difc(toy)[pixel]
        return np.array([np.histogram(d[panel == i], self.edges)[0] for i in range(len(PANELS))])

    @hookimpl
    def post_process(self, accumulated: np.ndarray, run: RunInfo) -> Result:
        curves = []
        for label, counts in zip(PANELS, accumulated, strict=True):
            notes = {"counts": int(counts.sum()), "peak_d": round(float(self.edges[counts.argmax()]), 3)}
            e = np.sqrt(counts)  # Poisson
            curve = Curve(label, self.edges, counts, e, "Angstrom", "counts", "d-spacing", metadata=notes)
            curves.append(curve)
        return Result(run.number, run.title, curves)
