"""Settings of the simulated beamline: the table ``[simulate]``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs
from attrs.validators import ge, gt, le, lt, min_len

from livered_core.config.faults import parse_fault
from livered_core.config.metadata import about

Recycle = Literal["auto", "always", "never"]

SAMPLES: Final = ("diamond", "silicon", "nickel", "vanadium", "container", "liquid")
"""Samples with a name of their own; besides them there is every crystalline material of NCrystal's library."""

_LAST_RUN_NUMBER: Final = 2**32 - 1
_LONGEST_TOF_US: Final = 1e6
_HIGHEST_RATE: Final = 1e8
_WINDOW: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]+)?)-([0-9]{1,9}(?:\.[0-9]+)?)")


def _finite(_config: Any, attribute: attrs.Attribute[float], value: float) -> None:
    if not math.isfinite(value):
        message = f"{attribute.name} must be a finite number and is {value}"
        raise ValueError(message)


def _after_tof_min(config: SimulateConfig, attribute: attrs.Attribute[float], value: float) -> None:
    if not value > config.tof_min_us:
        message = f"{attribute.name} must be above tof_min_us ({config.tof_min_us:g}) and is {value:g}"
        raise ValueError(message)


def _has_an_end(config: SimulateConfig, attribute: attrs.Attribute[float], value: float) -> None:
    if value == 0.0 and config.n_runs == 0:
        message = f"{attribute.name} must be above 0 for runs without end, else they fill the disk"
        raise ValueError(message)


