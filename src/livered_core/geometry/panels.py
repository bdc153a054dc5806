"""Panels: types that are a grid of pixels, RectangularDetector, StructuredDetector and GridDetector."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from livered_core.errors import GeometryError
from livered_core.geometry.document import describe, integer, number, quote
from livered_core.geometry.idlist import MAX_DETECTORS, Ids
from livered_core.geometry.language import Panel, PanelIds


def _read_size(element: Element) -> tuple[int, int]:
    columns, rows = integer(element, "xpixels"), integer(element, "ypixels")
    if columns < 1 or rows < 1 or columns * rows > MAX_DETECTORS:
        message = f"has {describe(element)}: xpixels and ypixels must be positive, and not more than {MAX_DETECTORS} together."
        raise GeometryError(message)
    return columns, rows


def read_rectangular_panel(element: Element) -> Panel:
    """Read a ``<type is="rectangular_detector">``.

    Pixel (i, j) is at ``(xstart + i xstep, ystart + j ystep, 0)``.

    Raises
    ------
    GeometryError
        When a number of pixels is missing or not positive.
    """
    columns, rows = _read_size(element)
    offsets = np.zeros((columns, rows, 3))
    x = number(element, "xstart", 0.0) + number(element, "xstep", 0.0) * np.arange(columns)
    offsets[:, :, 0] = x[:, np.newaxis]
    offsets[:, :, 1] = number(element, "ystart", 0.0) + number(element, "ystep", 0.0) * np.arange(rows)
    return Panel(offsets)


def read_grid_panel(element: Element) -> Panel:
    """Read a ``<type is="GridDetector">``.

    Pixel (i, j, k) is at ``(xstart + i xstep, ystart + j ystep, zstart + k zstep)``. Without zpixels, or where it
    is 0, there is one layer (as in Mantid).

    Raises
    ------
    GeometryError
        When a number of pixels along x or y is missing or not positive, or that along z is negative.
    """
    columns, rows = _read_size(element)
    layers = integer(element, "zpixels", 0)
    if layers < 0 or columns * rows * layers > MAX_DETECTORS:
        message = f"has {describe(element)}: zpixels must not be negative, and all pixels not more than {MAX_DETECTORS}."
        raise GeometryError(message)
    layers = max(layers, 1)
    offsets = np.empty((columns, rows, layers, 3))
    for axis, count in enumerate(offsets.shape[:3]):
        letter = "xyz"[axis]
        start, step = number(element, f"{letter}start", 0.0), number(element, f"{letter}step", 0.0)
        shape = [1, 1, 1]
        shape[axis] = count
        offsets[..., axis] = (start + step * np.arange(count)).reshape(shape)
    return Panel(offsets)


def read_structured_panel(element: Element) -> Panel:
    """Read a ``<type is="StructuredDetector">``.

    Its ``<vertex>`` elements are the corners of the pixels, (nx + 1) (ny + 1) of them, x fastest. A pixel is at
    the middle of its trapezium as Mantid takes it: from its first corner, a quarter of the sum of its two widths
    along x, and half of its left side's height along y.

    Raises
    ------
    GeometryError
        When a number of pixels is missing, or there are too few or too many corners.
    """
    columns, rows = _read_size(element)
    corners = [(number(v, "x"), number(v, "y")) for v in element.iter("vertex")]
    if len(corners) != (columns + 1) * (rows + 1):
        message = (
            f"has {describe(element)} with {len(corners)} corners instead of {(columns + 1) * (rows + 1)}."
        )
        raise GeometryError(message)
    grid = np.array(corners).reshape(rows + 1, columns + 1, 2).transpose(1, 0, 2)
    back_left, back_right = grid[:-1, :-1], grid[1:, :-1]
    front_left, front_right = grid[:-1, 1:], grid[1:, 1:]
    widths = np.abs(front_right - front_left)[..., 0] + np.abs(back_right - back_left)[..., 0]
    heights = np.abs(front_left - back_left)[..., 1]
    offsets = np.zeros((columns, rows, 3))
    offsets[..., 0] = back_left[..., 0] + widths / 4.0
    offsets[..., 1] = back_left[..., 1] + heights / 2.0
    return Panel(offsets)


def number_pixels(panel: Panel, ids: PanelIds) -> Ids:
    """Give each pixel of a panel its id.

    Ids grow by `step` along the first axis of the order, by `step_by_row` along the second, and along the third by
    `step_by_row` times the number of pixels along the second.

    Parameters
    ----------
    panel
        nx columns of ny pixels, in a grid nz layers of them.
    ids
        The component's numbering.

    Returns
    -------
    int64[nx, ny] or int64[nx, ny, nz]

    Raises
    ------
    GeometryError
        When the order does not name each axis of the panel once.
    """
    counts = panel.offsets.shape[:-1]
    axes = "xyz"[: len(counts)]
    if sorted(ids.order) != list(axes):
        needed = "idfillbyfirst" if len(counts) == 2 else "idfillorder, such as xyz"
        message = f"numbers the pixels of a panel in the order {quote(ids.order)}: {len(counts)} axes need {needed}."
        raise GeometryError(message)
    index: dict[str, Ids] = dict(zip(axes, np.indices(counts, np.int64, sparse=True), strict=True))
    size = dict(zip(axes, counts, strict=True))
    by_row = size[ids.order[0]] if ids.step_by_row is None else ids.step_by_row
    steps = (ids.step, by_row, by_row * size[ids.order[1]])
    numbers: Ids = np.full(counts, ids.start, np.int64)
    for axis, step in zip(ids.order, steps, strict=False):
        numbers += index[axis] * step
    return numbers
