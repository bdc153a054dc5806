"""The report as a person meets it: a file, opened by Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest

from browser_support import Watched, chromium, watched_page, why_no_browser
from livered_core.model import Curve, Image, Result, RunInfo, Update
from livered_core.publish.report import report_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser() or "there is one")

# Relative luminance and contrast ratio by WCAG 2.2.
CONTRAST = """(element) => {
    const part = (value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    const light = (text) => {
        const [r, g, b] = text.match(/[0-9.]+/g).map(Number);
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const style = getComputedStyle(element);
    const ink = element.matches("path.line") ? style.stroke : element.matches("text") ? style.fill : style.color;
    const two = [light(ink), light(getComputedStyle(document.body).backgroundColor)].sort((a, b) => b - a);
    return (two[0] + 0.05) / (two[1] + 0.05);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def report(tmp_path: Path, run: RunInfo, make_update: Callable[..., Update]) -> Path:
    d = np.linspace(0.5, 2.5, 2001)
    d_middle = (d[1:] + d[:-1]) / 2
    banks = [
        Curve(
            f"bank {number} <b>",
            d,
            number * 100 * np.exp(-(((d_middle - 2.06) / 0.01) ** 2)),
            np.ones(2000),
            "angstrom",
            "counts",
            "d-spacing",
            "intensity",
        )
        for number in range(1, 13)
    ]
    image = Image(
        "view", np.geomspace(0.1, 8, 51), np.linspace(0, 180, 13), np.ones((12, 50)), "A", "deg", "n"
    )
    hostile = "<img src='https://example.org/x' onerror='alert(1)'><script>alert(2)</script>"
    run = attrs.evolve(run, title=hostile, sample={hostile: hostile})
    data = report_html(
        Result(7, hostile, banks, (image,), {}), run, make_update(missing=("Chunk 3 was dropped.",)), {}, 1
    )
    path = tmp_path / "NOM_7.html"
    path.write_bytes(data)
    return path


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Watched]:
    with watched_page(browser, "http://nowhere", viewport={"width": 1000, "height": 900}) as watched:
        watched.page.goto(report.as_uri())
        yield watched
        assert watched.requests == [report.as_uri()]


def view(watched: Watched, figure: int = 0) -> list[float]:
    """What an inner drawing shows: left, top, width and height as shares of the whole."""
    box = watched.page.locator("figure").nth(figure).locator(".area").get_attribute("viewBox")
    return [float(number) / 1e6 for number in str(box).split()]


def drag(watched: Watched, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw from one place of the first panel to another, in shares of its width and height."""
    glass = watched.page.locator(".catch").first
    glass.scroll_into_view_if_needed()
    box: Any = glass.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    mouse = watched.page.mouse
    mouse.move(*places[0])
    mouse.down()
    mouse.move(*places[1], steps=3)
    mouse.up()


def test_it_opens_without_network_and_its_text_stays_text(opened: Watched) -> None:
    page = opened.page
    assert page.locator("h1").inner_text() == "NOM run 7"
    assert page.locator(".title").inner_text().startswith("<img src='https://example.org/x'")
    assert "INCOMPLETE; final result." in page.locator(".state").inner_text()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_curves_and_image_are_drawn(opened: Watched) -> None:
    page = opened.page
    assert page.locator(".area path.line").count() == 12
    heights = page.locator(".area path.line").evaluate_all(
        "(lines) => lines.map((line) => line.getBoundingClientRect().height)"
    )
    # Twelve peaks, each higher than the one before by the same.
    assert np.diff(heights) == pytest.approx(heights[0], rel=0.02)
    assert heights[-1] > 200
    # Colours repeat with another dash.
    looks = page.locator(".area path.line").evaluate_all(
        "(lines) => lines.map((line) => getComputedStyle(line).stroke + getComputedStyle(line).strokeDasharray)"
    )
    assert len(set(looks)) == 12
    loaded = page.evaluate(
        """async () => {
            const picture = new Image();
            picture.src = document.querySelector("image").getAttribute("href");
            await picture.decode();
            return [picture.naturalWidth, picture.naturalHeight];
        }"""
    )
    assert loaded == [50, 12]


def test_a_drag_zooms_and_a_double_click_shows_everything(opened: Watched) -> None:
    # A broad stroke chooses a range of x alone.
    drag(opened, (0.7, 0.5), (0.9, 0.51))
    assert view(opened) == pytest.approx([0.7, 0.0, 0.2, 1.0], abs=0.003)
    marks = [
        float(text) for text in opened.page.locator("figure").first.locator("text.x").all_text_contents()
    ]
    assert len(marks) >= 3
    assert min(marks) >= 1.89
    assert max(marks) <= 2.31
    # A box, within what is shown.
    drag(opened, (0.5, 0.2), (1.0, 0.7))
    assert view(opened) == pytest.approx([0.8, 0.2, 0.1, 0.5], abs=0.006)
    # Other panels stay, and a click is no drag.
    assert view(opened, 1) == [0.0, 0.0, 1.0, 1.0]
    before = view(opened)
    drag(opened, (0.5, 0.5), (0.502, 0.502))
    assert view(opened) == before
    opened.page.locator(".catch").first.dblclick()
    assert view(opened) == [0.0, 0.0, 1.0, 1.0]


def test_the_place_of_the_pointer_is_told(opened: Watched) -> None:
    glass = opened.page.locator(".catch").first
    box: Any = glass.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = opened.page.locator("figure").first.locator(".tools span").inner_text()
    x, y = (float(number) for number in told.split(", "))
    assert x == pytest.approx(1.5, abs=0.01)
    assert y == pytest.approx(600, abs=15)
    # Along a logarithmic axis, too.
    glass = opened.page.locator(".catch").nth(1)
    glass.scroll_into_view_if_needed()
    box = glass.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = opened.page.locator("figure").nth(1).locator(".tools span").inner_text()
    assert float(told.split(", ")[0]) == pytest.approx(np.sqrt(0.1 * 8), rel=0.01)


def test_everything_goes_with_the_keyboard(opened: Watched) -> None:
    page = opened.page
    page.get_by_role("button", name="zoom in").first.press("Enter")
    assert view(opened) == [0.25, 0.25, 0.5, 0.5]
    page.get_by_role("button", name="to the right").first.press("Enter")
    assert view(opened)[0] == 0.375
    for _ in range(9):
        page.get_by_role("button", name="to the left").first.press("Enter")
    assert view(opened) == [0.0, 0.25, 0.5, 0.5]
    page.get_by_role("button", name="show everything").first.press("Enter")
    assert view(opened) == [0.0, 0.0, 1.0, 1.0]
    choice = page.get_by_label("bank 3 <b>")
    choice.press("Space")
    shown = [line.is_visible() for line in page.locator(".area path.line").all()]
    assert shown == [index != 2 for index in range(12)]
    choice.press("Space")
    assert page.locator(".area path.line").nth(2).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_text_stand_out(browser: Browser, report: Path, scheme: str) -> None:
    """3 to 1 for drawings and 4.5 to 1 for text, as WCAG 2.2 asks (1.4.11 and 1.4.3)."""
    with watched_page(browser, "http://nowhere", color_scheme=scheme) as watched:
        watched.page.goto(report.as_uri())
        for line in watched.page.locator(".area path.line").all():
            assert line.evaluate(CONTRAST) >= 3
        for selector in ("h1", ".title", ".state", "text.x", "th", "td", "button", ".legend label"):
            assert watched.page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector


def test_it_is_whole_without_scripts_on_a_phone_and_on_paper(browser: Browser, report: Path) -> None:
    with browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 700}) as context:
        page = context.new_page()
        page.goto(report.as_uri())
        assert page.locator(".area path.line").last.is_visible()
        assert page.locator("text.x").count() > 6
        assert page.locator("button").count() == 0
        assert page.locator(".legend input").first.is_hidden()
        box: Any = page.locator("svg.plot").first.bounding_box()
        assert 300 < box["width"] <= 360
        mark: Any = page.locator("text.x").first.bounding_box()
        assert mark["height"] > 8
    with watched_page(browser, "http://nowhere", color_scheme="dark") as watched:
        watched.page.goto(report.as_uri())
        watched.page.emulate_media(media="print")
        assert watched.page.locator(".tools").first.is_hidden()
        paper = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert re.findall(r"\d+", paper) == ["255", "255", "255"]
