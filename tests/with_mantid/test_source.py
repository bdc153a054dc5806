"""The mantid source on Mantid itself, or on its double: a real server, real sockets, Mantid's own threads."""

from __future__ import annotations

import re
import threading

import pytest

from live_mantid import (
    CHARGE_PC,
    PIXELS,
    PULSE,
    SECOND,
    Consumer,
    beat,
    end_of,
    live_monitors,
    make_source,
    now_ns,
    prologue,
    pulses,
    running,
    whole_run,
    why_begun_again,
)
from livered_core import RunEndReason, SourceError
from livered_core.adara import Heartbeat, RunStatusCode
from livered_core.sources.base import Connection
from sms_support import scripted_server
from waiting import until

N = 60


def live(number=7, n_pulses=N, ended=True, then=beat):
    """Make a script: a run that begins when the client has come."""

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(number, start_ns), *pulses(start_ns, 0, n_pulses))
        if ended:
            end_ns = start_ns + n_pulses * PULSE
            client.send(end_of(number, start_ns, end_ns), *prologue(0, end_ns, RunStatusCode.NO_RUN))
        then(client)

    return script


def test_a_run_is_taken_whole_and_ends_when_it_ends():
    with scripted_server(live()) as server, running(make_source(server.address)) as work:
        work.consumer.wait_for("ended")
        consumer = work.consumer
        assert consumer.n_events == N * len(PIXELS)
        assert consumer.n_pulses == N
        assert consumer.proton_charge_pc == N * CHARGE_PC
        assert consumer.story[0] == "began 7"
        assert consumer.missing == []


def _beat_once(client) -> bool:
    client.send(Heartbeat(time_ns=now_ns()))
    return True


def test_proton_charge_is_counted_once_a_pulse_however_many_chunks_there_are():
    """Section 7: the last value of a chunk is repeated at the head of the next."""
    go_on = [threading.Event() for _ in range(4)]

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns))
        for part, go in enumerate(go_on):
            client.send(*pulses(start_ns, part * 10, part * 10 + 10))
            until(lambda go=go: _beat_once(client) and go.is_set())
        client.send(end_of(7, start_ns, start_ns + SECOND))
        beat(client)

    totals = []

    def look(chunk):
        run = chunk.data.run()
        totals.append((run.getProtonCharge() * 3.6e9, len(run.getProperty("proton_charge").value)))
        done = sum(pulses for _, pulses in totals)
        for part, go in enumerate(go_on):
            if done >= 10 * (part + 1):
                go.set()

    consumer = Consumer()
    consumer.on_chunk = look
    with scripted_server(script) as server, running(make_source(server.address), consumer) as work:
        work.consumer.wait_for("ended")
    assert consumer.n_pulses == 40
    assert consumer.proton_charge_pc == 40 * CHARGE_PC
    assert len(totals) >= 4
    assert sum(pulses for _, pulses in totals) == 40, (
        "what a plugin finds in the workspace counts each pulse once"
    )
    assert sum(charge for charge, _ in totals) == pytest.approx(40 * CHARGE_PC)


def test_older_runs_of_the_replay_are_left_out():
    """Section 7: from the start of the run, Mantid takes everything that the server still has."""

    def script(client):
        long_ago = now_ns() - 3600 * SECOND
        client.send(*whole_run(5, long_ago, 30), *whole_run(6, long_ago + 60 * SECOND, 30))
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, N), end_of(7, start_ns, start_ns + SECOND))
        beat(client)

    with scripted_server(script) as server, running(make_source(server.address)) as work:
        work.consumer.wait_for("ended")
        story = work.consumer.story
        older, current = story[: story.index("began 7")], story[story.index("began 7") :]
        assert "update" not in older, "nothing of an older run is published"
        assert "ended" not in older
        assert "replaced" not in older
        n_chunks = current.count("chunk")
        assert sum(n for n, _, _ in work.consumer.chunks[-n_chunks:]) == N * len(PIXELS)
        counts = work.source.status().counts
        assert counts["events"] == (N + 60) * len(PIXELS)
        assert counts["events"] == counts["reduced_events"] + counts["replayed_events"]


