"""Parameters that move components: ``<parameter name="x">`` and its like, with a value or a log.

Source: Mantid's concept page "Instrument Definition File" (Using <parameter>), and what Mantid does in
ExperimentInfo::populateInstrumentParameters and ParameterMap::addPositionCoordinate and addRotationParam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

import attrs
import numpy as np

from livered_core.errors import GeometryError
from livered_core.geometry.document import children, describe, number, required
from livered_core.geometry.equation import evaluate
from livered_core.geometry.logs import LogReader, LogUse
from livered_core.geometry.rotation import Matrix, Vector, about_axis

POSITION = ("x", "y", "z")
"""Each sets one coordinate of the place relative to the parent, metres."""

SPHERICAL = ("r-position", "t-position", "p-position")
"""They set the place in spherical coordinates: metres and degrees, whatever the unit of the document's angles."""

ROTATION = ("rotx", "roty", "rotz")
"""Together they replace the rotation relative to the parent: degrees about x, then y, then z."""

MOVING = frozenset([*POSITION, *SPHERICAL, *ROTATION])

NOT_SUPPORTED = frozenset(["sca", "scalex", "scaley", "scalez"])
"""They stretch a panel."""


@attrs.frozen
class Setting:
    """One parameter that moves a component.

    Attributes
    ----------
    name
        One of `MOVING`.
    value
        What it is set to; None where a log says it.
    log
        The log that says it; None where the definition does.
    equation
        Computes the parameter from the log's value; empty where it is that value.
    source
        The element that carries the parameter, for messages.
    """

    name: str
    value: float | None
    log: LogUse | None
    equation: str
    source: str

    def evaluate(self, logs: LogReader) -> float:
        """Give the parameter's number: metres or degrees.

        Raises
        ------
        GeometryError
            When the log is not there, or its value and the equation give no number that makes sense.
        """
        if self.log is None:
            return 0.0 if self.value is None else self.value
        value = logs.value(self.log, self.source)
        return evaluate(self.equation, value) if self.equation else value


Settings = Mapping[str, Setting]
"""Settings of one component by name."""


def read_settings(parent: Element) -> dict[str, Setting]:
    """Read the parameters of an element that move a component; of those with the same name the last one holds.

    Parameters
    ----------
    parent
        ``<component>``, ``<location>`` or ``<component-link>``.

    Raises
    ------
    GeometryError
        When a parameter has no value or one that is not understood, or would stretch the component.
    """
    settings: dict[str, Setting] = {}
    for element in children(parent, "parameter"):
        name = element.get("name", "")
        if element.get("type") == "fitting":
            continue
        if name in NOT_SUPPORTED:
            message = f"stretches {describe(parent)} by {describe(element)}, which is not supported."
            raise GeometryError(message)
        if name in MOVING:
            settings[name] = _read_setting(element, name, describe(parent))
    return settings


def _read_setting(element: Element, name: str, source: str) -> Setting:
    value = next(element.iter("value"), None)
    if value is not None:
        return Setting(name, number(value, "val"), None, "", source)
    log = next(element.iter("logfile"), None)
    if log is None:
        message = f"moves {source} by {describe(element)}, which needs a <value> or a <logfile>."
        raise GeometryError(message)
    use = LogUse(required(log, "id"), log.get("extract-single-value-as", "mean").strip())
    return Setting(name, None, use, log.get("eq", "").strip(), source)


def move(settings: Settings, logs: LogReader, position: Vector, rotation: Matrix) -> tuple[Vector, Matrix]:
    """Move a component by its parameters.

    ``r-position`` with ``t-position`` and ``p-position`` (0 where they are missing) sets the place; without
    ``r-position`` the other two have no effect. ``x``, ``y`` and ``z`` then set one coordinate each. Each rotation
    that is missing is 0 where there is another one; a place that is set leaves the rotation as it is.

    Parameters
    ----------
    settings
        The component's.
    logs
        Where values of logs come from.
    position, rotation
        float64[3] in metres and float64[3, 3], relative to the parent, as the definition has them without
        parameters. They are not changed.

    Returns
    -------
    tuple of float64[3] and float64[3, 3]
        Relative to the parent.

    Raises
    ------
    GeometryError
        When a value of a log is not there or makes no sense.
    """
    values = {name: setting.evaluate(logs) for name, setting in settings.items()}
    if "r-position" in values:
        r = values["r-position"]
        theta, phi = (math.radians(values.get(name, 0.0)) for name in SPHERICAL[1:])
        across = r * math.sin(theta)
        position = np.array([across * math.cos(phi), across * math.sin(phi), r * math.cos(theta)])
    position = np.array([values.get(name, position[i]) for i, name in enumerate(POSITION)])
    if any(name in values for name in ROTATION):
        rotation = np.eye(3)
        for name, axis in zip(ROTATION, np.eye(3), strict=True):
            rotation = rotation @ about_axis(math.radians(values.get(name, 0.0)), axis)
    return position, rotation


def sets_place_in_part(settings: Settings) -> bool:
    """Say whether some, but not all, of x, y and z are set, and the others stay as they are."""
    given = sum(name in settings for name in POSITION)
    return 0 < given < len(POSITION) and "r-position" not in settings


def overlay(layers: Sequence[Settings]) -> Settings:
    """Lay settings over each other; later ones win."""
    merged: dict[str, Setting] = {}
    for layer in layers:
        merged.update(layer)
    return merged
