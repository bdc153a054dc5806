"""Run directories written by hand, and a dashboard that shows them."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from livered_support import private_environment, started

SESSION = "s1"
RUN = {
    "number": 4711,
    "instrument": "NOM",
    "proposal": "IPTS-1",
    "title": "Diamond",
    "start_ns": 1_700_000_000_000_000_000,
    "sample": {},
}


def status_table(**changes: Any) -> dict[str, Any]:
    """What a living engine of this process would have written just now."""
    now_ns = time.time_ns()
    table = {
        "format": 2,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "session": {"id": SESSION, "started_ns": now_ns - 3600 * 10**9, "instrument": "NOM"},
        "phase": "live",
        "failure": "",
        "now_ns": now_ns,
        "status_every_s": 1.0,
        "update_every_s": 2.0,
        "lag_s": 0.5,
        "event_rate": 1000.0,
        "run": RUN,
        "n_chunks": 3,
        "n_updates": 2,
        "n_events": 3000,
        "n_pulses": 180,
        "proton_charge_pc": 2.5e9,
        "last_pulse_ns": now_ns - 500_000_000,
        "dropped_chunks": 1,
        "skipped_chunks": 4,
        "complete": True,
        "missing": [],
        "source": {
            "where": "adara://127.0.0.1:31415",
            "connection": "receiving",
            "counts": {},
            "chunk_s": 2.0,
        },
        "sinks": [],
        "logs": [],
        "logs_left_out": 0,
        "version": 1,
        "runs_version": 1,
        "failures_version": 0,
    }
    return {**table, **changes}


def latest_table(version: int = 1, **changes: Any) -> dict[str, Any]:
    """A result of one curve."""
    table = {
        "format": 2,
        "session": SESSION,
        "version": version,
        "published_ns": time.time_ns(),
        "run": RUN,
        "update": {"sequence": version, "final": False, "last_pulse_ns": time.time_ns() - 600_000_000},
        "title": "Diamond",
        "metadata": {"curves": 1},
        "curves": [
            {"label": "bank 1", "x": [0.0, 1.0, 2.0], "y": [1.0, None], "e": [1.0, 1.0], "metadata": {}}
        ],
        "images": [],
    }
    return {**table, **changes}


class RunFolder:
    """A run directory in which a test writes what an engine would."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.path = root / name
        for folder in (root, self.path, self.path / "runs"):
            folder.mkdir(mode=0o700, exist_ok=True)

    def write(self, name: str, content: object) -> bytes:
        """Replace a file as a whole, as livered does; what is not bytes is written as JSON."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        partial = self.path / f"{name}.partial"
        partial.write_bytes(data)
        partial.replace(self.path / name)
        return data

    def status(self, **changes: Any) -> None:
        self.write("status.json", status_table(**changes))

    def latest(self, version: int = 1, **changes: Any) -> bytes:
        return self.write("latest.json", latest_table(version, **changes))


@contextmanager
def running_dashboard(
    folder: Path, *arguments: object, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``livered dashboard`` on a free port; gives its address, without the last slash, and its process."""
    environment = environment or private_environment(folder)
    with started(folder, "dashboard", "--port", 0, *arguments, environment=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stdout.read()
        yield found[0].rstrip("/"), process


class Events:
    """Reads server-sent events from a real socket."""

    def __init__(self, address: str, name: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
        self._connection.request("GET", f"/api/instruments/{name}/events", headers=headers)
        self.response = self._connection.getresponse()
        self.lines: list[str] = []

    def next(self) -> tuple[str, Any]:
        """Give the next event; ("", text) for a comment or the time to wait before connecting again."""
        kind, data = "", ""
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            self.lines.append(line)
            if line == "\n":
                return kind, json.loads(data) if kind else data
            key, _, value = line.rstrip("\n").partition(": ")
            if key == "event":
                kind = value
            else:
                data = value if key == "data" else line.rstrip("\n")

    def until(self, wanted: str, condition: Any = lambda data: True) -> Any:
        """Read on to an event of this kind for which a condition holds."""
        while True:
            kind, data = self.next()
            if kind == wanted and condition(data):
                return data

    def close(self) -> None:
        self.response.close()
        self._connection.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
