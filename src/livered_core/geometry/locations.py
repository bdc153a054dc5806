"""Locations: ``<location>`` and the shorthand ``<locations>``, with rotation, translation and facing."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import attrs
import numpy as np

from livered_core.errors import GeometryError
from livered_core.geometry.document import children, describe, has_any, integer, number
from livered_core.geometry.idlist import MAX_DETECTORS
from livered_core.geometry.language import Facing, Location, Point
from livered_core.geometry.moves import read_settings
from livered_core.geometry.rotation import Matrix, Vector, about_axis, spherical_to_cartesian

MAX_LOCATIONS = 1_000_000
"""More locations in one document than any instrument has, those of ``<locations>`` counted one by one."""

SPHERICAL = ("r", "t", "p", "R", "theta", "phi")
"""Attributes that make a place spherical; the last three win over the first three."""

RANGES = ("x", "y", "z", "r", "t", "p", "rot")
"""Attributes of ``<locations>`` that may have a counterpart with ``-end``."""

AXES = ("axis-x", "axis-y", "axis-z")
"""Attributes that hold the axis of a rotation; z where none is given."""


@attrs.define
class Budget:
    """How much a document may still have, so that a small one cannot fill the memory.

    Attributes
    ----------
    left
        Locations.
    ids_left, pixels_left
        Ids in lists, and pixels in types of panels.
    """

    left: int = MAX_LOCATIONS
    ids_left: int = MAX_DETECTORS
    pixels_left: int = MAX_DETECTORS

    def spend(self, count: int) -> None:
        """Count locations.

        Raises
        ------
        GeometryError
            When there are more than `MAX_LOCATIONS`.
        """
        self.left -= count
        if self.left < 0:
            message = f"has more than {MAX_LOCATIONS} locations, which no instrument has."
            raise GeometryError(message)

    def spend_ids(self, count: int) -> None:
        """Count ids.

        Raises
        ------
        GeometryError
            When the lists have more than `MAX_DETECTORS` together.
        """
        self.ids_left -= count
        if self.ids_left < 0:
            message = f"has more than {MAX_DETECTORS} ids in its lists, which no instrument has."
            raise GeometryError(message)

    def spend_pixels(self, count: int) -> None:
        """Count the pixels of a type of panels.

        Raises
        ------
        GeometryError
            When these types have more than `MAX_DETECTORS` together.
        """
        self.pixels_left -= count
        if self.pixels_left < 0:
            message = f"has more than {MAX_DETECTORS} pixels in its panels, which no instrument has."
            raise GeometryError(message)


def read_point(element: Element, radians_per_unit: float) -> Point:
    """Read a place from x, y, z or r, t, p (also R, theta, phi); what is missing is 0.

    Parameters
    ----------
    element
        ``<location>``, ``<trans>``, ``<facing>`` or ``<components-are-facing>``.
    radians_per_unit
        Of the angles in the document.
    """
    if not has_any(element, *SPHERICAL):
        return Point(np.array([number(element, axis, 0.0) for axis in "xyz"]), spherical=False)
    r, theta, phi = (
        number(element, long, number(element, short, 0.0))
        for short, long in (("r", "R"), ("t", "theta"), ("p", "phi"))
    )
    return Point(np.array([r, theta * radians_per_unit, phi * radians_per_unit]), spherical=True)


def cartesian(point: Point) -> Vector:
    """Turn a point into x, y, z, metres: float64[3]."""
    return spherical_to_cartesian(point.values) if point.spherical else point.values


def read_location(element: Element, radians_per_unit: float) -> Location:
    """Read a ``<location>``.

    Parameters
    ----------
    element
        With its children ``<rot>``, ``<trans>``, ``<facing>``, ``<exclude>``, ``<parameter>`` and ``<neutronic>``.
    radians_per_unit
        Of the angles in the document.

    Raises
    ------
    GeometryError
        When a number is none, a rotation has no axis, or a parameter is not understood.
    """
    neutronic = next(children(element, "neutronic"), None)
    steps: list[Matrix | Point] = []
    if has_any(element, "rot"):
        steps.append(_read_rotation(element, "rot", radians_per_unit))
    inner = _next_step(element)
    while inner is not None:
        if inner.tag == "trans":
            steps.append(read_point(inner, radians_per_unit))
        else:
            steps.append(_read_rotation(inner, "val", radians_per_unit))
        inner = _next_step(inner)
    return Location(
        name=element.get("name") or None,
        point=read_point(element, radians_per_unit),
        steps=tuple(steps),
        facing=_read_facing(element, radians_per_unit),
        excluded=frozenset(part for e in element.iter("exclude") if (part := e.get("sub-part")) is not None),
        is_monitor=element.get("mark-as") == "monitor",
        settings=read_settings(element),
        neutronic=None if neutronic is None else _read_neutronic(neutronic, radians_per_unit),
    )


def _read_neutronic(element: Element, radians_per_unit: float) -> Location:
    for child in children(element, "neutronic"):
        message = f"has {describe(child)} in {describe(element)}, where it has no meaning."
        raise GeometryError(message)
    location = read_location(element, radians_per_unit)
    if any(isinstance(step, Point) for step in location.steps) or location.settings:
        message = f"has {describe(element)} with translations or parameters inside, which is not supported."
        raise GeometryError(message)
    return location


def _next_step(element: Element) -> Element | None:
    """Return the next level of nested steps: one a level, and a ``<trans>`` before a ``<rot>``, as in Mantid."""
    trans = next(children(element, "trans"), None)
    return trans if trans is not None else next(children(element, "rot"), None)


def _read_rotation(element: Element, attribute: str, radians_per_unit: float) -> Matrix:
    axis = np.array(
        [number(element, name, default) for name, default in zip(AXES, (0.0, 0.0, 1.0), strict=True)]
    )
    if np.linalg.norm(axis) == 0.0:
        message = f"has {describe(element)}, a rotation about an axis of no length."
        raise GeometryError(message)
    return about_axis(number(element, attribute) * radians_per_unit, axis)


def _read_facing(location: Element, radians_per_unit: float) -> Facing | None:
    element = next(children(location, "facing"), None)
    if element is None:
        return None
    first = np.eye(3)
    if has_any(element, "rot"):
        first = about_axis(number(element, "rot") * radians_per_unit, np.array([0.0, 0.0, 1.0]))
    if has_any(element, "val"):
        return Facing(first, None)
    return Facing(first, cartesian(read_point(element, radians_per_unit)))


def expand_locations(element: Element, radians_per_unit: float, budget: Budget) -> list[Location]:
    """Expand a ``<locations>``: n-elements placements in equal steps from an attribute to its ``-end``.

    Parameters
    ----------
    element
        ``<locations>``.
    radians_per_unit
        Of the angles in the document.
    budget
        Is charged with the number of placements.

    Returns
    -------
    list of Location
        Named ``name`` followed by a number that starts at name-count-start (0).

    Raises
    ------
    GeometryError
        When n-elements is not positive, an end has no start, or there are rotations or facings inside.
    """
    count = integer(element, "n-elements")
    if count < 1:
        message = f"has {describe(element)}: n-elements must be positive."
        raise GeometryError(message)
    budget.spend(count)
    for child in children(element, "rot", "trans", "facing", "exclude", "neutronic"):
        message = f"has {describe(child)} in {describe(element)}, where it has no meaning: write <location> elements."
        raise GeometryError(message)
    columns: dict[str, list[float]] = {}
    for name in (*RANGES, *AXES):
        if not has_any(element, name):
            if has_any(element, f"{name}-end"):
                message = f"has {describe(element)} with {name}-end but without {name}."
                raise GeometryError(message)
            continue
        start = number(element, name)
        end = number(element, f"{name}-end", start) if name in RANGES else start
        columns[name] = np.linspace(start, end, count).tolist()
    first = integer(element, "name-count-start", 0)
    step = integer(element, "name-count-increment", 1)
    stem = element.get("name")
    locations = []
    for i in range(count):
        single = Element("location", {name: repr(values[i]) for name, values in columns.items()})
        if stem:
            single.set("name", f"{stem}{first + i * step}")
        single.attrib.update({key: value for key, value in element.attrib.items() if key == "mark-as"})
        locations.append(read_location(single, radians_per_unit))
    return locations