def test_data_between_runs_are_not_reduced():
    def script(client):
        before_ns = now_ns()
        client.send(*prologue(0, before_ns, RunStatusCode.NO_RUN), *pulses(before_ns, 0, 30))
        start_ns = before_ns + SECOND
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, N), end_of(7, start_ns, start_ns + SECOND))
        beat(client)

    with scripted_server(script) as server, running(make_source(server.address)) as work:
        work.consumer.wait_for("ended")
        assert work.consumer.n_events == N * len(PIXELS)
        assert work.source.status().counts["between_runs_events"] == 30 * len(PIXELS)


def test_two_runs_do_not_mix():
    def script(client):
        first_ns = now_ns()
        client.send(*whole_run(7, first_ns, 20))
        second_ns = first_ns + SECOND
        client.send(*whole_run(8, second_ns, 30))
        beat(client)

    with scripted_server(script) as server, running(make_source(server.address)) as work:
        until(lambda: work.consumer.story.count("ended") == 2)
        story = [line for line in work.consumer.story if line not in ("chunk", "update")]
        assert story == ["began 7", "ended", "began 8", "ended"]
        assert work.consumer.n_events == 50 * len(PIXELS)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("close", "The server has closed the connection, which Mantid does not notice."),
        ("reset", "Mantid's MonitorLiveData has ended by itself"),
        ("garbage", "Mantid's MonitorLiveData has ended by itself"),
    ],
    ids=["close", "reset", "garbage"],
)
def test_a_lost_connection_is_noticed_and_the_run_comes_again_from_its_start(how, sentence, caplog):
    """Sections 3 and 7: a clean close is never noticed by Mantid, the others end the monitor silently."""
    begun: list[int] = []

    def breaks(client):
        begun.append(now_ns())
        client.send(*prologue(7, begun[0]), *pulses(begun[0], 0, 40))
        until(lambda: work.consumer.n_pulses == 40)
        if how == "close":
            client.close()
        elif how == "reset":
            client.reset()
        else:
            client.send_bytes(bytes.fromhex("03000000000100400100000001000000") + b"abc")
            beat(client)

    def again(client):
        client.send(*prologue(7, begun[0]), *pulses(begun[0], 0, N))
        client.send(end_of(7, begun[0], begun[0] + SECOND))
        beat(client)

    with scripted_server(breaks, again) as server:
        source = make_source(server.address)
        with running(source) as work:
            work.consumer.wait_for("ended")
            assert why_begun_again(work, caplog).startswith(sentence)
        assert "begun again" in work.consumer.story
        assert work.consumer.n_events == N * len(PIXELS), "each event once"
        assert work.consumer.proton_charge_pc == N * CHARGE_PC
        assert server.connections == 2
        assert source.status().counts["restarts"] == 1


@pytest.mark.usefixtures("ends_are_lost")
def test_a_run_whose_end_mantid_loses_is_replayed_and_complete():
    """While a chunk's script runs, the end of a run makes the listener throw away what has come since."""
    begun: list[int] = []
    go_on = threading.Event()
    consumer = Consumer()
    consumer.on_chunk = lambda chunk: go_on.wait(30)

    def loses(client):
        pause = threading.Event()
        begun.append(now_ns())
        client.send(*prologue(7, begun[0]))
        n_pulses = 0
        # One chunk is being reduced and another waits: then the script of the third cannot return.
        while not work.source.mantid_waits:
            client.send(*pulses(begun[0], n_pulses, n_pulses + 1))
            n_pulses += 1
            pause.wait(0.01)
        client.send(*pulses(begun[0], n_pulses, n_pulses + 10), end_of(7, begun[0], begun[0] + SECOND))
        client.send(*prologue(0, begun[0] + SECOND, RunStatusCode.NO_RUN))
        sent.append(n_pulses + 10)
        for _ in range(20):
            _beat_once(client)
            pause.wait(0.02)
        go_on.set()
        beat(client)

    def again(client):
        client.send(*whole_run(7, begun[0], sent[0]))
        beat(client)

    sent: list[int] = []
    with (
        scripted_server(loses, again) as server,
        running(make_source(server.address, queue_events=1, max_chunk_events=1), consumer) as work,
    ):
        work.consumer.wait_for("ended")
    assert "begun again" in consumer.story
    assert consumer.n_pulses == sent[0]
    assert consumer.n_events == sent[0] * len(PIXELS)
    assert consumer.missing == []


