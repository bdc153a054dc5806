"""Packets with sensible contents, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    BeamMonitorEvents,
    Geometry,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    run_info_xml,
)

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
PULSE = 16_666_667


def pulse_time(index: int) -> int:
    """Time of a pulse, counted from START at about 60 Hz."""
    return START + index * PULSE


def banked(
    index: int,
    pixels: Sequence[int] = (1, 2),
    charge_pc: int = 100,
    flags: int = 0,
    bank_id: int = 1,
) -> BankedEvents:
    """One source, one bank; the tof of each event is 1000 plus its place."""
    return BankedEvents(
        time_ns=pulse_time(index),
        proton_charge_pc=charge_pc,
        flags=flags,
        source_id=np.zeros(1, np.uint32),
        intrapulse_time=np.zeros(1, np.uint32),
        tof_offset=np.zeros(1, np.uint32),
        tof_corrected=np.ones(1, np.bool_),
        n_banks=np.ones(1, np.int64),
        bank_id=np.full(1, bank_id, np.uint32),
        bank_offset=np.array([0, len(pixels)], np.int64),
        pixel_id=np.array(pixels, np.uint32),
        tof=np.arange(1000, 1000 + len(pixels), dtype=np.uint32),
    )


def run_status(code: RunStatusCode, number: int, index: int = 0) -> RunStatus:
    return RunStatus(
        time_ns=pulse_time(index), run_number=number, run_start_ns=START if number else 0, status=code
    )


def new_run(number: int) -> RunStatus:
    return run_status(RunStatusCode.NEW_RUN, number)


def end_run(number: int) -> RunStatus:
    return run_status(RunStatusCode.END_RUN, number)


def state(number: int) -> RunStatus:
    return run_status(RunStatusCode.STATE, number)


def run_info(number: int, title: str = "diamond") -> RunInfoPacket:
    details = RunDetails(run_number=number, title=title, proposal_id="IPTS-1", instrument="TST")
    return RunInfoPacket(time_ns=START, xml=run_info_xml(details))


def geometry(xml: str = "<instrument/>") -> Geometry:
    return Geometry(time_ns=START, xml=xml)


def annotation(marker: AnnotationMarker) -> Annotation:
    return Annotation(time_ns=START, marker=marker)


def beam_monitors(index: int, counts: dict[int, int], flags: int = 0) -> BeamMonitorEvents:
    """One section for each monitor, with so many events; the tof of each event is 500 plus its place."""
    n = sum(counts.values())
    return BeamMonitorEvents(
        time_ns=pulse_time(index),
        proton_charge_pc=100,
        flags=flags,
        monitor_id=np.array(list(counts), np.uint32),
        source_id=np.zeros(len(counts), np.uint32),
        tof_offset=np.zeros(len(counts), np.uint32),
        tof_corrected=np.ones(len(counts), np.bool_),
        event_offset=np.cumsum([0, *counts.values()], dtype=np.int64),
        tof=np.arange(500, 500 + n, dtype=np.uint32),
        event_cycle=np.zeros(n, np.uint32),
        rising=np.ones(n, np.bool_),
    )
