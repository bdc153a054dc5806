"""Rotations as matrices, by Mantid's conventions.

A component's rotation is the product of its rotations in the order in which they are nested, the outermost to
the left: ``<rot A><rot B/></rot>`` is A B, so that a vector is turned by B first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]

SNAP = 1e-6
"""Metres. Mantid sets x and y of a place in spherical coordinates to 0 when they are smaller (V3D::spherical)."""


def about_axis(angle: float, axis: Vector) -> Matrix:
    """Rotation about an axis (Rodrigues' formula).

    Parameters
    ----------
    angle
        Radians; positive is right-handed about the axis.
    axis
        float64[3], of any length but 0.

    Returns
    -------
    float64[3, 3]
        Multiply it from the left to a column.
    """
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    # 1 - cos(angle) in a form that keeps its digits for small angles.
    versine = 2.0 * np.sin(0.5 * angle) ** 2
    matrix: Matrix = np.eye(3) + np.sin(angle) * cross + versine * (cross @ cross)
    return matrix


def turning_z_to(direction: Vector) -> Matrix:
    """Rotation that turns the z axis into a direction, the short way.

    For the direction -z, where there is no short way, it is half a turn about y, as in Mantid.

    Parameters
    ----------
    direction
        float64[3], of any length but 0.

    Returns
    -------
    float64[3, 3]
    """
    x, y, z = direction
    across = float(np.hypot(x, y))
    axis = np.array([-y / across, x / across, 0.0]) if across > 0.0 else np.array([0.0, 1.0, 0.0])
    return about_axis(float(np.arctan2(across, z)), axis)


def spherical_to_cartesian(spherical: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cartesian coordinates of places given as r, theta, phi.

    Parameters
    ----------
    spherical
        float64[..., 3]: r in metres, theta from the z axis and phi from the x axis towards y, in radians.

    Returns
    -------
    float64[..., 3]
        x, y, z in metres; x and y smaller than `SNAP` are 0.
    """
    r, theta, phi = np.moveaxis(spherical, -1, 0)
    across = r * np.sin(theta)
    in_plane = np.stack([across * np.cos(phi), across * np.sin(phi)], axis=-1)
    in_plane[np.abs(in_plane) < SNAP] = 0.0
    places: npt.NDArray[np.float64] = np.concatenate([in_plane, (r * np.cos(theta))[..., None]], axis=-1)
    return places
