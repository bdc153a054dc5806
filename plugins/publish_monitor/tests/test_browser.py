"""A page as a browser shows it, put into another page the way the facility's monitor does it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from browser_support import chromium, why_no_browser
from livered_core import Curve, Image, Result, RunInfo
from livered_publish_monitor.render import Page, render

from .conftest import NOON, an_update

WHY_NOT = why_no_browser()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

TABS = Page(2000, (), {"livered-core": "0.1.0"}, layout="tabs", images=True)
NASTY = '<img src=x onerror="alert(1)"><script>alert(2)</script>$\\frac{1}{2}$<b>'
MONITOR = """<!DOCTYPE html><meta charset="utf-8"><title>monitor</title>
<a href="#" id="before">before</a><div id="graph" style="width: 900px"></div>"""
# As jQuery's html(): the text becomes elements, then each script is run, in their order.
INSERT = """(html) => {
    const graph = document.getElementById("graph");
    graph.innerHTML = html;
    for (const script of graph.querySelectorAll("script")) {
        const again = document.createElement("script");
        again.textContent = script.textContent;
        script.replaceWith(again);
    }
}"""


def a_result(title: str = "diamond", label: str = "bank") -> Result:
    x = np.linspace(0.3, 3.0, 51)
    banks = [
        Curve(
            f"{label} {n}",
            x,
            np.arange(50.0) * n,
            np.ones(50),
            "Angstrom",
            "counts",
            "d-spacing",
            "intensity",
        )
        for n in (1, 2)
    ]
    pair = Curve(
        "G(r)", x, np.sin(np.arange(51.0)), np.ones(51), "Angstrom", "1/Angstrom^2", "distance", "G(r)"
    )
    view = Image("detector", [0, 1, 2], [0, 1, 2], [[1, 2], [3, 4]], "m", "m", "counts")
    return Result(7, title, [*banks, pair], [view])


def html_of(result: Result, page: Page = TABS, sequence: int = 1, title: str = "diamond") -> str:
    run = RunInfo(7, "NOM", "IPTS-1", title)
    return render(result, run, an_update(sequence), page, NOON).html.decode()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def opened(browser: Any) -> Any:
    plotly = pytest.importorskip("plotly", reason="needs plotly, which brings plotly.js")
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.set_default_timeout(10_000)
    page.route("**/*", lambda route: route.fulfill(body=MONITOR, content_type="text/html"))
    page.goto("http://127.0.0.1:9/report/nom/7/")
    page.add_script_tag(path=Path(plotly.__file__).parent / "package_data" / "plotly.min.js")
    return page


@pytest.fixture
def monitor(opened: Any) -> Iterator[Any]:
    wrong: list[str] = []

    def dismiss(dialog: Any) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    def note(error: Any) -> None:
        wrong.append(str(error))

    opened.on("pageerror", note)
    opened.on("dialog", dismiss)
    opened.evaluate("sessionStorage.clear()")
    yield opened
    opened.remove_listener("pageerror", note)
    opened.remove_listener("dialog", dismiss)
    assert wrong == []


def insert(monitor: Any, html: str) -> None:
    monitor.evaluate(INSERT, html)
    n_graphs = html.count("plotly-graph-div")
    monitor.wait_for_function(
        "n => document.querySelectorAll('.js-plotly-plot .xtitle').length >= n", arg=n_graphs
    )


def visible_panels(monitor: Any) -> list[bool]:
    return [panel.is_visible() for panel in monitor.query_selector_all(".livered-panel .plotly-graph-div")]


def test_tabs_show_one_figure_at_a_time_and_obey_the_keyboard(monitor: Any) -> None:
    insert(monitor, html_of(a_result()))
    assert visible_panels(monitor) == [True, False, False]
    monitor.focus("#before")
    for key, shown in (("Tab", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        monitor.keyboard.press(key)
        assert visible_panels(monitor) == [number == shown for number in range(3)]
        width = monitor.evaluate("document.activeElement.nextSibling.getBoundingClientRect().width")
        assert width > 20, "the tab that has the focus is not seen"
    monitor.click("label:has-text('detector')")
    assert visible_panels(monitor) == [False, False, True]


def test_a_figure_that_was_hidden_is_drawn_in_the_right_size(monitor: Any) -> None:
    insert(monitor, html_of(a_result()))
    sizes = monitor.evaluate(
        "[...document.querySelectorAll('.plotly-graph-div .main-svg:first-child')].map(s => [s.clientWidth, s.clientHeight])"
    )
    assert sizes == [[900, 420]] * 3


def test_a_hidden_figure_takes_no_room(monitor: Any) -> None:
    insert(monitor, html_of(a_result()))
    tabs = monitor.evaluate("document.querySelector('.livered-tabs').getBoundingClientRect().height")
    assert tabs < 2 * 420


def test_the_next_page_shows_the_tab_that_was_chosen(monitor: Any) -> None:
    insert(monitor, html_of(a_result()))
    monitor.click("label:has-text('G(r)')")
    insert(monitor, html_of(a_result(), sequence=2))
    assert visible_panels(monitor) == [False, True, False]
    assert monitor.evaluate("sessionStorage.getItem('livered-tab')") == "G(r)"


def test_panels_are_all_shown_one_below_the_other(monitor: Any) -> None:
    insert(monitor, html_of(a_result(), attrs.evolve(TABS, layout="panels")))
    tops = [
        graph.bounding_box()["y"]
        for graph in monitor.query_selector_all(".livered-stacked .plotly-graph-div")
    ]
    assert len(tops) == 3
    assert all(below - above > 420 for above, below in itertools.pairwise(tops))


def test_text_from_the_beamline_stays_text(monitor: Any) -> None:
    for layout in ("tabs", "panels"):
        page = attrs.evolve(TABS, layout=layout)
        insert(monitor, html_of(a_result(NASTY, NASTY), page, title=NASTY))
        assert monitor.query_selector("#graph img, #graph b, #graph script[src]") is None
        legend = monitor.text_content(".plotly-graph-div .legendtext")
        assert legend == f"{NASTY} 1"
        assert f"NOM run 7: {NASTY} (live, update 1)" in monitor.inner_text("#graph")
