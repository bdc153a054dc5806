"""Panels: types that are a grid of pixels, RectangularDetector and StructuredDetector."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from livered_core.errors import GeometryError
from livered_core.geometry.document import describe, integer, number
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

    Parameters
    ----------
    panel
        nx columns of ny pixels.
    ids
        The component's numbering.

    Returns
    -------
    int64[nx, ny]
    """
    columns, rows = panel.offsets.shape[:2]
    along_x, along_y = np.arange(columns)[:, np.newaxis], np.arange(rows)[np.newaxis, :]
    if ids.fill_by_first_y:
        by_row = rows if ids.step_by_row is None else ids.step_by_row
        numbers: Ids = ids.start + along_x * by_row + along_y * ids.step
    else:
        by_row = columns if ids.step_by_row is None else ids.step_by_row
        numbers = ids.start + along_y * by_row + along_x * ids.step
    return numbers