def _with_composition(config: SimulateConfig, attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if value is not None and not config.composition:
        message = f'{attribute.name} needs a composition: set composition too, for example "SiO2"'
        raise ValueError(message)


def _with_s_of_q(config: SimulateConfig, attribute: attrs.Attribute[str], value: str) -> None:
    if value and config.s_of_q is None:
        message = (
            f"{attribute.name} says of what s_of_q is, which is not set; set s_of_q too, or name a sample"
        )
        raise ValueError(message)


def parse_window(text: str) -> tuple[float, float]:
    """Read a part of a run as people write it: ``20-30``.

    Returns
    -------
    tuple of float
        Seconds after the start of the run: from, to.

    Raises
    ------
    ValueError
        When it is something else.
    """
    match = _WINDOW.fullmatch(text)
    if match is None or not float(match[1]) < float(match[2]):
        message = f"{text!r} is not a part of a run: write FROM-TO in seconds, for example 20-30"
        raise ValueError(message)
    return float(match[1]), float(match[2])


def _is_windows(_config: Any, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    last = 0.0
    for text in value:
        try:
            begin, end = parse_window(text)
        except ValueError as error:
            message = f"{attribute.name} cannot be used: {error}"
            raise ValueError(message) from None
        if begin < last:
            message = f"{attribute.name} must be in order and not overlap: {text!r} begins before {last:g}"
            raise ValueError(message)
        last = end


def _is_faults(_config: Any, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for text in value:
        try:
            parse_fault(text)
        except ValueError as error:
            message = f"{attribute.name} cannot be used: {error}"
            raise ValueError(message) from None


SCENARIOS: Final[Mapping[str, Mapping[str, Any]]] = {
    "day": {
        "n_runs": 6,
        "run_length": 90.0,
        "gap": 12.0,
        "scans": ["0-15", "15-30"],
        "pauses": ["35-45"],
        "no_beam": ["55-70"],
        "ramp": 2.0,
        "vetoed": 0.001,
        "partial": 0.001,
        "roll_mb": 60.0,
    }
}
"""Values of several keys at once: a day at a beamline, in ten minutes."""


@attrs.frozen
class SimulateConfig:
    """What the simulated beamline plays.

    Attributes
    ----------
    idf
        Instrument definition that goes into the stream and says where the pixels are. None leaves it to the
        packaged defaults of the instrument's plugin.
    calibration
        Calibration file taken as the truth about the pixels; without it the geometry is the truth.
    sample
        What is in the beam: one of `SAMPLES`, or the name of a material in NCrystal's library.
    total_scattering
        The sample scatters by its total S(Q), elastically and without the instrument's resolution, in place of Bragg
        peaks on a background: see `livered_core.simulator.total_structure`.
    s_of_q
        Text file with the total S(Q) of the sample, in place of `sample`.
    composition
        Chemical formula of what `s_of_q` is of.
    title, proposal
        What the stream says of the run.
    beamline
        Identifier of the beamline in the stream.
    run_number
        Number of the first run; the following ones count on.
    n_runs
        Number of runs; 0 for runs without end.
    run_length, gap
        Length of each run, and the time between two runs, seconds.
    rate
        Mean number of detected neutrons per second, whatever the sample: runs of different samples are of as many
        atoms only when their rates are set so.
    tof_min_us, tof_max_us
        The frame: neutrons are detected at ``tof_min_us <= tof < tof_max_us``, microseconds.
    seed
        Seed of the random numbers: the same seed gives the same events.
    speed
        Simulated seconds per second; 0 plays as fast as the machine can.
    hold_for_client
        The first run begins when the first client has connected, instead of at once.
    pauses, no_beam, scans
        Parts of each run, as ``"20-30"``: seconds after its start, while the run is paused, the accelerator gives no
        beam, or a scan goes on. Scans are numbered 1, 2, ... and each is 10 K warmer than the one before.
    ramp
        How the sample temperature drifts, kelvin per minute.
    vetoed, partial
        Part of all pulses that are flagged as vetoed, and as partial data, 0 to 1.
    roll_mb
        Size at which the server begins a new file, with the prologue repeated, megabytes.
    recycle
        Whether a bounded number of pulses is drawn and then sent again and again with new ids, times and charges:
        ``"auto"`` does so at rates that cannot be drawn. The events repeat then, and add no statistics.
    faults
        What goes wrong, and when, as ``"reset@30"``; see `livered_core.config.faults`.
    """

    idf: Path | None = attrs.field(
        default=None, metadata=about("instrument definition (IDF) of the simulated beamline")
    )
    calibration: Path | None = attrs.field(
        default=None,
        metadata=about("calibration file taken as the truth about the pixels; without it the geometry is"),
    )
    sample: str = attrs.field(
        default="diamond",
        validator=min_len(1),
        metadata=about(
            f"what is in the beam: {', '.join(SAMPLES)}, or a crystalline material of NCrystal's library, "
            "for example Al2O3_sg167_Corundum, corundum or CeO2"
        ),
    )
    total_scattering: bool = attrs.field(
        default=False,
        metadata=about(
            "the sample scatters by its total S(Q), elastically and without the instrument's resolution, in place of "
            "Bragg peaks on a background"
        ),
    )
    s_of_q: Path | None = attrs.field(
        default=None,
        validator=_with_composition,
        metadata=about(
            "text file with the total S(Q) in place of a sample's: two columns, Q (1/Angstrom) ascending, from 2 or "
            "less to 10 or more, and S; # begins a comment; the first S holds below the first Q, and 1 above the last"
        ),
    )
    composition: str = attrs.field(
        default="",
        validator=_with_s_of_q,
        metadata=about('chemical formula of what s_of_q is of, for example "SiO2"'),
    )
    title: str = attrs.field(default="Simulated powder", metadata=about("title of the runs"))
    proposal: str = attrs.field(default="IPTS-0", metadata=about("proposal of the runs"))
    beamline: str = attrs.field(default="BL-0", metadata=about("identifier of the beamline in the stream"))
    run_number: int = attrs.field(
        default=1, validator=[ge(1), le(_LAST_RUN_NUMBER)], metadata=about("number of the first run")
    )
    n_runs: int = attrs.field(
        default=1, validator=ge(0), metadata=about("number of runs; 0 for runs without end")
    )
    run_length: float = attrs.field(
        default=60.0, validator=[_finite, gt(0.0)], metadata=about("length of each run", "s")
    )
    gap: float = attrs.field(
        default=10.0, validator=[_finite, ge(0.0)], metadata=about("time between two runs", "s")
    )
    rate: float = attrs.field(
        default=200_000.0,
        validator=[_finite, ge(0.0), le(_HIGHEST_RATE)],
        metadata=about("mean number of detected neutrons per second", "1/s"),
    )
    tof_min_us: float = attrs.field(
        default=300.0, validator=[_finite, gt(0.0)], metadata=about("start of the frame", "us")
    )
    tof_max_us: float = attrs.field(
        default=16_667.0,
        validator=[_finite, lt(_LONGEST_TOF_US), _after_tof_min],
        metadata=about("end of the frame", "us"),
    )
    seed: int = attrs.field(default=1, validator=ge(0), metadata=about("seed of the random numbers"))
    speed: float = attrs.field(
        default=1.0,
        validator=[_finite, ge(0.0), _has_an_end],
        metadata=about("simulated seconds per second; 0 plays as fast as the machine can"),
    )
    hold_for_client: bool = attrs.field(
        default=False, metadata=about("the first run begins when the first client has connected")
    )
    pauses: tuple[str, ...] = attrs.field(
        default=(),
        validator=_is_windows,
        metadata=about('when each run is paused, seconds after its start, for example ["20-30"]'),
    )
    no_beam: tuple[str, ...] = attrs.field(
        default=(),
        validator=_is_windows,
        metadata=about('when there is no beam, seconds after the start of each run, for example ["40-50"]'),
    )
    scans: tuple[str, ...] = attrs.field(
        default=(),
        validator=_is_windows,
        metadata=about('scans within each run, each 10 K warmer, for example ["0-20", "20-40"]'),
    )
    ramp: float = attrs.field(
        default=0.0, validator=_finite, metadata=about("drift of the sample temperature", "K/min")
    )
    vetoed: float = attrs.field(
        default=0.0,
        validator=[ge(0.0), le(1.0)],
        metadata=about("part of the pulses that are flagged as vetoed"),
    )
    partial: float = attrs.field(
        default=0.0,
        validator=[ge(0.0), le(1.0)],
        metadata=about("part of the pulses that are flagged as partial data"),
    )
    roll_mb: float = attrs.field(
        default=200.0,
        validator=[_finite, ge(0.01)],
        metadata=about("size at which the server begins a new file, with the prologue repeated", "MB"),
    )
    recycle: Recycle = attrs.field(
        default="auto",
        metadata=about(
            "send a bounded number of pulses again and again; auto does at rates that cannot be drawn"
        ),
    )
    faults: tuple[str, ...] = attrs.field(
        default=(),
        validator=_is_faults,
        metadata=about(
            'what goes wrong, and how many seconds after the first pulse, for example ["reset@30"]'
        ),
    )

    @property
    def sample_name(self) -> str:
        """What is in the beam, in a word: the composition where S(Q) is given, else the sample."""
        return self.sample if self.s_of_q is None else self.composition
