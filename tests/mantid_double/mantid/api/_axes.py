"""Axes and units of workspaces."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

UNITS: Final = {
    "TOF": ("Time-of-flight", "microsecond"),
    "dSpacing": ("d-Spacing", "Angstrom"),
    "MomentumTransfer": ("q", "Angstrom^-1"),
    "Wavelength": ("Wavelength", "Angstrom"),
    "Energy": ("Energy", "meV"),
    "DeltaE": ("Energy transfer", "meV"),
    "Time": ("t", "second"),
    "AtomicDistance": ("Atomic Distance", "Angstrom"),
    "Degrees": ("Scattering angle", "degrees"),
    "Empty": ("", ""),
    "Label": ("Quantity", ""),
}
"""Unit id to caption and symbol."""

_UNICODE: Final = {"Angstrom": "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "microsecond": "\u03bcs"}


class UnitLabel:
    def __init__(self, text: str) -> None:
        self._text = text

    def ascii(self) -> str:
        return self._text

    def utf8(self) -> str:
        return _UNICODE.get(self._text, self._text)

    def latex(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text


class Unit:
    def __init__(self, unit_id: str, label: tuple[str, str] | None = None) -> None:
        self._id = unit_id
        self._caption, self._symbol = label or UNITS.get(unit_id, (unit_id, ""))
        self._owner: Any = None

    def unitID(self) -> str:
        return self._id

    def name(self) -> str:
        return self._id

    def caption(self) -> str:
        return self._caption

    def label(self) -> str:
        return self._symbol

    def symbol(self) -> UnitLabel:
        return UnitLabel(self._symbol)

    def setLabel(self, caption: str, label: str) -> None:
        self._caption, self._symbol = caption, label
        if self._owner is not None:
            self._owner.x_label = (caption, label)


class XAxis:
    def __init__(self, data: Any) -> None:
        self._data = data

    def getUnit(self) -> Unit:
        unit = Unit(self._data.x_unit, self._data.x_label)
        unit._owner = self._data
        return unit

    def setUnit(self, name: str) -> Unit:
        self._data.x_unit, self._data.x_label = name, None
        return self.getUnit()

    def isNumeric(self) -> bool:
        return True

    def isSpectra(self) -> bool:
        return False

    def isText(self) -> bool:
        return False

    def length(self) -> int:
        return len(self._data.x_of(0))

    def extractValues(self) -> np.ndarray:
        return np.array(self._data.x_of(0))


class SpectraAxis:
    """The second axis: numbers of spectra, or texts."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def isNumeric(self) -> bool:
        return False

    def isSpectra(self) -> bool:
        return self._data.axis_labels is None

    def isText(self) -> bool:
        return self._data.axis_labels is not None

    def getUnit(self) -> Unit:
        return Unit("Label")

    def length(self) -> int:
        return self._data.n

    def label(self, i: int) -> str:
        if self._data.axis_labels is not None:
            return self._data.axis_labels[i]
        return f"spectrum {self._data.spectrum_numbers[i]}"

    def extractValues(self) -> np.ndarray | list[str]:
        if self._data.axis_labels is not None:
            return list(self._data.axis_labels)
        return np.array(self._data.spectrum_numbers, np.float64)

    def setLabel(self, i: int, text: str) -> None:
        self._data.axis_labels[i] = text
