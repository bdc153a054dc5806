"""Tables from which events are drawn, worked out once from the instrument, the truth, the sample and the beam.

Pixels whose scattering angles hardly differ share one distribution of d-spacings. Each pixel then has its own
weight, its own part of that distribution (what its frame lets through) and its own truth.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import ConfigError
from livered_core.model import Instrument
from livered_core.simulator.distribution import Scattering, class_distribution
from livered_core.simulator.truth import Truth

FloatArray = npt.NDArray[np.float64]

TICKS_PER_US: Final = 10.0
"""Ticks of 100 ns in a microsecond."""

_CLASS_WIDTH: Final = 0.02
"""Width of a class in ln(sin(theta))."""


@attrs.frozen
class Frame:
    """The times of flight at which neutrons are detected: ``tof_min_us <= tof < tof_max_us``."""

    tof_min_us: float
    tof_max_us: float


@attrs.frozen(eq=False)
class EventTables:
    """What `livered_core.simulator.events.draw` looks up. Pixels are ordered by bank.

    Attributes
    ----------
    pixel_id
        uint32[n].
    bank_start
        int64[b + 1]: the pixels of bank i are ``bank_start[i]:bank_start[i + 1]``.
    bank_share
        float64[b], part of all events that each bank gets; the sum is 1.
    keep, alias
        float64[n] and int64[n], alias method within a bank: a pixel drawn evenly stays with probability `keep`,
        else its `alias` takes its place (M. D. Vose, IEEE Trans. Softw. Eng. 17 (1991) 972-975).
    first_quantile
        int64[n], where the pixel's class begins in `quantiles`.
    lower, span
        float32[n], the part of the class that the pixel's frame lets through, in cells.
    cells
        Cells of equal probability in each class.
    quantiles
        float32[classes * (cells + 1)], d-spacings in Angstrom, ascending within a class.
    difc, difa, tzero
        float32[n], the truth in ticks of 100 ns instead of microseconds.
    first_tick, last_tick
        Ticks of the frame, both inclusive.
    strength
        What all pixels together detect, for each atom in the beam: in arbitrary units that are the same for all
        samples on the same instrument, truth and frame. Two runs with the rates r and r' are of as many atoms when
        ``r / strength == r' / strength'``.
    """

    pixel_id: npt.NDArray[np.uint32]
    bank_start: npt.NDArray[np.int64]
    bank_share: FloatArray
    keep: FloatArray
    alias: npt.NDArray[np.int64]
    first_quantile: npt.NDArray[np.int64]
    lower: npt.NDArray[np.float32]
    span: npt.NDArray[np.float32]
    cells: int
    quantiles: npt.NDArray[np.float32]
    difc: npt.NDArray[np.float32]
    difa: npt.NDArray[np.float32]
    tzero: npt.NDArray[np.float32]
    first_tick: int
    last_tick: int
    strength: float


def make_tables(instrument: Instrument, truth: Truth, scattering: Scattering, frame: Frame) -> EventTables:
    """Work out the tables for an instrument.

    Parameters
    ----------
    instrument
        Positions and banks of the pixels.
    truth
        In the order of the instrument's pixels.
    scattering
        Sample and beam.
    frame
        Bounds of the time of flight. They also bound the wavelengths: no neutron of another frame is seen.

    Raises
    ------
    ConfigError
        When no pixel sees a neutron in the frame, or none that the sample has scattered.
    """
    order = np.argsort(instrument.bank, kind="stable")
    two_theta = instrument.two_theta[order]
    first_tick = int(np.ceil(frame.tof_min_us * TICKS_PER_US - 1e-6))
    last_tick = int(np.ceil(frame.tof_max_us * TICKS_PER_US - 1e-6)) - 1
    d_min = truth.d_spacing(first_tick / TICKS_PER_US)[order]
    d_max = truth.d_spacing((last_tick + 1) / TICKS_PER_US)[order]
    # A pixel in the direct beam, or without a usable truth, sees no powder.
    sees = (d_min > 0.0) & (d_max > d_min) & (np.sin(two_theta / 2.0) > 1e-4)
    if not sees.any():
        message = (
            f"simulate: no pixel of {instrument.name} sees a neutron between {frame.tof_min_us:g} and "
            f"{frame.tof_max_us:g} us; check the instrument definition, the calibration and the frame."
        )
        raise ConfigError(message)

    shared = _share_classes(scattering, np.where(sees, two_theta, 0.0), d_min, d_max)
    distance = np.linalg.norm(instrument.position[order] - instrument.sample_position, axis=1)
    weight = np.divide(shared.weight, distance**2, out=np.zeros(len(order)), where=distance > 0.0)

    n_banks = len(instrument.bank_names)
    bank_start = np.searchsorted(instrument.bank[order], np.arange(n_banks + 1)).astype(np.int64)
    bank_weight = np.bincount(instrument.bank[order], weight, n_banks)
    keep, alias = np.ones(len(order)), np.arange(len(order))
    for begin, end in pairwise(bank_start.tolist()):
        keep[begin:end], local = _alias_method(weight[begin:end])
        alias[begin:end] = begin + local
    return EventTables(
        pixel_id=instrument.pixel_id[order].astype(np.uint32),
        bank_start=bank_start,
        bank_share=bank_weight / bank_weight.sum(),
        keep=keep,
        alias=alias,
        first_quantile=shared.first_quantile,
        lower=shared.lower,
        span=shared.span,
        cells=scattering.cells,
        quantiles=shared.quantiles,
        difc=(truth.difc[order] * TICKS_PER_US).astype(np.float32),
        difa=(truth.difa[order] * TICKS_PER_US).astype(np.float32),
        tzero=(truth.tzero[order] * TICKS_PER_US).astype(np.float32),
        first_tick=first_tick,
        last_tick=last_tick,
        strength=float(bank_weight.sum()),
    )


@attrs.frozen(eq=False)
class _SharedClasses:
    """The columns of `EventTables` that come from the classes, and the pixels' weights without solid angle."""

    weight: FloatArray
    first_quantile: npt.NDArray[np.int64]
    lower: npt.NDArray[np.float32]
    span: npt.NDArray[np.float32]
    quantiles: npt.NDArray[np.float32]


