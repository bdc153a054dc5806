"""From an instrument definition to an instrument."""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from livered_core.errors import GeometryError
from livered_core.geometry.document import LONGEST_QUOTE, MAX_ID, parse, quote
from livered_core.geometry.elements import read_language
from livered_core.geometry.placing import BankPath, Placed, PlacedPixels, place
from livered_core.geometry.rotation import Matrix, Vector
from livered_core.model import Instrument, InstrumentDefinition

Array = TypeVar("Array", npt.NDArray[np.int32], npt.NDArray[np.float64])


def read_instrument(definition: InstrumentDefinition) -> Instrument:
    """Read where the detectors of an instrument are.

    The format is Mantid's IDF. Understood are nested types, locations in x, y, z or r, t, p, rotations,
    translations and facings, ``<locations>``, lists of ids, monitors, rectangular and structured panels,
    excluded parts, and the defaults for angles, offsets, facing and reference frame. Positions are Mantid's to
    1e-12 m; where the reference frame has the beam along another axis than z they are turned into the model's
    axes. Refused are components that parameters or logs move, neutronic positions and grids of more than two
    dimensions. Shapes are not read.

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

    Returns
    -------
    Instrument
        Pixels in the order of their ids, banks in the order of the definition. The arrays are read-only.

    Raises
    ------
    GeometryError
        When the text is not an instrument definition, has no source, no sample or no pixels, gives an id twice,
        puts a pixel or the source at the sample, or says something that is not understood.
    """
    try:
        root = parse(definition.xml)
        language = read_language(root)
        name = root.get("name") or definition.name
        return _assemble(name, place(language), language.rules.axes)
    except GeometryError as error:
        message = f"The instrument definition of {_say(definition)} {error}"
        raise GeometryError(message) from error


def _say(definition: InstrumentDefinition) -> str:
    name = definition.name
    return name if name.isprintable() and 0 < len(name) <= LONGEST_QUOTE else quote(name)


def _assemble(name: str, placed: Placed, axes: Matrix) -> Instrument:
    source = _only(placed.sources, "source", "Source")
    sample = _only(placed.samples, "sample position", "SamplePos")
    if np.array_equal(source, sample):
        message = "puts the source where the sample is."
        raise GeometryError(message)
    if not placed.pixels:
        message = "has no detector pixels."
        raise GeometryError(message)
    pixel_id, position = _join(placed.pixels)
    monitor_id, monitor_position = _join(placed.monitors)
    _check_ids(np.concatenate([pixel_id, monitor_id]))
    at_sample = np.flatnonzero(np.all(position == sample, axis=1))
    if len(at_sample):
        message = f"puts the pixel {pixel_id[at_sample[0]]} where the sample is."
        raise GeometryError(message)
    order = np.argsort(pixel_id, kind="stable")
    bank, bank_names = _name_banks(placed.pixels)
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
