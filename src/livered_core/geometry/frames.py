"""Placing one component within its parent: its `<location>`, what it faces, and the parameters that move it.

What a component faces is settled before anything moves: parameters and neutronic positions change a place relative
to the parent, and leave the rotation as it was where they do not set it. So each frame knows two poses, the one that
the locations alone give, and the one that holds.
"""

from __future__ import annotations

import attrs
import numpy as np

from livered_core.errors import GeometryError
from livered_core.geometry.document import quote
from livered_core.geometry.language import Component, Facing, Language, Location, Point, Rules
from livered_core.geometry.logs import LogReader
from livered_core.geometry.moves import Settings, move, overlay, sets_place_in_part
from livered_core.geometry.rotation import Matrix, Vector, spherical_to_cartesian, turning_z_to

BankPath = tuple[str, ...]
"""Names of the components that lead to a bank, the outermost first."""


@attrs.frozen(eq=False)
class Pose:
    """A place and a rotation in the instrument's coordinates.

    Attributes
    ----------
    position
        float64[3], metres.
    rotation
        float64[3, 3], into the instrument's coordinates.
    """

    position: Vector
    rotation: Matrix


@attrs.frozen(eq=False)
class Frame:
    """A placed component, as what is in it sees it.

    Attributes
    ----------
    located
        Where the locations alone put it.
    pose
        Where it is: the same object where nothing around it moves.
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

    located: Pose
    pose: Pose
    spherical: Vector
    path: BankPath
    label: str
    parent: Frame | None

    @property
    def position(self) -> Vector:
        """float64[3], metres: where it is."""
        return self.pose.position

    @property
    def rotation(self) -> Matrix:
        """float64[3, 3], into the instrument's coordinates: how it is turned."""
        return self.pose.rotation


def root_frame() -> Frame:
    """Frame of the instrument itself."""
    origin = Pose(np.zeros(3), np.eye(3))
    return Frame(origin, origin, np.zeros(3), (), "", None)


def say(component: Component) -> str:
    """Write which component is meant, for a message."""
    return f"the component {quote(component.name or component.type_name)}"


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


def settings_of(component: Component, location: Location, parent: Frame, language: Language) -> Settings:
    """Collect the parameters that move a placement: the component's, the location's, and those of links."""
    if component.type_name not in language.measuring:
        return {}
    if not (component.settings or location.settings or language.links):
        return {}
    layers = [component.settings, location.settings]
    name = component.name_of(location)
    layers += [link.settings for link in language.links if _ends_with(parent, name, link.path)]
    return overlay(layers)


def _ends_with(parent: Frame, name: str, path: tuple[str, ...]) -> bool:
    frame: Frame | None = parent
    if name != path[-1]:
        return False
    for wanted in reversed(path[:-1]):
        if frame is None or frame.label != wanted:
            return False
        frame = frame.parent
    return True


def locate(
    component: Component, location: Location, parent: Frame, language: Language, logs: LogReader
) -> Frame:
    """Place a component within its parent, by Mantid's rules (InstrumentDefinitionParser::setLocation).

    Parameters
    ----------
    component, location
        What is placed, and which of its locations.
    parent
        Where it is placed.
    language
        The definition.
    logs
        Where values of logs come from.

    Raises
    ------
    GeometryError
        When a parameter moves it and its value is missing, makes no sense, or sets a part of a place of which
        the other part is not clear.
    """
    rules = language.rules
    relative = offset(location.point, parent.spherical, rules)
    own = parent.spherical + location.point.values if location.point.spherical else None
    rotation = np.eye(3)
    for step in location.steps:
        if isinstance(step, Point):
            base = parent.spherical if own is None else own
            # Mantid turns a <trans> by the absolute rotation, although it then counts in the parent's axes.
            relative = relative + parent.located.rotation @ rotation @ offset(step, base, rules)
            own = base + step.values if step.spherical else own
        else:
            rotation = rotation @ step
    position = parent.located.position + parent.located.rotation @ relative
    rotation = parent.located.rotation @ rotation
    facing = rules.facing if location.facing is None else location.facing
    located = Pose(position, _face(position, rotation, facing))
    settings = settings_of(component, location, parent, language)
    neutronic = location.neutronic if rules.neutronic else None
    pose = located
    if parent.pose is not parent.located or neutronic is not None or settings:
        turned = parent.located.rotation.T @ located.rotation
        if neutronic is not None:
            relative, turned = _shift_to_neutronic(neutronic, turned, rules)
        if settings:
            if sets_place_in_part(settings) and not _is_at_origin(parent):
                message = (
                    f"sets one of x, y and z of {say(component)} by a parameter, within a component that is shifted "
                    "or turned, where Mantid mixes two coordinate systems: set all three."
                )
                raise GeometryError(message)
            relative, turned = move(settings, logs, relative, turned)
        pose = Pose(parent.position + parent.rotation @ relative, parent.rotation @ turned)
    name = location.name or component.name
    return Frame(
        located=located,
        pose=pose,
        spherical=np.zeros(3) if own is None else own,
        path=(*parent.path, name) if name else parent.path,
        label=component.name_of(location),
        parent=parent,
    )


def neutronic_offset(neutronic: Location, rules: Rules) -> Vector:
    """Neutronic place relative to the parent: float64[3], metres.

    Raises
    ------
    GeometryError
        When it is spherical and the definition's spherical coordinates are differences.
    """
    if neutronic.point.spherical and rules.spherical_is_delta:
        message = "has neutronic positions in spherical coordinates that are differences: write x, y, z."
        raise GeometryError(message)
    return offset(neutronic.point, np.zeros(3), rules)


def _shift_to_neutronic(neutronic: Location, turned: Matrix, rules: Rules) -> tuple[Vector, Matrix]:
    for step in neutronic.steps:
        if not isinstance(step, Point):
            turned = turned @ step
    return neutronic_offset(neutronic, rules), turned


def _is_at_origin(frame: Frame) -> bool:
    pose = frame.located
    return not pose.position.any() and np.array_equal(pose.rotation, np.eye(3))


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
