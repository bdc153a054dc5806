"""Drawing events: many pulses at a time, sorted by pulse and bank as they are drawn."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.simulator.tables import EventTables


@attrs.frozen(eq=False)
class EventBlock:
    """Events of several pulses, ordered by pulse and within a pulse by bank.

    Attributes
    ----------
    counts
        int64[pulses, banks], number of events.
    pixel_id
        uint32[n].
    tof
        uint32[n], ticks of 100 ns.
    """

    counts: npt.NDArray[np.int64]
    pixel_id: npt.NDArray[np.uint32]
    tof: npt.NDArray[np.uint32]


def draw(tables: EventTables, rng: np.random.Generator, mean_events: npt.NDArray[np.float64]) -> EventBlock:
    """Draw the events of several pulses.

    Numbers of events are Poisson, independent for each pulse and bank. The same generator state gives the same
    events.

    Parameters
    ----------
    tables
        From `livered_core.simulator.tables.make_tables`.
    rng
        Its state moves on.
    mean_events
        float64[pulses], mean number of events of each pulse over all banks.
    """
    counts = rng.poisson(mean_events[:, np.newaxis] * tables.bank_share)
    flat = counts.ravel()
    n_pulses = len(mean_events)
    bank_size = np.diff(tables.bank_start)
    size = np.repeat(np.tile(bank_size.astype(np.float64), n_pulses), flat)
    start = np.repeat(np.tile(tables.bank_start[:-1], n_pulses), flat)
    n_events = len(start)

    # One random number says which pixel is drawn (its whole part) and whether it stays (the rest).
    where = rng.random(n_events) * size
    local = where.astype(np.int64)
    pixel = start + local
    where -= local
    pixel = np.where(where < tables.keep[pixel], pixel, tables.alias[pixel])

    cell = rng.random(n_events, dtype=np.float32) * tables.span[pixel] + tables.lower[pixel]
    whole = np.minimum(cell.astype(np.int64), tables.cells - 1)
    within = cell - whole.astype(np.float32)
    whole += tables.first_quantile[pixel]
    left = tables.quantiles[whole]
    d_spacing = left + within * (tables.quantiles[whole + 1] - left)
    ticks = (tables.difa[pixel] * d_spacing + tables.difc[pixel]) * d_spacing + tables.tzero[pixel]
    # Only rounding can lead out of the frame: the cells were cut to it.
    tof = np.clip(ticks, tables.first_tick, tables.last_tick).astype(np.uint32)
    return EventBlock(counts=counts.astype(np.int64), pixel_id=tables.pixel_id[pixel], tof=tof)
