"""Events, logs and chunks for tests, with peaks at known places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from livered_core.model import Chunk, EventBatch, InstrumentDefinition, SlowLog
from livered_core.testing.nouns import FIRST_PULSE_NS, PULSES_PER_S

_NS_PER_S: Final = 1_000_000_000
_TICKS_PER_US: Final = 10
_LARGEST: Final = 2**32 - 1
PROTON_CHARGE_PC: Final = 1e7
"""Proton charge of one pulse unless said otherwise, picocoulomb."""


def make_events(
    pixel_id: npt.ArrayLike,
    tof_us: npt.ArrayLike,
    *,
    pulses: int = 1,
    proton_charge_pc: npt.ArrayLike = PROTON_CHARGE_PC,
    first_pulse_ns: int = FIRST_PULSE_NS,
) -> EventBatch:
    """Make a batch of events, spread evenly over pulses at 60 Hz, in the order given.

    Parameters
    ----------
    pixel_id
        Detector pixel of each event; one for all of them, or n.
    tof_us
        Time of flight of each event, microseconds; rounded to ticks of 0.1 us.
    pulses
        Number of pulses; 0 only without events.
    proton_charge_pc
        Proton charge of each pulse, picocoulomb: one for all of them, or as many as pulses.
    first_pulse_ns
        Time of the first pulse, nanoseconds UTC since the Unix epoch.

    Raises
    ------
    ValueError
        When a pixel or a time of flight does not fit into 32 bits, or numbers do not fit each other.

    Examples
    --------
    >>> events = make_events([3, 4, 5], [1000.0, 2000.0, 3000.0], pulses=2)
    >>> events.event_offset.tolist()
    [0, 1, 3]
    """
    pixels, times = np.broadcast_arrays(np.atleast_1d(pixel_id), np.atleast_1d(tof_us))
    if not pulses and len(times):
        message = (
            f"make_events got {len(times)} events and no pulse: events belong to pulses, give at least 1."
        )
        raise ValueError(message)
    return EventBatch(
        pixel_id=_uint32("pixel_id", pixels),
        tof=_uint32("tof_us", np.rint(np.asarray(times, np.float64) * _TICKS_PER_US)),
        pulse_time_ns=first_pulse_ns + np.arange(pulses, dtype=np.int64) * _NS_PER_S // PULSES_PER_S,
        proton_charge_pc=np.array(np.broadcast_to(proton_charge_pc, (pulses,)), np.float64),
        event_offset=np.arange(pulses + 1, dtype=np.int64) * len(times) // max(pulses, 1),
        flags=np.zeros(pulses, np.uint32),
    )


def make_chunk(
    events: EventBatch,
    *,
    sequence: int = 1,
    instrument: InstrumentDefinition | None = None,
    logs: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Chunk:
    """Make a chunk of the native model; pulses, events, charge and times are those of the events.

    Parameters
    ----------
    events
        Its data.
    sequence
        Its number in the run, from 1 on.
    instrument
        The definition that it carries, for example that of `small_instrument`.
    logs
        Slow logs by name. What is no `SlowLog` is made one: a number or a text that held at the chunk's beginning,
        or several from there on, one each second.
    fields
        Other fields of `Chunk`, those counted from the events too.

    Examples
    --------
    >>> chunk = make_chunk(make_events([1, 2], [500.0, 600.0]), logs={"temperature": 300.0})
    >>> chunk.n_events, chunk.logs["temperature"].last
    (2, 300.0)
    """
    times = events.pulse_time_ns
    first_ns = int(times[0]) if len(times) else 0
    given: dict[str, Any] = {
        "model": "native",
        "data": events,
        "first_pulse_ns": first_ns,
        "last_pulse_ns": int(times[-1]) if len(times) else 0,
        "n_pulses": events.n_pulses,
        "n_events": events.n_events,
        "proton_charge_pc": float(events.proton_charge_pc.sum()),
        "instrument": instrument,
        "logs": {
            name: value if isinstance(value, SlowLog) else make_log(value, name=name, first_ns=first_ns)
            for name, value in (logs or {}).items()
        },
    }
    return Chunk(sequence=sequence, **{**given, **fields})


def make_log(
    values: Any,
    *,
    name: str = "temperature",
    device: str = "",
    unit: str = "",
    first_ns: int = FIRST_PULSE_NS,
    every_s: float = 1.0,
) -> SlowLog:
    """Make a slow log.

    Parameters
    ----------
    values
        One value, or several in the order of their times: numbers, texts, or arrays of numbers (two dimensions).
    name, device, unit
        Of the variable.
    first_ns
        Time of the first value, nanoseconds UTC since the Unix epoch.
    every_s
        Time between two values, seconds.

    Raises
    ------
    ValueError
        Without any value: a variable that has none is no log.

    Examples
    --------
    >>> make_log([300.0, 299.5], unit="K").last
    299.5
    """
    value = _log_values(values)
    if not len(value):
        message = f"make_log got no value for {name}: give at least one."
        raise ValueError(message)
    step_ns = round(every_s * _NS_PER_S)
    return SlowLog(name, device, unit, first_ns + np.arange(len(value), dtype=np.int64) * step_ns, value)


def powder_chunk(
    instrument: InstrumentDefinition,
    d_spacings: Sequence[float],
    *,
    n_events: int = 100_000,
    background: float = 0.2,
    width: float = 0.002,
    pulses: int = PULSES_PER_S,
    seed: int = 0,
    **fields: Any,
) -> Chunk:
    """Make a chunk of a powder: peaks at known d-spacings, in every pixel, on a background that is flat in TOF.

    Parameters
    ----------
    instrument
        Where the pixels are; the chunk carries it.
    d_spacings
        Where the peaks are, Angstrom; they have the same number of events but for chance.
    n_events
        Events of the chunk.
    background
        Fraction of the events that is background, 0 to 1: flat in time of flight from 0 to a tenth beyond the last peak.
    width
        Standard deviation of a peak as a fraction of its d-spacing.
    pulses
        Number of pulses, at 60 Hz.
    seed
        Of the random numbers: the same chunk for the same arguments.
    fields
        Other fields of `Chunk`; ``proton_charge_pc`` and ``first_pulse_ns`` as in `make_events`.

    Raises
    ------
    ValueError
        Without a d-spacing above 0, or when `background` is no fraction.
    GeometryError
        When the definition cannot be read, or has no pixels.

    Examples
    --------
    >>> from livered_core.testing import small_instrument
    >>> powder_chunk(small_instrument(), [2.06], n_events=1000).n_events
    1000
    """
    from livered_core.geometry import difc, read_instrument

    peaks = np.asarray(d_spacings, np.float64)
    if not peaks.size or not (peaks > 0).all():
        message = (
            f"powder_chunk got the d-spacings {list(d_spacings)}: give at least one, each above 0 Angstrom."
        )
        raise ValueError(message)
    if not 0 <= background <= 1:
        message = f"powder_chunk got background={background:g}: it is a fraction of the events, from 0 to 1."
        raise ValueError(message)
    placed = read_instrument(instrument)
    if not len(placed.pixel_id):
        message = (
            f"powder_chunk got the instrument {instrument.name}, which has no pixels: give one that has."
        )
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    row = rng.integers(0, len(placed.pixel_id), n_events)
    d = rng.choice(peaks, n_events) * (1 + width * rng.standard_normal(n_events))
    tof_us = difc(placed)[row] * np.abs(d)
    n_flat = round(background * n_events)
    longest_us = 1.1 * float(difc(placed).max() * peaks.max())
    flat = rng.permutation(n_events)[:n_flat]
    tof_us[flat] = rng.uniform(0.0, longest_us, n_flat)
    return _chunk(placed.pixel_id[row], tof_us, pulses, {"instrument": instrument, **fields})


def empty_chunk(*, pulses: int = PULSES_PER_S, **fields: Any) -> Chunk:
    """Make a chunk of pulses without any event, as the beamline gives them with the shutter closed.

    Parameters
    ----------
    pulses
        Number of pulses, at 60 Hz.
    fields
        As in `powder_chunk`.

    Examples
    --------
    >>> empty_chunk(pulses=3).n_pulses
    3
    """
    return _chunk((), (), pulses, fields)


def one_event_chunk(pixel_id: int = 0, tof_us: float = 5000.0, *, pulses: int = 1, **fields: Any) -> Chunk:
    """Make a chunk of one event; of several pulses it is in the last.

    Parameters
    ----------
    pixel_id
        Its pixel.
    tof_us
        Its time of flight, microseconds.
    pulses
        Number of pulses, at 60 Hz.
    fields
        As in `powder_chunk`.

    Examples
    --------
    >>> one_event_chunk(7).events.pixel_id.tolist()
    [7]
    """
    return _chunk([pixel_id], [tof_us], pulses, fields)


def _chunk(pixel_id: npt.ArrayLike, tof_us: npt.ArrayLike, pulses: int, fields: Mapping[str, Any]) -> Chunk:
    """Make a chunk of columns; what is of the events goes to them."""
    of_events = {name: fields[name] for name in ("proton_charge_pc", "first_pulse_ns") if name in fields}
    others = {name: value for name, value in fields.items() if name not in of_events}
    return make_chunk(make_events(pixel_id, tof_us, pulses=pulses, **of_events), **others)


def _uint32(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    numbers = np.asarray(values)
    # A NaN is neither.
    if len(numbers) and not ((numbers >= 0) & (numbers <= _LARGEST) & (numbers % 1 == 0)).all():
        message = f"make_events got a {name} that is negative, too large for 32 bits or no whole number: correct it."
        raise ValueError(message)
    return numbers.astype(np.uint32)


def _log_values(values: Any) -> npt.NDArray[Any]:
    if isinstance(values, str | int | float | np.number):
        values = [values]
    items = list(values)
    if all(isinstance(item, int | float | np.number) for item in items):
        return np.asarray(items, np.float64)
    objects = np.empty(len(items), object)
    # One by one: numpy would make two dimensions of arrays that are equally long.
    for index, item in enumerate(items):
        objects[index] = item if isinstance(item, str) else np.asarray(item, np.float64)
    return objects
