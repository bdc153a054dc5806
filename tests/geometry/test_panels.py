"""Panels, types that are a grid of pixels, with positions worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest


def assert_positions(instrument, *expected):
    np.testing.assert_allclose(instrument.position, expected, rtol=0, atol=1e-12)


PANEL = (
    '<type name="panel" is="rectangular_detector" type="pixel" xpixels="2" xstart="-0.1" xstep="0.2" '
    'ypixels="3" ystart="-0.3" ystep="0.3"/>'
)


@pytest.mark.parametrize(
    ("numbering", "expected"),
    [
        ("", [[100, 101, 102], [103, 104, 105]]),
        ('idfillbyfirst="y" idstepbyrow="10" idstep="2"', [[100, 102, 104], [110, 112, 114]]),
        ('idfillbyfirst="x"', [[100, 102, 104], [101, 103, 105]]),
        ('idfillbyfirst="x" idstepbyrow="10"', [[100, 110, 120], [101, 111, 121]]),
    ],
)
def test_rectangular_panel(read, numbering, expected):
    instrument = read(
        f'{PANEL}<component type="panel" idstart="100" {numbering}>'
        '<location name="bank7" z="2"><rot val="90"/></location></component>'
    )
    place = dict(zip(instrument.pixel_id.tolist(), instrument.position.tolist(), strict=True))
    assert sorted(place) == sorted(np.ravel(expected))
    for i, x in enumerate((-0.1, 0.1)):
        for j, y in enumerate((-0.3, 0.0, 0.3)):
            np.testing.assert_allclose(place[expected[i][j]], [-y, x, 2], atol=1e-12)
    assert instrument.bank_names == ("bank7",)


def test_structured_panel(read):
    instrument = read(
        """
        <type name="fan" is="StructuredDetector" type="pixel" xpixels="2" ypixels="1">
          <vertex x="-2" y="0"/><vertex x="0" y="0"/><vertex x="2" y="0"/>
          <vertex x="-4" y="1"/><vertex x="0" y="1"/><vertex x="4" y="1"/>
        </type>
        <component type="fan" idstart="5" idfillbyfirst="x"><location z="3" name="fan1"/></component>
        """
    )
    # Widths 4 and 2: a quarter of their sum from the first corner.
    assert_positions(instrument, [-2 + 1.5, 0.5, 3], [0 + 1.5, 0.5, 3])
    np.testing.assert_array_equal(instrument.pixel_id, [5, 6])


GRID = """
<type name="grid" is="GridDetector" type="pixel" xpixels="2" xstart="-0.1" xstep="0.2"
      ypixels="3" ystart="0" ystep="0.1" zpixels="4" zstart="0.5" zstep="-0.25"/>
"""


@pytest.mark.parametrize(
    ("numbering", "steps"),
    [
        ('idfillorder="xyz"', (1, 2, 6)),
        ('idfillorder="zyx"', (12, 4, 1)),
        ('idfillorder="yzx"', (12, 1, 3)),
        ('idfillorder="xzy"', (1, 8, 2)),
        ('idfillorder="yxz" idstep="2" idstepbyrow="10"', (10, 2, 20)),
    ],
)
def test_grid(read, numbering, steps):
    instrument = read(
        f'{GRID}<component type="grid" idstart="1000" {numbering}>'
        '<location name="cube" z="2" rot="90" axis-y="1" axis-z="0"/></component>'
    )
    place = dict(zip(instrument.pixel_id.tolist(), instrument.position.tolist(), strict=True))
    assert len(place) == 24
    for i, j, k in itertools.product(range(2), range(3), range(4)):
        x, y, z = -0.1 + 0.2 * i, 0.1 * j, 0.5 - 0.25 * k
        # A quarter of a turn about y: z to x, and x to -z.
        np.testing.assert_allclose(place[1000 + np.dot(steps, (i, j, k))], [z, y, 2 - x], atol=1e-12)
    assert instrument.bank_names == ("cube",)


@pytest.mark.parametrize("layers", ["", 'zpixels="0"', 'zpixels="1"'])
def test_a_grid_of_one_layer_is_a_rectangular_panel(read, layers):
    sizes = 'xpixels="3" xstart="-1" xstep="0.5" ypixels="2" ystart="1" ystep="0.5"'
    flat = read(
        f'<type name="w" is="GridDetector" {sizes} {layers} zstep="9"/>'
        '<component type="w" idstart="7" idfillorder="yxz"><location z="3"/></component>'
    )
    panel = read(
        f'<type name="w" is="RectangularDetector" {sizes}/>'
        '<component type="w" idstart="7" idfillbyfirst="y"><location z="3"/></component>'
    )
    np.testing.assert_array_equal(flat.pixel_id, panel.pixel_id)
    np.testing.assert_array_equal(flat.position, panel.position)


def test_a_structured_panel_faces_nothing(read):
    body = """
        <type name="fan" is="StructuredDetector" type="pixel" xpixels="1" ypixels="1">
          <vertex x="0" y="0"/><vertex x="2" y="0"/><vertex x="0" y="2"/><vertex x="2" y="2"/>
        </type>
        <component type="fan" idstart="0"><location x="3"/></component>
        """
    instrument = read(body, defaults='<components-are-facing x="0" y="0" z="0"/>')
    assert_positions(instrument, [4, 1, 0])
