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
from livered_core.geometry.frames import (
    BankPath,
    Frame,
    bank_of_tube,
    locate,
    neutronic_offset,
    root_frame,
    say,
    settings_of,
)
from livered_core.geometry.idlist import MAX_DETECTORS, IdCursor, Ids
from livered_core.geometry.language import Component, Facing, Language, Location, Point, Type
from livered_core.geometry.logs import LogReader
from livered_core.geometry.panels import number_pixels
from livered_core.geometry.rotation import Vector, spherical_to_cartesian

MAX_DEPTH = 50
"""Deeper nesting of types than any instrument has."""

MAX_PLACEMENTS = 200_000
"""More placed assemblies than any instrument has; types within types multiply quickly."""


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


def place(language: Language, logs: LogReader) -> Placed:
    """Place every component.

    Parameters
    ----------
    language
        A definition's nouns.
    logs
        Where values of logs come from, for components that logs move.

    Raises
    ------
    GeometryError
        When ids and detectors are not as many, types contain themselves, there are more parts than any
        instrument has, or a parameter that moves something has no value.
    """
    walk = _Walk(language, logs)
    root = root_frame()
    for component in language.components:
        walk.ids = IdCursor()
        walk.place_component(component, root, depth=0)
        walk.ids.check_exhausted(say(component))
    _check_links(language)
    return walk.placed


@attrs.define(eq=False)
class _Walk:
    language: Language
    logs: LogReader
    placed: Placed = attrs.field(factory=Placed)
    ids: IdCursor = attrs.field(factory=IdCursor)
    offsets: dict[Component, npt.NDArray[np.float64]] = attrs.field(factory=dict)
    n_placements: int = 0
    n_detectors: int = 0

    def place_component(self, component: Component, parent: Frame, depth: int) -> None:
        if depth > MAX_DEPTH:
            message = (
                f"nests types more than {MAX_DEPTH} deep at {say(component)}: does a type contain itself?"
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
            frame = locate(component, location, parent, self.language, self.logs)
            for part in type_.components:
                kept = _without_excluded(part, location.excluded)
                if kept is not None:
                    self.place_component(kept, frame, depth + 1)

    def _place_panel(self, component: Component, type_: Type, parent: Frame) -> None:
        panel = type_.panel
        if panel is None or component.panel_ids is None:
            message = f"has a panel without the attribute idstart: {say(component)}."
            raise GeometryError(message)
        ids = number_pixels(panel, component.panel_ids).ravel()
        locations: Sequence[Location] = component.locations
        if type_.category == "structureddetector":
            # Mantid never turns these to what they face.
            nowhere = Facing(np.eye(3), None)
            locations = [attrs.evolve(location, facing=nowhere) for location in locations]
        for location in locations:
            self._count(1, len(ids))
            frame = locate(component, location, parent, self.language, self.logs)
            bank = frame.path or (parent.label or frame.label,)
            position = frame.position + panel.offsets.reshape(-1, 3) @ frame.rotation.T
            self.placed.pixels.append(PlacedPixels(ids, position, bank))

    def _place_detectors(self, component: Component, type_: Type, parent: Frame) -> None:
        count = len(component.locations)
        self._count(0, count)
        ids = self.ids.take(count, say(component))
        position = parent.position + self._detector_offsets(component, parent) @ parent.rotation.T
        if type_.category == "monitor" or component.is_monitor:
            is_monitor = np.ones(count, np.bool_)
        else:
            is_monitor = np.array([location.is_monitor for location in component.locations])
        is_pixel = ~is_monitor
        if self.language.rules.neutronic:
            # Mantid leaves detectors without a neutronic position out of the instrument.
            is_pixel &= np.array([location.neutronic is not None for location in component.locations])
        bank = bank_of_tube(parent) if parent.parent is not None else (component.name or component.type_name,)
        for group, chosen in ((self.placed.monitors, is_monitor), (self.placed.pixels, is_pixel)):
            if chosen.any():
                group.append(PlacedPixels(ids[chosen], position[chosen], bank))

    def _detector_offsets(self, component: Component, parent: Frame) -> npt.NDArray[np.float64]:
        """Places of a component's detectors relative to the parent, float64[n, 3]; kept where it can be."""
        rules = self.language.rules
        if component in self.offsets:
            return self.offsets[component]
        locations = component.locations
        if any(isinstance(step, Point) for location in locations for step in location.steps) or any(
            settings_of(component, location, parent, self.language) for location in locations
        ):
            # A <trans> depends on how the parent is turned, and a parameter moves one: these are placed one by one.
            frames = [locate(component, location, parent, self.language, self.logs) for location in locations]
            return np.array([frame.position - parent.position for frame in frames]) @ parent.rotation
        offsets = np.array([location.point.values for location in locations])
        spherical = np.array([location.point.spherical for location in locations])
        if spherical.any():
            base = parent.spherical if rules.spherical_is_delta else np.zeros(3)
            offsets[spherical] = spherical_to_cartesian(offsets[spherical] + base) - spherical_to_cartesian(
                base
            )
        if rules.neutronic:
            for i, location in enumerate(locations):
                if location.neutronic is not None:
                    offsets[i] = neutronic_offset(location.neutronic, rules)
        if not rules.spherical_is_delta and not self.language.links:
            self.offsets[component] = offsets
        return offsets

    def _mark(self, type_: Type, component: Component, locations: Sequence[Location], parent: Frame) -> None:
        if type_.category in {"source", "samplepos"}:
            found = self.placed.sources if type_.category == "source" else self.placed.samples
            for location in locations:
                found.append(locate(component, location, parent, self.language, self.logs).position)

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


def _check_links(language: Language) -> None:
    """Refuse a link to a name that no component has: its parameters would move nothing."""
    parts = [*language.components, *(part for type_ in language.types.values() for part in type_.components)]
    names = {part.name_of(location) for part in parts for location in part.locations}
    for link in language.links:
        for name in link.path:
            if name not in names:
                message = f"moves the component {quote('/'.join(link.path))} by a <component-link>, and has no component {quote(name)}."
                raise GeometryError(message)
