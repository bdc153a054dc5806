"""From an instrument definition to an instrument."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from livered_core.errors import GeometryError
from livered_core.geometry.document import LONGEST_QUOTE, MAX_ID, parse, quote
from livered_core.geometry.elements import read_language
from livered_core.geometry.frames import BankPath
from livered_core.geometry.language import Rules
from livered_core.geometry.logs import LogReader, Logs, LogUse
from livered_core.geometry.placing import Placed, PlacedPixels, place
from livered_core.geometry.rotation import Vector
from livered_core.model import Instrument, InstrumentDefinition

Array = TypeVar("Array", npt.NDArray[np.int32], npt.NDArray[np.float64])


def read_instrument(definition: InstrumentDefinition, logs: Logs | None = None) -> Instrument:
    """Read where the detectors of an instrument are.

    The format is Mantid's IDF. Understood are nested types, locations in x, y, z or r, t, p, rotations,
    translations and facings, ``<locations>``, lists of ids, monitors, panels (rectangular, structured and grids),
    excluded parts, parameters and logs that move a component, neutronic positions, and the defaults for angles,
    offsets, facing and reference frame. Positions are Mantid's to 1e-12 m; where the reference frame has the beam
    along another axis than z they are turned into the model's axes. What is not understood and would move a
    detector is refused. Shapes are not read.

    Parameters in a ``<component>``, a ``<location>`` or a ``<component-link>`` (each wins over the one before it)
    set the place or the rotation relative to the parent (`livered_core.geometry.moves`). Only those are looked at
    that move a detector, a monitor, the source or the sample. Mantid leaves a component where it is when the log
    that moves it is missing; here that is an error.

    Where the definition has ``<indirect-neutronic-positions/>`` detectors stand at their neutronic positions,
    which give the scattering angle and the path that the analyser's crystals reflect (as in Mantid); detectors
    without one are left out, monitors are not.

    Components whose detectors all stand exactly at the sample are spare channels of the electronics (as on
    POLARIS) and are left out; a detector at the sample in any other company is refused.

    The bank of a pixel is the innermost component with an explicit name (attribute `name` of the ``<location>``
    or else of the ``<component>``) that holds the pixel's tube. A tube is the assembly that holds pixels
    directly, and is not a bank itself; a panel (a grid of pixels) is one if it has a name. Where no component
    around a tube or panel has a name, its bank is the component directly around it, named by its type; a tube or
    panel, or loose pixels, directly in the instrument are banks themselves. Banks with the same name in different
    components are told apart by the names that lead to them, ``"left/bank1"``; components with all these names
    equal count as one bank.

    Parameters
    ----------
    definition
        As it came; from outside, not trusted.
    logs
        Logs by name, needed where a log moves something: a `SlowLog`, of which the value is taken that the
        definition asks for (mean, last_value, ...), or that value itself, in the log's own unit.

    Returns
    -------
    Instrument
        Pixels in the order of their ids, banks in the order of the definition. The arrays are read-only.

    Raises
    ------
    GeometryError
        When the text is not an instrument definition, has no source, no sample or no pixels, gives an id twice,
        puts a pixel or the source at the sample, is moved by a log that is missing or makes no sense, or says
        something that is not understood.
    """
    return read_by_logs(definition, LogReader({} if logs is None else logs))


def read_by_logs(definition: InstrumentDefinition, logs: LogReader) -> Instrument:
    """Read an instrument, and leave in `logs` which values it depends on. Otherwise like `read_instrument`."""
    try:
        root = parse(definition.xml)
        language = read_language(root)
        name = root.get("name") or definition.name
        return _assemble(name, place(language, logs), language.rules)
    except GeometryError as error:
        message = f"The instrument definition of {_say(definition)} {error}"
        raise GeometryError(message) from error


def moving_logs(definition: InstrumentDefinition) -> tuple[LogUse, ...]:
    """Return the logs that `read_instrument` needs for a definition.

    Parameters
    ----------
    definition
        From outside, not to be trusted.

    Returns
    -------
    tuple of LogUse
        Those by which a detector, a monitor, the source or the sample is moved, without repetitions and in the
        order of their names; empty where nothing moves. A log whose parameter is overridden is among them.

    Raises
    ------
    GeometryError
        When the text is not an instrument definition that can be understood.
    """
    try:
        language = read_language(parse(definition.xml))
    except GeometryError as error:
        message = f"The instrument definition of {_say(definition)} {error}"
        raise GeometryError(message) from error
    parts = [*language.components, *(part for type_ in language.types.values() for part in type_.components)]
    moved = [part for part in parts if part.type_name in language.measuring]
    layers = [part.settings for part in moved]
    layers += [location.settings for part in moved for location in part.locations]
    layers += [link.settings for link in language.links]
    uses = {setting.log for layer in layers for setting in layer.values() if setting.log is not None}
    return tuple(sorted(uses, key=lambda use: (use.name, use.extract)))


def _say(definition: InstrumentDefinition) -> str:
    name = definition.name
    return name if name.isprintable() and 0 < len(name) <= LONGEST_QUOTE else quote(name)


def _assemble(name: str, placed: Placed, rules: Rules) -> Instrument:
    axes = rules.axes
    source = _only(placed.sources, "source", "Source")
    sample = _only(placed.samples, "sample position", "SamplePos")
    if np.array_equal(source, sample):
        message = "puts the source where the sample is."
        raise GeometryError(message)
    if not placed.pixels:
        message = f"has no detector pixels{' with a neutronic position' if rules.neutronic else ''}."
        raise GeometryError(message)
    pixels = [part for part in placed.pixels if not np.all(part.position == sample)] or placed.pixels
    pixel_id, position = _join(pixels)
    monitor_id, monitor_position = _join(placed.monitors)
    _check_ids(np.concatenate([pixel_id, monitor_id]))
    at_sample = np.flatnonzero(np.all(position == sample, axis=1))
    if len(at_sample):
        message = f"puts the pixel {pixel_id[at_sample[0]]} where the sample is."
        raise GeometryError(message)
    order = np.argsort(pixel_id, kind="stable")
    bank, bank_names = _name_banks(pixels)
    return Instrument(
        name=name,
        pixel_id=_frozen(pixel_id[order].astype(np.int32)),
        position=_frozen(position[order] @ axes.T),
        bank=_frozen(bank[order]),
        bank_names=bank_names,
        source_position=_frozen(axes @ source),
        sample_position=_frozen(axes @ sample),
        monitor_id=_frozen(monitor_id.astype(np.int32)),
        monitor_position=_frozen(monitor_position @ axes.T),
    )


def _only(positions: list[Vector], what: str, category: str) -> Vector:
    if len(positions) != 1:
        count = "no component that is" if not positions else f"{len(positions)} components that are"
        message = f"has {count} the {what} (of a type with is={category!r}): it needs one."
        raise GeometryError(message)
    return positions[0]


def _join(parts: list[PlacedPixels]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    ids = np.concatenate([np.empty(0, np.int64), *(part.ids for part in parts)])
    position = np.concatenate([np.empty((0, 3)), *(part.position for part in parts)])
    return ids, position


def _check_ids(ids: npt.NDArray[np.int64]) -> None:
    values, counts = np.unique(ids, return_counts=True)
    repeated = values[counts > 1]
    if len(repeated):
        message = f"gives the detector id {repeated[0]} to more than one detector ({len(repeated)} such ids)."
        raise GeometryError(message)
    if values[0] < -MAX_ID or values[-1] > MAX_ID:
        message = "has detector ids that do not fit into 32 bits."
        raise GeometryError(message)


def _name_banks(parts: list[PlacedPixels]) -> tuple[npt.NDArray[np.int32], tuple[str, ...]]:
    index: dict[BankPath, int] = {}
    for part in parts:
        index.setdefault(part.bank, len(index))
    shared = Counter(path[-1] for path in index)
    names = tuple(path[-1] if shared[path[-1]] == 1 else "/".join(path) for path in index)
    bank = np.repeat([index[part.bank] for part in parts], [len(part.ids) for part in parts])
    return bank.astype(np.int32), names


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
