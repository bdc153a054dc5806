from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livered_core import Curve, Image, Result, RunInfo, Update
from livered_publish_monitor.figures import Panel, curves_figure, short
from livered_publish_monitor.layout import graph
from livered_publish_monitor.page_text import charge, duration, plain
from livered_publish_monitor.render import Page, PageTooLarge, render

from .conftest import an_update
from .pages import Elements, figures_of, webmon_ascii

NASTY = "<b onload=alert(1)>\"'&$x^2$</script><script>alert(1)</script>\n\x00\u202e\ud800 end"
NOW = 1_795_348_800 * 1_000_000_000
VERSIONS = {"livered-core": "0.1.0", "livered-nom": "9.9.9"}
PAGE = Page(2000, (), VERSIONS)
TABS = attrs.evolve(PAGE, layout="tabs")

MakeUpdate = Callable[..., Update]


def html_of(result: Result, run: RunInfo, update: Update, page: Page = PAGE, now_ns: int = NOW) -> str:
    return render(result, run, update, page, now_ns).html.decode()


def curve(label: str = "bank 2", n: int = 50, metadata: Mapping[str, float] | None = None) -> Curve:
    y = np.linspace(0.0, 5.0, n)
    x = np.geomspace(0.3, 3.0, n + 1)
    return Curve(label, x, y, np.sqrt(y), "angstrom", "counts/uC", "d-spacing", "intensity", metadata or {})


def structure(label: str = "S(Q)") -> Curve:
    return Curve(label, np.arange(3.0), np.ones(3), np.ones(3), "1/angstrom", "dimensionless", "Q", "S(Q)")


def image(label: str = "detector map", n: int = 4) -> Image:
    z = np.arange(float(n * n)).reshape(n, n)
    return Image(label, np.arange(n + 1.0), np.arange(n + 1.0), z, "m", "m", "counts")


