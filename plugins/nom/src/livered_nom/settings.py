"""What the table ``[plugins.nom]`` of the configuration may hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import attrs

CALIBRANTS = ("diamond", "")
"""Powders whose reflections the peaks found can be compared with; empty for no comparison."""

_MOST_BINS = 1_000_000


def _about(help_text: str, unit: str = "") -> dict[str, str]:
    return {"help": help_text, "unit": unit}


def _is_calibrant(_settings: Any, _attribute: Any, value: str) -> None:
    if value not in CALIBRANTS:
        message = f'must be "diamond", or "" for no comparison, not {value!r}'
        raise ValueError(message)


def _is_bin_count(_settings: Any, _attribute: Any, value: int) -> None:
    if not 1 <= value <= _MOST_BINS:
        message = f"must be between 1 and {_MOST_BINS}, not {value}"
        raise ValueError(message)


def _are_above_zero(_settings: Any, _attribute: Any, values: tuple[float, ...]) -> None:
    wrong = [value for value in values if not 0 < value < math.inf]
    if wrong:
        message = f"must be above 0 for every bank, not {wrong[0]}"
        raise ValueError(message)


def _are_pixel_ids(_settings: Any, _attribute: Any, values: tuple[int, ...]) -> None:
    wrong = [value for value in values if not 0 <= value < 2**31]
    if wrong:
        message = f"must be pixel ids, 0 or more, not {wrong[0]}"
        raise ValueError(message)


def _are_labels(_settings: Any, _attribute: Any, values: tuple[str, ...]) -> None:
    if not values or len(set(values)) != len(values) or not all(value.strip() for value in values):
        message = f"must name each bank, each name once, not {list(values)}"
        raise ValueError(message)


def _is_not_negative(_settings: Any, _attribute: Any, value: float) -> None:
    if not 0 <= value < math.inf:
        message = f"must be 0 or more, not {value}"
        raise ValueError(message)


@attrs.frozen
class NomSettings:
    """How NOMAD's events become curves. One value for each bank where there are several.

    Attributes
    ----------
    calibration
        Calibration file (Mantid's SaveDiffCal HDF5); None for DIFC from the geometry in the stream.
    bank_labels
        Names of the banks, for people; each once.
    bank_first, bank_last
        First and last pixel id of each bank; banks do not overlap.
    d_min, d_max
        Range of d-spacing of each bank, Angstrom.
    n_bins
        Number of bins of each bank, logarithmic in d.
    tof_min_us, tof_max_us
        Events outside ``tof_min_us <= tof < tof_max_us`` are not counted, microseconds.
    calibrant
        The powder whose reflections the strongest peaks are compared with, one of `CALIBRANTS`.
    """

    calibration: Path | None = attrs.field(
        default=None,
        metadata=_about("calibration file (Mantid's SaveDiffCal HDF5); the geometry's DIFC without one"),
    )
    bank_labels: tuple[str, ...] = attrs.field(
        default=(
            "bank 1 - 15 deg",
            "bank 2 - 31 deg",
            "bank 3 - 67 deg",
            "bank 4 - 122 deg",
            "bank 5 - 154 deg",
            "bank 6 - 7 deg",
        ),
        converter=tuple,
        validator=_are_labels,
        metadata=_about("names of the banks; each becomes the label of a curve"),
    )
    bank_first: tuple[int, ...] = attrs.field(
        default=(0, 14336, 37888, 52224, 64512, 82944),
        converter=tuple,
        validator=_are_pixel_ids,
        metadata=_about("first pixel id of each bank"),
    )
    bank_last: tuple[int, ...] = attrs.field(
        default=(14335, 37887, 52223, 64511, 82943, 101375),
        converter=tuple,
        validator=_are_pixel_ids,
        metadata=_about("last pixel id of each bank"),
    )
    d_min: tuple[float, ...] = attrs.field(
        default=(0.30, 0.15, 0.10, 0.10, 0.10, 0.50),
        converter=tuple,
        validator=_are_above_zero,
        metadata=_about("smallest d-spacing of each bank", "Angstrom"),
    )
    d_max: tuple[float, ...] = attrs.field(
        default=(8.0, 3.8, 2.5, 2.0, 1.6, 8.0),
        converter=tuple,
        validator=_are_above_zero,
        metadata=_about("largest d-spacing of each bank", "Angstrom"),
    )
    n_bins: int = attrs.field(
        default=6000,
        validator=_is_bin_count,
        metadata=_about("number of bins of each bank, logarithmic in d-spacing"),
    )
    tof_min_us: float = attrs.field(
        default=300.0,
        validator=_is_not_negative,
        metadata=_about("earliest time of flight that is counted", "us"),
    )
    tof_max_us: float = attrs.field(
        default=16667.0,
        validator=_is_not_negative,
        metadata=_about("time of flight from which on events are not counted", "us"),
    )
    calibrant: str = attrs.field(
        default="diamond",
        validator=_is_calibrant,
        metadata=_about('powder that the peaks found are compared with: "diamond", or "" for none'),
    )

    def __attrs_post_init__(self) -> None:
        for name in ("bank_first", "bank_last", "d_min", "d_max"):
            if len(getattr(self, name)) != len(self.bank_labels):
                message = (
                    f"{name} has {len(getattr(self, name))} values and there are {len(self.bank_labels)} "
                    "bank_labels: give one for each bank"
                )
                raise ValueError(message)
        for label, low, high in zip(self.bank_labels, self.d_min, self.d_max, strict=True):
            if not low < high:
                message = f"d_min ({low}) must be below d_max ({high}) in {label}"
                raise ValueError(message)
        if not self.tof_min_us < self.tof_max_us:
            message = f"tof_min_us ({self.tof_min_us}) must be below tof_max_us ({self.tof_max_us})"
            raise ValueError(message)
        self._check_banks()

    def _check_banks(self) -> None:
        banks = sorted(zip(self.bank_first, self.bank_last, self.bank_labels, strict=True))
        last_id, last_label = -1, ""
        for first, last, label in banks:
            if first > last:
                message = f"bank_first ({first}) must not be above bank_last ({last}) in {label}"
                raise ValueError(message)
            if first <= last_id:
                message = f"bank_first and bank_last put pixel {first} into both {last_label} and {label}"
                raise ValueError(message)
            last_id, last_label = last, label
