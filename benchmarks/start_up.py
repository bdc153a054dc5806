"""Measure how long livered takes to start: its help, its first data and its first curves.

    python benchmarks/start_up.py [--times N] [--json FILE] [--quick]

``livered --help`` beside an empty Python and one that imports numpy, taking turns. ``livered run --simulate`` (NOM, the packaged
beamline at 200,000 events/s) from the start of the process to the end of the first call of process_chunk and to the first
published result, with an update every half second: with what numba compiled before, and with an empty cache
(``NUMBA_CACHE_DIR``), as at the first start on a machine. The start of the simulated beamline is in it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rows import Row, arguments, finish
from sessions import DEFINITION, Bench, bench, livered

HELP_AIM = "below 150 ms"
AIMED_MS = 150.0
EVERY_S = 0.5


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument("--times", type=int, default=15, help="of each command")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure the help, and the first data."""
    times = 5 if options.quick else getattr(options, "times", 15)
    with bench(options) as where:
        return [*of_help(where, times), *of_run(where, warmed=options.quick)]


def of_help(where: Bench, times: int) -> list[Row]:
    """Measure the help beside Python itself, taking turns."""
    program = Path(sys.executable).with_name("livered")
    commands: dict[str, Sequence[str]] = {
        "help": [str(program), "--help"],
        "python": [sys.executable, "-c", "pass"],
        "numpy": [sys.executable, "-c", "import numpy"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    environment = where.environment()
    for _ in range(times):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
            took[name].append((time.perf_counter() - began) * 1e3)
    best = {name: min(values) for name, values in took.items()}
    median = {name: statistics.median(values) for name, values in took.items()}
    return [
        Row(
            key="start_up.help",
            what="livered --help, best",
            value=best["help"],
            unit="ms",
            beside=f"python -c pass ({best['python']:.0f} ms)",
            ratio=best["help"] / best["python"],
            better="lower",
            note=f"import numpy takes {best['numpy']:.0f} ms",
            aim=HELP_AIM,
            met=best["help"] < AIMED_MS,
        ),
        Row(
            key="start_up.help.median",
            what=f"livered --help, median of {times}",
            value=median["help"],
            unit="ms",
            beside=f"python -c pass ({median['python']:.0f} ms)",
            ratio=median["help"] / median["python"],
            better="lower",
            aim=HELP_AIM,
            met=median["help"] < AIMED_MS,
        ),
    ]


def of_run(where: Bench, *, warmed: bool) -> list[Row]:
    """Measure the first data and the first curves, with and without what was compiled before."""
    if not warmed:
        first_times(where, "warming")
    warm = first_times(where, "warm")
    cold = first_times(where, "cold", NUMBA_CACHE_DIR=str(where.folder / "compiled"))
    rows = []
    for name, what in (("data", "first data reduced"), ("curves", "first curves published")):
        rows += [
            Row(
                key=f"start_up.{name}.warm",
                what=f"livered run --simulate: {what}",
                value=warm[name],
                unit="s",
                better="lower",
                note="compiled before",
            ),
            Row(
                key=f"start_up.{name}.cold",
                what=f"the same with nothing compiled: {what}",
                value=cold[name],
                unit="s",
                beside="compiled before",
                ratio=cold[name] / warm[name],
                better="lower",
                note="once a machine",
            ),
        ]
    return rows


def first_times(where: Bench, name: str, **more: str) -> dict[str, float]:
    """Start a session; gives the seconds from its start to its first data and curves."""
    config = where.config(
        name, update_every=EVERY_S, more=f'[simulate]\nidf = "{DEFINITION}"\nrun_length = 60.0\n'
    )
    environment = where.environment(name, **more)
    run = ["run", "--instrument", "NOM", "--simulate", "--config", config, "--plain"]
    with livered(where, *run, environment=environment) as session:
        data = session.wait_for(lambda line: line["is"] == "call" and line["hook"] == "process_chunk")
        curves = session.wait_for(lambda line: line["is"] == "published")
        session.stop()
    return {"data": data["at"] - session.exec_at, "curves": curves["at"] - session.exec_at}


if __name__ == "__main__":
    main()
