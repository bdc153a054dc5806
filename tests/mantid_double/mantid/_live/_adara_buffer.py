"""What the SNS listener has gathered since the last chunk."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from livered_core.adara import ERROR_PIXELS_BANK, BankedEvents, BeamMonitorEvents
from mantid.api._events import EventData, Events
from mantid.api._instrument import InstrumentData
from mantid.api._run import RunData
from mantid.kernel import FloatTimeSeriesProperty, Int32TimeSeriesProperty, Logger

_log = Logger("SNSLiveEventDataListener")


@functools.lru_cache(maxsize=4)
def instrument_of(name: str, xml: str, logs: tuple[tuple[str, float], ...]) -> InstrumentData:
    """Read an instrument definition, once for each set of logs that move it."""
    made = InstrumentData(name, xml, dict(logs))
    _ = made.geometry
    return made


class Buffer:
    """Events and logs; `instrument` is None until the stream has described it."""

    def __init__(self) -> None:
        self.instrument: InstrumentData | None = None
        self.run = RunData()
        for series in (Int32TimeSeriesProperty("pause"), Int32TimeSeriesProperty("scan_index")):
            self.run.properties[series.name] = series
        charge = FloatTimeSeriesProperty("proton_charge", "picoCoulomb")
        self.run.properties["proton_charge"] = charge
        self._pixels = np.zeros(0, np.int64)
        self._place = np.zeros(0, np.int64)
        self._monitor_ids: list[int] = []
        self._parts: list[tuple[np.ndarray, np.ndarray, int]] = []
        self._monitor_parts: list[tuple[int, np.ndarray, int]] = []
        self._monitor_logs: list[str] = []

    def describe(self, instrument: InstrumentData) -> None:
        geometry = instrument.geometry
        self.instrument = instrument
        self._pixels = geometry.pixel_id.astype(np.int64)
        self._place = np.full(int(self._pixels.max()) + 2, -1, np.int64)
        self._place[self._pixels] = np.arange(len(self._pixels))
        self._monitor_ids = [int(each) for each in geometry.monitor_id]

    def add_pulse(self, packet: BankedEvents) -> None:
        """Take the charge of a pulse and its events, but for those of error pixels and unmapped ones."""
        self.run.series("proton_charge").add_unix(packet.time_ns, float(packet.proton_charge_pc))
        counts = np.diff(packet.bank_offset)
        # What the parser adds where frame skew is not corrected is whether there is an offset: 0 or 1 tick.
        extra = np.where(packet.tof_corrected, 0, packet.tof_offset != 0).astype(np.uint32)
        tof = packet.tof + np.repeat(np.repeat(extra, packet.n_banks), counts)
        pixel = packet.pixel_id.astype(np.int64)
        special = packet.bank_id >= ERROR_PIXELS_BANK
        if special.any():
            keep = np.repeat(~special, counts)
            pixel, tof = pixel[keep], tof[keep]
        place = self._place[np.minimum(pixel, len(self._place) - 1)]
        unknown = place < 0
        if unknown.any():
            for wrong, ticks in zip(pixel[unknown].tolist(), tof[unknown].tolist(), strict=True):
                _log.warning(f"Invalid pixel ID: {wrong} (TofF: {ticks / 10.0:g} microseconds)")
            place, tof = place[~unknown], tof[~unknown]
        if len(place):
            self._parts.append((place, tof / 10.0, packet.time_ns))

    def add_monitors(self, packet: BeamMonitorEvents) -> None:
        for i, number in enumerate(packet.monitor_id.tolist()):
            if number > 5:
                _log.error(
                    f"Mantid cannot handle monitor ID's higher than 5.  If {number} is actually valid, ..."
                )
                continue
            tof = packet.tof[packet.event_offset[i] : packet.event_offset[i + 1]]
            name = f"monitor{number}_counts"
            if name not in self.run.properties:
                self._monitor_logs.append(name)
            before = self.run.properties[name].value if name in self.run.properties else 0
            self.run.set(name, before + len(tof))
            if -number in self._monitor_ids:
                self._monitor_parts.append((self._monitor_ids.index(-number), tof / 10.0, packet.time_ns))
            else:
                _log.error(f"Event from unknown monitor ID ({number}) seen.")

    def take(self) -> EventData:
        """Give out what there is, and go on with the logs' last values only."""
        assert self.instrument is not None
        data = EventData(len(self._pixels), _joined(self._parts))
        data.detectors = self._pixels
        data.x_unit, data.y_unit = "TOF", "Counts"
        data.instrument = self.instrument
        data.run = self.run
        monitors = EventData(len(self._monitor_ids), _joined(self._monitor_parts))
        monitors.described_as(data)
        monitors.detectors = np.array(self._monitor_ids, np.int64)
        data.monitors = monitors
        self._parts, self._monitor_parts = [], []
        self.run = self.run.clone()
        for each in self.run.properties.values():
            keep_last: Any = getattr(each, "keep_last", None)
            if keep_last is not None:
                keep_last()
        for name in self._monitor_logs:
            del self.run.properties[name]
        self._monitor_logs = []
        return data


def _joined(parts: list[Any]) -> Events:
    if not parts:
        return Events(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    lengths = [len(tof) for _, tof, _ in parts]
    place = [
        p if isinstance(p, np.ndarray) else np.full(n, p) for (p, _, _), n in zip(parts, lengths, strict=True)
    ]
    pulse = np.repeat(np.array([pulse for _, _, pulse in parts], np.int64), lengths)
    return Events(np.concatenate(place), np.concatenate([tof for _, tof, _ in parts]), pulse)
