"""What counts are divided by: the proton charge, or the counts of a beam monitor."""

from __future__ import annotations

import math

import attrs

from livered_core.diffraction import NO_CHARGE, NO_MONITOR, UAH_PER_PC
from livered_nom.counts import NomCounts
from livered_nom.settings import NormaliseBy


@attrs.frozen
class Exposure:
    """How long a run was exposed to the beam.

    Attributes
    ----------
    amount
        What counts are divided by; 1 where there is nothing to divide by.
    unit
        Unit of counts divided by it.
    note
        Why nothing is divided; empty where it is.
    """

    amount: float
    unit: str
    note: str = ""


def exposure_of(counts: NomCounts, by: NormaliseBy) -> Exposure:
    """Return what the counts of a run are divided by.

    Parameters
    ----------
    counts
        Of the run.
    by
        ``"proton_charge"`` (microampere hours) or ``"monitor"`` (counts).
    """
    if by == "monitor":
        if counts.monitor_counts > 0:
            return Exposure(float(counts.monitor_counts), "counts/monitor count")
        return Exposure(1.0, "counts", NO_MONITOR)
    charge_uah = counts.d.proton_charge_pc * UAH_PER_PC
    if math.isfinite(charge_uah) and charge_uah > 0:
        return Exposure(charge_uah, "counts/uAh")
    return Exposure(1.0, "counts", NO_CHARGE)
