"""Measure what a post to a live data server costs: its size, thinning, rendering, and the way to a server on this machine.

    python benchmarks/monitor.py [--banks N] [--points N] [--posts N]

Six banks of 6000 points with S(Q), Q[S(Q)-1] and G(r), as NOMAD's. The server takes a post and answers at once.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from rows import Row, arguments, finish

from livered_core import Curve, Image, Result, RunInfo, Update
from livered_publish_monitor.plugin import PublishMonitorPlugin
from livered_publish_monitor.render import Page, render
from livered_publish_monitor.settings import MonitorSettings

REPEATS = 15


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def made_up_result(rng: np.random.Generator, banks: int, points: int) -> Result:
    d = np.geomspace(0.1, 8.0, points + 1)
    curves = []
    for bank in range(banks):
        y = rng.poisson(200, points) / 3.7
        curves.append(
            Curve(f"bank {bank + 1}", d, y, np.sqrt(y), "Angstrom", "counts/uC", "d-spacing", "intensity")
        )
    q, r = np.linspace(0.5, 40.0, points), np.linspace(0.0, 50.0, points)
    error = np.full(points, 0.01)
    for name, unit in (("S(Q)", "dimensionless"), ("Q[S(Q)-1]", "1/Angstrom")):
        y = rng.normal(1.0, 0.1, points)
        curves.append(Curve(name, q, y, error, "1/Angstrom", unit, "momentum transfer", name))
    curves.append(
        Curve("G(r)", r, rng.normal(size=points), error, "Angstrom", "1/Angstrom^2", "distance", "G(r)")
    )
    view = Image(
        "banks",
        d[::20],
        np.arange(banks + 1.0),
        rng.poisson(50, (banks, len(d[::20]) - 1)),
        "A",
        "bank",
        "counts",
    )
    return Result(1, "made up", curves, [view])


def an_update(sequence: int) -> Update:
    now = time.time_ns()
    return Update(
        sequence=sequence,
        final=False,
        n_chunks=sequence,
        n_pulses=60 * sequence,
        n_events=100_000 * sequence,
        proton_charge_pc=1e9 * sequence,
        first_pulse_ns=now - 10**10,
        last_pulse_ns=now,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=0,
        dropped_events=0,
        complete=True,
        missing=(),
        lag_ns=0,
    )


def milliseconds(work: Callable[[], object], repeats: int = REPEATS) -> tuple[float, float]:
    """Median and longest time of some work, without the first."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), max(times)


def post_all(folder: Path, result: Result, posts: int) -> list[float]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    login = folder / "login.toml"
    login.touch(0o600)
    login.write_text('username = "a"\npassword = "b"\n')
    url = f"http://127.0.0.1:{server.server_port}/plots/{{instrument}}/{{run}}/upload_plot_data/"
    plugin = PublishMonitorPlugin(MonitorSettings(url, login, min_interval=0.0))
    times = []
    try:
        for sequence in range(1, posts + 2):
            start = time.perf_counter()
            plugin.post_publish(result, RunInfo(1, "NOM"), an_update(sequence))
            times.append((time.perf_counter() - start) * 1e3)
    finally:
        plugin.session_ended()
        server.shutdown()
        thread.join()
        server.server_close()
    return times[1:]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--banks", type=int, default=6)
    parser.add_argument("--points", type=int, default=6000)
    parser.add_argument("--posts", type=int, default=20)
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure a post, and what it is made of."""
    result = made_up_result(np.random.default_rng(1), options.banks, options.points)
    run, update = RunInfo(1, "NOM", title="made up"), an_update(1)
    default = Page(2000, (), {})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        times = post_all(Path(folder), result, options.posts)
    posting = statistics.median(times)
    note = f"on its own thread; {max(times):.0f} ms at worst"
    rows.append(
        Row("monitor.post", "a post: render, send, be answered", posting, "ms", better="lower", note=note)
    )
    pages = {
        "default": ("2000 points a curve", default),
        "more": ("4000 points a curve", attrs.evolve(default, max_points=4000)),
        "image": ("with the image, behind tabs", attrs.evolve(default, images=True, layout="tabs")),
        "small": ("thinned until it has 100 kB", attrs.evolve(default, max_bytes=100_000)),
    }
    for key, (what, page) in pages.items():
        size = len(render(result, run, update, page, time.time_ns()).html)
        median, _ = milliseconds(functools.partial(render, result, run, update, page, time.time_ns()))
        said = f"{size / 1e3:.0f} kB"
        rows.append(
            Row(f"monitor.{key}", f"the page of a post, {what}", median, "ms", better="lower", note=said)
        )
    return rows


if __name__ == "__main__":
    main()
