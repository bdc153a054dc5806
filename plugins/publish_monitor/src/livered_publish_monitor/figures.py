"""Curves and images as figures that plotly.js 3 draws: plain lists, few numbers, everything else escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import Curve, Image
from livered_publish_monitor.page_text import for_plotly
from livered_publish_monitor.thinning import thin

_HEIGHT = 420
_FEW_POINTS = 20
"""A curve with up to so many points has a mark at each: a line alone would be short, or nothing."""
_AXIS = {"automargin": True, "showline": True, "mirror": True, "ticks": "outside", "zeroline": False}


@attrs.frozen
class Panel:
    """One figure of the page.

    Attributes
    ----------
    name
        For people, short; not escaped.
    curves
        Curves with the same quantities and units; empty for an image.
    image
        The image; None for curves.
    """

    name: str
    curves: tuple[Curve, ...] = ()
    image: Image | None = None


def panels_of(curves: Sequence[Curve], images: Iterable[Image]) -> list[Panel]:
    """Put curves of the same quantities and units together, and each image by itself.

    Parameters
    ----------
    curves, images
        What is to be drawn.
    """
    groups: dict[tuple[str, ...], list[Curve]] = {}
    for curve in curves:
        groups.setdefault((curve.x_name, curve.x_unit, curve.y_name, curve.y_unit), []).append(curve)
    several = [members[0].y_name for members in groups.values() if len(members) > 1]
    panels = [
        Panel(_name(members, alone=several.count(members[0].y_name) == 1), tuple(members))
        for members in groups.values()
    ]
    return [*panels, *(Panel(image.label, image=image) for image in images)]


def _name(members: Sequence[Curve], *, alone: bool) -> str:
    first = members[0]
    if len(members) == 1:
        return first.label
    name = first.y_name or first.y_unit
    return name if alone else f"{name}, {first.x_name or first.x_unit}"


def curves_figure(panel: Panel, max_points: int) -> dict[str, Any]:
    """Draw curves as lines.

    Parameters
    ----------
    panel
        With curves. Bins are drawn at their middles.
    max_points
        Most points of each.

    Returns
    -------
    dict
        ``data`` and ``layout`` of plotly.js, of text, numbers, None, lists and dictionaries.
    """
    first = panel.curves[0]
    data = []
    for curve in panel.curves:
        chosen = thin(curve.y, max_points)
        few = np.count_nonzero(np.isfinite(curve.y)) <= _FEW_POINTS
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if few else "lines",
                "name": for_plotly(curve.label),
                "line": {"width": 1.2},
                "x": short(curve.x_centres[chosen], 7),
                "y": short(curve.y[chosen], 7),
            }
        )
    layout = _layout((first.x_name, first.x_unit), (first.y_name, first.y_unit))
    # A curve by itself has its name above the figure.
    return {"data": data, "layout": {**layout, "showlegend": len(data) > 1}}


def image_figure(image: Image) -> dict[str, Any]:
    """Draw an image as a map of colours.

    Returns
    -------
    dict
        As of `curves_figure`.
    """
    trace = {
        "type": "heatmap",
        "x": short(image.x, 5),
        "y": short(image.y, 5),
        "z": [short(row, 4) for row in image.z],
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": for_plotly(image.z_unit)}},
    }
    return {"data": [trace], "layout": _layout(("", image.x_unit), ("", image.y_unit))}


def short(values: npt.NDArray[np.float64], digits: int) -> list[float | None]:
    """Give numbers with so many significant digits, which no screen can tell from all; None where not finite.

    Parameters
    ----------
    values
        float64[n].
    digits
        Significant decimal digits.
    """
    finite = np.isfinite(values)
    rounded = _rounded(np.where(finite, values, 0.0), digits)
    whole = np.all(rounded == np.rint(rounded)) and np.all(np.abs(rounded) < 1e15)
    # Whole numbers are written without a point.
    numbers: list[float | None] = (rounded.astype(np.int64) if whole else rounded).tolist()
    for gap in np.flatnonzero(~finite):
        numbers[gap] = None
    return numbers


def _rounded(values: npt.NDArray[np.float64], digits: int) -> npt.NDArray[np.float64]:
    """Round to significant digits, so that the numbers have no more when they are written."""
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
        places = digits - 1 - np.where(np.isfinite(exponent), exponent, 0.0)
        # Powers of ten are exact only where they are whole numbers: divide by them, or multiply with them.
        up, down = 10.0 ** np.maximum(places, 0.0), 10.0 ** np.maximum(-places, 0.0)
        rounded = np.rint(values * up / down) * down / up
    # Beyond the powers of ten that there are, numbers stay as they are.
    return np.where(np.isfinite(rounded), rounded, values)


def _layout(x: tuple[str, str], y: tuple[str, str]) -> dict[str, Any]:
    return {
        "height": _HEIGHT,
        "margin": {"l": 80, "r": 20, "t": 20, "b": 60},
        "xaxis": {**_AXIS, "title": {"text": _axis_title(*x)}},
        "yaxis": {**_AXIS, "title": {"text": _axis_title(*y)}},
        "legend": {"bgcolor": "rgba(255,255,255,0.7)"},
    }


def _axis_title(name: str, unit: str) -> str:
    return for_plotly(f"{name} ({unit})" if name else unit)