def test_silence_is_noticed_and_the_run_comes_again(double, caplog):
    double.receive_timeout = 0.3

    def falls_silent(client):
        start_ns = now_ns()
        begun.append(start_ns)
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 40))
        client.hold()

    def again(client):
        client.send(*prologue(7, begun[0]), *pulses(begun[0], 0, N), end_of(7, begun[0], begun[0] + SECOND))
        beat(client)

    begun: list[int] = []
    with scripted_server(falls_silent, again) as server:
        with running(make_source(server.address, silence=1.0)) as work:
            work.consumer.wait_for("ended")
            said = why_begun_again(work, caplog)
        assert re.match(r"No new pulse has come for \d+ s: the connection may be no more\.", said)
        assert work.consumer.n_events == N * len(PIXELS)
        assert "begun again" in work.consumer.story


def test_a_server_that_is_not_there_is_tried_again_and_given_up_in_the_end():
    with scripted_server(beat) as server:
        address = server.address
    source = make_source(address, restarts=2)
    with running(source, fails=True) as work:
        work.join()
    (error,) = work.errors
    assert isinstance(error, SourceError)
    assert "3 times in a row" in str(error)
    assert "\n" not in str(error)
    assert source.status().connects == 3
    assert not source.status().stuck


def test_while_it_waits_for_the_geometry_it_says_so_and_can_be_stopped():
    """Section 2: StartLiveData blocks for ever while the server does not say what the instrument is."""
    with scripted_server(beat) as server, running(make_source(server.address)) as work:
        until(lambda: server.connections == 1)
        assert work.source.status().connection is Connection.CONNECTING
        assert work.consumer.story == []
    assert not work.errors
    assert live_monitors() == []


def test_it_waits_for_a_geometry_that_comes_late(double):
    double.block = double.retry = 0.2

    def late(client):
        until(lambda: work.source.status().connects == 1)
        client.send_bytes(b"")
        live()(client)

    with scripted_server(late) as server, running(make_source(server.address)) as work:
        work.consumer.wait_for("ended")
        assert work.consumer.n_events == N * len(PIXELS)


def test_chunks_come_on_mantids_threads_never_two_at_a_time():
    inside = threading.Lock()

    def slow(chunk):
        assert inside.acquire(blocking=False), "two chunks at once"
        threading.Event().wait(0.3)
        inside.release()

    consumer = Consumer()
    consumer.on_chunk = slow
    with scripted_server(live()) as server, running(make_source(server.address), consumer) as work:
        work.consumer.wait_for("ended")
    assert consumer.n_events == N * len(PIXELS)


def test_chunks_that_wait_are_reduced_as_one_and_each_pulse_counts_once():
    go_on = threading.Event()
    seen: list[tuple[int, float]] = []

    def slow(chunk):
        go_on.wait(30)
        run = chunk.data.run()
        seen.append((chunk.n_pulses, run.getProtonCharge() * 3.6e9))
        assert chunk.data.getNumberEvents() == chunk.n_events

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns))
        pause = threading.Event()
        index = 0
        while work.source.status().waiting_events < 40 * len(PIXELS):
            client.send(*pulses(start_ns, index, index + 1))
            index += 1
            pause.wait(0.02)
        sent.append(index)
        go_on.set()
        client.send(end_of(7, start_ns, start_ns + index * PULSE))
        beat(client)

    sent: list[int] = []
    consumer = Consumer()
    consumer.on_chunk = slow
    with scripted_server(script) as server, running(make_source(server.address), consumer) as work:
        work.consumer.wait_for("ended")
        assert work.source.status().counts["chunks"] > len(seen) + 2
    assert consumer.n_pulses == sent[0]
    assert consumer.n_events == sent[0] * len(PIXELS)
    assert consumer.proton_charge_pc == sent[0] * CHARGE_PC
    for n_pulses, charge_pc in seen:
        assert charge_pc == pytest.approx(n_pulses * CHARGE_PC)


