"""Contrasts of the page's colours, light and dark, as WCAG 2.2 asks for on level AA; no browser is needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import livered_core.dashboard

CSS = (Path(livered_core.dashboard.__file__).parent / "static" / "app.css").read_text("utf-8")
PAIR = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
THEMES = ("light", "dark")
COLOURS = {
    name: dict(zip(THEMES, (light, dark), strict=True))
    for name, light, dark in PAIR.findall(CSS[: CSS.index("html {")])
}
CURVES = [f"curve-{number}" for number in range(1, 9)]
SHADES = [f"shade-{kind}" for kind in ("good", "wait", "warn", "bad")]

TEXT = [
    *[(ink, ground) for ink in ("ink", "ink-soft") for ground in ("page", "surface", "raised")],
    *[("ink", ground) for ground in ("warn-wash", "bad-wash")],
    *[("accent", ground) for ground in ("page", "surface")],
    *[(f"on-{kind}", kind) for kind in ("good", "wait", "warn", "bad", "accent")],
    *[(f"{kind}-ink", "surface") for kind in ("good", "warn", "bad")],
    ("warn-ink", "warn-wash"),
]
"""Text on its ground: 4.5 to 1, whatever the size (success criterion 1.4.3)."""

MARKS = [
    *[(curve, "surface") for curve in CURVES],
    *[(curve, shade) for curve in CURVES[:2] for shade in SHADES],
    *[("control", ground) for ground in ("page", "surface")],
    ("plot-line", "surface"),
]
"""Lines of plots and edges of controls: 3 to 1 (success criterion 1.4.11)."""


def luminance(colour):
    """Relative luminance of an sRGB colour as ``#rrggbb`` (WCAG 2.2, definition)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_defined():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (MARKS, 3.0)], ids=["text", "marks"])
def test_contrasts(theme, pairs, least):
    found = {
        f"{front} on {ground}": round(contrast(COLOURS[front][theme], COLOURS[ground][theme]), 2)
        for front, ground in pairs
    }
    assert {pair: ratio for pair, ratio in found.items() if ratio < least} == {}


def test_every_colour_is_one_of_them():
    rules = CSS[CSS.index("html {") :]
    assert (
        re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(", re.sub(r"#[\w-]+(?=[^{};]*\{)", "", rules))
        == []
    )
    used = set(re.findall(r"var\(--([\w-]+)\)", rules)) - {"colour", "radius", "gap"}
    assert used <= COLOURS.keys()
