"""Measure what checkpoints, dashboard and sinks cost the reduction.

    python benchmarks/costs.py [--calibration FILE] [--seconds S] [--json FILE] [--quick]

A beamline that only sends plays ten million events a second; NOM with every option on, an update every second. Each of
checkpoints (every two seconds), the dashboard with a client on its event stream, files written with each update, and pages
posted to a monitor on this machine with each update is on in a run of its own, taking turns with runs that have none of them.
What is compared are the processor seconds that livered takes in a second, from the first result to the last; those of
the dashboard's own process are said beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import attrs
from rows import Row, arguments, finish
from sessions import Beamline, Bench, Watched, beamline, bench, cpu_of, livered, run_arguments

from livered_core.testing.monitor_server import MonitorServer

WITHOUT = "[checkpoint]\nenabled = false\n"
EVERY_S = 1.0
PULSES_PER_SECOND = 24
"""Ten million events a second: the machine keeps up, so that runs with and without are of as many events and updates."""


@attrs.frozen
class Cost:
    """What a run took: processor seconds in a second, million events/s, and a note."""

    cpu: float
    rate: float
    note: str = ""


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument("--seconds", type=float, default=4.5, help="of each run")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure each by itself."""
    seconds = 2.5 if options.quick else getattr(options, "seconds", 4.5)
    with (
        bench(options) as where,
        beamline("sender", where.played(), "NOM") as sender,
        MonitorServer() as pages,
    ):
        nothing: list[Cost] = []
        costs: dict[str, Cost] = {}
        tables = {
            "checkpoints": "[checkpoint]\nevery = 2.0\n",
            "dashboard": WITHOUT,
            "files": f"{WITHOUT}[plugins.files]\nevery = {EVERY_S}\n",
            "monitor": f"{WITHOUT}{monitor_table(where, pages)}",
        }
        for number, (name, table) in enumerate(tables.items()):
            if number % 2 == 0:
                nothing.append(cost(where, sender, seconds, "nothing", WITHOUT))
            costs[name] = cost(where, sender, seconds, name, table)
    without = statistics.median(each.cpu for each in nothing)
    rate = statistics.median(each.rate for each in nothing)
    what = {
        "checkpoints": "checkpoints every 2 s",
        "dashboard": "the dashboard, with one client on its event stream",
        "files": "files written with each update",
        "monitor": "a page posted with each update",
    }
    return [
        Row(
            key=f"costs.{name}",
            what=f"processors busy at 10 million events/s, {what[name]}",
            value=each.cpu,
            unit="processors",
            beside=f"without any of them ({without:.2f})",
            ratio=each.cpu / without,
            better="lower",
            note=f"{each.rate:.1f} million events/s, without {rate:.1f}{each.note}",
        )
        for name, each in costs.items()
    ]


def cost(where: Bench, sender: Beamline, seconds: float, name: str, table: str) -> Cost:
    """Reduce a run with what a table of the configuration says."""
    config = where.config(name, update_every=EVERY_S, more=table)
    environment = where.environment(name)
    beside: AbstractContextManager[int | None] = nullcontext()
    fetched: list[int] = []
    if name == "dashboard":
        beside = dashboard(where.folder / name, environment, fetched)
    with beside as other:
        before = 0.0 if other is None else cpu_of(other)
        sender.tell(seconds=seconds, pulses_per_second=PULSES_PER_SECOND)
        with livered(where, *run_arguments(config, sender.port), environment=environment) as session:
            final = session.wait_for(lambda line: line["is"] == "published" and line["final"])
            spent = 0.0 if other is None else cpu_of(other) - before
            session.wait()
            sent = sender.answer()["events"]
            first = session.all("published")[0]
        if final["n_events"] != sent or first is final:
            raise RuntimeError(
                f"{name}: of {sent} events {final['n_events']} are there, {first['n_events']} at first."
            )
    if name != "nothing" and not times_used(where, name, session, fetched):
        raise RuntimeError(f"{name}: it was on, and left no trace.")
    n_events = final["n_events"] - first["n_events"]
    return Cost(
        cpu=(final["cpu"] - first["cpu"]) / (final["at"] - first["at"]),
        rate=n_events / (final["at"] - first["at"]) / 1e6,
        note="" if other is None else f"; its own process {spent:.1f} s of processor time in the run",
    )


@contextmanager
def dashboard(home: Path, environment: dict[str, str], fetched: list[int]) -> Iterator[int]:
    """Run the dashboard with a client that reads its events; gives the number of its process, and notes sizes of curves."""
    arguments = [sys.executable, "-u", "-m", "livered_core", "dashboard", "--port", "0"]
    over = threading.Event()
    with subprocess.Popen(arguments, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+/", process.stdout.readline())
            if found is None:
                raise RuntimeError("The dashboard does not say where it is.")
            reading = threading.Thread(target=read_events, args=(found[0], over, fetched), daemon=True)
            reading.start()
            yield process.pid
        finally:
            over.set()
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
    reading.join(5.0)


def read_events(address: str, over: threading.Event, fetched: list[int]) -> None:
    """Read events until the dashboard ends, and fetch the newest curves when they say that there are some, as a page does."""
    instrument = f"{address}api/instruments/NOM"
    while not over.wait(0.1):
        # There are none before livered has begun, nor after the dashboard has ended.
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{instrument}/events", timeout=60) as stream,
        ):
            for line in stream:
                if line.startswith(b"event: latest"):
                    with urllib.request.urlopen(f"{instrument}/latest", timeout=60) as curves:
                        fetched.append(len(curves.read()))


def monitor_table(where: Bench, server: MonitorServer) -> str:
    """Return the table of the configuration that posts to a monitor."""
    login = where.folder / "login.toml"
    login.touch(0o600)
    login.write_text(f'username = "{server.username}"\npassword = "{server.password}"\n')
    return (
        f'[plugins.publish_monitor]\nurl = "{server.url}"\ncredentials_file = "{login}"\n'
        f"min_interval = {EVERY_S}\n"
    )


def times_used(where: Bench, name: str, session: Watched, fetched: list[int]) -> int:
    """Count what became of what was on: results delivered, curves fetched, or checkpoints that are there."""
    if name == "dashboard":
        return len(fetched)
    if name == "checkpoints":
        return len(list((where.folder / name).rglob("*.checkpoint")))
    plugin = {"files": "files", "monitor": "publish_monitor"}.get(name, "")
    return len(session.all("call", hook="post_publish", plugin=plugin, outcome="returned"))


if __name__ == "__main__":
    main()
