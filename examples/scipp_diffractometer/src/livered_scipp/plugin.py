"""Reduction with scipp: events become arrays of scipp, these are added up, and curves are made of the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from livered_core import Chunk, Curve, InstrumentDefinition, Result, RunInfo, Update, hookimpl
from livered_core.geometry import difc, read_instrument

if TYPE_CHECKING:  # it takes time to import: hooks do that when they are called
    import scipp as sc

PANELS = ("panel at 60 deg", "panel at 150 deg")


@attrs.define(eq=False)
class Sci:
    data_models = ("native",)

    _of: InstrumentDefinition | None = attrs.field(default=None, init=False)
    _pixels: dict[str, Any] = attrs.field(factory=dict, init=False)

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> sc.DataGroup:
        """Make a histogram over panel and d-spacing, and count what is not in it."""
        import scipp as sc

        pixels = self._look(chunk)
        events = chunk.events.to_scipp()
        events.variances = events.values  # Poisson
        by_pixel = events.group(pixels["pixel_id"]).assign_coords(panel=pixels["panel"], difc=pixels["difc"])
        by_pixel = by_pixel.transform_coords("d_spacing", graph={"d_spacing": lambda tof, difc: tof / difc})
        edges = sc.linspace("d_spacing", 0.5, 2.5, 1001, unit="angstrom")
        counts = by_pixel.groupby("panel").concat("pixel_id").hist(d_spacing=edges)
        known = by_pixel.bins.size().sum().value
        return sc.DataGroup(
            counts=counts,
            unknown=sc.scalar(chunk.n_events - known),
            out_of_range=sc.scalar(known - round(counts.sum().value)),
        )

    @hookimpl
    def post_process(self, accumulated: sc.DataGroup, run: RunInfo, update: Update) -> Result:
        """Divide by the proton charge. The sum of what `process_chunk` made is accumulated: ``+`` does that."""
        import scipp as sc

        charge = sc.scalar(update.proton_charge_pc, unit="pC").to(unit="uA*hour")
        curves = []
        for i, label in enumerate(PANELS):
            counts = accumulated["counts"]["panel", i]
            notes = {"counts": round(counts.sum().value)}
            intensity = counts / charge if charge.value > 0 else counts
            curves.append(Curve.from_scipp(intensity, label, x_name="d-spacing", metadata=notes))
        left_out = {name.replace("_", " "): accumulated[name].value for name in ("unknown", "out_of_range")}
        return Result(run.number, run.title, curves, metadata=left_out)

    def _look(self, chunk: Chunk) -> dict[str, Any]:
        """Return id, panel and DIFC of the pixels; read again when the stream brings another definition."""
        import scipp as sc

        assert chunk.instrument is not None  # the stream says where its pixels are
        if chunk.instrument != self._of:
            sci, dims = read_instrument(chunk.instrument), ["pixel_id"]
            self._pixels = {
                "pixel_id": sc.array(dims=dims, values=sci.pixel_id.astype("int64"), unit=None),
                "panel": sc.array(dims=dims, values=sci.bank.astype("int64"), unit=None),
                "difc": sc.array(dims=dims, values=difc(sci), unit="us/angstrom"),
            }
            self._of = chunk.instrument
        return self._pixels
