"""A powder diffractometer in the manner of POWGEN: all its pixels focused into one pattern over d-spacing."""

from pathlib import Path

import attrs

from livered_core import Chunk, Curve, Result, RunInfo, hookimpl
from livered_core import diffraction as diff
from livered_core.geometry import read_instrument
from livered_core.references import read_reduced

EDGES = diff.log_edges(0.4, 3.5, 3000)  # of the bins in d-spacing, Angstrom


@attrs.frozen
class PowderSettings:
    """The table ``[plugins.pdx]``."""

    calibration: Path | None = attrs.field(default=None, metadata={"help": "SaveDiffCal file of the pixels"})
    vanadium: Path | None = attrs.field(default=None, metadata={"help": "reduced vanadium to divide by"})


@attrs.define(eq=False)
class Powder:
    settings_class = PowderSettings
    data_models = ("native",)

    settings: PowderSettings
    tables: dict[str, diff.FocusTable] = attrs.field(factory=dict)  # by the definition's content

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> diff.FocusedHistogram:
        assert chunk.instrument is not None  # the stream says where its pixels are
        content = chunk.instrument.sha256
        if content not in self.tables:
            instrument, path = read_instrument(chunk.instrument), self.settings.calibration
            known = diff.read_calibration(path) if path else diff.calibration_from_geometry(instrument)
            self.tables = {content: diff.focus_table(known, diff.group_all(instrument), EDGES[None])}
        return diff.focus(chunk.events, self.tables[content])

    @hookimpl
    def post_process(self, accumulated: diff.FocusedHistogram, run: RunInfo) -> Result:
        counted = diff.normalise_by_charge(accumulated.counts, accumulated.proton_charge_pc)
        pattern = diff.Patterns(accumulated.edges, counted.y, counted.e, counted.unit)
        if self.settings.vanadium is not None:
            found = read_reduced(self.settings.vanadium)[0]
            raw = diff.Patterns(accumulated.edges, found.y[None], found.e[None], found.y_unit)
            vanadium = diff.prepare_vanadium(raw, None, diff.VanadiumOptions())
            pattern = pattern.divided_by(vanadium.smooth, "dimensionless").patterns
        notes = {"counts": accumulated.n_binned, "out of range": accumulated.n_out_of_range}
        notes |= {"masked": accumulated.n_masked, "unknown pixels": accumulated.n_unknown}
        y, e = pattern.y[0], pattern.e[0]
        curve = Curve("all", EDGES, y, e, "Angstrom", pattern.unit, "d-spacing", metadata=notes)
        return Result(run.number, run.title, [curve])
