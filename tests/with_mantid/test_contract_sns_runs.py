"""Section 7 of the document, runs and disconnects; section 6 where the server is silent."""

from __future__ import annotations

import threading
import time

import pytest

from contract_support import (
    PIXELS,
    SECOND,
    beat,
    beat_until,
    now_ns,
    prologue,
    pulses,
    run_status,
)
from livered_core.adara import (
    RunStatusCode,
    encode,
)
from waiting import until


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
