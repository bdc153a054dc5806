"""From counts to intensities."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.model.charge import UAH_PER_PC

NO_MONITOR = "not normalised: no monitor counts"
"""What `Intensity.note` says where the monitor had counted nothing."""
NO_CHARGE = "not normalised: no proton charge"
"""What `Intensity.note` says where there was no charge to divide by."""


@attrs.frozen(eq=False)
class Intensity:
    """Counts, normalised where that was possible.

    Attributes
    ----------
    y, e
        float64, in the shape of the counts: values and standard deviations, in `unit`; never NaN.
    unit
        ``"counts/uAh"`` or ``"counts/monitor count"``, or ``"counts"`` where there was nothing to divide by.
    note
        Why the counts are not normalised; empty when they are.
    """

    y: npt.NDArray[np.float64]
    e: npt.NDArray[np.float64]
    unit: str
    note: str = ""


def normalise_by_charge(counts: npt.NDArray[np.int64], proton_charge_pc: float) -> Intensity:
    """Divide counts by the proton charge.

    Errors are those of Poisson counts: sqrt(N) divided by the same charge; an empty bin has 0 with error 0.
    Without charge (the beam is off, or the first pulses carry none) the counts come back as they are, marked
    as such: a live view must show something, and must say what it is.

    Parameters
    ----------
    counts
        Numbers of events per bin, any shape, not below 0; not modified.
    proton_charge_pc
        Proton charge that belongs to them, picocoulomb.

    Returns
    -------
    Intensity
        With arrays of its own.
    """
    y = counts.astype(np.float64)
    e = np.sqrt(y)
    charge_uah = proton_charge_pc * UAH_PER_PC
    if not (np.isfinite(charge_uah) and charge_uah > 0):
        return Intensity(y, e, "counts", NO_CHARGE)
    return Intensity(y / charge_uah, e / charge_uah, "counts/uAh")


def normalise_by_monitor(counts: npt.NDArray[np.int64], monitor_counts: int) -> Intensity:
    """Divide counts by the counts of a beam monitor.

    The monitor's own Poisson error is carried along: for y = N / M, ``(e/y)^2 = 1/N + 1/M``. It is common to all
    bins, so that it moves a curve up or down and not its points against each other.

    Parameters
    ----------
    counts
        Numbers of events per bin, any shape, not below 0; not modified.
    monitor_counts
        Events of the monitor in the same time.

    Returns
    -------
    Intensity
        With arrays of its own; the counts as they are where the monitor has none.
    """
    y = counts.astype(np.float64)
    if monitor_counts <= 0:
        return Intensity(y, np.sqrt(y), "counts", NO_MONITOR)
    e = np.sqrt(y + y**2 / monitor_counts)
    return Intensity(y / monitor_counts, e / monitor_counts, "counts/monitor count")
