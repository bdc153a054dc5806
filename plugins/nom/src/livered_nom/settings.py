"""What the table ``[plugins.nom]`` of the configuration may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs

from livered_core.diffraction import FRAME_US
from livered_nom.checks import about, are_above_zero, is_not_negative
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings

NormaliseBy = Literal["proton_charge", "monitor"]

CALIBRANTS = ("diamond", "")
"""Powders whose reflections the peaks found can be compared with; empty for no comparison."""

_MOST_BINS = 1_000_000


def _is_calibrant(_settings: Any, _attribute: Any, value: str) -> None:
    if value not in CALIBRANTS:
        message = f'must be "diamond", or "" for no comparison, not {value!r}'
        raise ValueError(message)


def _is_bin_count(_settings: Any, _attribute: Any, value: int) -> None:
    if not 1 <= value <= _MOST_BINS:
        message = f"must be between 1 and {_MOST_BINS}, not {value}"
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


def _is_below_the_frame(_settings: Any, _attribute: Any, value: float) -> None:
    if not value < FRAME_US:
        message = f"must be below the time between two pulses ({FRAME_US:.0f} us), not {value}"
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
    prompt_pulse_width_us
        Events so soon after a proton pulse are left out, microseconds; 0 leaves out none.
    leave_out_vetoed
        Whether pulses that the accelerator vetoed are left out.
    normalise_by, monitor
        What counts are divided by, and the number of the beam monitor for ``"monitor"``.
    view_strips, view_bins
        Strips of two-theta, and bins of d-spacing, of the two-dimensional view.
    threads
        Threads that count the events of a chunk together; 0 for as many as there are processors. Counts do not depend
        on it.
    references
        Vanadium, its background and the container.
    total_scattering
        S(Q) and G(r).
    """

    calibration: Path | None = attrs.field(
        default=None,
        metadata=about("calibration file (Mantid's SaveDiffCal HDF5); the geometry's DIFC without one"),
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
        metadata=about("names of the banks; each becomes the label of a curve"),
    )
    bank_first: tuple[int, ...] = attrs.field(
        default=(0, 14336, 37888, 52224, 64512, 82944),
        converter=tuple,
        validator=_are_pixel_ids,
        metadata=about("first pixel id of each bank"),
    )
    bank_last: tuple[int, ...] = attrs.field(
        default=(14335, 37887, 52223, 64511, 82943, 101375),
        converter=tuple,
        validator=_are_pixel_ids,
        metadata=about("last pixel id of each bank"),
    )
    d_min: tuple[float, ...] = attrs.field(
        default=(0.30, 0.15, 0.10, 0.10, 0.10, 0.50),
        converter=tuple,
        validator=are_above_zero,
        metadata=about("smallest d-spacing of each bank", "Angstrom"),
    )
    d_max: tuple[float, ...] = attrs.field(
        default=(8.0, 3.8, 2.5, 2.0, 1.6, 8.0),
        converter=tuple,
        validator=are_above_zero,
        metadata=about("largest d-spacing of each bank", "Angstrom"),
    )
    n_bins: int = attrs.field(
        default=6000,
        validator=_is_bin_count,
        metadata=about("number of bins of each bank, logarithmic in d-spacing"),
    )
    tof_min_us: float = attrs.field(
        default=300.0,
        validator=is_not_negative,
        metadata=about("earliest time of flight that is counted", "us"),
    )
    tof_max_us: float = attrs.field(
        default=16667.0,
        validator=is_not_negative,
        metadata=about("time of flight from which on events are not counted", "us"),
    )
    calibrant: str = attrs.field(
        default="diamond",
        validator=_is_calibrant,
        metadata=about('powder that the peaks found are compared with: "diamond", or "" for none'),
    )

    prompt_pulse_width_us: float = attrs.field(
        default=0.0,
        validator=[is_not_negative, _is_below_the_frame],
        metadata=about("events so soon after a proton pulse are left out; 0 leaves out none", "us"),
    )
    leave_out_vetoed: bool = attrs.field(
        default=False, metadata=about("leave out pulses that the accelerator vetoed, with their charge")
    )
    normalise_by: NormaliseBy = attrs.field(
        default="proton_charge", metadata=about('what counts are divided by: "proton_charge" or "monitor"')
    )
    monitor: int = attrs.field(
        default=1, validator=is_not_negative, metadata=about("number of the beam monitor in the stream")
    )
    view_strips: int = attrs.field(
        default=120,
        validator=_is_bin_count,
        metadata=about("strips of two-theta of the two-dimensional view"),
    )
    view_bins: int = attrs.field(
        default=500,
        validator=_is_bin_count,
        metadata=about("bins of d-spacing of the two-dimensional view"),
    )
    threads: int = attrs.field(
        default=2,
        validator=is_not_negative,
        metadata=about("threads that count the events of a chunk together; 0 for as many as processors"),
    )
    references: ReferenceSettings = attrs.field(
        factory=ReferenceSettings, metadata=about("vanadium, its background and the container")
    )
    total_scattering: TotalScatteringSettings = attrs.field(
        factory=TotalScatteringSettings, metadata=about("S(Q) and G(r)")
    )

    def __attrs_post_init__(self) -> None:
        for name in ("bank_q_min", "bank_q_max"):
            values = getattr(self.total_scattering, name)
            if len(values) != len(self.bank_labels):
                message = (
                    f"total_scattering.{name} has {len(values)} values and there are {len(self.bank_labels)} "
                    "bank_labels: give one for each bank"
                )
                raise ValueError(message)
        if self.references.smoothing_cutoff > self.n_bins:
            message = f"references.smoothing_cutoff ({self.references.smoothing_cutoff}) must not be above n_bins ({self.n_bins})"
            raise ValueError(message)
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
