"""Section 7 of the document: SNSLiveEventDataListener on a stream of ADARA."""

from __future__ import annotations

import threading
import time

import attrs
import numpy as np
import pytest

from contract_support import (
    CHARGE_PC,
    DEFINITION_WITH_LOG,
    PIXELS,
    REPORT,
    SECOND,
    beat,
    beat_until,
    monitors,
    now_ns,
    prologue,
    pulse,
    pulses,
    pulses_without_correction,
    run_status,
)
from livered_core.adara import (
    ERROR_PIXELS_BANK,
    UNMAPPED_BANK,
    Annotation,
    AnnotationMarker,
    Device,
    DeviceDescriptor,
    ProcessVariable,
    RunStatusCode,
    VariableDouble,
    device_descriptor_xml,
    encode,
)
from sms_support import scripted_server
from waiting import until

LIVE = {
    "Instrument": "NOMAD",
    "Listener": "SNSLiveEventDataListener",
    "OutputWorkspace": "live",
    "PreserveEvents": True,
    "AccumulationMethod": "Replace",
    "UpdateEvery": 0.2,
    "ProcessingScript": REPORT,
    "FromNow": False,
    "FromStartOfRun": True,
}


@pytest.fixture
def follow(live_data):
    """Start live data on a server's script, and give the server and the live data out; at the end they are stopped."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(script, **properties):
            server = stack.enter_context(scripted_server(script))
            return server, live_data(**{**LIVE, "Address": server.address, **properties}).start()

        yield start


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
        live = live_data(**LIVE, Address=server.address).start_in_thread()
        live.thread.join(0.8)
        assert live.thread.is_alive()
        send_it.set()
        live.join()
        until(lambda: probe.n_events == 2 * len(PIXELS))
        live.cancel()
    assert probe.seen[-1].logs["slit_width"] == [2.5]


# Runs.


def two_runs(client):
    """A run, a pulse between the runs, and another run; time goes on."""
    start_ns = now_ns() - 60 * SECOND
    second_ns = start_ns + 20 * SECOND
    client.send(
        *prologue(7, start_ns),
        *pulses(start_ns, 0, 3),
        run_status(7, start_ns, RunStatusCode.END_RUN, start_ns + SECOND),
        *prologue(0, start_ns + SECOND, RunStatusCode.NO_RUN),
        *pulses(start_ns + 2 * SECOND, 0, 1),
        *prologue(8, second_ns),
        *pulses(second_ns, 0, 5),
    )
    beat(client)


def counts_by_run(probe) -> dict:
    counts: dict = {}
    for each in probe.seen:
        number = each.logs.get("run_number")
        counts[number] = counts.get(number, 0) + each.n_events
    return counts


def test_chunks_never_mix_periods_and_older_runs_are_not_filtered(follow, probe):
    _, live = follow(two_runs)
    until(lambda: probe.n_events == 9 * len(PIXELS))
    live.cancel()
    assert probe.runs() == ["7", None, "8"]
    assert counts_by_run(probe) == {
        "7": 3 * len(PIXELS),
        None: len(PIXELS),
        "8": 5 * len(PIXELS),
    }
    assert {each.logs.get("run_number") for each in probe.seen if "run_end" in each.logs} == {"7"}
    last = [each for each in probe.seen if each.logs.get("run_number") == "7"][-1]
    assert "run_end" in last.logs


def test_restart_clears_what_was_accumulated_and_each_edge_costs_a_cycle(follow, probe):
    from mantid.api import mtd

    _, live = follow(two_runs, AccumulationMethod="Add")
    until(lambda: probe.n_events == 9 * len(PIXELS))
    until(lambda: mtd["live"].getNumberEvents() == 5 * len(PIXELS))
    live.cancel()
    assert mtd["live"].run().getProperty("run_number").value == "8"


def test_rename_keeps_copies_under_the_numbers_of_the_runs(follow, probe):
    from mantid.api import mtd

    _, live = follow(two_runs, AccumulationMethod="Add", RunTransitionBehavior="Rename")
    until(lambda: probe.n_events == 9 * len(PIXELS))
    live.cancel()
    assert mtd["live_7"].getNumberEvents() == 3 * len(PIXELS)
    assert mtd["live_7_post"].getNumberEvents() == len(PIXELS)


def test_rename_skips_what_is_too_large_for_the_memory(follow, probe, double):
    from mantid.api import mtd

    double.available_memory = 1.0
    _, live = follow(two_runs, AccumulationMethod="Add", RunTransitionBehavior="Rename")
    until(lambda: probe.n_events == 9 * len(PIXELS))
    live.cancel()
    assert "live_7" not in mtd


def test_stop_ends_successfully_at_the_first_edge(follow, probe):
    from mantid.api import mtd

    _, live = follow(two_runs, RunTransitionBehavior="Stop")
    until(lambda: len(probe.seen) > 1 and not live.is_running())
    assert live.monitor.isExecuted()
    assert probe.runs() == ["7"]
    assert "live" in mtd


def test_joining_in_mid_run(follow, probe):
    def script(client):
        t = now_ns()
        client.send(*prologue(7, t, RunStatusCode.STATE), *pulses(t, 0, 2))
        client.send(run_status(7, t, RunStatusCode.END_RUN, t + SECOND))
        client.send(*prologue(0, t + SECOND, RunStatusCode.NO_RUN), *pulses(t + SECOND, 1, 2))
        beat(client)

    _, live = follow(script, FromNow=True, FromStartOfRun=False)
    until(lambda: probe.n_events == 3 * len(PIXELS))
    live.cancel()
    assert probe.runs() == ["7", None]


# Disconnects.


def test_a_clean_close_is_never_noticed(follow, probe):
    def script(client):
        t = now_ns()
        client.send(*prologue(7, t), *pulses(t, 0, 2))
        client.close()

    _, live = follow(script)
    until(lambda: probe.n_events == 2 * len(PIXELS))
    n = len(probe.seen)
    until(lambda: len(probe.seen) >= n + 4)
    until(live.is_running)
    assert probe.seen[-1].n_events == 0
    live.cancel()


@pytest.mark.parametrize("how", ["reset", "length", "status"])
def test_a_reset_or_a_bad_packet_ends_the_monitor(follow, probe, how):
    go_on = threading.Event()

    def script(client):
        t = now_ns()
        client.send(*prologue(7, t), *pulses(t, 0, 2))
        beat_until(client, go_on)
        if how == "reset":
            client.reset()
            return
        status = encode(run_status(7, t, RunStatusCode.STATE))
        client.send_bytes(
            b"\x01\0\0\0" + status[4:] if how == "length" else b"\x10\0\0\0" + status[4:] + bytes(4)
        )
        beat(client)

    _, live = follow(script)
    until(lambda: probe.n_events == 2 * len(PIXELS))
    until(live.is_running)
    go_on.set()
    until(lambda: not live.is_running())
    assert not live.monitor.isExecuted()


def test_with_a_silent_server_stopping_takes_as_long_as_the_listener_waits(follow, probe, double):
    """Section 6: up to 30 s of the real one, a knob of the double."""
    double.receive_timeout = 1.5

    def script(client):
        t = now_ns()
        client.send(*prologue(7, t), *pulses(t, 0, 2))
        client.hold()

    _, live = follow(script)
    until(lambda: probe.n_events == 2 * len(PIXELS))
    live.monitor.cancel()
    began = time.monotonic()
    threading.Event().wait(0.3)
    until(live.is_running)
    until(lambda: not live.is_running())
    assert time.monotonic() - began < 2.5


def test_what_is_in_the_buffer_after_an_edge_waits_for_more_bytes(follow, probe, double):
    double.receive_timeout = 30.0
    go_on = threading.Event()

    def script(client):
        t = now_ns()
        end = run_status(7, t, RunStatusCode.END_RUN, t + SECOND)
        after = prologue(0, t + SECOND, RunStatusCode.NO_RUN)
        data = b"".join(
            encode(each) for each in (*prologue(7, t), *pulses(t, 0, 2), end, *after, *pulses(t, 90, 91))
        )
        client.send_bytes(data)
        go_on.wait(30)
        beat(client)

    _, live = follow(script)
    until(lambda: probe.n_events == 2 * len(PIXELS))
    threading.Event().wait(0.6)
    assert probe.n_events == 2 * len(PIXELS)
    go_on.set()
    until(lambda: probe.n_events == 3 * len(PIXELS))
    live.cancel()
