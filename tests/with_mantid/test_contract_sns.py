"""Section 7 of the document: SNSLiveEventDataListener on a stream of ADARA."""

from __future__ import annotations

import threading

import attrs
import numpy as np

from contract_support import (
    CHARGE_PC,
    DEFINITION_WITH_LOG,
    LIVE_SNS,
    PIXELS,
    SECOND,
    beat,
    beat_until,
    monitors,
    now_ns,
    prologue,
    pulse,
    pulses,
    pulses_without_correction,
)
from livered_core.adara import (
    ERROR_PIXELS_BANK,
    UNMAPPED_BANK,
    Annotation,
    AnnotationMarker,
    Device,
    DeviceDescriptor,
    ProcessVariable,
    VariableDouble,
    device_descriptor_xml,
    encode,
)
from livered_core.adara.wire import HEADER
from sms_support import scripted_server
from waiting import until


def simple(*more, number=7, xml=None):
    """Make a script: a run that has begun, more packets (made when the client comes), heartbeats."""

    def script(client):
        start_ns = now_ns()
        begin = prologue(number, start_ns) if xml is None else prologue(number, start_ns, xml=xml)
        client.send(*begin)
        for each in more:
            client.send(*each(start_ns))
        beat(client)

    return script


def kept_events(workspace) -> list[tuple[int, float]]:
    """Detector and tof of each event."""
    found = []
    for i in range(workspace.getNumberHistograms()):
        spectrum = workspace.getSpectrum(i)
        detector = next(iter(spectrum.getDetectorIDs()))
        found += [(int(detector), round(float(tof), 6)) for tof in spectrum.getTofs()]
    return found


def test_spectra_are_pixels_and_times_of_flight_microseconds(follow, probe):
    found = []
    probe.then = lambda workspace, output: (found.extend(kept_events(workspace)), output)[1]
    _, live = follow(simple(lambda t: pulses(t, 0, 1)))
    until(lambda: probe.n_events == len(PIXELS))
    live.cancel()
    assert sorted(found) == [(1, 100.0), (2, 100.1), (3, 100.2), (4, 100.3)]


def test_pulse_times_are_those_of_the_packets(follow, probe):
    times, start = [], []

    def then(workspace, output):
        if workspace.getNumberEvents():
            times.append(
                int(workspace.getPulseTimeMin().to_datetime64().astype("datetime64[ns]").astype(np.int64))
            )
        return output

    probe.then = then
    _, live = follow(simple(lambda t: [start.append(t), *pulses(t, 0, 3)][1:]))
    until(lambda: probe.n_events == 3 * len(PIXELS))
    live.cancel()
    assert min(times) == start[0]


def test_the_names_of_the_logs(follow, probe):
    _, live = follow(simple(lambda t: pulses(t, 0, 4)))
    until(lambda: probe.n_events == 4 * len(PIXELS))
    live.cancel()
    logs = probe.seen[-1].logs
    assert logs["run_number"] == "7"
    assert logs["run_start"].endswith("Z")
    assert len(logs["run_start"]) == len("2026-01-01T00:00:00Z")
    assert logs["run_title"] == "title 7"
    assert logs["experiment_identifier"] == "IPTS-1"
    assert "run_end" not in logs
    assert logs["scan_index"] == [0]
    assert logs["pause"] == []
    assert {"proton_charge", "scan_index", "pause"} <= set(logs)


def test_the_last_proton_charge_of_a_chunk_is_repeated_in_the_next(follow, probe):
    """And so with each chunk that follows, also with empty ones."""
    _, live = follow(simple(lambda t: pulses(t, 0, 15)))
    until(lambda: probe.n_events == 15 * len(PIXELS))
    n = len(probe.seen)
    until(lambda: len(probe.seen) >= n + 3)
    live.cancel()
    assert [each.logs["proton_charge"] for each in probe.seen[-2:]] == [[CHARGE_PC], [CHARGE_PC]]
    assert probe.seen[-1].n_events == 0


def test_added_chunks_count_too_much_proton_charge(follow, probe):
    from mantid.api import mtd

    go = [threading.Event() for _ in range(3)]

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns))
        for part, event in enumerate(go):
            beat_until(client, event)
            client.send(*pulses(start_ns, 5 * part, 5 * part + 5))
        beat(client)

    _, live = follow(script, AccumulationMethod="Add")
    for part, event in enumerate(go, 1):
        event.set()
        until(lambda part=part: probe.n_events == 5 * part * len(PIXELS))
    until(lambda: mtd["live"].getNumberEvents() == 15 * len(PIXELS))
    live.cancel()
    log = mtd["live"].run().getProperty("proton_charge")
    assert len(np.unique(log.times)) == 15
    assert log.size() > 15


