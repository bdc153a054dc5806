"""The drawings of a report, as SVG: curves of the same quantities in one panel, and each image in one of its own.

A drawing is whole without a script. ``report.js`` gives it zoom and a choice of curves: it changes the part of
`SIZE` x `SIZE` units that the inner drawing shows, and draws the marks of the axes anew.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.model import Curve, Image
from livered_core.model.text import one_line

SIZE: Final = 1_000_000
"""Units of the inner drawing along each axis."""
MOST_CURVES: Final = 200
MOST_IMAGES: Final = 20
"""What is drawn; more are left out, and it is said."""
_MOST_POINTS: Final = 100_000
_MOST_POINTS_OF_A_CURVE: Final = 12_000
_FEW_POINTS: Final = 20
"""A curve with up to so many points has a mark at each: a line alone would be short, or nothing."""
_WIDTH, _HEIGHT = 1000, 460
_LEFT, _TOP, _RIGHT, _BOTTOM = 112, 14, 16, 70
_LARGEST: Final = 1e300
_COLOURS: Final = 10
_DASHES: Final = ("", " dash", " dots")
_MOST_PIXELS: Final = 1200
# Dark to light in even steps, readable without colour, too.
_RAMP: Final = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))

Floats = npt.NDArray[np.float64]


@attrs.frozen
class _Axis:
    """What an axis shows: from where to where, whether its scale is logarithmic, and its name with the unit."""

    low: float
    high: float
    name: str
    logarithmic: bool = False

    def units(self, values: Floats) -> Floats:
        """Place values on an inner drawing, from 0 to `SIZE`; NaN where there is none."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, values = math.log(low), math.log(high), np.log(values)
        return (np.clip(values, -_LARGEST, _LARGEST) - low) / (high - low) * SIZE

    def share(self, value: float) -> float:
        return float(self.units(np.array([value]))[0]) / SIZE