def test_a_chunk_keeps_its_name_while_it_is_reduced(double):
    """After the script Mantid removes the chunk, and clears its name, whenever it gets to that."""
    double.remove_delay = 0.1
    seen: list[str] = []

    def look(chunk):
        seen.append(chunk.data.name())
        threading.Event().wait(0.3)
        seen.append(chunk.data.name())

    consumer = Consumer()
    consumer.on_chunk = look
    with scripted_server(live()) as server, running(make_source(server.address), consumer) as work:
        work.consumer.wait_for("ended")
    assert set(seen) == {"__livered_chunk_TST"}


@pytest.mark.slow
def test_a_server_that_breaks_after_each_beginning_is_given_up_in_the_end():
    """What is replayed is no progress."""
    begun: list[int] = []

    def breaks(client):
        if not begun:
            begun.append(now_ns())
        client.send(*prologue(7, begun[0]), *pulses(begun[0], 0, 40))
        until(lambda: _beat_once(client) and work.consumer.n_pulses == 40)
        client.reset()

    with scripted_server(breaks) as server:
        source = make_source(server.address, restarts=3)
        with running(source, fails=True) as work:
            work.join()
    assert "4 times in a row" in str(work.errors[0])
    assert source.status().connects == 4


def test_asked_to_stop_it_stops_although_chunks_come_faster_than_they_are_reduced():
    consumer = Consumer()
    consumer.on_chunk = lambda chunk: threading.Event().wait(0.4)

    def endless(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns))
        pause = threading.Event()
        index = 0
        while not pause.wait(1 / 60):
            client.send(*pulses(start_ns, index, index + 1))
            index += 1

    with scripted_server(endless) as server:
        with running(make_source(server.address, update_every=0.05), consumer) as work:
            until(lambda: work.consumer.story.count("chunk") > 3)
            n_chunks = consumer.story.count("chunk")
        assert consumer.story.count("chunk") <= n_chunks + 3
    assert consumer.story[-1] == RunEndReason.SESSION_STOPPED.value


def test_from_a_time_on_a_chunk_that_holds_it_is_cut_there():
    start_ns = now_ns() // SECOND * SECOND
    charges: list[float] = []

    def script(client):
        begun = start_ns - 10 * PULSE
        client.send(*prologue(7, begun), *pulses(begun, 0, N))
        client.send(end_of(7, begun, begun + SECOND))
        beat(client)

    consumer = Consumer()
    consumer.on_chunk = lambda chunk: charges.append(chunk.data.run().getProtonCharge() * 3.6e9)
    with (
        scripted_server(script) as server,
        running(make_source(server.address, start_ns=start_ns), consumer) as work,
    ):
        work.consumer.wait_for("ended")
        counts = work.source.status().counts
    assert consumer.n_pulses == N - 10
    assert consumer.n_events == (N - 10) * len(PIXELS)
    assert consumer.proton_charge_pc == (N - 10) * CHARGE_PC
    assert sum(charges) == pytest.approx((N - 10) * CHARGE_PC)
    assert counts["early_events"] == 10 * len(PIXELS)
    assert counts["events"] == N * len(PIXELS)


def test_a_pulse_whose_events_come_in_several_packets_counts_once():
    totals: list[float] = []

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 20), *pulses(start_ns, 19, 20))
        client.send(end_of(7, start_ns, start_ns + SECOND))
        beat(client)

    consumer = Consumer()
    consumer.on_chunk = lambda chunk: totals.append(chunk.data.run().getProtonCharge() * 3.6e9)
    with scripted_server(script) as server, running(make_source(server.address), consumer) as work:
        work.consumer.wait_for("ended")
    assert consumer.n_pulses == 20
    assert consumer.proton_charge_pc == 20 * CHARGE_PC
    assert sum(totals) == pytest.approx(20 * CHARGE_PC)


def test_what_the_reduction_raises_ends_the_source_and_not_mantid():
    class BrokenError(Exception):
        pass

    def fail(chunk):
        raise BrokenError

    consumer = Consumer()
    consumer.on_chunk = fail
    with (
        scripted_server(live(ended=False)) as server,
        running(make_source(server.address), consumer, fails=True) as work,
    ):
        work.join()
    assert [type(error) for error in work.errors] == [BrokenError]
    assert live_monitors() == []


