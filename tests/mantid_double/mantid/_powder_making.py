"""Workspaces with instruments, empty or of event files, and where their detectors are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np

from mantid._algorithms import Algorithm, output, register, value
from mantid.api._events import EventData, Events, joined
from mantid.api._instrument import InstrumentData, SpectrumInfo, Vector
from mantid.kernel import FloatTimeSeriesProperty

_EMPTY = 8.99e307


def _position(self: Any, index: int) -> Vector:
    """Return where the only detector of a spectrum is; part of mantid.api.SpectrumInfo."""
    instrument = self._data.instrument
    (detector,) = self._data.detectors_of(index).tolist()
    geometry = instrument.geometry
    if detector in instrument.place:
        return Vector(geometry.position[instrument.place[detector]])
    return Vector(geometry.monitor_position[geometry.monitor_id.tolist().index(detector)])


def _has_detectors(self: Any, index: int) -> bool:
    """Say whether a spectrum has detectors, monitors among them; part of mantid.api.SpectrumInfo."""
    instrument = self._data.instrument
    if instrument is None or not instrument.xml:
        return False
    monitors = instrument.geometry.monitor_id
    return any(int(each) in instrument.place or each in monitors for each in self._data.detectors_of(index))


SpectrumInfo.position = _position  # type: ignore[attr-defined]
SpectrumInfo.hasDetectors = _has_detectors  # type: ignore[method-assign]


@register
class LoadEmptyInstrument(Algorithm):
    """Make a workspace with a spectrum for each detector of an instrument, monitors included."""

    declared = (
        value("Filename", ""),
        value("InstrumentName", ""),
        output(kind="matrix"),
        value("DetectorValue", 1.0),
        value("MonitorValue", 2.0),
        value("MakeEventWorkspace", False),
    )

    def exec(self) -> None:
        path = Path(self["Filename"])
        if not path.is_file() or not self["MakeEventWorkspace"]:
            message = "the double makes EventWorkspaces of files that exist"
            raise RuntimeError(message)
        instrument = InstrumentData("", path.read_text(encoding="utf-8"))
        instrument.name = instrument.geometry.name
        geometry = instrument.geometry
        ids = np.sort(np.concatenate([geometry.monitor_id, geometry.pixel_id])).astype(np.int64)
        made = EventData(len(ids))
        made.detectors = ids
        made.x_unit, made.y_unit = "TOF", "Counts"
        made.instrument = instrument
        made.edges = np.array([0.0, 1.0])
        self["OutputWorkspace"] = made


@register
class LoadEventNexus(Algorithm):
    """Load the events of an SNS event file with livered's own reader; seconds count from the first pulse."""

    declared = (
        value("Filename", kind="str"),
        output(kind="matrix"),
        value("FilterByTofMin", _EMPTY),
        value("FilterByTofMax", _EMPTY),
        value("FilterByTimeStart", _EMPTY),
        value("FilterByTimeStop", _EMPTY),
        value("LoadMonitors", False),
        value("MetaDataOnly", False),
        value("LoadLogs", True),
    )

    def exec(self) -> None:
        from livered_core.errors import LiveredError
        from livered_core.references import read_run

        chunks: list[Any] = []
        try:
            read = read_run(Path(self["Filename"]), lambda chunk, _run: chunks.append(chunk))
        except LiveredError as error:
            raise RuntimeError(str(error)) from error
        definition = next((chunk.instrument for chunk in chunks if chunk.instrument is not None), None)
        if definition is None:
            message = "Unable to load instrument"
            raise RuntimeError(message)
        instrument = InstrumentData(definition.name, definition.xml)
        instrument.name = instrument.geometry.name
        pixels = instrument.geometry.pixel_id.astype(np.int64)
        made = EventData(len(pixels))
        made.detectors = pixels
        made.x_unit, made.y_unit = "TOF", "Counts"
        made.instrument = instrument
        charge = FloatTimeSeriesProperty("proton_charge", "picoCoulombs")
        parts = [self._events(chunk.data, pixels, charge) for chunk in chunks]
        made.run.set("run_number", str(read.run.number))
        made.run.properties["proton_charge"] = charge
        if not self["MetaDataOnly"]:
            made.events = self._filtered(joined(parts), int(min(charge._times)))
            made.set_single_bin()
        self["OutputWorkspace"] = made

    @staticmethod
    def _events(batch: Any, pixels: np.ndarray, charge: FloatTimeSeriesProperty) -> Events:
        for time_ns, value_pc in zip(
            batch.pulse_time_ns.tolist(), batch.proton_charge_pc.tolist(), strict=True
        ):
            charge.add_unix(time_ns, value_pc)
        pulse = np.repeat(batch.pulse_time_ns, np.diff(batch.event_offset))
        place = np.searchsorted(pixels, batch.pixel_id)
        known = (place < len(pixels)) & (pixels[np.minimum(place, len(pixels) - 1)] == batch.pixel_id)
        return Events(place[known].astype(np.int64), batch.tof[known] / 10.0, pulse[known])

    def _filtered(self, events: Events, first_ns: int) -> Events:
        start, stop = self["FilterByTimeStart"], self["FilterByTimeStop"]
        since_s = (events.pulse_ns - first_ns) * 1e-9
        keep = np.ones(len(events), bool)
        if start != _EMPTY:
            keep &= since_s >= start
        if stop != _EMPTY:
            keep &= since_s < stop
        return attrs.evolve(events.take(keep))
