"""Measure what grows as a run grows: the cost of an update, of adding a chunk, and resident memory. Nothing should.

    python benchmarks/growth.py [--calibration FILE] [--millions N] [--seconds S] [--json FILE] [--quick]

A beamline that only sends plays one run as fast as livered takes it, until a thousand million events have been
reduced or the time is over; NOM with every option on, an update every half second. Costs and memory at the end of the run (the
median of the last third of the updates) are shown beside those at its beginning (the first third, without the first two
updates, in which references and transforms are prepared).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

from rows import Row, arguments, finish
from sessions import Watched, beamline, bench, livered, run_arguments

AIM = "flat"
MEMORY_AIM = "resident memory below 600 MB at any run length"
AIMED_MB = 600.0
FLAT = 1.25
EVERY_S = 0.5
PREPARING = 2


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument("--millions", type=float, default=1500.0, help="of events of the run")
    parser.add_argument("--seconds", type=float, default=35.0, help="at most")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Let a run grow."""
    seconds = 6.0 if options.quick else getattr(options, "seconds", 35.0)
    most = getattr(options, "millions", 1500.0) * 1e6
    with bench(options) as where, beamline("sender", where.played(), "NOM") as sender:
        sender.tell(seconds=1e6)
        config = where.config("growth", update_every=EVERY_S)
        with livered(where, *run_arguments(config, sender.port)) as session:
            session.wait_for(lambda line: line["is"] == "call" and line["hook"] == "process_chunk")
            until = time.monotonic() + seconds
            while time.monotonic() < until and not is_long(session, most):
                time.sleep(0.2)
            session.stop()
            return rows_of(session)


def is_long(session: Watched, most: float) -> bool:
    shown = session.all("published")
    return bool(shown) and shown[-1]["n_events"] >= most


def rows_of(session: Watched) -> list[Row]:
    """Compare the end of the run with its beginning."""
    shown = session.all("published")[PREPARING:]
    if len(shown) < 3:
        raise RuntimeError(f"There were only {len(shown)} updates to compare: give more --seconds.")
    updates = session.all("call", hook="post_process")[PREPARING:]
    adding = session.all("call", hook="accumulate")[PREPARING:]
    first, last = shown[0]["n_events"] / 1e6, shown[-1]["n_events"] / 1e6
    note = f"from {first:.0f} to {last:.0f} million events, {len(shown)} updates"
    peak = shown[-1]["peak"] / 1e6
    return [
        grown("update", "an update (processor time)", [line["own"] * 1e3 for line in updates], "ms", note),
        grown(
            "adding", "adding a chunk (processor time)", [line["own"] * 1e3 for line in adding], "ms", note
        ),
        grown("memory", "resident memory", [line["rss"] / 1e6 for line in shown], "MB", note, held=True),
        Row(
            key="growth.peak",
            what="peak resident memory of the run",
            value=peak,
            unit="MB",
            better="lower",
            note=note,
            aim=MEMORY_AIM,
            met=peak < AIMED_MB,
        ),
    ]


def grown(key: str, what: str, values: Sequence[float], unit: str, note: str, **more: Any) -> Row:
    third = max(1, len(values) // 3)
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    return Row(
        key=f"growth.{key}",
        what=f"{what} at the end of a long run",
        value=last,
        unit=unit,
        beside="the same at its beginning",
        ratio=last / first,
        better="lower",
        note=note,
        aim=AIM,
        met=last / first < FLAT,
        **more,
    )


if __name__ == "__main__":
    main()
