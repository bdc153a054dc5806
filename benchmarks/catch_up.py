"""Measure how a restart in mid-run catches up with a run that has gone on for minutes, and goes on.

    python benchmarks/catch_up.py [--calibration FILE] [--minutes M] [--rate EVENTS] [--json FILE] [--quick]

A beamline in a process of its own has a run that began minutes ago, keeps its history as the facility's server does, and
goes on at its pace. livered (NOM with every option on) is killed as by a crash when it has half of it, and started again:
once with its checkpoint, once without any, so that the whole run is replayed. It has caught up when a result is published
that holds the newest pulses: less old than two update intervals. The time is from the start of the process. The factor is
simulated seconds in a second between the first chunk and that result; peak memory is that of the process.
"""

from __future__ import annotations

import argparse
from typing import Any

import attrs
from rows import Row, arguments, finish
from sessions import Watched, beamline, bench, livered, run_arguments

AIM = "resident memory below 600 MB at any run length"
AIMED_MB = 600.0
EVERY_S = 2.0
CHECKPOINTS = "[checkpoint]\nenabled = {}\nevery = 1.0\n"


@attrs.frozen
class CaughtUp:
    """How a start caught up: seconds from its start, what it began with and ended with, and peak memory, MB."""

    seconds: float
    events: int
    rate: float
    factor: float
    peak_mb: float


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument("--minutes", type=float, default=5.0, help="that the run has gone on")
    parser.add_argument("--rate", type=float, default=1e6, help="events per simulated second")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure a restart with a checkpoint and one without."""
    minutes = 0.5 if options.quick else getattr(options, "minutes", 5.0)
    rate = getattr(options, "rate", 1e6)
    with (
        bench(options) as where,
        beamline("ongoing", where.played(rate=rate), "NOM", {"minutes": minutes}) as line,
    ):
        kept = where.config("kept", update_every=EVERY_S, more=CHECKPOINTS.format("true"))
        anew = where.config("anew", update_every=EVERY_S, more=CHECKPOINTS.format("false"))
        with livered(where, *run_arguments(kept, line.port)) as session:
            half = minutes * 60 * rate / 2
            session.wait_for(lambda said: said["is"] == "published" and said["n_events"] > half)
            session.kill()
        with livered(where, *run_arguments(kept, line.port)) as session:
            with_checkpoint = caught_up(session)
        again = where.environment("another")
        with livered(where, *run_arguments(anew, line.port), environment=again) as session:
            without = caught_up(session)
    if with_checkpoint.events >= without.events:
        raise RuntimeError(
            "The start with a checkpoint reduced as much as the one without: it did not go on from it."
        )
    return [
        *rows_of(
            "checkpoint",
            f"killed in mid-run of {minutes:g} minutes, with its checkpoint",
            with_checkpoint,
            rate,
        ),
        *rows_of("replay", f"started {minutes:g} minutes into a run, without a checkpoint", without, rate),
    ]


def caught_up(session: Watched) -> CaughtUp:
    """Wait until a session shows the newest pulses, and say how it got there."""

    def is_new(line: dict[str, Any]) -> bool:
        return line["is"] == "published" and bool(line["published_ns"] - line["last_ns"] < 2 * EVERY_S * 1e9)

    newest = session.wait_for(is_new)
    first = session.wait_for(lambda line: line["is"] == "call" and line["hook"] == "process_chunk")
    # With a checkpoint the first result is what was seen before.
    before = next((line for line in session.all("published") if line["at"] < first["began"]), None)
    events = newest["n_events"] - (0 if before is None else before["n_events"])
    begun_ns = newest["first_ns"] if before is None else before["last_ns"]
    took = newest["at"] - first["began"]
    session.stop()
    return CaughtUp(
        seconds=newest["at"] - session.exec_at,
        events=events,
        rate=events / took / 1e6,
        factor=(newest["last_ns"] - begun_ns) * 1e-9 / took,
        peak_mb=session.wait_for(lambda line: line["is"] == "ended")["peak"] / 1e6,
    )


def rows_of(key: str, what: str, found: CaughtUp, rate: float) -> list[Row]:
    """Describe a start."""
    return [
        Row(
            key=f"catch_up.{key}.seconds",
            what=f"{what}: until the newest pulses are shown",
            value=found.seconds,
            unit="s",
            better="lower",
            note=f"{found.events / 1e6:.0f} million events reduced, from the start of the process",
        ),
        Row(
            key=f"catch_up.{key}.rate",
            what=f"{what}: catching up",
            value=found.rate,
            unit="million events/s",
            beside=f"the rate at which they came, {rate / 1e6:g} million events/s",
            ratio=found.factor,
            note="the ratio is simulated seconds in a second",
        ),
        Row(
            key=f"catch_up.{key}.peak",
            what=f"{what}: peak resident memory",
            value=found.peak_mb,
            unit="MB",
            better="lower",
            aim=AIM,
            met=found.peak_mb < AIMED_MB,
        ),
    ]


if __name__ == "__main__":
    main()
