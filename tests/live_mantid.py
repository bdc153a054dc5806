"""A live run for Mantid's SNS listener to read, from a server that does what a test tells it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import pytest

from adara_support import banked, run_info
from definition_support import CUBOID, definition
from livered_core.adara import (
    BeamlineInfo,
    Geometry,
    Heartbeat,
    Packet,
    RunStatus,
    RunStatusCode,
    encode,
)
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.sources.mantid import MantidSettings, MantidSource
from livered_core.sources.mantid_facilities import find_instrument, import_mantid
from livered_core.sources.startlivedata import LiveRequest
from sms_support import Client
from waiting import until

SECOND = 1_000_000_000
PULSE = 16_666_667
UPDATE_EVERY = 0.2
CHARGE_PC = 100
DEFINITION = definition(
    "TST",
    -10,
    f"""
  <component type="pixel" idlist="pixels">
    <location x="1" y="0" z="0"/><location x="1" y="0.1" z="0"/><location x="0" y="0" z="-1"/>
  </component>
  <type name="pixel" is="detector">{CUBOID}</type>
  <idlist idname="pixels"><id start="1" end="3"/></idlist>
""",
)
PIXELS = (1, 2, 3)


def now_ns() -> int:
    return time.time_ns()


def prologue(number: int, start_ns: int, code: RunStatusCode = RunStatusCode.NEW_RUN) -> list[Packet]:
    """Say what the instrument and the run are; number 0 for no run."""
    status = RunStatus(
        time_ns=start_ns, run_number=number, run_start_ns=start_ns if number else 0, status=code
    )
    packets: list[Packet] = [
        status,
        Geometry(time_ns=start_ns, xml=DEFINITION),
        BeamlineInfo(time_ns=start_ns, beamline_id="BL-0", short_name="TST", long_name="TST"),
    ]
    if number:
        packets.append(attrs.evolve(run_info(number, f"run {number}"), time_ns=start_ns))
    return packets


def pulses(start_ns: int, first: int, last: int) -> list[Packet]:
    """Pulses `first` to `last` - 1 at 60 Hz, each with an event in each pixel."""
    return [
        attrs.evolve(
            banked(0, pixels=PIXELS, charge_pc=CHARGE_PC),
            time_ns=start_ns + index * PULSE,
            tof=np.array([1000 + index, 2000, 3000], np.uint32),
        )
        for index in range(first, last)
    ]


def end_of(number: int, start_ns: int, at_ns: int) -> Packet:
    return RunStatus(time_ns=at_ns, run_number=number, run_start_ns=start_ns, status=RunStatusCode.END_RUN)


def whole_run(number: int, start_ns: int, n_pulses: int) -> list[Packet]:
    """A run from its begin to its end, and that there is none after it."""
    end_ns = start_ns + n_pulses * PULSE
    return [
        *prologue(number, start_ns),
        *pulses(start_ns, 0, n_pulses),
        end_of(number, start_ns, end_ns),
        *prologue(0, end_ns, RunStatusCode.NO_RUN),
    ]


def beat(client: Client, every_s: float = 0.05) -> None:
    """Send heartbeats until the client goes: Mantid reads what it has only when more comes."""
    pause = threading.Event()
    while not pause.wait(every_s):
        try:
            client.send_bytes(encode(Heartbeat(time_ns=now_ns())))
        except OSError:
            return


class Consumer:
    """Writes down what the source says; holds no workspace."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.missing: list[str] = []
        self.chunks: list[tuple[int, int, float]] = []
        self.threads: set[str] = set()
        self.on_chunk: Any = lambda chunk: None

    def wait_for(self, line: str) -> None:
        until(lambda: line in self.story)

    @property
    def n_events(self) -> int:
        return sum(n for n, _, _ in self.chunks)

    @property
    def n_pulses(self) -> int:
        return sum(n for _, n, _ in self.chunks)

    @property
    def proton_charge_pc(self) -> float:
        return sum(charge for _, _, charge in self.chunks)

    def run_began(self, run: Any, missing: str = "") -> None:
        self.story.append(f"began {run.number}")
        self.missing += [missing] if missing else []

    def run_changed(self, run: Any) -> None:
        self.story.append(f"changed {run.number}")

    def run_restarted(self, sentence: str) -> None:
        self.chunks.clear()
        self.story.append("begun again")

    def data_missing(self, sentence: str) -> None:
        self.missing.append(sentence)

    def take_chunk(self, chunk: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self.on_chunk(chunk)
        self.chunks.append((chunk.n_events, chunk.n_pulses, chunk.proton_charge_pc))
        self.story.append("chunk")

    def replay_wanted(self) -> str:
        return ""

    def update_due(self) -> None:
        self.story.append("update")

    def run_ended(self, reason: Any) -> None:
        self.story.append(reason.value)


def make_source(address: str, **settings: Any) -> MantidSource:
    """Make a source that reads a server of this machine as NOMAD's, and is quick to lose its patience."""
    import_mantid()
    request = LiveRequest(
        instrument=find_instrument("NOM").name,
        address=address,
        update_every=settings.pop("update_every", UPDATE_EVERY),
        start_ns=settings.pop("start_ns", None),
        listener=settings.pop("listener", ""),
    )
    known = {
        "instrument": "TST",
        "request": request,
        "where": f"mantid://TST at {address}",
        "server": address,
        "says_ends": True,
        "queue_events": 1_000_000,
        "max_chunk_events": 1_000_000,
        "silence": 60.0,
        "stop_timeout": 45.0,
        "restarts": 3,
        "backoff": Backoff(0.05, 0.1),
    }
    return MantidSource(MantidSettings(**{**known, **settings}), SystemClock())


@attrs.define(eq=False)
class Running:
    """A source at work."""

    source: MantidSource
    consumer: Consumer
    stop: threading.Event = attrs.field(factory=threading.Event)
    errors: list[BaseException] = attrs.field(factory=list)
    thread: threading.Thread | None = None

    def begin(self) -> None:
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.source.run(self.consumer, self.stop)
        except BaseException as error:
            self.errors.append(error)

    def join(self) -> None:
        assert self.thread is not None
        self.thread.join(60.0)
        assert not self.thread.is_alive()


@contextlib.contextmanager
def running(source: MantidSource, consumer: Consumer | None = None, fails: bool = False) -> Iterator[Running]:
    """Have a source run beside the test, and end it; what it raises is raised, unless it is to fail."""
    work = Running(source, consumer or Consumer())
    work.begin()
    try:
        yield work
    finally:
        work.stop.set()
        work.join()
    if work.errors and not fails:
        raise work.errors[0]


def why_begun_again(work: Running, caplog: pytest.LogCaptureFixture) -> str:
    """Wait for the second call of StartLiveData, and return what the log says of it."""
    until(lambda: work.source.status().connects >= 2)
    (said, *_) = (each.getMessage() for each in caplog.records if "begun again" in each.getMessage())
    return said


def live_monitors() -> Sequence[Any]:
    from mantid.api import AlgorithmManager

    return list(AlgorithmManager.runningInstancesOf("MonitorLiveData"))
