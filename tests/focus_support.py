"""Focusing in plain numpy: what the kernel is held to."""

from __future__ import annotations

from typing import Any

import numpy as np

from livered_core import EventBatch
from livered_core.diffraction import MASKED, UNKNOWN, FocusTable


def d_of(tof_us: Any, difc: Any, difa: Any, tzero: Any) -> Any:
    """Mantid's d(TOF), written from its formulae."""
    tof_us, difc, difa, tzero = (np.asarray(value, np.float64) for value in (tof_us, difc, difa, tzero))
    with np.errstate(all="ignore"):
        linear = 1.0 / difc * tof_us + (-1.0 * tzero / difc)
        middle = -0.5 * difc / difa
        root = np.sqrt(tof_us * (1.0 / difa) + (middle * middle - tzero / difa))
        quadratic = np.where(root < middle, middle - root, middle + root)
    return np.where(difa == 0, linear, quadratic)


def reference(events: EventBatch, table: FocusTable) -> tuple[Any, ...]:
    """Focusing in plain numpy: counts, then events out of range, masked, unknown."""
    size = len(table.group)
    known = events.pixel_id < size
    pixel = np.where(known, events.pixel_id, 0).astype(np.int64)
    group = np.where(known, table.group[pixel], UNKNOWN) if size else np.full(events.n_events, UNKNOWN)
    counts = np.zeros((table.edges.shape[0], table.edges.shape[1] - 1), np.int64)
    out_of_range = 0
    for index, edges in enumerate(table.edges):
        chosen = group == index
        pixels, tof_us = pixel[chosen], events.tof[chosen] / 10.0
        x = d_of(tof_us, table.difc[pixels], table.difa[pixels], table.tzero[pixels])
        if table.axis == "momentum_transfer":
            with np.errstate(all="ignore"):
                x = np.where(x > 0, 2 * np.pi / x, np.nan)
        good = (x >= edges[0]) & (x < edges[-1]) & (tof_us >= table.tof_min_us) & (tof_us < table.tof_max_us)
        bins = np.searchsorted(edges, x[good], side="right") - 1
        counts[index] = np.bincount(bins, minlength=counts.shape[1])
        out_of_range += int(np.count_nonzero(~good))
    return counts, out_of_range, int(np.sum(group == MASKED)), int(np.sum(group == UNKNOWN))
