"""Measure how long a pulse waits until people can see it, and what the design rate leaves of the machine.

    python benchmarks/latency.py [--calibration FILE] [--seconds S] [--update-every S] [--json FILE] [--quick]

The simulated beamline plays at its own pace, NOM reduces with every option on and an update every half second, each in a
process of its own on this machine. The latency of a pulse is the time from its own time, which is when the paced beamline
sends it, to the moment at which the first result that holds it is the newest (``Latest.put``, whence dashboard and sinks
take it); both by this machine's clock. Median, 99th percentile and worst are over all pulses; the newest pulse of a result
is as old as the making of the result takes, and the oldest waits one update interval longer. The results of a run's first second
are left out: they wait for what is prepared once.

At the design rate of 25 million events/s, with an update every half second and every two seconds (the default is 30 s):
how much of all processors livered takes, alone and with the simulated beamline, and whether results fall behind: the age of a result's newest pulse in the last third of the time beside the
first third.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from rows import Row, arguments, finish
from sessions import DESIGN_RATE, Bench, bench, cpu_of, livered, quantile, run_arguments, simulator

Floats = npt.NDArray[np.float64]
RATES = {"1e4": 1e4, "1e5": 1e5, "1e6": 1e6, "1e7": 1e7, "2.5e7": DESIGN_RATE}
PULSE_S = 1 / 60
SETTLING_S = 1.0
CALM_S = 2.0
AIM = "median below 1.2 x the update interval"
AIMED = 1.2
BUSY_AIM = "less than a third of the machine busy"


@attrs.frozen(eq=False)
class Played:
    """What a session said at a rate: for each result when it was there and its newest pulse, and processor seconds."""

    published_s: Floats
    newest_s: Floats
    cpu: Floats
    beamline_cpu: float
    seconds: float
    events: Floats

    def waits(self) -> Floats:
        """Return for each pulse after the first result how long it waited, seconds."""
        waits = [
            there - np.arange(newest, before + PULSE_S / 2, -PULSE_S)
            for there, before, newest in zip(
                self.published_s[1:], self.newest_s, self.newest_s[1:], strict=False
            )
        ]
        return np.concatenate(waits)

    @property
    def newest_ages(self) -> Floats:
        ages: Floats = (self.published_s - self.newest_s)[1:]
        return ages

    @property
    def oldest_ages(self) -> Floats:
        ages: Floats = self.published_s[1:] - self.newest_s[:-1] - PULSE_S
        return ages


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument(
        "--seconds", type=float, default=3.5, help="at each rate; four times as long at the design rate"
    )
    parser.add_argument("--update-every", type=float, default=0.5, help="seconds")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure at each rate."""
    seconds = 2.5 if options.quick else getattr(options, "seconds", 3.5)
    every = getattr(options, "update_every", 0.5)
    rows: list[Row] = []
    with bench(options) as where:
        for name, rate in RATES.items():
            longer = 1.0 if options.quick else 4.0
            played = play(where, rate, seconds * (longer if rate == DESIGN_RATE else 1.0), every)
            rows += rows_of(name, played, every)
            if rate == DESIGN_RATE:
                rows += sustained(played, every)
        rows += sustained(play(where, DESIGN_RATE, 3 * seconds, CALM_S), CALM_S)
    return rows


def play(where: Bench, rate: float, seconds: float, every: float) -> Played:
    """Have a run reduced for some seconds after its first result."""
    config = where.config("latency", update_every=every, more="[checkpoint]\nenabled = true\n")
    with (
        simulator(where.played(rate=rate, run_length=3600.0), "NOM") as process,
        livered(where, *run_arguments(config, process.address)) as session,
    ):
        session.wait_for(lambda line: line["is"] == "published")
        before, began = cpu_of(process.pid), time.monotonic()
        time.sleep(seconds)
        spent, took = cpu_of(process.pid) - before, time.monotonic() - began
        # A session that cannot keep up would go on for long.
        session.kill()
        lines = settled(session.all("published"))
    return Played(
        published_s=np.array([line["published_ns"] * 1e-9 for line in lines]),
        newest_s=np.array([line["last_ns"] * 1e-9 for line in lines]),
        cpu=np.array([line["cpu"] for line in lines]),
        beamline_cpu=spent / took,
        seconds=took,
        events=np.array([line["n_events"] for line in lines]),
    )


