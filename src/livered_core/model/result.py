"""What is shown and published: curves, images, and the result that holds them."""

from __future__ import annotations

import numbers
import operator
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.model.scipp_curves import scipp_columns

if TYPE_CHECKING:
    import scipp as sc

Note = float | int | str | bool
"""A value of metadata: a number or a short text. A float may be NaN or infinite."""


def _read_only(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    if np.iscomplexobj(values):
        message = "Values of a curve or an image are complex: give their real part or their magnitude."
        raise TypeError(message)
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def _is_text(noun: Any, attribute: attrs.Attribute[Any], text: Any) -> None:
    if not isinstance(text, str):
        message = f"{type(noun).__name__}.{attribute.name} must be a text and is a {type(text).__name__}."
        raise TypeError(message)


def _is_count(noun: Any, attribute: attrs.Attribute[Any], number: Any) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        message = (
            f"{type(noun).__name__}.{attribute.name} must be a whole number and is a {type(number).__name__}."
        )
        raise TypeError(message)
    if number < 0:
        message = f"{type(noun).__name__}.{attribute.name} must not be negative and is {number}."
        raise ValueError(message)


def _python_int(number: Any) -> Any:
    """Make numpy's integers Python's; anything else is left to the validator."""
    return operator.index(number) if isinstance(number, np.integer) else number


def _notes(owner: str, metadata: Any) -> dict[str, Note]:
    """Copy metadata with numpy's scalars made Python's.

    Parameters
    ----------
    owner
        Whose they are, to begin a sentence with.
    metadata
        What a plugin gave.

    Raises
    ------
    TypeError
        When it is no mapping of texts to numbers, bools and texts.
    ValueError
        When a number is too large for a float.
    """
    if not isinstance(metadata, Mapping):
        message = f"{owner} has a {type(metadata).__name__} as metadata: give a dictionary."
        raise TypeError(message)
    notes: dict[str, Note] = {}
    for key, value in metadata.items():
        if not isinstance(key, str):
            message = f"{owner} has the metadata key {key!r} of type {type(key).__name__}: keys are texts."
            raise TypeError(message)
        notes[key] = _note(f"{owner} has metadata {key!r}", value)
    return notes


def _note(what: str, value: Any) -> Note:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if not isinstance(value, numbers.Real):
        message = f"{what} of type {type(value).__name__}: give a number, a bool or a short text."
        raise TypeError(message)
    try:
        number = float(value)
    except OverflowError:
        message = f"{what} too large for a float: scale it or give it as text."
        raise ValueError(message) from None
    return int(value) if isinstance(value, numbers.Integral) else number


def _must_ascend(what: str, values: npt.NDArray[np.float64]) -> None:
    if np.isnan(values).any():
        message = f"{what} has NaN at index {int(np.isnan(values).argmax())}: leave such points out."
        raise ValueError(message)
    falls = values[1:] < values[:-1]
    if falls.any():
        index = int(falls.argmax())
        message = (
            f"{what} falls from {values[index]:g} to {values[index + 1]:g} at index {index + 1}: "
            "sort it in ascending order, and the other columns with it."
        )
        raise ValueError(message)


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
        float64[n] points or float64[n + 1] bin edges, in `x_unit`, ascending (equal neighbours are allowed),
        without NaN.
    y
        float64[n], in `y_unit`.
    e
        float64[n], standard deviation of `y`, same unit.
    x_unit, y_unit
        Units; never empty (``"dimensionless"`` where there is none).
    x_name, y_name
        Names of the quantities for axes, for example ``d-spacing``.
    metadata
        Numbers and short strings about this curve, shown beside it. Copied; numpy's scalars become Python's.

    Raises
    ------
    TypeError
        When a text or the metadata are of another type.
    ValueError
        When the arrays do not fit together, `x` does not ascend, or a unit is missing.
    """

    label: str = attrs.field(validator=_is_text)
    x: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    y: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    e: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    x_unit: str = attrs.field(validator=_is_unit)
    y_unit: str = attrs.field(validator=_is_unit)
    x_name: str = attrs.field(default="", validator=_is_text)
    y_name: str = attrs.field(default="", validator=_is_text)
    metadata: Mapping[str, Note] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        shapes_fit = self.y.ndim == 1 and self.e.shape == self.y.shape and self.x.ndim == 1
        if not shapes_fit or len(self.x) not in (len(self.y), len(self.y) + 1):
            message = (
                f"Curve {self.label!r} has x{list(self.x.shape)}, y{list(self.y.shape)}, e{list(self.e.shape)}: "
                "y and e must be as long as each other, and x as long or one longer (bin edges)."
            )
            raise ValueError(message)
        _must_ascend(f"The x of curve {self.label!r}", self.x)
        object.__setattr__(self, "metadata", _notes(f"Curve {self.label!r}", self.metadata))

    @classmethod
    def from_scipp(
        cls,
        array: sc.DataArray,
        label: str,
        *,
        x_name: str = "",
        y_name: str = "",
        metadata: Mapping[str, Note] | None = None,
    ) -> Curve:
        """Make a curve of a scipp DataArray, for authors who prefer scipp.

        Parameters
        ----------
        array
            Dense (a histogram or points) and one-dimensional, with the coordinate of its dimension as `x`, and with
            variances. Masked values become NaN.
        label, metadata
            As in `Curve`.
        x_name, y_name
            As in `Curve`; without them, the array's dimension and name.

        Returns
        -------
        Curve
            With scipp's units written as livered writes them: ``Angstrom``, ``1/Angstrom``, ``us``; a unit of None is
            ``dimensionless``.

        Raises
        ------
        TypeError
            When it is no DataArray.
        ValueError
            When it is binned, has more dimensions, no such coordinate or no variances, or makes no `Curve`.
        """
        read = scipp_columns(array, label)
        return cls(
            label,
            read.x,
            read.y,
            read.e,
            read.x_unit,
            read.y_unit,
            x_name or read.x_name,
            y_name or read.y_name,
            metadata={} if metadata is None else metadata,
        )

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
        float64[nx + 1] and float64[ny + 1], bin edges in `x_unit` and `y_unit`, ascending, without NaN.
    z
        float64[ny, nx], in `z_unit`.
    x_unit, y_unit, z_unit
        Units; never empty.
    metadata
        Numbers and short strings about this image, as in `Curve`.

    Raises
    ------
    TypeError
        When a text or the metadata are of another type.
    ValueError
        When the arrays do not fit together, edges do not ascend, or a unit is missing.
    """

    label: str = attrs.field(validator=_is_text)
    x: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    y: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    z: npt.NDArray[np.float64] = attrs.field(converter=_read_only, repr=False)
    x_unit: str = attrs.field(validator=_is_unit)
    y_unit: str = attrs.field(validator=_is_unit)
    z_unit: str = attrs.field(validator=_is_unit)
    metadata: Mapping[str, Note] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        edges_fit = self.x.ndim == self.y.ndim == 1
        if not edges_fit or self.z.shape != (len(self.y) - 1, len(self.x) - 1):
            message = (
                f"Image {self.label!r} has z{list(self.z.shape)} for x{list(self.x.shape)} and y{list(self.y.shape)}: "
                "x and y must be lists of edges, and z must be [len(y) - 1, len(x) - 1]."
            )
            raise ValueError(message)
        for name, edges in (("x", self.x), ("y", self.y)):
            _must_ascend(f"The {name} of image {self.label!r}", edges)
        object.__setattr__(self, "metadata", _notes(f"Image {self.label!r}", self.metadata))


def _curves(items: Iterable[Curve]) -> tuple[Curve, ...]:
    return tuple(items)


def _images(items: Iterable[Image]) -> tuple[Image, ...]:
    return tuple(items)


def _are(kind: type) -> Any:
    """Make a validator: every item is of that class."""

    def check(_noun: Any, attribute: attrs.Attribute[Any], items: tuple[Any, ...]) -> None:
        for item in items:
            if not isinstance(item, kind):
                message = (
                    f"Result.{attribute.name} must hold {kind.__name__}s and holds a {type(item).__name__}."
                )
                raise TypeError(message)

    return check


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
        Numbers and short strings about the whole, as in `Curve`.

    Raises
    ------
    TypeError
        When something is of another type.
    ValueError
        When two curves, or two images, have the same label.
    """

    run_number: int = attrs.field(converter=_python_int, validator=_is_count)
    title: str = attrs.field(validator=_is_text)
    curves: tuple[Curve, ...] = attrs.field(converter=_curves, validator=_are(Curve))
    images: tuple[Image, ...] = attrs.field(converter=_images, default=(), validator=_are(Image))
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
        object.__setattr__(self, "metadata", _notes(f"Result of run {self.run_number}", self.metadata))


def _paths(files: Any) -> tuple[str, ...]:
    if isinstance(files, (str, bytes, os.PathLike)):
        message = f"Receipt.files must hold paths and is a single {type(files).__name__}: give a list of it."
        raise TypeError(message)
    if not isinstance(files, Iterable):
        message = f"Receipt.files must hold paths and is a {type(files).__name__}."
        raise TypeError(message)
    return tuple(_path(file) for file in files)


def _path(file: Any) -> str:
    path = os.fspath(file) if isinstance(file, os.PathLike) else file
    if not isinstance(path, str):
        message = f"Receipt.files must hold texts or paths and holds a {type(file).__name__}."
        raise TypeError(message)
    return path


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
    files
        Paths of the files that were written to this machine, absolute; empty where there are none.

    Raises
    ------
    TypeError
        When `where` is no text (a path, for example), a number no integer, or `files` no collection of texts and paths.
    ValueError
        When a number is negative.
    """

    where: str = attrs.field(validator=_is_text)
    when_ns: int = attrs.field(converter=_python_int, validator=_is_count)
    size: int = attrs.field(converter=_python_int, validator=_is_count)
    files: tuple[str, ...] = attrs.field(default=(), converter=_paths)
