"""A run directory as an engine writes it, led by a test: the engine's own classes, and no data stream."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from livered_core.clocks import SystemClock
from livered_core.config import run_directory
from livered_core.model import Curve, HookFailure, Image, Result, RunEndReason, RunInfo, Update
from livered_core.publish.as_json import FORMAT, lines_of
from livered_core.publish.books import Books
from livered_core.publish.latest import Latest
from livered_core.publish.result_files import ResultFiles
from livered_core.publish.run_directory import RunDirectory

STATUS_EVERY_S = 1.0
LOGS = (
    {"name": "SampleTemp", "device": "Sample", "unit": "K", "value": 295.25, "time_ns": 0},
    {"name": "Comment", "device": "Sample", "unit": "", "value": "a word", "time_ns": 0},
)


def hook_row(hook: str, role: str = "owner", **more: Any) -> dict[str, Any]:
    """What the engine writes of a hook of a plugin."""
    row = {"hook": hook, "role": role, "calls": 12, "failures": 0, "mean_s": 0.0123, "last_s": 0.011}
    rest = {"longest_s": 1.25, "last_error": "", "failures_in_a_row": 0, "running_s": None}
    return {**row, **rest, **more}


def plugin_row(name: str, *hooks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the engine writes of a plugin."""
    row = {"name": name, "version": "1.0", "distribution": f"livered-{name}", "class": f"{name}:Plugin"}
    rest = {"file": f"/there/{name}.py", "kind": "wrapper", "data_models": ["native"], "since_ns": 10**18}
    return {**row, **rest, "state": "runs", "reason": "", "hooks": list(hooks), **more}


def banks(n_banks: int, n_points: int, scale: float, seed: int = 1) -> list[Curve]:
    """Make banks with peaks; all but their height stays the same."""
    edges = np.geomspace(0.5, 4.0, n_points + 1)
    d = np.sqrt(edges[:-1] * edges[1:])
    curves = []
    for bank in range(1, n_banks + 1):
        peaks = sum(np.exp(-(((d - at) / (0.01 * bank)) ** 2)) for at in (0.8, 1.1, 1.5 + 0.1 * bank, 2.06))
        noise = np.random.default_rng(seed).normal(0, 0.01, n_points)
        y = scale * (1.0 + noise + 5.0 * peaks)
        curves.append(
            Curve(f"bank {bank}", edges, y, 0.05 * y, "Angstrom", "counts/uAh", "d-spacing", "intensity")
        )
    return curves


def structure(scale: float) -> Curve:
    """Make a curve of another kind, which has a panel of its own."""
    q = np.linspace(0.5, 25.0, 400)
    return Curve(
        "S(Q)", q, scale * (1.0 + np.sin(q) / q), 0.01 + 0 * q, "1/Angstrom", "dimensionless", "Q", "S(Q)"
    )


def view(scale: float) -> Image:
    """Make a two-dimensional view."""
    z = scale * np.outer(np.arange(1, 19), np.arange(1, 61))
    return Image(
        "two theta", np.linspace(0.5, 4, 61), np.linspace(0, 180, 19), z, "Angstrom", "deg", "counts"
    )


