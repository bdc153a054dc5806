"""Runs as the packets that a stream management server sends, and what may happen to them on their way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import (
    BankedEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    Geometry,
    Packet,
    PixelMappingAlt,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    run_info_xml,
)
from livered_core.model import (
    Chunk,
    EventBatch,
    InstrumentDefinition,
    MonitorEvents,
    PixelMap,
    RunInfo,
)
from livered_core.testing.stream_logs import log_packets

_SOURCE_ID: Final = 1
_INTRAPULSE_TICKS: Final = 166_667
_CHARGE_UNIT_PC: Final = 10
_ONLY_BANK: Final = 1
_CYCLES: Final = 600


def run_packets(
    run: RunInfo,
    data: EventBatch | Chunk | Iterable[EventBatch | Chunk],
    instrument: InstrumentDefinition | None = None,
    *,
    end: bool = True,
) -> list[Packet]:
    """Write a run as a server sends it to a client that has come at its start.

    Parameters
    ----------
    run
        The run. A start that is 0 becomes the time of the first pulse; the stream says it in whole seconds.
    data
        The events, in the order of their pulses. Chunks bring their slow logs, monitors and pixel map as well; what
        they count as left out is not made up again.
    instrument
        The definition to send; that of the first chunk when None, and none where that has none.
    end
        Whether the run ends with its last pulse.

    Returns
    -------
    list of Packet
        Status of the run, definition, description, pixel map, and one packet of events for each pulse. Without a
        pixel map all pixels are in bank 1; with one, the events of a pulse are ordered by bank, and those of pixels
        that are not in it are unmapped. Proton charges are rounded to 10 pC, the unit of the stream.

    Raises
    ------
    DataModelError
        From `livered_core.adara.encode`, when something does not fit into a packet.
    TypeError
        For chunks of the mantid model, which have no events that could be sent.
    """
    parts = [data] if isinstance(data, EventBatch | Chunk) else list(data)
    chunks = [part for part in parts if isinstance(part, Chunk)]
    batches = [part.events if isinstance(part, Chunk) else part for part in parts]
    times = np.concatenate([np.zeros(0, np.int64), *(batch.pulse_time_ns for batch in batches)])
    first, last = (int(times[0]), int(times[-1])) if len(times) else (run.start_ns, run.start_ns)
    run = attrs.evolve(run, start_ns=run.start_ns or first)
    if instrument is None and chunks:
        instrument = chunks[0].instrument
    pixel_map = next((chunk.pixel_map for chunk in chunks if chunk.pixel_map is not None), None)
    packets = list(_prologue(run, first, instrument, pixel_map))
    packets += _in_order(
        first,
        log_packets([chunk.logs for chunk in chunks], first),
        [packet for batch in batches for packet in _pulses(batch, pixel_map)],
        [packet for chunk in chunks for packet in _monitors(chunk)],
    )
    if end:
        packets.append(_status(run, last, RunStatusCode.END_RUN))
    return packets


def _status(run: RunInfo, time_ns: int, code: RunStatusCode) -> RunStatus:
    return RunStatus(time_ns=time_ns, run_number=run.number, run_start_ns=run.start_ns, status=code)


def _prologue(
    run: RunInfo, time_ns: int, instrument: InstrumentDefinition | None, pixel_map: PixelMap | None
) -> Iterator[Packet]:
    yield _status(run, time_ns, RunStatusCode.NEW_RUN)
    if instrument is not None:
        yield Geometry(time_ns=time_ns, xml=instrument.xml)
    name = run.instrument
    yield BeamlineInfo(time_ns=time_ns, beamline_id="BL-0", short_name=name, long_name=name)
    details = RunDetails(
        run_number=run.number,
        proposal_id=run.proposal,
        title=run.title,
        instrument=name,
        sample=run.sample,
    )
    yield RunInfoPacket(time_ns=time_ns, xml=run_info_xml(details))
    if pixel_map is not None:
        yield PixelMappingAlt(
            time_ns=time_ns,
            physical_id=pixel_map.pixel_id,
            logical_id=pixel_map.pixel_id,
            bank_id=pixel_map.bank_id,
            n_banks=int(pixel_map.bank_id.max(initial=0)),
        )


def _in_order(first_ns: int, *rows: Sequence[Packet]) -> list[Packet]:
    """Merge rows of packets by their times, those before the first pulse as of it; else in the order of the rows."""
    merged = [packet for row in rows for packet in row]
    return sorted(merged, key=lambda packet: max(packet.time_ns, first_ns))


def _pulses(batch: EventBatch, pixel_map: PixelMap | None) -> Iterator[BankedEvents]:
    offsets = batch.event_offset.tolist()
    for pulse, time_ns in enumerate(batch.pulse_time_ns.tolist()):
        events = slice(offsets[pulse], offsets[pulse + 1])
        banks, order = _banks(batch.pixel_id[events], pixel_map)
        bank_id, begins = np.unique(banks, return_index=True)
        yield BankedEvents(
            time_ns=time_ns,
            proton_charge_pc=_whole_charge(float(batch.proton_charge_pc[pulse])),
            cycle=pulse % _CYCLES,
            flags=int(batch.flags[pulse]),
            source_id=np.full(1, _SOURCE_ID, np.uint32),
            intrapulse_time=np.full(1, _INTRAPULSE_TICKS, np.uint32),
            tof_offset=np.zeros(1, np.uint32),
            tof_corrected=np.ones(1, np.bool_),
            n_banks=np.array([len(bank_id)], np.int64),
            bank_id=bank_id.astype(np.uint32),
            bank_offset=np.append(begins, len(banks)).astype(np.int64),
            pixel_id=batch.pixel_id[events][order],
            tof=batch.tof[events][order],
        )


def _banks(
    pixel_id: npt.NDArray[np.uint32], pixel_map: PixelMap | None
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.intp]]:
    """Find the bank of each event, ordered by bank, and the order of the events that makes it so."""
    if pixel_map is None:
        return np.full(len(pixel_id), _ONLY_BANK, np.uint32), np.arange(len(pixel_id))
    # What it says of pixels that are in no bank is what the stream says of them: `UNMAPPED_BANK`.
    banks = pixel_map.bank_of(pixel_id)
    order = np.argsort(banks, kind="stable")
    return banks[order], order


def _whole_charge(charge_pc: float) -> int:
    return _CHARGE_UNIT_PC * round(charge_pc / _CHARGE_UNIT_PC)


def _monitors(chunk: Chunk) -> Iterator[BeamMonitorEvents]:
    """Write the monitors' events of each pulse that has any."""
    charges = dict(
        zip(chunk.events.pulse_time_ns.tolist(), chunk.events.proton_charge_pc.tolist(), strict=True)
    )
    by_pulse: dict[int, list[tuple[int, npt.NDArray[np.uint32]]]] = {}
    for number, monitor in sorted(chunk.monitors.items()):
        for time_ns, tof in _monitor_pulses(monitor):
            by_pulse.setdefault(time_ns, []).append((number, tof))
    for time_ns, sections in by_pulse.items():
        tof = np.concatenate([each for _, each in sections])
        yield BeamMonitorEvents(
            time_ns=time_ns,
            proton_charge_pc=_whole_charge(charges.get(time_ns, 0.0)),
            monitor_id=np.array([number for number, _ in sections], np.uint32),
            source_id=np.full(len(sections), _SOURCE_ID, np.uint32),
            tof_offset=np.zeros(len(sections), np.uint32),
            tof_corrected=np.ones(len(sections), np.bool_),
            event_offset=np.cumsum([0, *(len(each) for _, each in sections)], dtype=np.int64),
            tof=tof,
            event_cycle=np.zeros(len(tof), np.uint32),
            rising=np.ones(len(tof), np.bool_),
        )


