"""Where the detectors of a definition are: every component placed within its parent.

The offsets of a component's detectors are an array that is made once and turned and shifted for every placement,
so that an instrument of 100,000 pixels in tubes is placed in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import GeometryError
from livered_core.geometry.document import quote
from livered_core.geometry.idlist import MAX_DETECTORS, IdCursor, Ids
from livered_core.geometry.language import Component, Facing, Language, Location, Point, Rules, Type
from livered_core.geometry.panels import number_pixels
from livered_core.geometry.rotation import Matrix, Vector, spherical_to_cartesian, turning_z_to

MAX_DEPTH = 50
"""Deeper nesting of types than any instrument has."""

MAX_PLACEMENTS = 200_000
"""More placed assemblies than any instrument has; types within types multiply quickly."""

BankPath = tuple[str, ...]
"""Names of the components that lead to a bank, the outermost first."""


@attrs.frozen(eq=False)
class Frame:
    """A placed component, as what is in it sees it.

    Attributes
    ----------
    position
        float64[3], metres, in the instrument's coordinates.
    rotation
        float64[3, 3], into the instrument's coordinates.
    spherical
        float64[3], r, theta, phi (metres, radians) from which those of its parts count where they are
        differences.
    path
        Explicit names from the instrument down to this component.
    label
        Its name by Mantid's rule; empty for the instrument.
    parent
        What it is in; None for the instrument.
    """

    position: Vector
    rotation: Matrix
    spherical: Vector
    path: BankPath
    label: str
    parent: Frame | None


@attrs.frozen(eq=False)
class PlacedPixels:
    """Detectors of one bank that were placed together.

    Attributes
    ----------
    ids
        int64[n].
    position
        float64[n, 3], metres.
    bank
        Names of the bank.
    """

    ids: Ids
    position: npt.NDArray[np.float64]
    bank: BankPath


@attrs.define(eq=False)
class Placed:
    """What a definition places, in its order and in its own coordinates.

    Attributes
    ----------
    pixels
        Detectors.
    monitors
        Monitors.
    sources, samples
        float64[3] each, metres.
    """

    pixels: list[PlacedPixels] = attrs.field(factory=list)
    monitors: list[PlacedPixels] = attrs.field(factory=list)
    sources: list[Vector] = attrs.field(factory=list)
    samples: list[Vector] = attrs.field(factory=list)


def place(language: Language) -> Placed:
    """Place every component.

    Parameters
    ----------
    language
        A definition's nouns.

    Raises
    ------
    GeometryError
        When ids and detectors are not as many, types contain themselves, or there are more parts than any
        instrument has.
    """
    walk = _Walk(language)
    root = Frame(np.zeros(3), np.eye(3), np.zeros(3), (), "", None)
    for component in language.components:
        walk.ids = IdCursor()
        walk.place_component(component, root, depth=0)
        walk.ids.check_exhausted(_say(component))
    return walk.placed


def bank_of_tube(tube: Frame) -> BankPath:
    """Bank of the detectors that stand directly in a component (a tube, or the instrument itself).

    It is the innermost component around the tube that has an explicit name (of its own or of its placement).
    Where none has one it is the component around the tube, called by its type; where there is none, the tube.
    """
    if tube.parent is None or tube.parent.parent is None:
        return tube.path or (tube.label,)
    return tube.parent.path or (tube.parent.label,)


def offset(point: Point, base: Vector, rules: Rules) -> Vector:
    """Place of a point relative to a parent whose spherical coordinates are `base`: float64[3], metres."""
    if not point.spherical:
        return point.values
    if not rules.spherical_is_delta:
        return spherical_to_cartesian(point.values)
    return spherical_to_cartesian(point.values + base) - spherical_to_cartesian(base)


def locate(component: Component, location: Location, parent: Frame, rules: Rules) -> Frame:
    """Place a component within its parent, by Mantid's rules (InstrumentDefinitionParser::setLocation).

    Parameters
    ----------
    component, location
        What is placed, and which of its locations.
    parent
        Where it is placed.
    rules
        The definition's defaults.
    """
    relative = offset(location.point, parent.spherical, rules)
    own = parent.spherical + location.point.values if location.point.spherical else None
    rotation = np.eye(3)
    for step in location.steps:
        if isinstance(step, Point):
            base = parent.spherical if own is None else own
            # Mantid turns a <trans> by the absolute rotation, although it then counts in the parent's axes.
            relative = relative + parent.rotation @ rotation @ offset(step, base, rules)
            own = base + step.values if step.spherical else own
        else:
            rotation = rotation @ step
    position = parent.position + parent.rotation @ relative
    rotation = parent.rotation @ rotation
    name = location.name or component.name
    return Frame(
        position=position,
        rotation=_face(position, rotation, rules.facing if location.facing is None else location.facing),
        spherical=np.zeros(3) if own is None else own,
        path=(*parent.path, name) if name else parent.path,
        label=component.name_of(location),
        parent=parent,
    )


def _face(position: Vector, rotation: Matrix, facing: Facing | None) -> Matrix:
    if facing is None:
        return rotation
    rotation = rotation @ facing.first
    if facing.point is None:
        return rotation
    direction = position - facing.point
    if not direction.any():
        return rotation
    turned: Matrix = rotation @ turning_z_to(rotation.T @ direction)
    return turned


def _say(component: Component) -> str:
    return f"the component {quote(component.name or component.type_name)}"


@attrs.define(eq=False)
class _Walk:
    language: Language
    placed: Placed = attrs.field(factory=Placed)
    ids: IdCursor = attrs.field(factory=IdCursor)
    offsets: dict[Component, npt.NDArray[np.float64]] = attrs.field(factory=dict)
    n_placements: int = 0
    n_detectors: int = 0

    def place_component(self, component: Component, parent: Frame, depth: int) -> None:
        if depth > MAX_DEPTH:
            message = (
                f"nests types more than {MAX_DEPTH} deep at {_say(component)}: does a type contain itself?"
            )
            raise GeometryError(message)
        if component.idlist is not None and component.idlist != self.ids.name:
            self.ids = IdCursor(component.idlist, self.language.idlists[component.idlist])
        type_ = self.language.types[component.type_name]
        if type_.components:
            self._place_assembly(component, type_, parent, depth)
        elif type_.panel is not None:
            self._place_panel(component, type_, parent)
        elif type_.category in {"detector", "monitor"}:
            self._place_detectors(component, type_, parent)
        else:
            self._count(len(component.locations))
            self._mark(type_, component, component.locations, parent)

    def _place_assembly(self, component: Component, type_: Type, parent: Frame, depth: int) -> None:
        self._count(len(component.locations))
        self._mark(type_, component, component.locations, parent)
        for location in component.locations:
            frame = locate(component, location, parent, self.language.rules)
            for part in type_.components:
                kept = _without_excluded(part, location.excluded)
                if kept is not None:
                    self.place_component(kept, frame, depth + 1)

    def _place_panel(self, component: Component, type_: Type, parent: Frame) -> None:
        panel = type_.panel
        if panel is None or component.panel_ids is None:
            message = f"has a panel without the attribute idstart: {_say(component)}."
            raise GeometryError(message)
        ids = number_pixels(panel, component.panel_ids).ravel()
        locations: Sequence[Location] = component.locations
        if type_.category == "structureddetector":
            # Mantid never turns these to what they face.
            nowhere = Facing(np.eye(3), None)
            locations = [attrs.evolve(location, facing=nowhere) for location in locations]
        for location in locations:
            self._count(1, len(ids))
            frame = locate(component, location, parent, self.language.rules)
            bank = frame.path or (parent.label or frame.label,)
            position = frame.position + panel.offsets.reshape(-1, 3) @ frame.rotation.T
            self.placed.pixels.append(PlacedPixels(ids, position, bank))

    def _place_detectors(self, component: Component, type_: Type, parent: Frame) -> None:
        count = len(component.locations)
        self._count(0, count)
        ids = self.ids.take(count, _say(component))
        position = parent.position + self._detector_offsets(component, parent) @ parent.rotation.T
        if type_.category == "monitor" or component.is_monitor:
            is_monitor = np.ones(count, np.bool_)
        else:
            is_monitor = np.array([location.is_monitor for location in component.locations])
        bank = bank_of_tube(parent) if parent.parent is not None else (component.name or component.type_name,)
        for group, chosen in ((self.placed.monitors, is_monitor), (self.placed.pixels, ~is_monitor)):
            if chosen.any():
                group.append(PlacedPixels(ids[chosen], position[chosen], bank))

    def _detector_offsets(self, component: Component, parent: Frame) -> npt.NDArray[np.float64]:
        """Places of a component's detectors relative to the parent, float64[n, 3]; kept where it can be."""
        rules = self.language.rules
        if component in self.offsets:
            return self.offsets[component]
        locations = component.locations
        if any(isinstance(step, Point) for location in locations for step in location.steps):
            # A <trans> depends on how the parent is turned: these are placed one by one.
            frames = [locate(component, location, parent, rules) for location in locations]
            return np.array([frame.position - parent.position for frame in frames]) @ parent.rotation
        offsets = np.array([location.point.values for location in locations])
        spherical = np.array([location.point.spherical for location in locations])
        base = parent.spherical if rules.spherical_is_delta else np.zeros(3)
        offsets[spherical] = spherical_to_cartesian(offsets[spherical] + base) - spherical_to_cartesian(base)
        if not rules.spherical_is_delta:
            self.offsets[component] = offsets
        return offsets

    def _mark(self, type_: Type, component: Component, locations: Sequence[Location], parent: Frame) -> None:
        if type_.category in {"source", "samplepos"}:
            found = self.placed.sources if type_.category == "source" else self.placed.samples
            for location in locations:
                found.append(locate(component, location, parent, self.language.rules).position)

    def _count(self, placements: int, detectors: int = 0) -> None:
        self.n_placements += placements
        self.n_detectors += detectors
        if self.n_placements > MAX_PLACEMENTS or self.n_detectors > MAX_DETECTORS:
            message = "has more parts than any instrument: its types multiply within each other."
            raise GeometryError(message)


def _without_excluded(component: Component, excluded: frozenset[str]) -> Component | None:
    if not excluded:
        return component
    kept = tuple(x for x in component.locations if component.name_of(x) not in excluded)
    return attrs.evolve(component, locations=kept) if kept else None
