"""What is shown and published: curves, images, and the result that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

Note = float | int | str | bool
"""A value of metadata: a number or a short text."""


def _read_only(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def _is_unit(noun: Any, attribute: attrs.Attribute[Any], unit: Any) -> None:
    if not isinstance(unit, str) or not unit.strip():
        message = (
            f"{type(noun).__name__} {noun.label!r} has no {attribute.name}: say the unit, "
            'or "dimensionless" where there is none.'
        )
        raise ValueError(message)


@attrs.frozen(eq=False)
class Curve:
    """One curve. Arrays are copied, converted to float64 and made read-only.

    Attributes
    ----------
    label
        Name for people, for example ``bank 2 - 31 deg``.
    x
        float64[n] points or float64[n + 1] bin edges, in `x_unit`, ascending.
    y
        float64[n], in `y_unit`.
    e
        float64[n], standard deviation of `y`, same unit.
    x_unit, y_unit
        Units; never empty (``"dimensionless"`` where there is none).
    x_name, y_name
        Names of the quantities for axes, for example ``d-spacing``.
    metadata
        Numbers and short strings about this curve, shown beside it.
    """

    label: str
    x: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    y: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    e: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    x_unit: str = attrs.field(validator=_is_unit)
    y_unit: str = attrs.field(validator=_is_unit)
    x_name: str = ""
    y_name: str = ""
    metadata: Mapping[str, Note] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        shapes_fit = self.y.ndim == 1 and self.e.shape == self.y.shape and self.x.ndim == 1
        if not shapes_fit or len(self.x) not in (len(self.y), len(self.y) + 1):
            message = (
                f"Curve {self.label!r} has x{list(self.x.shape)}, y{list(self.y.shape)}, e{list(self.e.shape)}: "
                "y and e must be as long as each other, and x as long or one longer (bin edges)."
            )
            raise ValueError(message)

    @property
    def is_histogram(self) -> bool:
        """True when `x` holds bin edges."""
        return len(self.x) == len(self.y) + 1

    @property
    def x_centres(self) -> npt.NDArray[np.float64]:
        """float64[n], the middle of each bin, or the points themselves."""
        return (self.x[:-1] + self.x[1:]) / 2 if self.is_histogram else self.x


@attrs.frozen(eq=False)
class Image:
    """A two-dimensional view. Arrays are copied, converted to float64 and made read-only.

    Attributes
    ----------
    label
        Name for people.
    x, y
        float64[nx + 1] and float64[ny + 1], bin edges in `x_unit` and `y_unit`.
    z
        float64[ny, nx], in `z_unit`.
    x_unit, y_unit, z_unit
        Units; never empty.
    metadata
        Numbers and short strings about this image.
    """

    label: str
    x: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    y: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    z: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    x_unit: str = attrs.field(validator=_is_unit)
    y_unit: str = attrs.field(validator=_is_unit)
    z_unit: str = attrs.field(validator=_is_unit)
    metadata: Mapping[str, Note] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.z.shape != (len(self.y) - 1, len(self.x) - 1):
            message = (
                f"Image {self.label!r} has z{list(self.z.shape)} for x{list(self.x.shape)} and y{list(self.y.shape)}: "
                "z must be [len(y) - 1, len(x) - 1]."
            )
            raise ValueError(message)


def _curves(items: Iterable[Curve]) -> tuple[Curve, ...]:
    return tuple(items)


def _images(items: Iterable[Image]) -> tuple[Image, ...]:
    return tuple(items)


@attrs.frozen(eq=False)
class Result:
    """The curves and images of one update: what `post_process` returns.

    Attributes
    ----------
    run_number
        The run they belong to.
    title
        Title for people.
    curves, images
        What is drawn; labels are unique among curves and among images.
    metadata
        Numbers and short strings about the whole.
    """

    run_number: int
    title: str
    curves: tuple[Curve, ...] = attrs.field(converter=_curves)
    images: tuple[Image, ...] = attrs.field(converter=_images, default=())
    metadata: Mapping[str, Note] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for kind, items in (("curves", self.curves), ("images", self.images)):
            labels = [item.label for item in items]
            twice = sorted({label for label in labels if labels.count(label) > 1})
            if twice:
                message = (
                    f"Result of run {self.run_number} has two {kind} called {twice[0]!r}: labels must differ."
                )
                raise ValueError(message)


@attrs.frozen
class Receipt:
    """What a sink did with a result.

    Attributes
    ----------
    where
        For people: an address or a path. Never with a password in it.
    when_ns
        When it was done, nanoseconds UTC since the Unix epoch.
    size
        Bytes sent or written.
    """

    where: str
    when_ns: int
    size: int