@attrs.define(eq=False, slots=False)
class WrittenEngine:
    """Writes a run directory when a test says so, and its heartbeat each second.

    Attributes
    ----------
    directory
        The folder, locked.
    version
        Of the newest result.
    latest, books, results
        The engine's own nouns.
    """

    directory: RunDirectory
    session: str
    n_banks: int = 2
    n_points: int = 400
    version: int = 0
    phase: str = "between runs"
    run: RunInfo | None = None
    clock: SystemClock = attrs.field(factory=SystemClock)
    plugins: list[dict[str, Any]] = attrs.field(
        factory=lambda: [
            plugin_row("tst", hook_row("process_chunk"), hook_row("post_process", calls=0, mean_s=None)),
            plugin_row(
                "filter",
                hook_row(
                    "process_chunk", "wrapper", failures=2, failures_in_a_row=2, last_error="ValueError: no"
                ),
                hook_row("run_started", failures=1, last_error="KeyError: 'x'"),
                state="fails",
            ),
        ]
    )
    _sequence: int = 0
    _lock: threading.RLock = attrs.field(factory=threading.RLock)

    def __attrs_post_init__(self) -> None:
        self.latest = Latest(self.session, self.clock)
        self.books = Books(self.directory, self.session, self.clock)
        self.results = ResultFiles(self.directory, self.books.runs)
        self.books.add(2e5, 0.7, "live")
        self.write_status()

    def begin_run(self, number: int, title: str) -> None:
        """A run begins."""
        start_ns = self.clock.now_ns() // 10**9 * 10**9
        self.run = RunInfo(number, "TST", "IPTS-1", title, start_ns, {"name": title})
        self.phase, self._sequence = "live", 0
        self.books.run_started(self.run)
        self.write_status()

    def publish(self, scale: float, *, final: bool = False) -> None:
        """A result is made, with that height of all curves."""
        run = self.run
        assert run is not None
        self._sequence += 1
        curves = [*banks(self.n_banks, self.n_points, scale), structure(scale)]
        result = Result(run.number, f"banks of {run.title}", curves, [view(scale)], {"scale": scale})
        item = self.latest.put(result, run, self._update(final=final))
        self.books.runs.published(item)
        self.results.offer(item)
        self.results.show(item)
        self.version = item.version

    def end_run(self) -> None:
        """The run ends; its final result was kept."""
        assert self.run is not None
        self.books.run_ended(self.run, RunEndReason.ENDED)
        self.run, self.phase = None, "between runs"
        self.write_status()

    def fail(self, error: str = "ValueError: upside down", consecutive: int = 1) -> None:
        """A plugin fails, for the first time or again."""
        trace = f"Traceback (most recent call last):\n  File tst.py, line 1, in process_chunk\n{error}\n"
        self.books.failed(HookFailure("tst", "1.0", "process_chunk", error, trace, 3, consecutive), self.run)
        self.write_status()

    def write_status(self) -> None:
        """Write a heartbeat, and what has changed."""
        with self._lock:
            runs_version, failures_version = self.books.write()
            versions = {"runs_version": runs_version, "failures_version": failures_version}
            self.directory.replace("status.json", lines_of({**self._status(), **versions}))

    def _update(self, *, final: bool) -> Update:
        run, now_ns = self.run, self.clock.now_ns()
        assert run is not None
        return Update(
            sequence=self._sequence,
            final=final,
            n_chunks=self._sequence,
            n_pulses=60 * self._sequence,
            n_events=1000 * self._sequence,
            proton_charge_pc=3.6e9 * self._sequence,
            first_pulse_ns=run.start_ns,
            last_pulse_ns=now_ns,
            skipped_chunks=0,
            skipped_events=0,
            dropped_chunks=0,
            dropped_events=0,
            complete=True,
            missing=(),
            lag_ns=0,
        )

    def _status(self) -> dict[str, Any]:
        now_ns, run = self.clock.now_ns(), self.run
        return {
            "format": FORMAT,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "session": {
                "id": self.session,
                "started_ns": now_ns - 10**9,
                "backend": "native",
                "source": "adara://127.0.0.1:1",
                "output_dir": "/nowhere",
                "livered_version": "0.1.0",
                "plugins": {"tst": "1.0"},
                "instrument": "TST",
            },
            "phase": self.phase,
            "failure": "",
            "now_ns": now_ns,
            "status_every_s": STATUS_EVERY_S,
            "update_every_s": 1.0,
            "lag_s": 0.2 if run else None,
            "event_rate": 2e5,
            "run": attrs.asdict(run) if run else None,
            "n_chunks": self._sequence,
            "n_updates": self._sequence,
            "n_events": 1000 * self._sequence,
            "n_pulses": 60 * self._sequence,
            "proton_charge_pc": 3.6e9 * self._sequence,
            "last_pulse_ns": now_ns - 200_000_000 if run else 0,
            "dropped_chunks": 0,
            "skipped_chunks": 0,
            "complete": True,
            "missing": [],
            "source": {
                "where": "adara://127.0.0.1:1",
                "connection": "connected",
                "counts": {},
                "paused": False,
            },
            "sinks": [],
            "plugins": self.plugins,
            "logs": [{**log, "time_ns": now_ns} for log in LOGS],
            "logs_left_out": 0,
            "version": self.version,
        }


@contextmanager
def written_engine(folder: Path, name: str = "TST", **sizes: int) -> Iterator[WrittenEngine]:
    """Own the run directory of an instrument in the environment of `private_environment`, and keep it alive."""
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    path = run_directory(name, {"XDG_RUNTIME_DIR": str(run)})
    ending = threading.Event()
    with RunDirectory(path) as directory:
        engine = WrittenEngine(directory, f"session-of-{name}", **sizes)

        def beat() -> None:
            while not ending.wait(STATUS_EVERY_S):
                engine.write_status()

        heart = threading.Thread(target=beat)
        heart.start()
        try:
            yield engine
        finally:
            ending.set()
            heart.join()
