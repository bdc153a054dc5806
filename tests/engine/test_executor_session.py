"""Sessions whose chunks are processed elsewhere: from the socket to the result."""

from __future__ import annotations

import json
import threading

from adara_support import banked, end_run, geometry, new_run
from adara_support import run_info as run_packet
from executor_support import Counter, FakeCrew, FakeExecutor, configuration
from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from sms_support import Client, scripted_server
from waiting import until

ON_WORKERS = """
from_start_of_run = false
update_every = 0.2
source.queue_events = 20_000
source.silence_timeout = 1.0
engine.executor = "dask"
engine.block_events = 4000
"""
PULSES = 3000
EVENTS = 400


def flood(sent):
    """A server of a run that sends as fast as it is read."""

    def serve(client: Client) -> None:
        client.send(geometry(), new_run(7), run_packet(7))
        for i in range(PULSES):
            client.send(banked(i, pixels=[1] * EVENTS))
            sent.append(i)
        client.send(end_run(7))
        client.hold()

    return serve


def test_what_workers_do_not_take_stays_with_the_server_and_nothing_is_lost(tmp_path):
    crew, sent = FakeCrew.of(2), []
    with scripted_server(flood(sent)) as server:
        loaded, environment = configuration(
            tmp_path, Counter, config=f'address = "{server.address}"\n{ON_WORKERS}run_transition = "stop"\n'
        )
        session = Session(loaded, SystemClock(), environ=environment)
        session.process_on(FakeExecutor(crew))
        thread = threading.Thread(target=session.run)
        thread.start()
        try:
            # Both workers have one block, and another on the way; nothing comes back.
            until(lambda: sum(len(worker.out) for worker in crew.all) == 4)
            received = [0] * 10

            def stands():
                received.append(session.health().source.counts["events"])
                return len(set(received[-10:])) == 1 and received[-1] > 0

            until(stands)
            turns = session.health().source.turns
            # It gets on, as far as who watches can see.
            until(lambda: session.health().source.turns > turns + 12)
            health = session.health()
            assert health.source.counts["events"] == received[-1] < PULSES * EVENTS
            assert len(sent) < PULSES
            assert health.source.waiting_events <= 20_000 + 2 * 4000 + EVENTS
            assert (health.executor.in_flight, health.n_chunks) == (4, 0)
            told = json.loads((tmp_path / "run" / "livered" / "TST" / "status.json").read_text())
            assert told["executor"]["workers"] == 2
        finally:
            work(crew, thread)
    assert session.failure is None
    # To wait for workers is not the server's silence.
    assert session.health().source.connects == 1
    update = session.health().update
    assert (update.final, update.n_events, update.n_pulses) == (True, PULSES * EVENTS, PULSES)
    assert update.complete


def work(crew, session):
    """Finish what is there, the newest worker first, until the session ends."""
    while session.is_alive():
        for worker in reversed(crew.busy()):
            worker.finish()
        session.join(0.001)


def test_asked_to_stop_while_no_worker_answers_it_ends_in_time_and_says_what_is_left(tmp_path, caplog):
    crew = FakeCrew.of(1)
    with scripted_server(flood([])) as server:
        loaded, environment = configuration(
            tmp_path,
            Counter,
            config=f'address = "{server.address}"\n{ON_WORKERS}hooks.stop_timeout = 0.5\n',
        )
        session = Session(loaded, SystemClock(), environ=environment)
        session.process_on(FakeExecutor(crew))
        thread = threading.Thread(target=session.run)
        thread.start()
        until(lambda: sum(len(worker.out) for worker in crew.all) == 2)
        session.stop()
        thread.join(60)
    assert not thread.is_alive()
    assert session.failure is None
    assert (
        "are not waited for: livered ended before all chunks had come back from its workers." in caplog.text
    )
