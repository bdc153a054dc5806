"""The toy diffractometer: neutrons against d-spacing, one curve for each of its two panels."""

import numpy as np

from livered_core import Chunk, Curve, Result, RunInfo, hookimpl
from livered_core.geometry import difc, read_instrument

PANELS = ("panel at 60 deg", "panel at 150 deg")
EDGES = np.linspace(0.5, 2.5, 1001)  # of the bins in d-spacing, Angstrom


class Toy:
    data_models = ("native",)

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> np.ndarray:
        assert chunk.instrument is not None  # the stream says where its pixels are
        toy = read_instrument(chunk.instrument)
        known = chunk.events.pixel_id < len(toy.pixel_id)
        pixel, tof = chunk.events.pixel_id[known], chunk.events.tof_us[known]
        panel, d = toy.bank[pixel], tof / difc(toy)[pixel]
        return np.array([np.histogram(d[panel == i], EDGES)[0] for i in range(len(PANELS))])

    @hookimpl
    def post_process(self, accumulated: np.ndarray, run: RunInfo) -> Result:
        curves = []
        for label, counts in zip(PANELS, accumulated, strict=True):
            notes = {"counts": int(counts.sum()), "peak_d": round(float(EDGES[counts.argmax()]), 3)}
            e = np.sqrt(counts)  # Poisson
            curves.append(Curve(label, EDGES, counts, e, "Angstrom", "counts", "d-spacing", metadata=notes))
        return Result(run.number, run.title, curves)