def panels(curves: Sequence[Curve], images: Sequence[Image]) -> str:
    """Draw curves and images.

    Returns
    -------
    str
        HTML: one ``figure`` for each panel. All text is escaped. Curves of more than some thousand points are
        thinned without hiding a peak: the largest and the smallest of neighbours stay.
    """
    together: dict[tuple[str, ...], list[Curve]] = {}
    for curve in curves[:MOST_CURVES]:
        key = (curve.x_name, curve.x_unit, curve.y_name, curve.y_unit)
        together.setdefault(key, []).append(curve)
    most = max(100, min(_MOST_POINTS_OF_A_CURVE, _MOST_POINTS // max(1, min(len(curves), MOST_CURVES))))
    drawn = [_curves_panel(group, most) for group in together.values()]
    drawn += [_image_panel(image) for image in images[:MOST_IMAGES]]
    left_out = max(0, len(curves) - MOST_CURVES) + max(0, len(images) - MOST_IMAGES)
    if left_out:
        drawn.append(f"<p>{left_out} more are not drawn here: they are in the other files.</p>")
    return "\n".join(drawn)


def _curves_panel(curves: Sequence[Curve], most: int) -> str:
    first = curves[0]
    x = _axis((curve.x for curve in curves), _named(first.x_name or "x", first.x_unit))
    y = _axis((curve.y for curve in curves), _named(first.y_name or "y", first.y_unit), margin=0.04)
    area, legend = [], []
    for index, curve in enumerate(curves):
        look = f"c{index % _COLOURS}{_DASHES[index // _COLOURS % len(_DASHES)]}"
        band, line, dots = _paths(curve, x, y, most)
        area.append(
            f'<g data-curve="{index}"><path class="band {look}" d="{band}"/>'
            + (f'<path class="few c{index % _COLOURS}" d="{dots}"/>' if dots else "")
            + f'<path class="line {look}" d="{line}"/></g>'
        )
        legend.append(
            f'<li><label><input type="checkbox" value="{index}" checked hidden> '
            f'<svg viewBox="0 0 40 12" aria-hidden="true"><path class="line {look}" d="M2 6h36"/></svg> '
            f"<bdi>{html_text(curve.label)}</bdi></label></li>"
        )
    caption = f"{html_text(y.name)} over {html_text(x.name)}"
    return _figure(caption, x, y, "".join(area), f'<ul class="legend">{"".join(legend)}</ul>')


def _image_panel(image: Image) -> str:
    x = _axis((image.x,), image.x_unit, logarithmic=_is_geometric(image.x))
    y = _axis((image.y,), image.y_unit)
    rows, columns = _pixels(image.y, y), _pixels(image.x, x)
    if not len(rows) or not len(columns):
        return f"<p>{html_text(image.label)}: empty.</p>"
    finite = image.z[np.isfinite(image.z)].clip(-_LARGEST, _LARGEST)
    low, high = 0.0, 1.0
    if len(finite):
        # A few very bright places must not make all others dark.
        low, high = float(finite.min()), float(np.percentile(finite, 99.8, method="higher"))
    high = high if high > low else low + max(1.0, abs(low))
    levels = (image.z[np.ix_(rows[::-1], columns)].clip(-_LARGEST, _LARGEST) - low) / (high - low)
    levels = np.nan_to_num(levels, nan=-1.0)
    # 0 is for what has no number: it stays transparent.
    indices = np.where(levels < 0, 0, 1 + np.clip(levels, 0, 1) * 254).astype(np.uint8)
    picture = base64.b64encode(_png(indices)).decode()
    area = (
        f'<image class="pixels" x="0" y="0" width="{SIZE}" height="{SIZE}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{picture}"/>'
    )
    caption = f"<bdi>{html_text(image.label)}</bdi>"
    below = f"<p>Dark to bright: {low:.4g} to {high:.4g} {html_text(image.z_unit)}, and what is above it.</p>"
    return _figure(caption, x, y, area, below)


def _figure(caption: str, x: _Axis, y: _Axis, area: str, below: str) -> str:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    marks = []
    for value in ticks(x.low, x.high, 8, logarithmic=x.logarithmic):
        at = round(_LEFT + x.share(value) * width, 1)
        marks.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{_TOP}" y2="{_TOP + height}"/>')
        marks.append(f'<text class="x" x="{at}" y="{_TOP + height + 9}">{value:.6g}</text>')
    for value in ticks(y.low, y.high, 6):
        at = round(_TOP + height - y.share(value) * height, 1)
        marks.append(f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + width}" y1="{at}" y2="{at}"/>')
        marks.append(f'<text class="y" x="{_LEFT - 8}" y="{at}">{value:.6g}</text>')
    box = f'x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}"'
    middle = _TOP + height / 2
    return (
        f'<figure data-x-low="{x.low!r}" data-x-high="{x.high!r}" data-x-log="{"yes" if x.logarithmic else "no"}" '
        f'data-y-low="{y.low!r}" data-y-high="{y.high!r}"><figcaption>{caption}</figcaption>'
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html_text(y.name)} over {html_text(x.name)}">'
        f'<g class="marks">{"".join(marks)}</g>'
        f'<svg class="area" {box} viewBox="0 0 {SIZE} {SIZE}" preserveAspectRatio="none">{area}</svg>'
        f'<rect class="frame" {box}/>'
        f'<text class="name" x="{_LEFT + width / 2:g}" y="{_HEIGHT - 8}">{html_text(x.name)}</text>'
        f'<text class="name up" transform="translate(14 {middle:g}) rotate(-90)">{html_text(y.name)}</text>'
        f"</svg>{below}</figure>"
    )


def ticks(low: float, high: float, most: int, *, logarithmic: bool = False) -> list[float]:
    """Return round values between two others: in steps of 1, 2 or 5, or 1, 2 and 5 in each decade.

    Parameters
    ----------
    low, high
        Finite, `low` below `high`; above 0 where the scale is logarithmic.
    most
        About how many values at most.
    logarithmic
        Whether the scale is, which counts from one decade on.
    """
    if logarithmic and high / low >= 10:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        return [value for value in values if low <= value <= high]
    rough = high / most - low / most
    decade = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-300 else 0.0
    if not decade:
        return [low, high]
    step = decade * next(digit for digit in (1, 2, 5, 10) if digit * decade >= rough * 0.999999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [index * step for index in range(first, min(last, first + 50) + 1)]


def _axis(values: Iterable[Floats], name: str, *, margin: float = 0.0, logarithmic: bool = False) -> _Axis:
    """Make an axis on which all finite values have their place."""
    low, high = math.inf, -math.inf
    for array in values:
        finite = np.clip(array[np.isfinite(array)], -_LARGEST, _LARGEST)
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        low, high = 0.0, 1.0
    # Numbers that differ by less than they are exact have no scale of their own.
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        low, high = (low - abs(low) / 2, high + abs(high) / 2) if low else (-0.5, 0.5)
        logarithmic = False
    room = margin * (high - low)
    return _Axis(low - room, high + room, name, logarithmic)


def _paths(curve: Curve, x: _Axis, y: _Axis, most: int) -> tuple[str, str, str]:
    """Draw one standard deviation to both sides as an area, and the values as a line; both with the same gaps.

    Returns
    -------
    tuple of str
        Paths of the area, of the line, and of marks at the points where these are few; empty where there is none.
    """
    kept = _thinned(curve.y, most)
    along, values = x.units(curve.x_centres[kept]), curve.y[kept]
    with np.errstate(over="ignore", invalid="ignore"):
        # Far outside is outside; where there is no error there is no area.
        errors = np.nan_to_num(curve.e[kept], nan=0.0)
        top, bottom = (
            SIZE - np.clip(y.units(edge), -SIZE, 2 * SIZE) for edge in (values + errors, values - errors)
        )
    up = SIZE - y.units(values)
    good = np.isfinite(along) & np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]))).tolist()
    runs = [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    line = "".join(_path(along[run], up[run]) for run in runs)
    band = "".join(
        _path(
            np.concatenate([along[run], along[run][::-1]]),
            np.concatenate([top[run], bottom[run][::-1]]),
        )
        + "z"
        for run in runs
    )
    few = np.flatnonzero(good) if np.count_nonzero(good) <= _FEW_POINTS else ()
    marks = "".join(_path(along[[point]], up[[point]]) for point in few)
    return (band if errors.any() else ""), line, marks


def _thinned(values: Floats, most: int) -> npt.NDArray[np.intp]:
    """Return indices of at most about `most` values: of each row of neighbours, the largest and the smallest."""
    if len(values) <= most:
        return np.arange(len(values))
    starts = np.arange(0, len(values), math.ceil(2 * len(values) / most))
    finite = np.isfinite(values)
    kept = {0, len(values) - 1}
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(values)], strict=True):
        row = values[start:stop]
        kept.add(start + int(np.where(finite[start:stop], row, np.inf).argmin()))
        kept.add(start + int(np.where(finite[start:stop], row, -np.inf).argmax()))
    return np.array(sorted(kept))


