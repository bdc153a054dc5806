"""Measure how fast events are focused, on one thread.

    python benchmarks/focus.py [--calibration FILE] [--events MILLIONS]

Beside it, in the same run: a compiled loop that only counts the events of each pixel. Without a calibration file a made-up one of NOMAD's size is used, with DIFA and TZERO in every pixel.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from banks_alone import BANKS_BEGIN, D_RANGES, N_BINS, N_PIXELS
from limits import compiled, count_pixels
from rows import Row, arguments, best_of, finish

from livered_core import EventBatch
from livered_core.diffraction import (
    Calibration,
    FocusTable,
    Grouping,
    focus,
    focus_table,
    linear_edges,
    log_edges,
    read_calibration,
    warm_up,
)

ELECTRONIC_BANKS = 99
PER_PULSE = 100_000
TOF_US = (300.0, 16667.0)
AIMED = 200.0
MEAN_DIFC = np.array((1430.0, 2858.0, 5603.0, 9045.0, 9909.0, 860.0))


def made_up_calibration(rng: np.random.Generator) -> Calibration:
    pixel = np.arange(N_PIXELS)
    bank = np.searchsorted(BANKS_BEGIN, pixel, side="right") - 1
    return Calibration(
        detid=pixel,
        difc=MEAN_DIFC[bank] * rng.uniform(0.8, 1.2, N_PIXELS),
        difa=rng.uniform(-6, 0.5, N_PIXELS),
        tzero=rng.uniform(-15, 15, N_PIXELS),
        group=bank + 1,
        use=np.ones(N_PIXELS, bool),
        instrument="NOMAD",
        source="made up",
    )


def events(rng: np.random.Generator, n: int, per_pulse: int = PER_PULSE) -> EventBatch:
    """Make pulses of NOMAD: in each, the events of one bank of the electronics after those of another."""
    n_pulses = max(1, n // per_pulse)
    pixel_id = rng.integers(0, N_PIXELS, (n_pulses, per_pulse), dtype=np.uint32)
    # The bank of the electronics counts, not the pixel.
    order = np.argsort(pixel_id // (N_PIXELS // ELECTRONIC_BANKS), axis=1, kind="stable")
    pixel_id = np.take_along_axis(pixel_id, order, axis=1)
    return EventBatch(
        pixel_id=pixel_id.reshape(-1),
        tof=rng.integers(3000, 166_670, n_pulses * per_pulse, dtype=np.uint32),
        pulse_time_ns=np.arange(n_pulses) * 16_666_667,
        proton_charge_pc=np.zeros(n_pulses),
        event_offset=np.arange(n_pulses + 1) * per_pulse,
        flags=np.zeros(n_pulses, np.uint32),
    )


def shuffled(rng: np.random.Generator, batch: EventBatch) -> EventBatch:
    return attrs.evolve(batch, pixel_id=rng.permutation(batch.pixel_id))


def tables(calibration: Calibration) -> tuple[FocusTable, FocusTable]:
    """Return the tables of NOMAD's banks, in d and in Q."""
    pixel = np.arange(N_PIXELS)
    grouping = Grouping(pixel, np.searchsorted(BANKS_BEGIN, pixel, side="right") - 1)
    edges = np.stack([log_edges(low, high, N_BINS) for low, high in D_RANGES])
    q_edges = np.tile(linear_edges(0.0, 50.0, 2500), (len(D_RANGES), 1))
    return (
        focus_table(calibration, grouping, edges, *TOF_US),
        focus_table(calibration, grouping, q_edges, *TOF_US, "momentum_transfer"),
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--events", type=float, default=10.0, help="millions of events")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure warming up, tables, and events in several orders."""
    rng = np.random.default_rng(1)
    less = 3 if options.quick else 1
    calibration = read_calibration(options.calibration) if options.calibration else made_up_calibration(rng)
    batch = events(rng, int(options.events * 1e6 / less))
    mixed = shuffled(rng, batch)
    start = time.perf_counter()
    warm_up()
    warming = time.perf_counter() - start
    start = time.perf_counter()
    in_d, in_q = tables(calibration)
    making = (time.perf_counter() - start) / 2
    count = compiled(count_pixels)
    per_pixel = np.zeros(N_PIXELS, np.int64)
    histogram = focus(batch, in_d)
    plain, d, q, d_mixed, adding = best_of(
        6.0 / less,
        lambda: count(batch.pixel_id, batch.tof, per_pixel),
        lambda: focus(batch, in_d),
        lambda: focus(batch, in_q),
        lambda: focus(mixed, in_d),
        lambda: histogram + histogram,
    )
    counted = batch.n_events / plain / 1e6
    beside = f"only counting the events of each pixel ({counted:.0f} million events/s)"

    def row(key: str, what: str, seconds: float, held: bool = False, **more: Any) -> Row:
        rate = batch.n_events / seconds / 1e6
        return Row(f"focus.{key}", what, rate, "million events/s", beside, plain / seconds, held=held, **more)

    rate = batch.n_events / d / 1e6
    told = f"calibration {calibration.source}, {histogram.n_binned / histogram.n_events:.0%} in range"
    return [
        row(
            "d_spacing",
            "focused to d-spacing, one thread",
            d,
            held=True,
            note=told,
            aim=f"above {AIMED:.0f} million events/s a core",
            met=rate > AIMED,
        ),
        row("momentum_transfer", "focused to Q, one thread", q, held=True),
        row("shuffled", "focused to d-spacing, pixels in no order at all", d_mixed),
        Row(
            "focus.table",
            "making a table of 101,376 pixels and 6 x 6000 bins",
            making * 1e3,
            "ms",
            better="lower",
        ),
        Row("focus.adding", "adding 6 x 6000 bins", adding * 1e3, "ms", better="lower"),
        Row(
            "focus.warm_up",
            "waiting for compiled code",
            warming,
            "s",
            better="lower",
            note="compiled once a machine",
        ),
    ]


if __name__ == "__main__":
    main()
