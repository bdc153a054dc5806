"""Settings of the simulated beamline: the table ``[simulate]``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import attrs
from attrs.validators import ge, gt, in_, le, lt

from livered_core.config.metadata import about

SAMPLES: Final = ("diamond", "silicon", "nickel")
"""Names of the powders that the simulated beamline can hold in the beam."""

_LAST_RUN_NUMBER: Final = 2**32 - 1
_LONGEST_TOF_US: Final = 1e6
_HIGHEST_RATE: Final = 1e8


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
        Powder in the beam, one of `SAMPLES`.
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
        Mean number of detected neutrons per second.
    tof_min_us, tof_max_us
        The frame: neutrons are detected at ``tof_min_us <= tof < tof_max_us``, microseconds.
    seed
        Seed of the random numbers: the same seed gives the same events.
    speed
        Simulated seconds per second; 0 plays as fast as the machine can.
    hold_for_client
        The first run begins when the first client has connected, instead of at once.
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
        validator=in_(SAMPLES),
        metadata=about(f"powder in the beam: {', '.join(SAMPLES)}"),
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
