"""Measure publishing to the dashboard: from post_process done to pixels in a browser, and what that costs.

    python benchmarks/dashboard.py [--updates N]

Results go the way of the engine: the newest, the publish thread, the run directory, the dashboard as a process, a page
in a headless Chromium, all on this machine. Pixels are there when two frames have gone by after the page has said what it has
drawn. Without playwright or Chromium the part of the browser is left out.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from nomad import SESSION, made_up_chunk

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

if TYPE_CHECKING:
    from playwright.sync_api import Page

DIFFERENT = 5
"""Results that take turns, so that no update is like the one before."""
WATCH = """() => {
    globalThis.seen = {};
    const mark = document.querySelector('[data-testid="updated-version"]');
    new MutationObserver(() => {
        const version = mark.textContent;
        requestAnimationFrame(() => requestAnimationFrame(() => {
            globalThis.seen[version] ??= performance.timeOrigin + performance.now();
        }));
    }).observe(mark, { childList: true, characterData: true, subtree: true });
}"""


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
        "run": attrs.asdict(run),
        "last_pulse_ns": now_ns,
    }


@contextmanager
def dashboard_of(folder: Path) -> Iterator[str]:
    """Run the dashboard; gives its address."""
    environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")}
    arguments = [sys.executable, "-u", "-m", "livered_core", "dashboard", "--port", "0"]
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+/", process.stdout.readline())
        try:
            assert found is not None, "The dashboard does not say where it is."
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def page_of(address: str) -> Iterator[tuple[Page, dict[str, int]]]:
    """Open the page; gives it, and bytes over the wire by path as they come in."""
    from playwright.sync_api import sync_playwright

    paths: dict[str, str] = {}
    wire: dict[str, int] = {}

    def answered(event: dict[str, Any]) -> None:
        paths[event["requestId"]] = "/" + event["response"]["url"].split("/", 3)[-1].partition("?")[0]

    def finished(event: dict[str, Any]) -> None:
        path = paths.get(event["requestId"], "")
        wire[path] = wire.get(path, 0) + int(event["encodedDataLength"])

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        watcher = page.context.new_cdp_session(page)
        watcher.send("Network.enable")
        watcher.on("Network.responseReceived", answered)
        watcher.on("Network.loadingFinished", finished)
        page.goto(address)
        page.wait_for_function("() => globalThis.livered?.drawnVersion > 0")
        page.evaluate(WATCH)
        yield page, wire
        browser.close()


def chromium() -> str | None:
    """Where Chromium is; None where there is none, or no playwright to lead it."""
    if importlib.util.find_spec("playwright") is None:
        return None
    return shutil.which(os.environ.get("LIVERED_CHROMIUM") or "chromium")


def say(what: str, seconds: Sequence[float]) -> None:
    median, worst = statistics.median(seconds), max(seconds)
    print(f"  {what:<46} {median * 1e3:8.2f} ms in the median, {worst * 1e3:8.2f} ms at worst")


def timed(work: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def measure_engine(engine: Engine, results: list[Result], updates: int) -> None:
    calls, written = [], []
    for number in range(updates):
        start = time.perf_counter()
        version = engine.publish(results[number % DIFFERENT])
        calls.append(time.perf_counter() - start)
        engine.wait(version)
        written.append(time.perf_counter() - start)
    say("publishing, for the reduction thread", calls)
    say("until latest.json is there", written)
    # What another thread of Python notices: a little work of its own, alone and while results are written.
    alone = timed(little_work, 2000)
    running = True

    def publish_all_the_time() -> None:
        number = 0
        while running:
            engine.wait(engine.publish(results[number % DIFFERENT]))
            number += 1

    thread = threading.Thread(target=publish_all_the_time)
    thread.start()
    beside = timed(little_work, 2000)
    running = False
    thread.join()
    say("1 ms of work of another thread, alone", alone)
    say("the same while results are written all the time", beside)


def little_work() -> int:
    return sum(range(60_000))


def measure_browser(engine: Engine, results: list[Result], updates: int, address: str) -> None:
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
    say("from post_process done to pixels", late)
    say("of that, drawing the curves", draws)
    data = sum(size for path, size in first.items() if path.startswith("/api/"))
    own = sum(size for path, size in first.items()) - data - first.get("/plotly.js", 0)
    print(
        f"  first load over the wire: plotly.js {first.get('/plotly.js', 0) / 1e3:.0f} kB, page {own / 1e3:.0f} kB, "
        f"data {data / 1e3:.0f} kB; each update {per_update / 1e3:.0f} kB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--updates", type=int, default=50)
    options = parser.parse_args()
    run = RunInfo(1, "NOM", "IPTS-0", "benchmark", time.time_ns())
    for name, results in (
        ("6 banks of 6000 points", six_banks()),
        ("NOMAD, with its two views", of_nomad(run)),
    ):
        print(name)
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            (folder / "run").mkdir(mode=0o700)
            with engine_in(folder) as engine:
                measure_engine(engine, results, options.updates)
                data = (engine.directory.path / LATEST).read_bytes()
                packed = len(gzip.compress(data, 1))
                print(f"  latest.json: {len(data) / 1e3:.0f} kB, {packed / 1e3:.0f} kB by gzip")
                if chromium() is None:
                    print("  no browser: needs playwright, and Chromium (or LIVERED_CHROMIUM)")
                    continue
                with dashboard_of(folder) as address:
                    measure_browser(engine, results, options.updates, address)


if __name__ == "__main__":
    main()
