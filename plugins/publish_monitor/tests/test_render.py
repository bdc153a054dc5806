from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

import attrs
import numpy as np
import pytest

from livered_core import Curve, Image, Result, RunInfo, Update
from livered_publish_monitor.page_text import charge, duration
from livered_publish_monitor.render import Page, render_div

NASTY = "<b onload=alert(1)>\"'&$x^2$</script><script>alert(1)</script>\n\x00\u202e\ud800 end"
NOW = 1_795_348_800 * 1_000_000_000
VERSIONS = {"livered-core": "0.1.0", "livered-nom": "9.9.9"}
PAGE = Page(2000, (), VERSIONS)

MakeUpdate = Callable[..., Update]


class Elements(HTMLParser):
    """Elements with their attributes, the text outside scripts, and the scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.text += data


def figure_of(html: str) -> tuple[list[dict[str, object]], dict[str, object], dict[str, object]]:
    """Data, layout and config as the browser gets them."""
    script = Elements(html).scripts[0]
    start = re.search(r'Plotly\.newPlot\(\s*"[^"]*",\s*', script)
    assert start is not None
    decode, found, position = json.JSONDecoder().raw_decode, [], start.end()
    for _ in range(3):
        value, position = decode(script, position)
        found.append(value)
        position += len(re.match(r"[,\s]*", script[position:])[0])  # type: ignore[index]
    return found[0], found[1], found[2]


def curve(label: str = "bank 2", n: int = 50, metadata: Mapping[str, float] | None = None) -> Curve:
    y = np.linspace(0.0, 5.0, n)
    x = np.geomspace(0.3, 3.0, n + 1)
    return Curve(label, x, y, np.sqrt(y), "angstrom", "counts/uC", "d-spacing", "intensity", metadata or {})


def test_the_page_is_a_div_with_its_plotlyjs_version_and_without_plotlyjs(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    html = render_div(result, run, make_update(), PAGE, NOW)
    assert html.startswith("<div")
    page = Elements(html)
    assert page.open == []
    graphs = [a for tag, a in page.elements if a.get("class") == "plotly-graph-div"]
    assert [a["plotlyjs-version"] for a in graphs] == ["3.0.1"]
    assert len(page.scripts) == 1
    assert not any("src" in attributes or "href" in attributes for _, attributes in page.elements)
    assert "http" not in html
    assert len(html) < 20_000


def test_arrays_are_plain_lists_with_gaps_where_not_finite(run: RunInfo, make_update: MakeUpdate) -> None:
    y = np.array([1.0, np.nan, np.inf, 4.123456789])
    shown = Curve("a", np.array([1.0, 2.0, 3.0, 4.0]), y, y, "angstrom", "counts")
    html = render_div(Result(7, "r", (shown,)), run, make_update(), PAGE, NOW)
    data, _, config = figure_of(html)
    assert data[0]["x"] == [1, 2, 3, 4]
    assert data[0]["y"] == [1, None, None, 4.123457]
    assert "bdata" not in html
    assert config["typesetMath"] is False


def test_bins_are_drawn_at_their_middles(run: RunInfo, make_update: MakeUpdate) -> None:
    shown = Curve("a", np.array([1.0, 2.0, 4.0]), np.array([5.0, 6.0]), np.ones(2), "angstrom", "counts")
    data, _, _ = figure_of(render_div(Result(7, "r", (shown,)), run, make_update(), PAGE, NOW))
    assert data[0]["x"] == [1.5, 3]


def test_a_large_result_stays_well_under_a_megabyte_and_keeps_its_peak(
    run: RunInfo, make_update: MakeUpdate
) -> None:
    x = np.geomspace(0.1, 10, 6001)
    rng = np.random.default_rng(3)
    curves = []
    for bank in range(6):
        y = rng.poisson(100, 6000) / 3.3
        y[4321] = 1e4
        curves.append(Curve(f"bank {bank + 1}", x, y, np.sqrt(y), "angstrom", "counts"))
    html = render_div(Result(7, "r", curves), run, make_update(), PAGE, NOW)
    assert len(html.encode()) < 400_000
    data, _, _ = figure_of(html)
    for trace in data:
        drawn = trace["y"]
        assert isinstance(drawn, list)
        assert len(drawn) <= 2000
        assert max(drawn) == 1e4


def test_curves_of_one_kind_share_a_panel(run: RunInfo, make_update: MakeUpdate) -> None:
    q = Curve("S(Q)", np.arange(3.0), np.ones(3), np.ones(3), "1/angstrom", "dimensionless", "Q", "S(Q)")
    data, layout, _ = figure_of(
        render_div(Result(7, "r", (curve("a"), q, curve("b"))), run, make_update(), PAGE, NOW)
    )
    assert {trace["name"]: trace["xaxis"] for trace in data} == {"a": "x", "b": "x", "S(Q)": "x2"}
    assert "d-spacing (angstrom)" in json.dumps(layout)
    assert "Q (1/angstrom)" in json.dumps(layout)


def test_only_the_curves_asked_for_are_shown_and_absent_ones_are_named(
    run: RunInfo, make_update: MakeUpdate
) -> None:
    both = Result(7, "r", (curve("bank 1"), curve("bank 2")))
    html = render_div(both, run, make_update(), Page(2000, ("bank 2", "bank 9"), VERSIONS), NOW)
    data, _, _ = figure_of(html)
    assert [trace["name"] for trace in data] == ["bank 2"]
    assert "bank 9" in Elements(html).text
    none = render_div(both, run, make_update(), Page(2000, ("bank 9",), VERSIONS), NOW)
    assert none.startswith("<div")
    assert "no curve" in none


def test_the_footer_says_what_the_data_are_how_old_and_how_complete(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    noted = attrs.evolve(result, metadata={"strongest d": 2.0597, "in range": True})
    text = Elements(render_div(noted, run, make_update(3), PAGE, NOW)).text
    for part in (
        "NOM 7, IPTS-1",
        "diamond",
        "2 µAh",
        "36,000, 1,234,567",
        "from 2026-11-22T11:50:00Z to 2026-11-22T11:59:55Z, 5 s old when sent at 2026-11-22T12:00:00Z",
        "live, update 3",
        "strongest d2.0597",
        "in rangeyes",
        "livered-core 0.1.0, livered-nom 9.9.9",
    ):
        assert part in text
    assert "Completeyes" in text
    assert "Incomplete" not in text


def test_what_is_missing_stands_above_the_curves(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    html = render_div(result, run, make_update(missing=("Chunk 3 was dropped.",)), PAGE, NOW)
    assert ("div", "alert") in [(tag, attributes.get("role")) for tag, attributes in Elements(html).elements]
    assert html.index("Incomplete: Chunk 3 was dropped.") < html.index("plotly-graph-div")
    unknown = attrs.evolve(make_update(), complete=False)
    assert "Incomplete: The reason is not known." in render_div(result, run, unknown, PAGE, NOW)


def test_a_final_result_says_so(result: Result, run: RunInfo, make_update: MakeUpdate) -> None:
    text = Elements(render_div(result, run, make_update(final=True), PAGE, NOW)).text
    assert "diamond (final)" in text
    assert "live" not in text.replace("livered", "")


def test_images_and_further_notes_are_not_dropped_in_silence(run: RunInfo, make_update: MakeUpdate) -> None:
    image = Image("detector map", [0, 1], [0, 1], [[5]], "m", "m", "counts")
    metadata = {f"note {i}": i for i in range(50)}
    text = Elements(
        render_div(Result(7, "r", (curve(),), (image,), metadata), run, make_update(), PAGE, NOW)
    ).text
    assert "detector map" in text
    assert "note 39" in text
    assert "note 40" not in text
    assert "10 values are not shown here" in text


def test_text_from_the_beamline_stays_text_everywhere(make_update: MakeUpdate) -> None:
    nasty_curve = Curve(
        NASTY, np.arange(2.0), np.ones(2), np.ones(2), NASTY, NASTY, NASTY, NASTY, {NASTY: NASTY}
    )
    nasty = Result(
        7,
        NASTY,
        (nasty_curve,),
        (Image(NASTY, [0, 1], [0, 1], [[5]], NASTY, NASTY, NASTY),),
        {NASTY: NASTY},
    )
    run = RunInfo(7, NASTY, NASTY, NASTY)
    page = Page(2000, (NASTY, NASTY + "2"), {NASTY: NASTY})
    html = render_div(nasty, run, make_update(missing=(NASTY,)), page, NOW)
    html.encode()
    parsed = Elements(html)
    assert {tag for tag, _ in parsed.elements} == {"div", "script", "table", "tr", "th", "td"}
    assert len(parsed.scripts) == 1
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert "\x00" not in html
    assert "\u202e" not in html
    assert "<b onload=alert(1)>\"'&$x^2$</script>" in parsed.text
    # plotly.js reads tags and TeX in these strings: none may be left.
    data, layout, _ = figure_of(html)
    drawn = json.dumps([data[0]["name"], layout])
    assert "&lt;b onload" in drawn
    assert "<" not in drawn
    assert "$" not in drawn


def test_a_title_that_looks_like_the_graph_does_not_take_its_attribute(
    result: Result, make_update: MakeUpdate
) -> None:
    run = RunInfo(7, "NOM", "", 'class="plotly-graph-div"')
    graphs = [
        attributes
        for _, attributes in Elements(render_div(result, run, make_update(), PAGE, NOW)).elements
        if "plotlyjs-version" in attributes
    ]
    assert [attributes["id"] for attributes in graphs] == ["livered-7"]


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.4, "0 s"), (119, "119 s"), (180, "3 min"), (7500, "2 h 5 min"), (-5, "-5 s")]
)
def test_durations_are_written_for_people(seconds: float, written: str) -> None:
    assert duration(round(seconds * 1e9)) == written


def test_charge_is_written_in_microampere_hours() -> None:
    assert charge(3.6e9) == "1 µAh"
