"""How Mantid names what stands on the axes of a curve."""

from __future__ import annotations

from typing import Final

import attrs

from livered_core.model import Curve
from livered_core.publish.text import one_line

_IDS: Final = {
    ("angstrom", "d-spacing"): "dSpacing",
    ("angstrom", "wavelength"): "Wavelength",
    ("angstrom", "distance"): "AtomicDistance",
    ("1/angstrom", "momentum transfer"): "MomentumTransfer",
    ("1/angstrom", "q"): "MomentumTransfer",
    ("1/angstrom", ""): "MomentumTransfer",
    ("us", "time of flight"): "TOF",
    ("us", "tof"): "TOF",
    ("us", ""): "TOF",
    ("mev", "energy"): "Energy",
    ("mev", "energy transfer"): "DeltaE",
}
"""Unit and quantity of livered's, in small letters, to the identifier of Mantid's unit."""
_SPELLINGS: Final = {
    "\N{LATIN SMALL LETTER A WITH RING ABOVE}": "angstrom",
    "angstroms": "angstrom",
    "angstrom^-1": "1/angstrom",
    "1/\N{LATIN SMALL LETTER A WITH RING ABOVE}": "1/angstrom",
    "\N{MICRO SIGN}s": "us",
    "\N{GREEK SMALL LETTER MU}s": "us",
    "microsecond": "us",
    "microseconds": "us",
}
_NO_UNIT: Final = "dimensionless"


@attrs.frozen
class XUnit:
    """A unit of Mantid's.

    Attributes
    ----------
    unit_id
        As Mantid's UnitFactory knows it; ``Label`` for what it has no unit for.
    caption, symbol
        Quantity and symbol of a ``Label``, which keeps what livered says; empty for others. The symbol is empty for
        what has no dimension.
    """

    unit_id: str
    caption: str = ""
    symbol: str = ""


def x_unit(curve: Curve) -> XUnit:
    """Give Mantid's unit of the x axis of a curve.

    A unit of Mantid's, with which it converts, stands only for what surely is that quantity: ``Angstrom`` alone may be
    a d-spacing, a wavelength or a distance.
    """
    unit = curve.x_unit.strip().lower()
    unit_id = _IDS.get((_SPELLINGS.get(unit, unit), curve.x_name.strip().lower()))
    if unit_id is not None:
        return XUnit(unit_id)
    symbol = one_line(curve.x_unit)
    return XUnit("Label", one_line(curve.x_name) or "x", "" if symbol == _NO_UNIT else symbol)


def is_counts(y_unit: str) -> bool:
    """Tell whether values are numbers of something, also where they are divided by charge or time."""
    return y_unit.strip().lower().startswith("count")


def y_unit(curve: Curve) -> str:
    """Give the unit of the values; Mantid writes ``Counts`` with a capital and compares it."""
    unit = one_line(curve.y_unit)
    return "Counts" if unit.lower() == "counts" else unit


def is_distribution(curve: Curve) -> bool:
    """Tell whether Mantid shall take the mean, and not the sum, when it puts bins together.

    Counts are summed. Whatever else there is, a ratio such as S(Q), keeps its height in wider bins.
    """
    return curve.is_histogram and not is_counts(curve.y_unit)
