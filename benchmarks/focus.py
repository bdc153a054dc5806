"""Measure how fast events are focused, on one thread.

    python benchmarks/focus.py [--calibration FILE] [--events MILLIONS]

Without a calibration file a made-up one of NOMAD's size is used, with DIFA and TZERO in every pixel.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from livered_core import EventBatch
from livered_core.diffraction import (
    Calibration,
    Grouping,
    focus,
    focus_table,
    linear_edges,
    log_edges,
    read_calibration,
    warm_up,
)

N_PIXELS = 101_376
BANKS_BEGIN = (0, 14336, 37888, 52224, 64512, 82944)
D_RANGES = ((0.30, 8.0), (0.15, 3.8), (0.10, 2.5), (0.10, 2.0), (0.10, 1.6), (0.50, 8.0))
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


def events(rng: np.random.Generator, n: int) -> EventBatch:
    return EventBatch(
        pixel_id=rng.integers(0, N_PIXELS, n, dtype=np.uint32),
        tof=rng.integers(3000, 166_670, n, dtype=np.uint32),
        pulse_time_ns=np.zeros(1, np.int64),
        proton_charge_pc=np.zeros(1),
        event_offset=np.array([0, n]),
        flags=np.zeros(1, np.uint32),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--events", type=float, default=10.0, help="millions of events")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    calibration = read_calibration(options.calibration) if options.calibration else made_up_calibration(rng)
    batch = events(rng, int(options.events * 1e6))

    start = time.perf_counter()
    warm_up()
    print(f"warm-up            {time.perf_counter() - start:6.2f} s")

    pixel = np.arange(N_PIXELS)
    grouping = Grouping(pixel, np.searchsorted(BANKS_BEGIN, pixel, side="right") - 1)
    edges = np.stack([log_edges(low, high, 6000) for low, high in D_RANGES])
    start = time.perf_counter()
    table = focus_table(calibration, grouping, edges, 300.0, 16667.0)
    print(f"table              {(time.perf_counter() - start) * 1e3:6.1f} ms")

    durations = []
    for _ in range(5):
        start = time.perf_counter()
        histogram = focus(batch, table)
        durations.append(time.perf_counter() - start)
    fastest, median = min(durations), sorted(durations)[2]
    print(f"calibration        {calibration.source}, {calibration.n_use} pixels in use")
    print(
        f"events             {histogram.n_events}: {histogram.n_binned} binned, "
        f"{histogram.n_out_of_range} out of range, {histogram.n_masked} masked, {histogram.n_unknown} unknown"
    )
    print(f"focus, one thread  {batch.n_events / fastest / 1e6:6.1f} million events/s at best")
    print(f"                   {batch.n_events / median / 1e6:6.1f} million events/s in the median of 5")

    q_edges = np.tile(linear_edges(0.0, 50.0, 2500), (len(D_RANGES), 1))
    in_q = focus_table(calibration, grouping, q_edges, 300.0, 16667.0, "momentum_transfer")
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        focus(batch, in_q)
        durations.append(time.perf_counter() - start)
    print(f"in Q, one thread   {batch.n_events / min(durations) / 1e6:6.1f} million events/s at best")

    start = time.perf_counter()
    _ = histogram + histogram
    print(f"accumulate         {(time.perf_counter() - start) * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