def test_monitors_are_counted_in_logs_of_their_own(follow, probe):
    _, live = follow(simple(lambda t: [monitors(t, 0, {1: 3}), monitors(t, 1, {1: 2}), *pulses(t, 0, 1)]))
    until(lambda: probe.n_events == len(PIXELS))
    live.cancel()
    assert sum(each.logs.get("monitor1_counts", 0) for each in probe.seen) == 5


def test_events_of_error_pixels_and_unmapped_ones_are_left_out(follow, probe):
    def packets(t):
        special = [
            pulse(t, 0, bank_id=np.array([bank], np.uint32)) for bank in (ERROR_PIXELS_BANK, UNMAPPED_BANK)
        ]
        return [*special, pulse(t, 1, pixels=(1, 77)), pulse(t, 2)]

    _, live = follow(simple(packets))
    until(lambda: probe.n_events >= 1 + len(PIXELS))
    live.cancel()
    assert probe.n_events == 1 + len(PIXELS)


def test_a_missing_correction_of_frame_skew_adds_a_tick_and_not_the_offset(follow, probe):
    found = []
    probe.then = lambda workspace, output: (found.extend(kept_events(workspace)), output)[1]
    _, live = follow(simple(lambda t: [pulses_without_correction(t, 0, 500)]))
    until(lambda: probe.n_events == len(PIXELS))
    live.cancel()
    assert sorted(found)[0] == (1, 100.1)


def test_paused_events_are_dropped_and_the_pause_is_logged(follow, probe):
    def packets(t):
        def mark(marker, at):
            return Annotation(time_ns=t + at, marker=marker)

        return [
            *pulses(t, 0, 2),
            mark(AnnotationMarker.PAUSE, SECOND // 10),
            *pulses(t, 10, 13),
            mark(AnnotationMarker.RESUME, SECOND // 2),
            *pulses(t, 40, 41),
        ]

    _, live = follow(simple(packets))
    until(lambda: probe.n_events == 3 * len(PIXELS))
    live.cancel()
    assert [value for each in probe.seen for value in each.logs["pause"]][:2] == [1, 0]


def test_scans_are_logged(follow, probe):
    def packets(t):
        start = Annotation(time_ns=t, marker=AnnotationMarker.SCAN_START, scan_index=4)
        stop = attrs.evolve(start, time_ns=t + SECOND, marker=AnnotationMarker.SCAN_STOP)
        return [start, *pulses(t, 0, 1), stop]

    _, live = follow(simple(packets))
    until(lambda: probe.n_events == len(PIXELS) and probe.seen[-1].logs["scan_index"] == [0])
    live.cancel()
    values = [value for each in probe.seen for value in each.logs["scan_index"]]
    assert 4 in values


def test_it_waits_for_the_logs_that_the_instrument_needs(live_data, probe, double):
    double.block, double.retry = 0.2, 0.2
    send_it = threading.Event()

    def script(client):
        t = now_ns()
        client.send(*prologue(7, t, xml=DEFINITION_WITH_LOG))
        beat_until(client, send_it)
        device = Device("slits", {1: ProcessVariable("slit_width", "double", "mm")})
        client.send(
            DeviceDescriptor(time_ns=t, device_id=9, xml=device_descriptor_xml(device)),
            VariableDouble(time_ns=t, device_id=9, variable_id=1, value=2.5),
            *pulses(t, 0, 2),
        )
        beat(client)

    with scripted_server(script) as server:
        live = live_data(**LIVE_SNS, Address=server.address).start_in_thread()
        live.thread.join(0.8)
        assert live.thread.is_alive()
        send_it.set()
        live.join()
        until(lambda: probe.n_events == 2 * len(PIXELS))
        live.cancel()
    assert probe.seen[-1].logs["slit_width"] == [2.5]


def test_packets_of_more_than_8_mib_and_of_unknown_types_are_dropped_and_what_follows_is_not(follow, probe):
    too_long = 8 * 1024 * 1024 + 4

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 10))
        head = encode(pulse(start_ns, 10))[4:16]
        client.send_bytes(too_long.to_bytes(4, "little") + head + bytes(too_long))
        client.send_bytes(HEADER.pack(4, 0x7FFF << 8, 0, 0) + bytes(4))
        client.send(*pulses(start_ns, 11, 20))
        beat(client)

    follow(script)
    until(lambda: probe.n_events >= 19 * len(PIXELS))
    assert probe.n_events == 19 * len(PIXELS)