def test_stopped_in_mid_run_the_run_ends_as_stopped_and_nothing_runs_any_more():
    with scripted_server(live(ended=False)) as server, running(make_source(server.address)) as work:
        until(lambda: work.consumer.n_pulses == N)
    assert work.consumer.story[-1] == RunEndReason.SESSION_STOPPED.value
    assert live_monitors() == []


def _all_names() -> set[str]:
    """Names in the data service, hidden ones too."""
    from mantid.api import AnalysisDataService
    from mantid.kernel import ConfigService

    ConfigService.setString("MantidOptions.InvisibleWorkspaces", "1")
    try:
        return set(AnalysisDataService.getObjectNames())
    finally:
        ConfigService.setString("MantidOptions.InvisibleWorkspaces", "0")


@pytest.mark.parametrize("n_chunks", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_data_service_is_left_tidy_and_does_not_grow(n_chunks):
    names: list[set[str]] = []
    consumer = Consumer()
    consumer.on_chunk = lambda chunk: names.append(_all_names())

    def script(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns))
        pause = threading.Event()
        index = 0
        while len(names) < n_chunks and not pause.wait(1 / 60):
            client.send(*pulses(start_ns, index, index + 1))
            index += 1
        beat(client)

    before = _all_names()
    with scripted_server(script) as server:
        source = make_source(server.address, update_every=0.05)
        with running(source, consumer) as work:
            until_long(lambda: len(names) >= n_chunks or not work.thread.is_alive())
    ours = set.union(*names) - before
    assert ours <= {
        "__livered_POWGEN",
        "__livered_NOMAD",
        "__livered_chunk_TST",
        "__anonymous_livedata_input___livered_NOMAD",
    }
    assert "__livered_chunk_TST" in ours
    assert _all_names() == before


def until_long(condition) -> None:
    """Wait for a condition for minutes."""
    pause = threading.Event()
    for _ in range(6000):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("waited in vain")


def test_from_now_on_a_lost_connection_is_made_again_from_the_time_that_was_now():
    def breaks(client):
        start_ns = now_ns()
        begun.append(start_ns)
        client.send(*prologue(7, start_ns, RunStatusCode.STATE), *pulses(start_ns, 0, 40))
        until(lambda: work.consumer.n_pulses == 40)
        client.reset()

    def again(client):
        client.send(*prologue(7, begun[0], RunStatusCode.STATE), *pulses(begun[0], 0, N))
        client.send(end_of(7, begun[0], begun[0] + SECOND))
        beat(client)

    begun: list[int] = []
    with scripted_server(breaks, again) as server:
        asked_ns = now_ns()
        with running(make_source(server.address, start_ns=0)) as work:
            work.consumer.wait_for("ended")
        first, second = (hello.start for hello in server.hellos)
        assert first.is_now
        assert abs(second.time_ns - asked_ns) < 2 * SECOND
        assert work.consumer.n_events == N * len(PIXELS)


def test_from_a_time_on():
    start_ns = now_ns() // SECOND * SECOND
    with (
        scripted_server(live()) as server,
        running(make_source(server.address, start_ns=start_ns)) as work,
    ):
        work.consumer.wait_for("ended")
        assert server.hellos[0].start.time_ns == start_ns


def test_from_the_start_of_the_run():
    with scripted_server(live()) as server, running(make_source(server.address)) as work:
        work.consumer.wait_for("ended")
        assert server.hellos[0].start.is_start_of_run


def test_mantid_that_does_not_end_is_left_behind_after_a_deadline(double):
    """Section 6: with a silent server the listener's end takes up to 30 s."""
    double.receive_timeout = 6.0

    def falls_silent(client):
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 40))
        client.hold()

    with scripted_server(falls_silent) as server:
        source = make_source(server.address, stop_timeout=0.5)
        with running(source, fails=True) as work:
            until(lambda: work.consumer.n_pulses == 40)
        (error,) = work.errors
        assert "did not end within 0.5 s" in str(error)
        assert source.status().stuck
    until(lambda: not live_monitors())
