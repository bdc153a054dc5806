"""A plugin that focuses into NOMAD's six banks and does nothing else, for the benchmarks of sessions."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np

from livered_core import Chunk, ConfigError, Curve, Result, RunInfo, SessionInfo, Update, hookimpl
from livered_core.diffraction import (
    FocusedHistogram,
    FocusPlan,
    Grouping,
    focus_all,
    focus_table,
    log_edges,
    plan_focusing,
    read_calibration,
    warm_up,
)

N_PIXELS = 101_376
BANKS_BEGIN = (0, 14336, 37888, 52224, 64512, 82944)
D_RANGES = ((0.30, 8.0), (0.15, 3.8), (0.10, 2.5), (0.10, 2.0), (0.10, 1.6), (0.50, 8.0))
N_BINS = 6000
THREADS = 2
"""As NOM's setting has it by default: what the other threads leave of the second processor is used, too."""


@attrs.frozen
class BanksSettings:
    """Where the calibration is."""

    calibration: Path | None = attrs.field(default=None, metadata={"help": "calibration file"})


@attrs.define(eq=False)
class Banks:
    """Events to d-spacing with the exact calibration, counted bank by bank."""

    settings_class = BanksSettings
    data_models = ("native",)

    settings: BanksSettings = attrs.field(factory=BanksSettings)
    _plan: FocusPlan = attrs.field(init=False, repr=False)

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        warm_up()
        pixel = np.arange(N_PIXELS)
        grouping = Grouping(pixel, np.searchsorted(BANKS_BEGIN, pixel, side="right") - 1)
        edges = np.stack([log_edges(low, high, N_BINS) for low, high in D_RANGES])
        if self.settings.calibration is None:
            raise ConfigError("The banks need a calibration: set it in [plugins.banks].")
        table = focus_table(read_calibration(self.settings.calibration), grouping, edges, 300.0, 16667.0)
        self._plan = plan_focusing([table])

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        """Say to who watches that a run begins."""

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> FocusedHistogram:
        (histogram,) = focus_all(chunk.events, self._plan, threads=THREADS).histograms
        return histogram

    @hookimpl
    def post_process(self, accumulated: FocusedHistogram, run: RunInfo, update: Update) -> Result:
        charge = max(accumulated.proton_charge_pc * 1e-6 / 3600, 1e-30)
        curves = [
            Curve(
                f"bank {bank + 1}",
                accumulated.edges[bank],
                counts / charge,
                np.sqrt(counts) / charge,
                "Angstrom",
                "counts/uAh",
                "d-spacing",
                "intensity",
            )
            for bank, counts in enumerate(accumulated.counts)
        ]
        account = ("n_events", "n_binned", "n_out_of_range", "n_masked", "n_unknown", "n_filtered")
        return Result(
            run.number, "banks", curves, metadata={name: getattr(accumulated, name) for name in account}
        )
