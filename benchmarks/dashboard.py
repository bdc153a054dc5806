"""Measure publishing to the dashboard: from post_process done to pixels in a browser, and what that costs.

    python benchmarks/dashboard.py [--updates N]

Results go the way of the engine: the newest, the publish thread, the run directory, the dashboard as a process, a page
in a headless Chromium, all on this machine. Pixels are there when two frames have gone by after the page has said what it has
drawn. Without playwright or Chromium the part of the browser is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import attrs
import numpy as np
from dashboard_page import chromium, dashboard_of, page_of
from nomad import SESSION, made_up_chunk
from rows import Row, arguments, finish

import livered_nom
from livered_core import Curve, InstrumentDefinition, Result, RunInfo, Update
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.config import run_directory
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.books import Books
from livered_core.publish.delivery import Patience
from livered_core.publish.latest import Latest, Published
from livered_core.publish.result_files import LATEST, ResultFiles
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.worker import PublishWorker
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings

DIFFERENT = 5
"""Results that take turns, so that no update is like the one before."""


@attrs.frozen(eq=False)
class Engine:
    """What a session has to publish with.

    Attributes
    ----------
    latest, books, results, worker
        Of the session.
    directory
        The run directory.
    run
        The run that goes on.
    shown
        Versions that are in the run directory.
    """

    latest: Latest
    books: Books
    results: ResultFiles
    worker: PublishWorker
    directory: RunDirectory
    run: RunInfo
    shown: SimpleQueue[int]

    def publish(self, result: Result) -> int:
        """Do what the reduction thread does when post_process is done; returns the version."""
        item = self.latest.put(result, self.run, update_of(self.run))
        self.books.runs.published(item)
        self.results.offer(item)
        self.worker.offer(item)
        return item.version

    def wait(self, version: int) -> None:
        """Wait until a version, or a later one, is in the run directory."""
        while self.shown.get() < version:
            pass


def update_of(run: RunInfo) -> Update:
    now_ns = time.time_ns()
    return Update(
        sequence=1,
        final=False,
        n_chunks=1,
        n_pulses=600,
        n_events=10_000_000,
        proton_charge_pc=3.6e9,
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


def six_banks() -> list[Result]:
    rng = np.random.default_rng(1)
    edges = np.geomspace(0.3, 8.0, 6001)
    results = []
    for number in range(DIFFERENT):
        y = [rng.poisson(100 * (bank + 1), 6000) / 0.37 * (1 + 0.1 * number) for bank in range(6)]
        curves = [
            Curve(
                f"bank {bank + 1}",
                edges,
                y[bank],
                np.sqrt(y[bank]),
                "Angstrom",
                "counts/uAh",
                "d-spacing",
                "intensity",
            )
            for bank in range(6)
        ]
        results.append(Result(1, "six banks", curves))
    return results


def of_nomad(run: RunInfo) -> list[Result]:
    path = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    definition = InstrumentDefinition("NOM", path.read_text(encoding="utf-8"))
    plugin = NomPlugin(NomSettings())
    plugin.session_started(SESSION)
    counts = plugin.process_chunk(made_up_chunk(definition, 2_000_000))
    results = []
    for _ in range(DIFFERENT):
        counts = counts + counts
        results.append(plugin.post_process(counts, run, update_of(run)))
    return results


@contextmanager
def engine_in(folder: Path) -> Iterator[Engine]:
    clock = SystemClock()
    run = RunInfo(1, "NOM", "IPTS-0", "benchmark", time.time_ns())
    path = run_directory("NOM", {"XDG_RUNTIME_DIR": str(folder / "run")})
    with RunDirectory(path) as directory:
        books = Books(directory, "a", clock)
        books.run_started(run)
        results = ResultFiles(directory, books.runs)
        shown: SimpleQueue[int] = SimpleQueue()

        def show(item: Published) -> None:
            results.show(item)
            shown.put(item.version)

        worker = PublishWorker(Dispatcher((), {}, clock), show, clock, Patience(Backoff(1.0, 60.0)))
        worker.start()
        engine = Engine(Latest("a", clock), books, results, worker, directory, run, shown)
        ending = threading.Event()

        def beat() -> None:
            while True:
                books.write()
                directory.replace("status.json", [json.dumps(status_of(run))])
                if ending.wait(1.0):
                    return

        heart = threading.Thread(target=beat)
        heart.start()
        try:
            yield engine
        finally:
            ending.set()
            heart.join()
            worker.close(1.0)


def status_of(run: RunInfo) -> dict[str, Any]:
    now_ns = time.time_ns()
    return {
        "format": 2,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "session": {"id": "a", "started_ns": run.start_ns, "instrument": "NOM"},
        "phase": "live",
        "now_ns": now_ns,
        "status_every_s": 1.0,
        "update_every_s": 1.0,
        "lag_s": 0.1,
        "event_rate": 4e5,
        "run": attrs.asdict(run),
        "n_events": 10_000_000,
        "n_pulses": 600,
        "proton_charge_pc": 3.6e9,
        "last_pulse_ns": now_ns,
        "complete": True,
        "missing": [],
        "source": {},
        "sinks": [],
        "logs": [],
    }


def row(key: str, what: str, seconds: Sequence[float], note: str = "", **more: Any) -> Row:
    median, worst = statistics.median(seconds), max(seconds)
    said = f"{worst * 1e3:.3g} ms at worst" + (f"; {note}" if note else "")
    return Row(f"dashboard.{key}", what, median * 1e3, "ms", better="lower", note=said, **more)


def timed(work: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def measure_engine(key: str, what: str, engine: Engine, results: list[Result], updates: int) -> list[Row]:
    calls, written = [], []
    for number in range(updates):
        start = time.perf_counter()
        version = engine.publish(results[number % DIFFERENT])
        calls.append(time.perf_counter() - start)
        engine.wait(version)
        written.append(time.perf_counter() - start)
    # What another thread of Python notices: a little work of its own, alone and while results are written.
    alone = timed(little_work, 1000)
    running = True

    def publish_all_the_time() -> None:
        number = 0
        while running:
            engine.wait(engine.publish(results[number % DIFFERENT]))
            number += 1

    thread = threading.Thread(target=publish_all_the_time)
    thread.start()
    beside = timed(little_work, 1000)
    running = False
    thread.join()
    data = (engine.directory.path / LATEST).read_bytes()
    packed = len(gzip.compress(data, 1))
    size = f"{len(data) / 1e3:.0f} kB, {packed / 1e3:.0f} kB by gzip"
    return [
        row(f"{key}.publish", f"publishing {what}: the reduction thread's part", calls),
        row(f"{key}.written", f"publishing {what}: until `latest.json` is there", written, size),
        row(
            f"{key}.other_threads",
            f"1 ms of work of another thread while {what} is written all the time",
            beside,
            beside="the same alone",
            ratio=statistics.median(beside) / statistics.median(alone),
        ),
    ]


def little_work() -> int:
    return sum(range(60_000))


def measure_browser(
    key: str, what: str, engine: Engine, results: list[Result], updates: int, address: str
) -> list[Row]:
    with page_of(address) as (page, wire):
        page.wait_for_timeout(1000)
        first = dict(wire)
        wire.clear()
        late, draws = [], []
        for number in range(updates):
            start = time.time()
            version = engine.publish(results[number % DIFFERENT])
            page.wait_for_function("(version) => version in globalThis.seen", arg=str(version))
            late.append(page.evaluate("(version) => globalThis.seen[version]", str(version)) / 1e3 - start)
            draws.append(page.evaluate("globalThis.livered.drawMs") / 1e3)
            # Not in step with whoever looks how often.
            page.wait_for_timeout(100 + 37 * (number % 7))
        per_update = sum(size for path, size in wire.items() if path.endswith("/latest")) / updates
    data = sum(size for path, size in first.items() if path.startswith("/api/"))
    own = sum(size for path, size in first.items()) - data - first.get("/plotly.js", 0)
    wired = (
        f"over the wire: plotly.js {first.get('/plotly.js', 0) / 1e3:.0f} kB, page {own / 1e3:.0f} kB and "
        f"data {data / 1e3:.0f} kB once, {per_update / 1e3:.0f} kB at each update"
    )
    return [
        row(f"{key}.pixels", f"{what}: from a result to pixels in a browser", late, wired),
        row(f"{key}.drawing", f"{what}: of that, drawing the curves", draws),
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--updates", type=int, default=8)
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure six banks, and NOMAD with its views."""
    updates = 5 if options.quick else options.updates
    run = RunInfo(1, "NOM", "IPTS-0", "benchmark", time.time_ns())
    rows = []
    for key, what, results in (
        ("banks", "six banks of 6000 points", six_banks()),
        ("nom", "NOMAD with its views", of_nomad(run)),
    ):
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            (folder / "run").mkdir(mode=0o700)
            with engine_in(folder) as engine:
                rows += measure_engine(key, what, engine, results, updates)
                if chromium() is None:
                    print("No browser: its part needs playwright, and Chromium (or LIVERED_CHROMIUM).")
                    continue
                with dashboard_of(folder) as address:
                    rows += measure_browser(key, what, engine, results, updates, address)
    return rows


if __name__ == "__main__":
    main()
