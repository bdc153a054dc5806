"""The toy diffractometer: neutrons against d-spacing, one curve for each of its two panels."""

import numpy as np

from livered_core import Chunk, Curve, Result, RunInfo, hookimpl
from livered_core.geometry import difc, read_instrument

PANELS = ("panel at 60 deg", "panel at 150 deg")
EDGES = np.linspace(0.5, 2.5, 1001)  # of the bins in d-spacing, Angstrom


class Toy:
    @hookimpl
    def process_chunk(self, chunk: Chunk) -> np.ndarray:
        toy = read_instrument(chunk.instrument)
        pixel, tof = chunk.events.pixel_id, chunk.events.tof * 0.1  # ticks of 100 ns become us
        panel, d = toy.bank[pixel], tof / difc(toy)[pixel]
        return np.array([np.histogram(d[panel == i], EDGES)[0] for i in range(len(PANELS))])

    @hookimpl
    def post_process(self, accumulated: np.ndarray, run: RunInfo) -> Result:
        curves = [
            Curve(label, EDGES, counts, np.sqrt(counts), x_unit="Angstrom", y_unit="counts")
            for label, counts in zip(PANELS, accumulated, strict=True)
        ]
        return Result(run.number, run.title, curves)