def _path(x: Floats, y: Floats) -> str:
    """Write a path through points as steps in whole units."""
    points = np.rint(np.stack([x, y], axis=1)).astype(np.int64)
    steps = np.diff(points, axis=0).ravel().tolist()
    # A single point is a line to itself, which has round ends.
    return f"M{points[0, 0]} {points[0, 1]}l{' '.join(map(str, steps)) or '0 0'}"


def _is_geometric(edges: Floats) -> bool:
    """Tell whether bins grow with their place, as those of constant resolution do."""
    if len(edges) < 3 or edges[0] <= 0 or not np.isfinite(edges).all():
        return False
    widths = np.diff(np.log(edges))
    return bool(widths.min() > 0 and widths.max() / widths.min() < 1.5 and edges[-1] / edges[0] > 3)


def _pixels(edges: Floats, axis: _Axis) -> npt.NDArray[np.intp]:
    """Index of the bin of each pixel along an axis."""
    if len(edges) < 2 or not np.isfinite(edges).all():
        return np.arange(0)
    places = axis.units(edges)
    widths = np.diff(places)
    even = widths.min() > 0 and widths.max() / widths.min() < 1.01
    count = len(widths) if even and len(widths) <= _MOST_PIXELS else min(_MOST_PIXELS, 4 * len(widths))
    centres = places[0] + (np.arange(count) + 0.5) / count * (places[-1] - places[0])
    bins: npt.NDArray[np.intp] = np.searchsorted(places, centres, side="right") - 1
    return bins.clip(0, len(widths) - 1)


def _png(indices: npt.NDArray[np.uint8]) -> bytes:
    """Write a PNG with a palette (PNG specification, 3rd edition: IHDR, PLTE, tRNS, IDAT, IEND)."""
    height, width = indices.shape
    stops = np.linspace(1, 255, len(_RAMP))
    palette = np.stack([np.interp(np.arange(256), stops, channel) for channel in np.transpose(_RAMP)], axis=1)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", np.rint(palette).astype(np.uint8).tobytes()),
        (b"tRNS", b"\x00"),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _named(name: str, unit: str) -> str:
    return name if unit == "dimensionless" else f"{name} ({unit})"


def html_text(text: str) -> str:
    """Put a text from anywhere on one line, and escape it for HTML, in elements and in quoted attributes."""
    return escape(one_line(text))
