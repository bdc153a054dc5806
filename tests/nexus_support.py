"""SNS event NeXus files as tests want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from livered_core.adara import BankedEvents, Packet, RawPacket, decode
from livered_core.recording import open_recording, packets_of
from livered_core.recording.nexus_times import iso_ns

OFFSET = "2020-03-01T07:00:00.000000500-05:00"
BEGIN = iso_ns(OFFSET)
Events = Sequence[Sequence[tuple[int, int]]]
"""Pixel and tick of each event of each pulse."""


def add_times(
    parent: h5py.Group, name: str, times_ns: Sequence[int], attribute: str = "offset"
) -> h5py.Dataset:
    """Write times as seconds since BEGIN."""
    times = parent.create_dataset(name, data=(np.array(times_ns, np.int64) - BEGIN) / 1e9)
    times.attrs["units"] = "second"
    times.attrs[attribute] = OFFSET
    return times


def add_bank(entry: h5py.Group, name: str, pulses: Events, times: h5py.Dataset | None) -> h5py.Group:
    group = entry.create_group(name)
    flat = [event for pulse in pulses for event in pulse]
    counts = [len(pulse) for pulse in pulses]
    group["event_index"] = np.cumsum([0, *counts])[:-1].astype("u8")
    tof = group.create_dataset("event_time_offset", data=np.array([tick / 10 for _, tick in flat], "f4"))
    tof.attrs["units"] = "microsecond"
    if not name.startswith("monitor"):
        group["event_id"] = np.array([pixel for pixel, _ in flat], "u4")
    if times is not None:
        group["event_time_zero"] = times
    return group


def add_log(
    entry: h5py.Group, name: str, times_ns: Sequence[int], values: Any, unit: str = "", **texts: Any
) -> h5py.Group:
    group = entry.require_group("DASlogs").create_group(name)
    group["value"] = values
    if unit:
        group["value"].attrs["units"] = unit
    add_times(group, "time", times_ns, "start")
    for key, text in texts.items():
        group[key] = np.array([text.encode()]) if isinstance(text, str) else text
    return group


def pulse_times(n: int, step_ns: int = 16_666_000) -> list[int]:
    return [BEGIN + i * step_ns for i in range(n)]


def write_nexus(
    path: Path,
    banks: Mapping[str, Events],
    charges: Sequence[float] | None = None,
    times_ns: Sequence[int] | None = None,
) -> list[int]:
    """Write a file of a run; all banks have the same pulses. Returns the times of these."""
    n = len(next(iter(banks.values())))
    times_ns = times_ns or pulse_times(n)
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        for name, text in (
            ("run_number", "1234"),
            ("title", "diamond & more"),
            ("experiment_identifier", "IPTS-77"),
            ("start_time", OFFSET),
            ("end_time", "2020-03-01T07:10:00-05:00"),
        ):
            entry[name] = np.array([text.encode()])
        times = add_times(entry, "DASlogs/frequency/time", times_ns)
        if charges is not None:
            entry["DASlogs/proton_charge/value"] = np.array(charges, "f8")
            entry["DASlogs/proton_charge/value"].attrs["units"] = "picoCoulombs"
            entry["DASlogs/proton_charge/time"] = times
        for name, pulses in banks.items():
            add_bank(entry, name, pulses, times)
    return list(times_ns)


def packets(path: Path) -> list[Packet]:
    """Read a file through the recording to packets; one that is damaged is an error."""
    # A packet's bytes are good until the next one is asked for.
    return [
        decode(RawPacket(raw.type, raw.version, raw.time_ns, bytes(raw.payload)))
        for raw in packets_of(open_recording(path))
        if isinstance(raw, RawPacket)
    ]


def of_type(packets: Sequence[Packet], *types: type) -> list[Any]:
    return [packet for packet in packets if isinstance(packet, types)]


def events_of(packet: BankedEvents) -> dict[int, list[tuple[int, int]]]:
    """The events of a pulse by bank; in order."""
    return {
        bank: list(
            zip(
                packet.pixel_id[packet.bank_offset[i] : packet.bank_offset[i + 1]].tolist(),
                packet.tof[packet.bank_offset[i] : packet.bank_offset[i + 1]].tolist(),
                strict=True,
            )
        )
        for i, bank in enumerate(packet.bank_id.tolist())
    }