def _share_classes(
    scattering: Scattering, two_theta: FloatArray, d_min: FloatArray, d_max: FloatArray
) -> _SharedClasses:
    """Sort pixels into classes and work out each class; a pixel with `two_theta` 0 is in none."""
    sees, cells = two_theta > 0.0, scattering.cells
    weight, lower, span = np.zeros((3, len(two_theta)))
    first_quantile = np.zeros(len(two_theta), np.int64)
    quantiles: list[npt.NDArray[np.float32]] = []
    sine = np.sin(np.where(sees, two_theta, 1.0) / 2.0)
    class_of = np.floor(np.log(sine) / _CLASS_WIDTH).astype(np.int64)
    even = np.linspace(0.0, 1.0, cells + 1)
    for chosen in np.unique(class_of[sees]):
        members = np.flatnonzero(sees & (class_of == chosen))
        angle = float(np.mean(two_theta[members]))
        d_spacing, cumulated = class_distribution(
            scattering, angle, float(d_min[members].min()), float(d_max[members].max())
        )
        if not cumulated[-1] > 0.0:
            continue  # the sample scatters nothing there: their weight stays 0
        part = cumulated / cumulated[-1]
        low = np.interp(d_min[members], d_spacing, part)
        high = np.interp(d_max[members], d_spacing, part)
        lower[members], span[members] = low * cells, (high - low) * cells
        weight[members] = (high - low) * cumulated[-1]
        first_quantile[members] = len(quantiles) * (cells + 1)
        quantiles.append(np.interp(even, part, d_spacing).astype(np.float32))
    if not weight.any():
        message = "simulate: the sample scatters nothing in the frame; choose another sample, S(Q) or frame."
        raise ConfigError(message)
    return _SharedClasses(
        weight=weight,
        first_quantile=first_quantile,
        lower=lower.astype(np.float32),
        span=span.astype(np.float32),
        quantiles=np.concatenate(quantiles),
    )


def _alias_method(weight: FloatArray) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Prepare drawing indices in proportion to `weight`: how likely each keeps itself, and who stands in."""
    count = len(weight)
    total = float(weight.sum())
    keep, alias = np.ones(count), np.arange(count)
    if not total > 0.0:
        return keep, alias
    scaled = (weight * (count / total)).tolist()
    small = [index for index in range(count) if scaled[index] < 1.0]
    large = [index for index in range(count) if scaled[index] >= 1.0]
    while small and large:
        poor, rich = small.pop(), large[-1]
        keep[poor], alias[poor] = scaled[poor], rich
        scaled[rich] -= 1.0 - scaled[poor]
        if scaled[rich] < 1.0:
            small.append(large.pop())
    return keep, alias