def settled(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what waited for the preparations of the run's first chunk; two results are left where there are two."""
    since = lines[0]["at"] + SETTLING_S
    return [line for line in lines if line["at"] >= since or line in lines[-2:]]


def rows_of(name: str, played: Played, every: float) -> list[Row]:
    """Describe the latencies at a rate."""
    if len(played.published_s) < 2:
        raise RuntimeError(f"At {name} events/s there was no second result within {played.seconds:.0f} s.")
    waits = played.waits()
    beside = f"the update interval of {every:g} s"
    median = quantile(waits, 0.5)
    ages = (
        f"newest pulse of a result {np.median(played.newest_ages) * 1e3:.0f} ms old, "
        f"oldest {np.median(played.oldest_ages) * 1e3:.0f} ms; {len(played.newest_ages)} results"
    )
    common: dict[str, Any] = {"unit": "ms", "beside": beside, "better": "lower"}
    what = f"pulse to published result at {name} events/s"
    return [
        Row(
            key=f"latency.{name}.median",
            what=f"{what}, median",
            value=median * 1e3,
            ratio=median / every,
            note=ages,
            aim=AIM,
            met=median < AIMED * every,
            **common,
        ),
        *(
            Row(
                key=f"latency.{name}.{key}",
                what=f"{what}, {words}",
                value=quantile(waits, share) * 1e3,
                ratio=quantile(waits, share) / every,
                **common,
            )
            for key, words, share in (("p99", "99th percentile", 0.99), ("worst", "worst", 1.0))
        ),
    ]


def sustained(played: Played, every: float) -> list[Row]:
    """Describe what the design rate takes, and whether it is kept up with."""
    cores = os.cpu_count() or 1
    wall = played.published_s[-1] - played.published_s[0]
    ours = (played.cpu[-1] - played.cpu[0]) / wall
    rate = (played.events[-1] - played.events[0]) / wall
    third = max(1, len(played.newest_ages) // 3)
    first, last = np.median(played.newest_ages[:third]), np.median(played.newest_ages[-third:])
    common: dict[str, Any] = {"unit": "%", "beside": f"all of {cores} processors", "better": "lower"}
    both = ours + played.beamline_cpu
    kept_up = f"{rate / 1e6:.1f} million events/s reduced over {wall:.0f} s"
    key, what = f"latency.design.{every:g}s", f"25 million events/s, an update every {every:g} s"
    return [
        Row(
            key=f"{key}.busy",
            what=f"{what}, NOM with every option: processors that livered takes",
            value=100 * ours / cores,
            ratio=ours / cores,
            note=kept_up,
            **common,
        ),
        Row(
            key=f"{key}.busy_both",
            what=f"{what}, NOM with every option: processors that livered and the simulated beamline take",
            value=100 * both / cores,
            ratio=both / cores,
            note=f"the simulated beamline takes {100 * played.beamline_cpu / cores:.0f} %",
            aim=BUSY_AIM,
            met=bool(both / cores < 1 / 3 and rate > 0.97 * DESIGN_RATE),
            **common,
        ),
        Row(
            key=f"{key}.lag",
            what=f"{what}: age of a result's newest pulse in the last third of the time",
            value=float(last) * 1e3,
            unit="ms",
            beside="the same in the first third",
            ratio=float(last / first),
            better="lower",
            note=kept_up,
            aim="lag stays bounded",
            met=bool(last < 2 * first + 0.5),
        ),
    ]


if __name__ == "__main__":
    main()
