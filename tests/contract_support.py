"""What the contract tests of Mantid are made of: a small instrument, its stream, and scripts that report."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from adara_support import banked, beam_monitors, run_info
from livered_core.adara import (
    BankedEvents,
    BeamlineInfo,
    BeamMonitorEvents,
    Geometry,
    Heartbeat,
    Packet,
    RunStatus,
    RunStatusCode,
)
from sms_support import Client

PULSE = 16_666_667
SECOND = 1_000_000_000
PIXELS = (1, 2, 3, 4)
CHARGE_PC = 100
REPORT = "import contract_probe\noutput = contract_probe.call(input, output)"
"""A script that hands its variables to `Probe.call`."""

LIVE_SNS = {
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
"""Properties with which the SNS listener follows a server of a test; the address is missing."""
LIVE_FAKE = {
    "Instrument": "ADARA_FakeEvent",
    "OutputWorkspace": "live",
    "PreserveEvents": True,
    "UpdateEvery": 0.1,
}
"""Properties for the fake listener of the facility TEST_LIVE."""

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name="TINY"
            valid-from="2000-01-01 00:00:00" valid-to="2100-01-31 23:59:59" last-modified="2026-01-01 00:00:00">
  <defaults>
    <length unit="metre"/><angle unit="degree"/>
    <reference-frame><along-beam axis="z"/><pointing-up axis="y"/><handedness val="right"/></reference-frame>
  </defaults>
  <component type="moderator"><location z="-10"/></component>
  <type name="moderator" is="Source"/>
  <component type="sample-position"><location/></component>
  <type name="sample-position" is="SamplePos"/>
  <component type="monitors" idlist="monitors"><location/></component>
  <type name="monitors"><component type="monitor"><location z="-1" name="monitor1"/></component></type>
  <type name="monitor" is="monitor"/>
  <idlist idname="monitors"><id val="-1"/></idlist>
  <type name="pixel" is="detector">
    <cylinder id="shape">
      <centre-of-bottom-base x="0" y="0" z="0"/><axis x="0" y="1" z="0"/><radius val="0.005"/><height val="0.01"/>
    </cylinder>
    <algebra val="shape"/>
  </type>
  <component type="pixel" idlist="pixels" name="bank1">
    <location x="1" y="0" z="0"/><location x="1" y="0.1" z="0"/>
    <location x="0" y="0" z="-1"/><location x="0" y="0.1" z="-1"/>
  </component>
  <idlist idname="pixels"><id start="1" end="4"/></idlist>
"""
DEFINITION = _HEAD + "</instrument>\n"
DEFINITION_WITH_LOG = (
    _HEAD
    + """  <component-link name="bank1">
    <parameter name="slit"><logfile id="slit_width" extract-single-value-as="last_value"/></parameter>
  </component-link>
</instrument>
"""
)
"""Needs a value of the log ``slit_width``."""


def run_status(number: int, start_ns: int, code: RunStatusCode, time_ns: int | None = None) -> RunStatus:
    return RunStatus(
        time_ns=start_ns if time_ns is None else time_ns,
        run_number=number,
        run_start_ns=start_ns if number else 0,
        status=code,
        version=0,
    )


def descriptions(number: int, start_ns: int, xml: str = DEFINITION) -> list[Packet]:
    """Everything of a prologue but the run status."""
    packets: list[Packet] = [
        Geometry(time_ns=start_ns, xml=xml),
        BeamlineInfo(time_ns=start_ns, beamline_id="BL-0", short_name="TINY", long_name="TINY"),
    ]
    if number:
        packets.append(attrs.evolve(run_info(number, f"title {number}"), time_ns=start_ns))
    return packets


def prologue(
    number: int, start_ns: int, code: RunStatusCode = RunStatusCode.NEW_RUN, xml: str = DEFINITION
) -> list[Packet]:
    return [run_status(number, start_ns, code), *descriptions(number, start_ns, xml)]


def pulse(start_ns: int, index: int, pixels: Sequence[int] = PIXELS, **changes: Any) -> BankedEvents:
    """A pulse at 60 Hz; the tof of each event is 100.0 us and 0.1 us for each place after the first."""
    made = banked(0, pixels=pixels, charge_pc=CHARGE_PC)
    return attrs.evolve(made, **{"time_ns": start_ns + index * PULSE, **changes})


def pulses(start_ns: int, first: int, last: int) -> list[BankedEvents]:
    return [pulse(start_ns, index) for index in range(first, last)]


def monitors(start_ns: int, index: int, counts: dict[int, int]) -> BeamMonitorEvents:
    return attrs.evolve(beam_monitors(0, counts), time_ns=start_ns + index * PULSE)


def pulses_without_correction(start_ns: int, index: int, offset: int) -> BankedEvents:
    changes = {"tof_corrected": np.zeros(1, np.bool_), "tof_offset": np.array([offset], np.uint32)}
    return pulse(start_ns, index, **changes)


def now_ns() -> int:
    return time.time_ns()


def beat(client: Client, every_s: float = 0.05) -> None:
    """Send heartbeats until the client goes: Mantid looks at what it has only when more comes."""
    pause = threading.Event()
    while not pause.wait(every_s):
        try:
            client.send(Heartbeat(time_ns=now_ns()))
        except OSError:
            return


def beat_until(client: Client, event: threading.Event, limit_s: float = 60.0) -> None:
    for _ in range(int(limit_s / 0.05)):
        if event.wait(0.05):
            return
        client.send(Heartbeat(time_ns=now_ns()))
    message = "waited in vain"
    raise AssertionError(message)


@attrs.define(eq=False)
class Seen:
    """What a script saw of a chunk."""

    name: str
    output: Any
    thread: str
    thread_id: int
    n_events: int | None
    logs: dict[str, Any]
    at: float


@attrs.define(eq=False)
class Probe:
    """The module ``contract_probe``, as far as scripts are concerned."""

    seen: list[Seen] = attrs.field(factory=list)
    then: Callable[[Any, Any], Any] = lambda _input, output: output

    def call(self, workspace: Any, output: Any) -> Any:
        n_events = workspace.getNumberEvents() if hasattr(workspace, "getNumberEvents") else None
        logs = {}
        if hasattr(workspace, "run"):
            run = workspace.run()
            for name in run.keys():  # noqa: SIM118  (a Run is no dict)
                value = run.getProperty(name).value
                logs[name] = value.tolist() if isinstance(value, np.ndarray) else value
        thread = threading.current_thread()
        self.seen.append(
            Seen(str(workspace), output, thread.name, thread.ident or 0, n_events, logs, time.monotonic())
        )
        return self.then(workspace, output)

    @property
    def n_events(self) -> int:
        return sum(each.n_events or 0 for each in self.seen)

    def runs(self) -> list[Any]:
        """Run numbers of the chunks, without repetitions."""
        numbers = [each.logs.get("run_number") for each in self.seen]
        return [number for i, number in enumerate(numbers) if i == 0 or number != numbers[i - 1]]
