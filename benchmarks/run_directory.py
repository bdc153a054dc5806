"""Measure what it costs to write the files of the run directory, and how long other threads are kept waiting by it.

python benchmarks/run_directory.py [--folder FOLDER] [--curves N] [--bins N] [--images N]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rows import Row, arguments, finish

from livered_core import Curve, Image, Receipt, Result, RunInfo, SlowLog, Update
from livered_core.clocks import SystemClock
from livered_core.publish.as_json import ResultEncoder, newest_values, to_json
from livered_core.publish.history import History
from livered_core.publish.latest import Published
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.run_list import MOST_RUNS, RunList

REPEATS = 15
LOGS = 500


def update() -> Update:
    return Update(
        sequence=1,
        final=False,
        n_chunks=1,
        n_pulses=60,
        n_events=10**6,
        proton_charge_pc=1.2e9,
        first_pulse_ns=1,
        last_pulse_ns=10**9,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=0,
        dropped_events=0,
        complete=True,
        missing=(),
        lag_ns=10**8,
    )


def published(number: int, curves: int, bins: int, images: int) -> Published:
    """Make a result like NOMAD's: new values on edges that stay."""
    rng = np.random.default_rng(number)
    edges = np.geomspace(0.3, 3.0, bins + 1)
    made = []
    for bank in range(curves):
        y = rng.random(bins) * 100
        made.append(Curve(f"bank {bank}", edges * (1 + bank / 10), y, np.sqrt(y), "Angstrom", "counts/uAh"))
    views = [
        Image(f"view {n}", np.arange(201), np.arange(151), rng.random((150, 200)), "us", "deg", "counts")
        for n in range(images)
    ]
    run = RunInfo(number, "NOM", title="a powder")
    return Published(number, Result(number, "a powder", tuple(made), tuple(views)), run, update())


def cost(key: str, what: str, call: Callable[[int], object]) -> Row:
    """Measure the processor time of a call, and the longest that another thread waits for its turn meanwhile."""
    gaps: list[float] = []
    stop, busy = threading.Event(), []

    def tick() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    for turn in range(REPEATS):
        started = time.thread_time()
        call(turn)
        busy.append(time.thread_time() - started)
    ticking = threading.Thread(target=tick)
    ticking.start()
    for turn in range(REPEATS):
        call(REPEATS + turn)
    stop.set()
    ticking.join()
    # A few of the longest have other causes.
    waited = sorted(gaps)[-4]
    return Row(
        key=f"run_directory.{key}",
        what=what,
        value=float(np.median(busy)) * 1e3,
        unit="ms",
        better="lower",
        note=f"processor time on its own thread; other threads wait up to {waited * 1e3:.1f} ms",
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--folder", type=Path, help="Where to write; a temporary folder where it is not given."
    )
    parser.add_argument("--curves", type=int, default=6)
    parser.add_argument("--bins", type=int, default=6000)
    parser.add_argument("--images", type=int, default=2)
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure each file."""
    results = [published(n + 1, options.curves, options.bins, options.images) for n in range(2 * REPEATS)]
    logs = {
        f"log {n}": SlowLog(f"log {n}", "device", "K", np.arange(10), np.random.default_rng(n).random(10))
        for n in range(LOGS)
    }
    history = History([(n * 10**10, 1e6 / 3 + n, n / 7, "live") for n in range(2160)])
    runs = RunList("session", SystemClock())
    for number in range(1, MOST_RUNS + 1):
        run = RunInfo(number, "NOM", title="a powder")
        runs.run_started(run)
        item = Published(1, results[0].result, run, update())
        runs.taken("files", item, Receipt("/out", 1, 1, [f"/out/{n}" for n in range(8)]))
    newest = RunInfo(MOST_RUNS, "NOM", title="a powder")
    with tempfile.TemporaryDirectory(dir=options.folder) as path, RunDirectory(Path(path)) as folder:
        encoder = ResultEncoder()
        folder.replace("latest.json", encoder.parts(results[0]))
        size = (Path(path) / "latest.json").stat().st_size

        def one_changes(turn: int) -> None:
            runs.published(Published(turn + 1, results[0].result, newest, update()))
            folder.replace("runs.json", runs.as_json())

        def latest(turn: int) -> None:
            folder.replace("latest.json", encoder.parts(results[turn]))

        return [
            cost("latest", f"`latest.json`, {size / 1e6:.1f} MB", latest),
            cost("logs", f"the values of {LOGS} logs", lambda _: to_json(newest_values(logs)[0])),
            cost("history", "`history.json`", lambda _: folder.replace("history.json", [history.as_json()])),
            cost("runs", f"`runs.json` of {MOST_RUNS} runs", one_changes),
        ]


if __name__ == "__main__":
    main()