def nomad_like(n: int = 6000) -> Result:
    rng = np.random.default_rng(3)
    curves = []
    for bank in range(6):
        y = rng.poisson(100, n) / 3.3
        y[n * 2 // 3] = 1e4
        curves.append(
            Curve(
                f"bank {bank + 1}",
                np.geomspace(0.1, 10, n + 1),
                y,
                np.sqrt(y),
                "angstrom",
                "counts",
                "d",
                "intensity",
            )
        )
    return Result(7, "r", [*curves, structure()])


def test_the_page_is_a_div_with_its_plotlyjs_version_and_without_plotlyjs(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    html = html_of(result, run, make_update())
    assert html.startswith("<div")
    page = Elements(html)
    assert page.open == []
    assert [a["plotlyjs-version"] for a in page.with_class("plotly-graph-div")] == ["3.0.1"]
    assert len(page.scripts) == 1
    assert not any("src" in attributes or "href" in attributes for _, attributes in page.elements)
    assert "http" not in html
    assert len(html) < 20_000


def test_arrays_are_plain_lists_with_gaps_where_not_finite(run: RunInfo, make_update: MakeUpdate) -> None:
    y = np.array([1.0, np.nan, np.inf, 4.123456789])
    shown = Curve("a", np.array([1.0, 2.0, 3.0, 4.0]), y, y, "angstrom", "counts")
    html = html_of(Result(7, "r", (shown,)), run, make_update())
    [(data, _, config)] = figures_of(html)
    assert data[0]["x"] == [1, 2, 3, 4]
    assert data[0]["y"] == [1, None, None, 4.123457]
    assert "bdata" not in html
    assert config["typesetMath"] is False


def test_bins_are_drawn_at_their_middles(run: RunInfo, make_update: MakeUpdate) -> None:
    shown = Curve("a", np.array([1.0, 2.0, 4.0]), np.array([5.0, 6.0]), np.ones(2), "angstrom", "counts")
    [(data, _, _)] = figures_of(html_of(Result(7, "r", (shown,)), run, make_update()))
    assert data[0]["x"] == [1.5, 3]


def test_a_curve_of_a_few_points_has_marks() -> None:
    figure = curves_figure(Panel("", (curve(n=2), curve(n=50))), 1000)
    assert [trace["mode"] for trace in figure["data"]] == ["lines+markers", "lines"]


def test_the_figures_are_what_plotly_knows(run: RunInfo, make_update: MakeUpdate) -> None:
    go = pytest.importorskip(
        "plotly.graph_objects", reason="needs plotly, which knows what a figure may hold"
    )
    everything = Result(7, "r", (curve(), structure()), (image(),))
    for data, layout, _ in figures_of(
        html_of(everything, run, make_update(), attrs.evolve(PAGE, images=True))
    ):
        go.Figure(data=data, layout=layout)


@given(st.lists(st.floats(), max_size=20), st.integers(3, 8))
def test_numbers_are_short_and_near(values: list[float], digits: int) -> None:
    written = short(np.array(values, np.float64), digits)
    assert len(written) == len(values)
    for value, number in zip(values, written, strict=True):
        if not np.isfinite(value):
            assert number is None
            continue
        assert number == pytest.approx(value, rel=0.6 * 10.0 ** (1 - digits), abs=1e-300)
        if 1e-12 < abs(value) < 1e12:
            assert float(f"{number:.{digits}g}") == number


class TestSize:
    """A page stays well under a megabyte, and no peak is hidden."""

    def test_a_large_result_keeps_its_peaks(self, run: RunInfo, make_update: MakeUpdate) -> None:
        html = html_of(nomad_like(), run, make_update())
        assert len(html) < 400_000
        banks, other = figures_of(html)
        assert len(other[0]) == 1
        for trace in banks[0]:
            assert isinstance(trace["y"], list)
            assert len(trace["y"]) <= 2000
            assert max(trace["y"]) == 1e4

    @pytest.mark.parametrize("max_bytes", [20_000, 60_000, 150_000])
    def test_it_is_thinned_until_it_fits_and_says_so(
        self, run: RunInfo, make_update: MakeUpdate, max_bytes: int
    ) -> None:
        page = render(nomad_like(), run, make_update(), attrs.evolve(PAGE, max_bytes=max_bytes), NOW)
        assert max_bytes * 0.6 < len(page.html) <= max_bytes
        html = page.html.decode()
        assert f"Thinnedto {page.points} points a curve" in Elements(html).text
        for trace in figures_of(html)[0][0]:
            assert max(trace["y"]) == 1e4

    def test_one_that_fits_says_nothing(self, run: RunInfo, make_update: MakeUpdate) -> None:
        assert "Thinned" not in html_of(nomad_like(), run, make_update())

    def test_one_that_cannot_fit_is_refused(self, run: RunInfo, make_update: MakeUpdate) -> None:
        many = Result(7, "r", [curve(f"bank {number}", 200) for number in range(60)])
        with pytest.raises(PageTooLarge, match=r"run 7 would have \d+ bytes with only 50 points"):
            render(many, run, make_update(), attrs.evolve(PAGE, max_bytes=20_000), NOW)

    def test_texts_without_end_are_cut(self, run: RunInfo, make_update: MakeUpdate) -> None:
        long = "x" * 100_000
        noted = Result(7, long, (curve(long),), (image(long),), {f"{long}{n}": long for n in range(99)})
        update = make_update(missing=tuple(f"{n} {long}" for n in range(99)))
        html = html_of(noted, attrs.evolve(run, title=long, proposal=long), update)
        assert len(html) < 60_000
        assert "And 89 more reasons." in html


class TestLayout:
    """Figures one below the other, or behind tabs."""

    def test_curves_of_one_kind_share_a_figure(self, run: RunInfo, make_update: MakeUpdate) -> None:
        html = html_of(Result(7, "r", (curve("a"), structure(), curve("b"))), run, make_update())
        banks, other = figures_of(html)
        assert [trace["name"] for trace in banks[0]] == ["a", "b"]
        assert [trace["name"] for trace in other[0]] == ["S(Q)"]
        assert banks[1]["xaxis"]["title"]["text"] == "d-spacing (angstrom)"
        assert other[1]["xaxis"]["title"]["text"] == "Q (1/angstrom)"
        text = Elements(html).text
        assert "intensity\n" in text
        assert "S(Q)\n" in text

    def test_groups_of_the_same_quantity_are_told_apart(self, run: RunInfo, make_update: MakeUpdate) -> None:
        over_q = [attrs.evolve(curve(label), x_name="Q", x_unit="1/angstrom") for label in "cd"]
        text = Elements(html_of(Result(7, "r", (curve("a"), curve("b"), *over_q)), run, make_update())).text
        assert "intensity, d-spacing" in text
        assert "intensity, Q" in text

    def test_tabs_are_radio_buttons_with_labels_before_their_panels(
        self, run: RunInfo, make_update: MakeUpdate
    ) -> None:
        html = html_of(Result(7, "r", (curve("a"), curve("b"), structure())), run, make_update(), TABS)
        page = Elements(html)
        assert page.open == []
        tabs = [attributes for tag, attributes in page.elements if tag == "input"]
        assert [tab["value"] for tab in tabs] == ["intensity", "S(Q)"]
        assert {tab["type"] for tab in tabs} == {"radio"}
        assert len({tab["name"] for tab in tabs}) == 1
        assert ["checked" in tab for tab in tabs] == [True, False]
        assert [a["for"] for tag, a in page.elements if tag == "label"] == [tab["id"] for tab in tabs]
        for tab in tabs:
            assert len(page.with_class(str(tab["id"]))) == 1
            assert f"#{tab['id']}:checked ~ .{tab['id']}" in page.styles
        assert len(figures_of(html)) == 2
        assert html.index("<input") < html.index("plotly-graph-div")

    def test_one_figure_needs_no_tab(self, run: RunInfo, make_update: MakeUpdate) -> None:
        assert "<input" not in html_of(Result(7, "r", (curve(),)), run, make_update(), TABS)

    def test_the_data_can_be_downloaded_from_the_monitor(self, run: RunInfo, make_update: MakeUpdate) -> None:
        shown = Curve("it's", np.array([1.0, 2.0]), np.array([5.0, 6.5]), np.ones(2), "angstrom", "counts")
        named = attrs.evolve(run, title="it's (a) title")
        for page in (PAGE, TABS):
            assert (
                webmon_ascii(html_of(Result(7, "r", (shown,)), named, make_update(), page)) == "1 5\n2 6.5\n"
            )

    def test_only_the_curves_asked_for_are_shown_and_absent_ones_are_named(
        self, run: RunInfo, make_update: MakeUpdate
    ) -> None:
        both = Result(7, "r", (curve("bank 1"), curve("bank 2")))
        html = html_of(both, run, make_update(), attrs.evolve(PAGE, curves=("bank 2", "bank 9")))
        [(data, _, _)] = figures_of(html)
        assert [trace["name"] for trace in data] == ["bank 2"]
        assert "bank 9" in Elements(html).text
        none = html_of(both, run, make_update(), attrs.evolve(PAGE, curves=("bank 9",)))
        assert none.startswith("<div")
        assert "no curve" in none


class TestImages:
    """Two-dimensional views are drawn where wanted and small enough, and named else."""

    DRAWN = attrs.evolve(PAGE, images=True)

    def test_they_are_named_unless_wanted(self, run: RunInfo, make_update: MakeUpdate) -> None:
        html = html_of(Result(7, "r", (curve(),), (image("map"),)), run, make_update())
        assert "Images not shown heremap" in Elements(html).text
        assert "heatmap" not in html

    @pytest.mark.parametrize("layout", ["panels", "tabs"])
    def test_they_are_drawn_as_maps_of_colour(
        self, run: RunInfo, make_update: MakeUpdate, layout: Any
    ) -> None:
        view = Image("map", [0, 1, 3], [0, 1], [[5.123456, np.nan]], "m", "s", "counts")
        page = attrs.evolve(self.DRAWN, layout=layout)
        html = html_of(Result(7, "r", (curve(),), (view,)), run, make_update(), page)
        _, (data, drawn, _) = figures_of(html)
        assert (data[0]["type"], data[0]["x"], data[0]["y"], data[0]["z"]) == (
            "heatmap",
            [0, 1, 3],
            [0, 1],
            [[5.123, None]],
        )
        assert (drawn["xaxis"]["title"]["text"], drawn["yaxis"]["title"]["text"]) == ("m", "s")
        assert "not shown" not in Elements(html).text
        assert len({a["id"] for a in Elements(html).with_class("plotly-graph-div")}) == 2

    def test_large_ones_are_named_with_their_size(self, run: RunInfo, make_update: MakeUpdate) -> None:
        views = (image("small", 10), image("large", 11))
        html = html_of(Result(7, "r", (), views), run, make_update(), attrs.evolve(self.DRAWN, max_cells=100))
        assert len(figures_of(html)) == 1
        assert "large (too large: 121 cells)" in Elements(html).text

    def test_they_leave_room_for_the_curves(self, run: RunInfo, make_update: MakeUpdate) -> None:
        result = attrs.evolve(nomad_like(), images=(image("map", 100),))
        page = render(result, run, make_update(), attrs.evolve(self.DRAWN, max_bytes=60_000), NOW)
        assert len(page.html) <= 60_000
        assert page.points > 100
        assert "map (too large: 10,000 cells)" in page.html.decode()


class TestDigest:
    """Two pages that show the same have the same digest."""

    def digest(self, result: Result, run: RunInfo, update: Update, now_ns: int = NOW) -> str:
        return render(result, run, update, PAGE, now_ns).digest

    def test_time_age_pulses_and_number_of_the_update_are_no_change(
        self, result: Result, run: RunInfo, make_update: MakeUpdate
    ) -> None:
        first = self.digest(result, run, make_update(1))
        later = attrs.evolve(make_update(9), n_pulses=40_000, last_pulse_ns=NOW)
        assert self.digest(result, run, later, NOW + 10**12) == first

    @pytest.mark.parametrize(
        "change",
        [
            {"final": True},
            {"n_events": 5},
            {"proton_charge_pc": 9e9},
            {"complete": False},
            {"complete": False, "missing": ("One chunk.",)},
        ],
    )
    def test_what_a_reader_would_see_is(
        self, result: Result, run: RunInfo, make_update: MakeUpdate, change: dict[str, Any]
    ) -> None:
        first = self.digest(result, run, make_update())
        assert self.digest(result, run, attrs.evolve(make_update(), **change)) != first

    def test_so_are_title_curves_and_notes(
        self, result: Result, run: RunInfo, make_update: MakeUpdate
    ) -> None:
        other = attrs.evolve(result.curves[0], y=result.curves[0].y + 1)
        pages = [
            self.digest(result, run, make_update()),
            self.digest(result, attrs.evolve(run, title="another"), make_update()),
            self.digest(result, attrs.evolve(run, number=8), make_update()),
            self.digest(attrs.evolve(result, curves=(other,)), run, make_update()),
            self.digest(attrs.evolve(result, metadata={"a": 1}), run, make_update()),
        ]
        assert len(set(pages)) == len(pages)


def test_the_footer_says_what_the_data_are_how_old_and_how_complete(
    result: Result, run: RunInfo, make_update: MakeUpdate
) -> None:
    noted = attrs.evolve(result, metadata={"strongest d": 2.0597, "in range": True})
    text = Elements(html_of(noted, run, make_update(3))).text
    for part in (
        "NOM 7, IPTS-1",
        "diamond",
        "2 µAh",
        "Pulses36,000",
        "Events1,234,567",
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
    html = html_of(result, run, make_update(missing=("Chunk 3 was dropped.",)))
    assert ("div", "alert") in [(tag, attributes.get("role")) for tag, attributes in Elements(html).elements]
    assert html.index("Incomplete: Chunk 3 was dropped.") < html.index("plotly-graph-div")
    unknown = attrs.evolve(make_update(), complete=False)
    assert "Incomplete: The reason is not known." in html_of(result, run, unknown)


def test_a_final_result_says_so(result: Result, run: RunInfo, make_update: MakeUpdate) -> None:
    text = Elements(html_of(result, run, make_update(final=True))).text
    assert "diamond (final)" in text
    assert "live" not in text.replace("livered", "")


def test_further_notes_are_not_dropped_in_silence(run: RunInfo, make_update: MakeUpdate) -> None:
    metadata = {f"note {i}": i for i in range(50)}
    text = Elements(html_of(Result(7, "r", (curve(),), (), metadata), run, make_update())).text
    assert "note 39" in text
    assert "note 40" not in text
    assert "10 values are not shown here" in text


def nasty_page(text: str, make_update: MakeUpdate, page: Page) -> str:
    """A page on which a text stands wherever one can."""
    unit = text if text.strip() else "m"
    shown = Curve(text, np.arange(2.0), np.ones(2), np.ones(2), unit, unit, text, text, {text: text})
    view = Image(text, [0, 1], [0, 1], [[5]], unit, unit, unit)
    other = attrs.evolve(shown, label=f"{text}!", y_name="other")
    result = Result(7, text, (shown, other), (view,), {text: text})
    page = attrs.evolve(page, curves=(text, f"{text}!", f"{text}2"), versions={text: text})
    return html_of(result, RunInfo(7, text, text, text), make_update(missing=(text,)), page)


EVERYTHING = attrs.evolve(PAGE, images=True)
TABBED = attrs.evolve(EVERYTHING, layout="tabs")
KNOWN = {"div", "script", "style", "table", "tr", "th", "td", "input", "label"}


def must_be_harmless(html: str, reference: str) -> None:
    html.encode()
    parsed, plain = Elements(html), Elements(reference)
    # The very elements and attributes of a page with harmless texts.
    assert [(tag, sorted(a)) for tag, a in parsed.elements] == [(tag, sorted(a)) for tag, a in plain.elements]
    assert parsed.open == []
    assert {tag for tag, _ in parsed.elements} <= KNOWN
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert not set("\x00\u202e\u2028\u2029") & set(html)
    assert parsed.styles == plain.styles
    # plotly.js reads tags, entities and TeX in these strings: none may be left.
    for data, layout, _ in figures_of(html):
        drawn = json.dumps([[trace.get("name"), trace.get("colorbar")] for trace in data] + [layout])
        assert not set("<>$") & set(drawn)


@pytest.mark.parametrize("page", [EVERYTHING, TABBED])
def test_text_from_the_beamline_stays_text_everywhere(make_update: MakeUpdate, page: Page) -> None:
    html = nasty_page(NASTY, make_update, page)
    must_be_harmless(html, nasty_page("x", make_update, page))
    assert "<b onload=alert(1)>\"'&$x^2$</script>" in Elements(html).text
    assert "&lt;b onload" in json.dumps([data[0].get("name") for data, _, _ in figures_of(html)])


markup = st.text() | st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "&",
            '"',
            "'",
            "$",
            "`",
            "\\",
            "--",
            "<!--",
            "]]>",
            "</script",
            "<script>",
            "</style>",
            "{",
            "}",
            "&#60;",
            "&lt",
            "\\u003c",
            "=",
            "/",
            " ",
            "x",
            "\n",
            "\u2028",
        ]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(markup)
def test_no_text_becomes_markup(text: str) -> None:
    must_be_harmless(nasty_page(text, an_update, EVERYTHING), nasty_page("x", an_update, EVERYTHING))


@settings(deadline=None)
@given(markup)
def test_no_text_becomes_markup_behind_tabs(text: str) -> None:
    must_be_harmless(nasty_page(text, an_update, TABBED), nasty_page("x", an_update, TABBED))


def test_a_figure_cannot_end_its_script() -> None:
    text = "</script><!--<script>&lt;\u2028"
    html = graph("figure", {"data": [{"name": text}], "layout": {"height": 1}})
    page = Elements(html)
    assert [tag for tag, _ in page.elements] == ["div", "script"]
    assert not set("<>&\u2028") & set(page.scripts[0].partition("newPlot")[2])
    [(data, _, _)] = figures_of(html)
    assert data == [{"name": text}]


def test_a_title_that_looks_like_the_graph_does_not_take_its_attribute(
    result: Result, make_update: MakeUpdate
) -> None:
    run = RunInfo(7, "NOM", "", 'class="plotly-graph-div"')
    page = Elements(html_of(result, run, make_update()))
    graphs = [attributes for _, attributes in page.elements if "plotlyjs-version" in attributes]
    assert [attributes["id"] for attributes in graphs] == ["livered-7-1"]


def test_a_text_is_one_line_and_says_when_it_is_cut() -> None:
    assert plain(" a\n b\t\u202e c ") == "a b c"
    assert plain("x" * 300) == "x" * 300
    assert plain("x" * 301) == "x" * 299 + "…"
    assert plain("x" + " " * 10_000 + "y") == "x…"


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.4, "0 s"), (119, "119 s"), (180, "3 min"), (7500, "2 h 5 min"), (-5, "-5 s")]
)
def test_durations_are_written_for_people(seconds: float, written: str) -> None:
    assert duration(round(seconds * 1e9)) == written


def test_charge_is_written_in_microampere_hours() -> None:
    assert charge(3.6e9) == "1 µAh"
