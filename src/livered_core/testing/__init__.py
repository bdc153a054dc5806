"""The test kit: what tests of plugins, of livered and of other clients of ADARA can use.

Nothing of it is imported at run time. A name's module is imported when the name is first asked for, so that pytest, which
loads the plugin of the kit wherever livered is installed, does not pay for what a test does not use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livered_core.hooks.calls import CallListener, FinishedCall
    from livered_core.testing.builders import (
        PROTON_CHARGE_PC,
        empty_chunk,
        make_chunk,
        make_events,
        make_log,
        one_event_chunk,
        powder_chunk,
    )
    from livered_core.testing.checks import Budget, Finding, Verdict, check_plugin, problems
    from livered_core.testing.clocks import ManualClock
    from livered_core.testing.cutting import join_chunks, split_chunk
    from livered_core.testing.deliveries import Delivery
    from livered_core.testing.fake_stream_server import StreamServer, stream_server
    from livered_core.testing.harness import PluginHarness
    from livered_core.testing.hostile import hostile_cases
    from livered_core.testing.hostile_case import HOSTILE_TIME_NS, Containment, HostileCase
    from livered_core.testing.instruments import small_instrument
    from livered_core.testing.leaks import Leak, LeakWatch, no_leaks
    from livered_core.testing.mantid_chunks import as_mantid
    from livered_core.testing.monitor_answers import (
        MonitorAnswer,
        drops,
        keeps_silent,
        replies,
        replies_as_usual,
        replies_slowly,
        resets,
    )
    from livered_core.testing.monitor_request import MonitorRequest, Upload
    from livered_core.testing.monitor_server import MonitorServer
    from livered_core.testing.named import NamedPlugin, find_plugin
    from livered_core.testing.nouns import FIRST_PULSE_NS, make_result, make_run, make_session, make_update
    from livered_core.testing.real_chunks import RecordedRun, chunks_of
    from livered_core.testing.stream_connection import StreamConnection, StreamPart, StreamScript, StreamStep
    from livered_core.testing.stream_packets import (
        run_packets,
        with_pulse_twice,
        with_pulses_swapped,
        without_pulse,
    )
    from livered_core.testing.stream_steps import (
        close_within,
        drip,
        garbage,
        half_close,
        hang_up,
        heartbeats,
        hold,
        reset,
        reset_within,
        silence,
        wait_for,
    )
    from livered_core.testing.transcript import write_transcript

__all__ = [
    "FIRST_PULSE_NS",
    "HOSTILE_TIME_NS",
    "PROTON_CHARGE_PC",
    "Budget",
    "CallListener",
    "Containment",
    "Delivery",
    "Finding",
    "FinishedCall",
    "HostileCase",
    "Leak",
    "LeakWatch",
    "ManualClock",
    "MonitorAnswer",
    "MonitorRequest",
    "MonitorServer",
    "NamedPlugin",
    "PluginHarness",
    "RecordedRun",
    "StreamConnection",
    "StreamPart",
    "StreamScript",
    "StreamServer",
    "StreamStep",
    "Upload",
    "Verdict",
    "as_mantid",
    "check_plugin",
    "chunks_of",
    "close_within",
    "drip",
    "drops",
    "empty_chunk",
    "find_plugin",
    "garbage",
    "half_close",
    "hang_up",
    "heartbeats",
    "hold",
    "hostile_cases",
    "join_chunks",
    "keeps_silent",
    "make_chunk",
    "make_events",
    "make_log",
    "make_result",
    "make_run",
    "make_session",
    "make_update",
    "no_leaks",
    "one_event_chunk",
    "powder_chunk",
    "problems",
    "replies",
    "replies_as_usual",
    "replies_slowly",
    "reset",
    "reset_within",
    "resets",
    "run_packets",
    "silence",
    "small_instrument",
    "split_chunk",
    "stream_server",
    "wait_for",
    "with_pulse_twice",
    "with_pulses_swapped",
    "without_pulse",
    "write_transcript",
]

_WHERE = {
    "livered_core.hooks.calls": ("CallListener", "FinishedCall"),
    "livered_core.testing.builders": (
        "PROTON_CHARGE_PC",
        "empty_chunk",
        "make_chunk",
        "make_events",
        "make_log",
        "one_event_chunk",
        "powder_chunk",
    ),
    "livered_core.testing.checks": ("Budget", "Finding", "Verdict", "check_plugin", "problems"),
    "livered_core.testing.clocks": ("ManualClock",),
    "livered_core.testing.cutting": ("join_chunks", "split_chunk"),
    "livered_core.testing.deliveries": ("Delivery",),
    "livered_core.testing.fake_stream_server": ("StreamServer", "stream_server"),
    "livered_core.testing.harness": ("PluginHarness",),
    "livered_core.testing.hostile": ("hostile_cases",),
    "livered_core.testing.hostile_case": ("HOSTILE_TIME_NS", "Containment", "HostileCase"),
    "livered_core.testing.instruments": ("small_instrument",),
    "livered_core.testing.leaks": ("Leak", "LeakWatch", "no_leaks"),
    "livered_core.testing.mantid_chunks": ("as_mantid",),
    "livered_core.testing.monitor_answers": (
        "MonitorAnswer",
        "drops",
        "keeps_silent",
        "replies",
        "replies_as_usual",
        "replies_slowly",
        "resets",
    ),
    "livered_core.testing.monitor_request": ("MonitorRequest", "Upload"),
    "livered_core.testing.monitor_server": ("MonitorServer",),
    "livered_core.testing.named": ("NamedPlugin", "find_plugin"),
    "livered_core.testing.nouns": (
        "FIRST_PULSE_NS",
        "make_result",
        "make_run",
        "make_session",
        "make_update",
    ),
    "livered_core.testing.real_chunks": ("RecordedRun", "chunks_of"),
    "livered_core.testing.stream_connection": (
        "StreamConnection",
        "StreamPart",
        "StreamScript",
        "StreamStep",
    ),
    "livered_core.testing.stream_packets": (
        "run_packets",
        "with_pulse_twice",
        "with_pulses_swapped",
        "without_pulse",
    ),
    "livered_core.testing.stream_steps": (
        "close_within",
        "drip",
        "garbage",
        "half_close",
        "hang_up",
        "heartbeats",
        "hold",
        "reset",
        "reset_within",
        "silence",
        "wait_for",
    ),
    "livered_core.testing.transcript": ("write_transcript",),
}
"""Module to the names that are imported from it when they are asked for; the same as above. No module has the name of what
it holds: once imported, it would take that name's place."""
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for the first time."""
    if name not in _MODULE_OF:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    found = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
