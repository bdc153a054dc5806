"""The nouns of an instrument definition: what its elements say, before anything is placed.

Source: Mantid's concept page "Instrument Definition File" and, where it is silent, what Mantid 3.13 does.
Angles are in radians here, whatever unit the definition uses.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.geometry.idlist import Ids
from livered_core.geometry.moves import Setting
from livered_core.geometry.rotation import Matrix, Vector

Category = Literal[
    "",
    "source",
    "samplepos",
    "detector",
    "monitor",
    "rectangulardetector",
    "structureddetector",
    "griddetector",
]
"""What a type is (its attribute `is`, in small letters without underscores); empty for all that neither places
detectors nor source or sample."""


@attrs.frozen(eq=False)
class Point:
    """A place relative to the parent.

    Attributes
    ----------
    values
        float64[3]: x, y, z in metres, or r in metres and theta and phi in radians.
    spherical
        Which of the two.
    """

    values: Vector
    spherical: bool


@attrs.frozen(eq=False)
class Facing:
    """Where a component looks (``<facing>``).

    Attributes
    ----------
    first
        float64[3, 3], a turn about z before it looks there.
    point
        float64[3], metres, in the instrument's coordinates; None for ``<facing val="none"/>``.
    """

    first: Matrix
    point: Vector | None


@attrs.frozen(eq=False)
class Location:
    """Where one placement of a component is (``<location>``, or one of those of a ``<locations>``).

    Attributes
    ----------
    name
        Name given to this placement; None where there is none.
    point
        Relative to the parent.
    steps
        Rotations (float64[3, 3]) and further translations, from the outside to the inside.
    facing
        None where the definition's default holds.
    excluded
        Names of the parts of the type that are left out here.
    is_monitor
        True for ``mark-as="monitor"``.
    settings
        Parameters that move this placement, by name.
    neutronic
        Where the neutrons seem to be detected (``<neutronic>``): it counts where the definition says so.
    """

    name: str | None
    point: Point
    steps: tuple[Matrix | Point, ...] = ()
    facing: Facing | None = None
    excluded: frozenset[str] = frozenset()
    is_monitor: bool = False
    settings: dict[str, Setting] = attrs.field(factory=dict)
    neutronic: Location | None = None


@attrs.frozen
class PanelIds:
    """How the pixels of a panel are numbered: attributes of the ``<component>``.

    Attributes
    ----------
    start
        Id of the first pixel.
    order
        Axes along which ids grow, the fastest first: ``yx`` or ``xy``, and for a grid of three dimensions three
        letters, or empty where the definition does not say.
    step_by_row
        Added from one line to the next; None for as many as a line has pixels.
    step
        Added within a line.
    """

    start: int
    order: str
    step_by_row: int | None
    step: int


@attrs.frozen(eq=False)
class Panel:
    """The pixels of a type that is a grid.

    Attributes
    ----------
    offsets
        float64[nx, ny, 3], or float64[nx, ny, nz, 3] for a grid, metres, relative to the panel.
    """

    offsets: npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Component:
    """Placements of one type within another, or within the instrument (``<component>``).

    Attributes
    ----------
    type_name
        Which type.
    name
        Name given to the component; None where there is none.
    idlist
        Name of the list of ids for the detectors in it; None for the list that is in force.
    locations
        In the order of the document.
    is_monitor
        True for ``mark-as="monitor"``.
    panel_ids
        Where the type is a panel.
    settings
        Parameters that move all its placements, by name.
    """

    type_name: str
    name: str | None
    idlist: str | None
    locations: tuple[Location, ...]
    is_monitor: bool
    panel_ids: PanelIds | None
    settings: dict[str, Setting] = attrs.field(factory=dict)

    def name_of(self, location: Location) -> str:
        """Name of a placement, by Mantid's rule: its own, else the component's, else the type's."""
        return location.name or self.name or self.type_name


@attrs.frozen(eq=False)
class Type:
    """What a component can be (``<type>``).

    Attributes
    ----------
    name
        Unique in the definition.
    category
        What it is.
    components
        Its parts; without parts it is a leaf.
    panel
        Its pixels, where it is a panel.
    """

    name: str
    category: Category
    components: tuple[Component, ...]
    panel: Panel | None


@attrs.frozen(eq=False)
class Rules:
    """What ``<defaults>`` sets for the whole definition.

    Attributes
    ----------
    radians_per_unit
        Of the angles in the document.
    spherical_is_delta
        True when r, theta, phi are differences to those of the parent.
    facing
        Where components without a ``<facing>`` of their own look; None for nowhere in particular.
    neutronic
        True when ``<neutronic>`` positions count (``<indirect-neutronic-positions/>``).
    axes
        float64[3, 3]: turns the definition's coordinates into the model's, with the beam along z and y upwards.
    """

    radians_per_unit: float
    spherical_is_delta: bool
    facing: Facing | None
    neutronic: bool
    axes: Matrix


@attrs.frozen(eq=False)
class Link:
    """Parameters for components that stand elsewhere in the document (``<component-link>``).

    Attributes
    ----------
    path
        Names of components that follow each other downwards; the last one is moved. A single name holds for all
        components of that name.
    settings
        By name.
    """

    path: tuple[str, ...]
    settings: dict[str, Setting]


@attrs.frozen(eq=False, slots=False)
class Language:
    """A whole definition.

    Attributes
    ----------
    rules
        What holds everywhere.
    types
        By name.
    components
        Those that stand in the instrument itself.
    idlists
        By idname.
    links
        Parameters that move components from afar, in the order of the document.
    """

    rules: Rules
    types: dict[str, Type]
    components: tuple[Component, ...]
    idlists: dict[str, Ids]
    links: tuple[Link, ...]

    @cached_property
    def measuring(self) -> frozenset[str]:
        """Names of the types that hold a detector, a monitor, the source or the sample, however deep."""
        found = {name for name, type_ in self.types.items() if type_.category}
        users: dict[str, list[str]] = {}
        for name, type_ in self.types.items():
            for part in type_.components:
                users.setdefault(part.type_name, []).append(name)
        waiting = list(found)
        while waiting:
            new = set(users.get(waiting.pop(), ())) - found
            found |= new
            waiting.extend(new)
        return frozenset(found)
