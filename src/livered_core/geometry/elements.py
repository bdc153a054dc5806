"""From the elements of a definition to its nouns.

What Mantid leaves out of the placement (shapes, materials, views) is left out here. What would move a detector
and is not understood here is refused, so that no detector ever stands at the wrong place.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np

from livered_core.errors import GeometryError
from livered_core.geometry.document import children, describe, has_any, integer, quote, required
from livered_core.geometry.idlist import Ids, read_idlist
from livered_core.geometry.language import (
    Category,
    Component,
    Facing,
    Language,
    Link,
    Location,
    PanelIds,
    Rules,
    Type,
)
from livered_core.geometry.locations import Budget, cartesian, expand_locations, read_location, read_point
from livered_core.geometry.moves import MOVING, NOT_SUPPORTED, read_settings
from livered_core.geometry.panels import read_grid_panel, read_rectangular_panel, read_structured_panel
from livered_core.geometry.rotation import Matrix

CATEGORIES: dict[str, Category] = {
    "source": "source",
    "samplepos": "samplepos",
    "detector": "detector",
    "monitor": "monitor",
    "rectangulardetector": "rectangulardetector",
    "structureddetector": "structureddetector",
    "griddetector": "griddetector",
}


def read_language(root: Element) -> Language:
    """Read a whole document.

    Parameters
    ----------
    root
        ``<instrument>``, from `livered_core.geometry.document.parse`.

    Returns
    -------
    Language
        Its nouns; every type and every list that a component names exists.

    Raises
    ------
    GeometryError
        When the root is another element, or an element cannot be understood.
    """
    if root.tag != "instrument":
        message = f"has the root element {describe(root)}: it is not an instrument definition."
        raise GeometryError(message)
    _refuse_misplaced_parameters(root)
    rules = _read_rules(root)
    budget = Budget()
    types: dict[str, Type] = {}
    for element in children(root, "type"):
        type_ = _read_type(element, rules, budget)
        if type_.name in types:
            message = f"has two types of the name {quote(type_.name)}."
            raise GeometryError(message)
        types[type_.name] = type_
    components = tuple(_read_component(element, rules, budget) for element in children(root, "component"))
    language = Language(rules, types, components, _read_idlists(root, budget), _read_links(root))
    for component in [*components, *(part for type_ in types.values() for part in type_.components)]:
        if component.type_name not in types:
            message = f"places components of the type {quote(component.type_name)}, which it does not define."
            raise GeometryError(message)
        if component.idlist is not None and component.idlist not in language.idlists:
            message = f"names the idlist {quote(component.idlist)}, which it does not have."
            raise GeometryError(message)
    return language


def _refuse_misplaced_parameters(root: Element) -> None:
    """Refuse parameters that would move something if they stood elsewhere: nobody knows what they mean here."""
    for parent in root.iter():
        if parent.tag not in {"component", "location", "component-link"}:
            for element in children(parent, "parameter"):
                if element.get("type") != "fitting" and element.get("name") in MOVING | NOT_SUPPORTED:
                    message = (
                        f"moves {describe(parent)} by {describe(element)}, which has no meaning there: "
                        "put it into a <component> or <location>."
                    )
                    raise GeometryError(message)


def _read_links(root: Element) -> tuple[Link, ...]:
    links = []
    for element in children(root, "component-link"):
        settings = read_settings(element)
        if settings:
            if has_any(element, "id"):
                message = f"moves a single detector by {describe(element)}, which is not supported: name a component."
                raise GeometryError(message)
            path = required(element, "name").strip("/").split("/")
            links.append(Link(tuple(path), settings))
    return tuple(links)


def _read_idlists(root: Element, budget: Budget) -> dict[str, Ids]:
    idlists: dict[str, Ids] = {}
    for element in root.iter("idlist"):
        name = required(element, "idname")
        if name in idlists:
            message = f"has two idlists of the name {quote(name)}."
            raise GeometryError(message)
        idlists[name] = read_idlist(element)
        budget.spend_ids(len(idlists[name]))
    return idlists


def _read_rules(root: Element) -> Rules:
    defaults = next(children(root, "defaults"), None)
    if defaults is None:
        return Rules(
            math.radians(1.0), spherical_is_delta=False, facing=None, neutronic=False, axes=np.eye(3)
        )
    for element in children(defaults, "length"):
        if element.get("unit", "metre").lower() not in {"metre", "meter", "m"}:
            message = f"has {describe(element)}: lengths must be in metres."
            raise GeometryError(message)
    per_unit = math.radians(1.0)
    for element in children(defaults, "angle"):
        unit = element.get("unit", "degree").lower()
        if unit not in {"degree", "degrees", "radian", "radians"}:
            message = f"has {describe(element)}: angles must be in degree or radian."
            raise GeometryError(message)
        per_unit = 1.0 if unit.startswith("radian") else math.radians(1.0)
    offsets = next(children(defaults, "offsets"), None)
    facing = next(children(defaults, "components-are-facing"), None)
    return Rules(
        radians_per_unit=per_unit,
        spherical_is_delta=offsets is not None and offsets.get("spherical") == "delta",
        facing=None if facing is None else Facing(np.eye(3), cartesian(read_point(facing, per_unit))),
        neutronic=next(children(defaults, "indirect-neutronic-positions"), None) is not None,
        axes=_read_axes(defaults),
    )


def _read_axes(defaults: Element) -> Matrix:
    """Rows are the model's x, y (up) and z (along the beam) in the definition's coordinates."""
    frame = next(children(defaults, "reference-frame"), None)
    unit = dict(zip("xyz", np.eye(3), strict=True))
    named = {"along-beam": "z", "pointing-up": "y"}
    right_handed = True
    for element in frame if frame is not None else ():
        if element.tag in named:
            named[element.tag] = required(element, "axis").lower()
            if named[element.tag] not in unit:
                message = f"has {describe(element)}: the axis must be x, y or z."
                raise GeometryError(message)
        elif element.tag == "handedness":
            right_handed = element.get("val", "right").lower() == "right"
    beam, up = unit[named["along-beam"]], unit[named["pointing-up"]]
    if named["along-beam"] == named["pointing-up"]:
        message = f"has a reference frame with the beam and upwards both along {named['along-beam']}."
        raise GeometryError(message)
    across = np.cross(up, beam) if right_handed else np.cross(beam, up)
    return np.stack([across, up, beam])


def _read_type(element: Element, rules: Rules, budget: Budget) -> Type:
    name = required(element, "name")
    text = element.get("is", "").strip().lower().replace("_", "")
    category = CATEGORIES.get(text, "")
    if not category and "detector" in text:
        message = f"has {describe(element)}, a kind of detector that is not supported."
        raise GeometryError(message)
    # Such a type is one shape: its components are the pieces that it is cut from.
    is_one_shape = next(children(element, "combine-components-into-one-shape"), None) is not None
    parts = () if is_one_shape else children(element, "component")
    components = tuple(_read_component(part, rules, budget) for part in parts)
    panel = None
    if not components and category == "rectangulardetector":
        panel = read_rectangular_panel(element)
    elif not components and category == "structureddetector":
        panel = read_structured_panel(element)
    elif not components and category == "griddetector":
        panel = read_grid_panel(element)
    if panel is not None:
        budget.spend_pixels(panel.offsets.size // 3)
    return Type(name, category, components, panel)


def _read_component(element: Element, rules: Rules, budget: Budget) -> Component:
    locations: list[Location] = []
    for child in children(element, "location", "locations"):
        if child.tag == "location":
            budget.spend(1)
            locations.append(read_location(child, rules.radians_per_unit))
        else:
            locations.extend(expand_locations(child, rules.radians_per_unit, budget))
    if not locations:
        message = f"has {describe(element)} without a <location>."
        raise GeometryError(message)
    return Component(
        type_name=required(element, "type"),
        name=element.get("name") or None,
        idlist=element.get("idlist") or None,
        locations=tuple(locations),
        is_monitor=element.get("mark-as") == "monitor",
        panel_ids=_read_panel_ids(element),
        settings=read_settings(element),
    )


def _read_panel_ids(element: Element) -> PanelIds | None:
    if not has_any(element, "idstart"):
        return None
    first = element.get("idfillbyfirst", "y")
    if first not in {"x", "y"}:
        message = f"has {describe(element)}: idfillbyfirst must be x or y."
        raise GeometryError(message)
    by_row = integer(element, "idstepbyrow") if has_any(element, "idstepbyrow") else None
    order = element.get("idfillorder", "yx" if first == "y" else "xy")
    return PanelIds(integer(element, "idstart"), order, by_row, integer(element, "idstep", 1))
