from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from adara_support import banked, end_run, geometry, new_run, pulse_time, run_info
from livered_core.adara import StartRequest, encode
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.errors import LiveredError
from livered_core.recording import open_recording, summarise
from livered_core.recording.writer import RecordingWriter
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.base import Connection
from livered_core.sources.recorder import Recorder, RecorderSettings
from sms_support import WAIT, Client, scripted_server
from waiting import until

PROLOGUE = (geometry(), new_run(5), run_info(5))
PULSES = tuple(banked(index, pixels=[index] * (index % 4)) for index in range(40))


def as_bytes(*packets) -> bytes:
    return b"".join(encode(packet) for packet in packets)


@attrs.define(eq=False)
class Recording:
    recorder: Recorder
    path: Path
    stop: threading.Event
    thread: threading.Thread
    failure: list[BaseException]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(WAIT)
        assert not self.thread.is_alive()

    @property
    def data(self) -> bytes:
        return b"".join(block.data for block in open_recording(self.path).blocks())


@contextmanager
def recording(
    folder: Path, address: str, *, start=StartRequest.start_of_run(), **changes
) -> Iterator[Recording]:
    settings = RecorderSettings(
        AdaraAddress.parse(address, 5.0, changes.pop("silence_timeout", 30.0)),
        start,
        Backoff(0.01, 0.05),
        **changes,
    )
    recorder, failure, stop = Recorder(settings, SystemClock()), [], threading.Event()
    writer = RecordingWriter(folder / "run.adara", SystemClock(), wait_for_room=recorder.wait_for_room)

    def run() -> None:
        try:
            recorder.record_until(stop, writer)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    handle = Recording(recorder, folder / "run.adara", stop, thread, failure)
    try:
        yield handle
    finally:
        handle.end()
        writer.close()


def hold_after(*packets) -> Callable[[Client], None]:
    def script(client: Client) -> None:
        client.send(*packets)
        client.hold()

    return script


def test_the_bytes_that_came_are_written_and_a_run_s_end_ends_it_if_asked(tmp_path: Path):
    whole = (*PROLOGUE, *PULSES, end_run(5))
    with (
        scripted_server(hold_after(*whole)) as server,
        recording(tmp_path, server.address, stop_after_run=True) as running,
    ):
        running.thread.join(WAIT)
        assert running.data == as_bytes(*whole)
        assert running.recorder.status.connection is Connection.CLOSED
        assert server.hellos[0].start == StartRequest.start_of_run()
    assert running.failure == []


@pytest.mark.parametrize("how", ["reset", "close", "cut off", "damage", "silence"])
def test_a_lost_connection_is_made_again_from_the_last_pulse_and_marked(tmp_path: Path, how: str):
    half = as_bytes(*PROLOGUE, *PULSES[:20])
    tail = {"cut off": as_bytes(PULSES[20])[:37], "damage": b"\xff" * 40}.get(how, b"")

    def lose(client: Client) -> None:
        client.send_bytes(half + tail)
        if how in ("damage", "silence"):
            client.hold()
            return
        # A reset throws away what has not been received.
        until(lambda: running.recorder.status.written.n_bytes == len(half + tail))
        client.reset() if how == "reset" else client.close()

    rest = (*PROLOGUE, *PULSES[15:], end_run(5))
    ready = threading.Event()

    def first(client: Client) -> None:
        assert ready.wait(WAIT)
        lose(client)

    with (
        scripted_server(first, hold_after(*rest)) as server,
        recording(
            tmp_path, server.address, stop_after_run=True, silence_timeout=0.3 if how == "silence" else 30.0
        ) as running,
    ):
        ready.set()
        running.thread.join(WAIT)
        assert server.hellos[1].start == StartRequest.at(pulse_time(19))
        assert running.data == half + tail + as_bytes(*rest)
    (run,) = summarise(open_recording(running.path)).runs
    # A packet with damage at its heels is not believed where nothing good follows.
    assert (run.n_pulses, run.n_repeated) == (40, 4 if how == "damage" else 5)
    assert running.failure == []


def test_the_same_damage_again_is_written_and_recording_goes_on(tmp_path: Path):
    damaged = as_bytes(*PROLOGUE, PULSES[0]) + b"\xff" * 40 + as_bytes(*PULSES[1:], end_run(5))
    script = [lambda client: (client.send_bytes(damaged), client.hold())]
    with scripted_server(*script) as server, recording(tmp_path, server.address) as running:
        until(lambda: running.recorder.status.written.n_bytes >= 2 * len(damaged))
        running.end()
        assert server.connections == 2
    summary = summarise(open_recording(running.path))
    assert summary.n_skipped_bytes == 80
    assert summary.runs[0].n_pulses == 40


def test_a_disk_that_fails_ends_it_with_a_sentence(tmp_path: Path):
    is_running = threading.Event()

    def fail(client: Client) -> None:
        client.send(*PROLOGUE)
        # The recorder may have connected before the test has hold of it.
        assert is_running.wait(WAIT)
        until(lambda: running.recorder.status.written.n_bytes > 0)
        # From here on writing fails: the descriptor can only be read.
        unwritable = os.open(running.path, os.O_RDONLY)
        os.dup2(unwritable, running.recorder._writer._fd)
        os.close(unwritable)
        client.send(*PULSES)
        client.hold()

    with scripted_server(fail) as server, recording(tmp_path, server.address) as running:
        is_running.set()
        running.thread.join(WAIT)
        assert not running.thread.is_alive()
    (error,) = running.failure
    assert isinstance(error, LiveredError)
    assert str(error).startswith("The recording cannot be written (Bad file descriptor)")
    assert running.data == as_bytes(*PROLOGUE)
