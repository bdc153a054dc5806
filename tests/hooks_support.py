"""Small plugins and nouns for tests of the hooks and of what calls them."""

from __future__ import annotations

from typing import Any

import numpy as np

from livered_core import Chunk, Curve, EventBatch, Result, RunInfo, SessionInfo, Update, hookimpl
from livered_core.clocks import SystemClock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.registry import LoadedPlugin
from livered_core.testing import make_chunk, make_update


def plugin(name: str, instance: Any) -> LoadedPlugin:
    return LoadedPlugin(name, "1.0", f"dist-of-{name}", instance)


def dispatcher(*plugins: LoadedPlugin, owners: dict[str, str] | None = None) -> Dispatcher:
    return Dispatcher(plugins, owners or {}, SystemClock())


def session_info() -> SessionInfo:
    return SessionInfo("TST", "native", "adara://localhost:1", "/nowhere", 0, "0", {})


def run_info(number: int = 1) -> RunInfo:
    return RunInfo(number=number, instrument="TST", title=f"title {number}")


def chunk(sequence: int = 1, events: int = 1, pulses: int = 1, first_ns: int = 1_000) -> Chunk:
    batch = EventBatch(
        pixel_id=np.zeros(events, np.uint32),
        tof=np.full(events, 1000, np.uint32),
        pulse_time_ns=np.arange(first_ns, first_ns + pulses, dtype=np.int64),
        proton_charge_pc=np.full(pulses, 10.0),
        event_offset=np.array([0] + [events] * pulses, np.int64),
        flags=np.zeros(pulses, np.uint32),
    )
    return make_chunk(batch, sequence=sequence)


def update(sequence: int = 1, final: bool = False) -> Update:
    counts = {"n_pulses": 1, "n_events": 1, "proton_charge_pc": 10.0, "first_pulse_ns": 1, "last_pulse_ns": 1}
    return make_update(sequence, final=final, **counts)


def result(run_number: int = 1, y: float = 1.0) -> Result:
    return Result(run_number, "title", (Curve("n", [0.0], [y], [0.0], "one", "counts"),))


class _Records:
    def __init__(self, name: str, calls: list[str]) -> None:
        self._name = name
        self._calls = calls

    def _note(self, text: str) -> None:
        self._calls.append(f"{self._name}.{text}")

    @hookimpl
    def session_started(self, session):
        self._note("session_started")

    @hookimpl
    def run_started(self, run):
        self._note(f"run_started {run.number}")

    @hookimpl
    def run_ended(self, run, reason):
        self._note(f"run_ended {run.number} {reason.value}")

    @hookimpl
    def session_ended(self, session):
        self._note("session_ended")

    @hookimpl
    def on_error(self, failure, run):
        self._note(f"on_error {failure.plugin}.{failure.hook} {run.number if run else None}")

    @hookimpl
    def post_publish(self, result, run, update):
        self._note(f"post_publish {run.number} {'final' if update.final else update.sequence}")


def Recorder(name: str, calls: list[str]) -> LoadedPlugin:
    """A plugin that writes down each call of a hook that every plugin gets."""
    return plugin(name, _Records(name, calls))