def _monitor_pulses(monitor: MonitorEvents) -> Iterator[tuple[int, npt.NDArray[np.uint32]]]:
    offsets = monitor.event_offset.tolist()
    for pulse, time_ns in enumerate(monitor.pulse_time_ns.tolist()):
        yield time_ns, monitor.tof[offsets[pulse] : offsets[pulse + 1]]


def _place_of(packets: Sequence[Packet], pulse: int) -> int:
    places = [place for place, packet in enumerate(packets) if isinstance(packet, BankedEvents)]
    if not -len(places) <= pulse < len(places):
        message = f"There is no pulse {pulse}: the packets have {len(places)} pulses, counted from 0."
        raise IndexError(message)
    return places[pulse]


def with_pulse_twice(packets: Sequence[Packet], pulse: int) -> list[Packet]:
    """Send a pulse twice, one after the other.

    Parameters
    ----------
    packets
        A run, for example from `run_packets`.
    pulse
        Which packet of detector events, counted from 0; from the end when negative.

    Returns
    -------
    list of Packet
        A list of its own.

    Raises
    ------
    IndexError
        When there is no such pulse.
    """
    place = _place_of(packets, pulse)
    return [*packets[: place + 1], *packets[place:]]


def with_pulses_swapped(packets: Sequence[Packet], pulse: int, other: int) -> list[Packet]:
    """Send two pulses each in the place of the other, so that time goes back.

    Parameters
    ----------
    packets, pulse, other
        As in `with_pulse_twice`.

    Raises
    ------
    IndexError
        When there is no such pulse.
    """
    swapped = list(packets)
    here, there = _place_of(packets, pulse), _place_of(packets, other)
    swapped[here], swapped[there] = swapped[there], swapped[here]
    return swapped


def without_pulse(packets: Sequence[Packet], pulse: int) -> list[Packet]:
    """Leave out a pulse.

    Parameters
    ----------
    packets, pulse
        As in `with_pulse_twice`.

    Raises
    ------
    IndexError
        When there is no such pulse.
    """
    place = _place_of(packets, pulse)
    return [*packets[:place], *packets[place + 1 :]]
