"""Beam monitors: what they count of the beam itself."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.geometry import wavelength_from_tof
from livered_core.model import Instrument
from livered_core.simulator.moderator import Spectrum
from livered_core.simulator.tables import TICKS_PER_US, Frame

EVENTS_PER_PULSE: Final = 8.0
"""Mean number of events of a monitor in a pulse of ordinary charge."""

_QUANTILES: Final = 4096
_LARGEST_ID: Final = 1023


@attrs.frozen(eq=False)
class MonitorTables:
    """From what the monitors' events are drawn.

    Attributes
    ----------
    monitor_id
        uint32[m]: in the stream a monitor has its id of the instrument definition without the sign.
    ticks
        float64[m, quantiles], quantiles of the time of flight in ticks of 100 ns.
    """

    monitor_id: npt.NDArray[np.uint32]
    ticks: npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class MonitorBlock:
    """Monitor events of several pulses, ordered by pulse and within a pulse by monitor.

    Attributes
    ----------
    counts
        int64[pulses, m].
    tof
        uint32[n], ticks of 100 ns.
    """

    counts: npt.NDArray[np.int64]
    tof: npt.NDArray[np.uint32]


def make_monitor_tables(instrument: Instrument, spectrum: Spectrum, frame: Frame) -> MonitorTables:
    """Work out what each monitor downstream of the source sees of the beam within the frame.

    Parameters
    ----------
    instrument
        Positions of the monitors.
    spectrum
        Of the beam. A monitor's efficiency goes with the wavelength, as that of a thin 1/v absorber does.
    frame
        Bounds of the time of flight.
    """
    path = np.linalg.norm(instrument.monitor_position - instrument.source_position, axis=1)
    stream_id = np.abs(instrument.monitor_id)
    seen = (path > 0.0) & (stream_id <= _LARGEST_ID)
    tof = np.linspace(frame.tof_min_us, frame.tof_max_us, 20_000)
    ticks = np.empty((int(seen.sum()), _QUANTILES))
    for row, length in enumerate(path[seen]):
        wavelength = wavelength_from_tof(tof, float(length))
        cumulated = np.cumsum(spectrum(wavelength) * wavelength)
        part = (cumulated - cumulated[0]) / (cumulated[-1] - cumulated[0])
        ticks[row] = np.interp(np.linspace(0.0, 1.0, _QUANTILES), part, tof) * TICKS_PER_US
    return MonitorTables(monitor_id=stream_id[seen].astype(np.uint32), ticks=ticks)


def draw_monitors(
    tables: MonitorTables, rng: np.random.Generator, beam: npt.NDArray[np.float64]
) -> MonitorBlock:
    """Draw the monitors' events of several pulses.

    Parameters
    ----------
    tables
        From `make_monitor_tables`.
    rng
        Its state moves on.
    beam
        float64[pulses], proton charge of each pulse relative to an ordinary one.
    """
    n_monitors = len(tables.monitor_id)
    counts = rng.poisson(np.repeat(beam[:, np.newaxis] * EVENTS_PER_PULSE, n_monitors, axis=1))
    row = np.repeat(np.tile(np.arange(n_monitors), len(beam)), counts.ravel())
    cell = rng.random(len(row)) * (_QUANTILES - 1)
    whole = cell.astype(np.int64)
    left = tables.ticks[row, whole]
    tof = left + (cell - whole) * (tables.ticks[row, whole + 1] - left)
    return MonitorBlock(counts=counts.astype(np.int64), tof=tof.astype(np.uint32))
