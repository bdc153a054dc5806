"""The page's functions that only compute, called in a real browser: units, comparison, formats, what is drawn."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_support import chromium, watched_page, why_no_browser

NOTHING = "\u2013"
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def call(address):
    """Call a function of one of the page's modules: ``call("units.js", "onAxis", curve, "q")``."""
    missing = why_no_browser()
    if missing:
        pytest.skip(missing)
    with chromium() as browser, watched_page(browser, address, timezone_id="Europe/Berlin") as watched:
        watched.allow("favicon.ico")  # Chromium asks for it where a document names no other.
        watched.page.goto(f"{address}/static/favicon.svg")

        def run(module, function, *arguments):
            script = """async ([module, name, given]) => {
                const found = (await import(`/static/${module}`))[name];
                const value = typeof found === "function" ? found(...JSON.parse(given)) : found;
                return JSON.stringify(value, (_, one) => (Number.isNaN(one) ? "NaN" : one));
            }"""
            said = watched.page.evaluate(script, [module, function, json.dumps(arguments)])
            return json.loads(said, parse_constant=float) if said is not None else None

        yield run


def numbers(values):
    return np.array([math.nan if value in ("NaN", None) else value for value in values], float)


def curve(x, y, e=None, **more):
    return {
        "label": "bank 1",
        "x_name": "d-spacing",
        "x_unit": "Angstrom",
        "y_name": "intensity",
        "y_unit": "counts",
        "metadata": {},
        "x": [float(value) for value in x],
        "y": [float(value) for value in y],
        "e": [float(value) for value in (np.sqrt(np.abs(y)) if e is None else e)],
        **more,
    }


class TestAxes:
    def test_edges_become_q_one_by_one_and_turn_round(self, call):
        shown = call("units.js", "onAxis", curve([0.5, 1, 2, 4], [10, 20, 30], [1, 2, 3]), "q")
        assert shown["x"] == pytest.approx([2 * math.pi / d for d in (4, 2, 1, 0.5)])
        assert (shown["y"], shown["e"]) == ([30, 20, 10], [3, 2, 1])
        assert (shown["x_name"], shown["x_unit"]) == ("momentum transfer", "1/Angstrom")

    @FEW
    @given(st.lists(st.floats(0.05, 40), min_size=2, max_size=30, unique=True), st.booleans())
    def test_there_and_back_is_what_it_was(self, call, x, as_edges):
        x = sorted(x)
        given_curve = curve(x, range(len(x) - as_edges))
        there = call("units.js", "onAxis", given_curve, "q")
        assert there["x"] == sorted(there["x"])
        back = call("units.js", "onAxis", there, "d")
        assert back["x"] == pytest.approx(x)
        assert back["y"] == given_curve["y"]

    def test_what_lies_at_zero_has_no_partner(self, call):
        shown = call("units.js", "onAxis", curve([0, 1, 2], [10, 20]), "q")
        assert shown["x"] == pytest.approx([math.pi, 2 * math.pi])
        assert shown["y"] == [20]
        shown = call("units.js", "onAxis", curve([-1, 0, 2], [10, 20, 30]), "q")
        assert (shown["x"], shown["y"]) == (pytest.approx([math.pi]), [30])

    @pytest.mark.parametrize(
        "change",
        [
            {"x_name": "distance"},
            {"x_name": "time of flight", "x_unit": "us"},
            {
                "y_name": "S(Q)",
                "y_unit": "dimensionless",
                "x_name": "momentum transfer",
                "x_unit": "1/Angstrom",
            },
            {"y_unit": "counts/Angstrom"},
        ],
        ids=["G(r)", "time", "S(Q)", "density"],
    )
    def test_where_it_makes_no_sense_nothing_is_converted(self, call, change):
        given_curve = curve([1, 2, 3], [1, 2], **change)
        for wanted in ("d", "q", "measured"):
            assert call("units.js", "onAxis", given_curve, wanted) == given_curve

    @pytest.mark.parametrize(
        ("unit", "shown"),
        [
            ("Angstrom", "Å"),
            ("1/Angstrom", "Å⁻¹"),
            ("1/Angstrom^2", "Å⁻²"),
            ("counts/uAh", "counts/µAh"),
            ("us", "µs"),
            ("dimensionless", ""),
            ("furlong", "furlong"),
        ],
    )
    def test_units_for_people(self, call, unit, shown):
        assert call("units.js", "prettyUnit", unit) == shown


class TestComparison:
    def test_the_difference_on_one_grid(self, call):
        one, other = curve([1, 2, 3], [10, 20], [3, 4]), curve([1, 2, 3], [4, 30], [4, 3])
        found = call("compare.js", "difference", one, other)
        assert (found["y"], found["e"], found["interpolated"]) == ([6, -10], [5, 5], False)

    @FEW
    @given(st.data())
    def test_another_grid_is_interpolated_linearly_with_its_errors(self, call, data):
        places = st.lists(st.floats(0.1, 10), min_size=2, max_size=20, unique=True)
        x, grid = (np.array(sorted(data.draw(places))) for _ in range(2))
        y = np.array(data.draw(st.lists(st.floats(-5, 5), min_size=len(x), max_size=len(x))))
        e = np.abs(y) + 0.1
        shape = {"y_unit": "dimensionless", "x_name": "distance"}
        found = call("compare.js", "ontoGrid", curve(x, y, e, **shape), curve(grid, grid, **shape))
        expected = np.interp(grid, x, y, left=np.nan, right=np.nan)
        np.testing.assert_allclose(numbers(found["y"]), expected, atol=1e-9)
        upper = np.clip(np.searchsorted(x, grid), 1, len(x) - 1)
        share = (grid - x[upper - 1]) / (x[upper] - x[upper - 1])
        error = np.hypot((1 - share) * e[upper - 1], share * e[upper])
        np.testing.assert_allclose(
            numbers(found["e"]), np.where(np.isnan(expected), np.nan, error), atol=1e-9
        )

    def test_counts_of_bins_go_by_their_density(self, call):
        even = curve(np.arange(0, 11), np.full(10, 6.0))
        halves = curve(np.arange(1, 9.5, 0.5), np.zeros(16))
        assert numbers(call("compare.js", "ontoGrid", even, halves)["y"]) == pytest.approx(3.0)
        per_charge = {"y_unit": "dimensionless"}
        found = call("compare.js", "ontoGrid", {**even, **per_charge}, {**halves, **per_charge})
        assert numbers(found["y"]) == pytest.approx(6.0)

    def test_a_missing_value_leaves_a_gap_and_no_zero(self, call):
        one, other = curve([1, 2, 3], [10, 20], [1, 1]), curve([1, 2, 3], [4, 5], [1, 1])
        other["y"][0] = None
        assert call("compare.js", "difference", one, other)["y"] == ["NaN", 15]
        assert call("compare.js", "scaled", other, 2)["y"] == [None, 10]

    @pytest.mark.parametrize(
        ("unit", "now", "then", "factor"),
        [
            ("counts", 3e9, 1e9, 3),
            ("counts/uAh", 3e9, 1e9, 1),
            ("dimensionless", 3e9, 1e9, 1),
            ("counts", 3e9, 0, 1),
        ],
    )
    def test_counts_alone_are_scaled_by_charge(self, call, unit, now, then, factor):
        assert call("compare.js", "chargeFactor", unit, now, then) == factor

    def test_only_the_same_quantity_is_a_partner(self, call):
        mine = curve([1, 2], [1, 2])
        others = [curve([1, 2], [3, 4], y_unit="counts/uAh"), curve([1, 2], [5, 6])]
        assert call("compare.js", "partner", mine, {"curves": others}) == others[1]
        assert call("compare.js", "partner", mine, {"curves": others[:1]}) is None
        assert call("compare.js", "partner", mine, None) is None


class TestFormats:
    @pytest.mark.parametrize(
        ("function", "given_value", "shown"),
        [
            ("duration", 0.84, "0.8 s"),
            ("duration", 9.97, "10 s"),
            ("duration", 119.6, "2 min 00 s"),
            ("duration", 3661, "1 h 01 min"),
            ("duration", 2 * 86400 + 3600, "2 d 1 h"),
            ("duration", -3, "0.0 s"),
            ("duration", None, NOTHING),
            ("coarse", 66 * 60, "66 min"),
            ("coarse", 30 * 86400, "30 d"),
            ("rate", 199704, "200 k/s"),
            ("rate", 999.9, "1.00 k/s"),
            ("rate", 0, "0 /s"),
            ("charge", 59831735440.0, "16.62 µAh"),
            ("charge", 0, "0.000 µAh"),
            ("count", 8633871, "8,633,871"),
            ("count", None, NOTHING),
            ("bytes", 812345, "812 kB"),
            ("number", 0.02, "0.02"),
            ("number", 199704.03, "199,704"),
            ("number", 1.5e-7, "1.5e-7"),
            ("number", 2.0593, "2.0593"),
            ("number", None, NOTHING),
            ("slug", "NOM-simulated/../x", "NOM_simulated_x"),
            ("slug", "…", "unnamed"),
            ("utcTime", 1795983818000000000, "2026-11-29 20:23:38 UTC"),
            ("utcTime", 0, NOTHING),
        ],
    )
    def test_numbers_and_times(self, call, function, given_value, shown):
        assert call("format.js", function, given_value) == shown

    def test_local_time_says_the_day_when_it_is_another(self, call):
        noon = 1795950000000  # 2026-11-29 11:00 UTC, 12:00 in Berlin
        assert call("format.js", "localTime", noon * 1000000, noon) == "12:00:00"
        assert call("format.js", "localTime", (noon - 86400000) * 1000000, noon) == "2026-11-28 12:00:00"
        assert call("format.js", "zoneName") in ("UTC+1", "UTC+2")

    def test_a_text_is_put_on_one_line_and_shortened(self, call):
        assert call("format.js", "plain", "a\n b\u202e\x00c\ud800") == "a b c"
        assert call("format.js", "plain", "x" * 400) == "x" * 299 + "…"

    def test_plotly_reads_no_markup_and_no_formula(self, call):
        shown = call("format.js", "forPlotly", '<b>$x$</b> & "')
        assert shown == '&lt;b&gt;&#36;x&#36;&lt;/b&gt; &amp; "'

    def test_names_of_metadata_in_words(self, call):
        assert call("statistics.js", "inWords", "strongest_peak_angstrom") == {
            "words": "strongest peak",
            "unit": "Å",
        }
        assert call("statistics.js", "inWords", "measured_seconds") == {"words": "measured", "unit": "s"}
        assert call("statistics.js", "inWords", "n_kittens") == {"words": "number of kittens", "unit": ""}
        assert call("statistics.js", "inWords", "constructor") == {"words": "constructor", "unit": ""}
        order = call(
            "statistics.js",
            "inOrder",
            {"n_masked": 0, "n_events": 5, "vanadium": "x", "statistical_error": 1},
        )
        assert order == ["statistical_error", "vanadium", "n_masked", "n_events"]

    def test_the_share_measured_goes_with_the_square_of_the_error(self, call):
        said = {"statistical_error": 0.04, "statistical_error_wanted": 0.02}
        assert call("statistics.js", "shareMeasured", said) == pytest.approx(0.25)
        assert call("statistics.js", "shareMeasured", {**said, "statistical_error": 0.001}) == 1
        assert call("statistics.js", "shareMeasured", {}) is None


class TestChoices:
    def test_they_survive_the_address(self, call):
        chosen = {
            **call("choices.js", "DEFAULTS"),
            "axis": "q",
            "steps": False,
            "compare": 243450,
            "off": ["intensity|bank 1 & 2", "S(Q)|ü"],
        }
        query = call("choices.js", "toQuery", chosen)
        assert call("choices.js", "fromQuery", query) == chosen
        assert call("choices.js", "toQuery", call("choices.js", "DEFAULTS")) == ""

    def test_nonsense_is_the_usual(self, call):
        usual = call("choices.js", "DEFAULTS")
        assert call("choices.js", "fromQuery", "axis=%3Cscript%3E&compare=x&nobody=1") == usual
        assert call("choices.js", "fromHash", "#NOM-simulated?axis=q") == {
            "name": "NOM-simulated",
            "query": "axis=q",
        }
        assert call("choices.js", "fromHash", "#%E0%A4%A") == {"name": "%E0%A4%A", "query": None}


class TestPanels:
    def test_curves_of_one_kind_stand_together(self, call):
        curves = [curve([1, 2], [1, 2]), curve([1, 2], [1, 2], y_name="S(Q)"), curve([1, 2], [1, 2])]
        panels = call("panels.js", "groupCurves", curves)
        assert [(panel["name"], len(panel["curves"])) for panel in panels] == [("intensity", 2), ("S(Q)", 1)]
        keys = call("panels.js", "curveKeys", panels[0])
        assert len(set(keys)) == 2

    def test_the_columns_say_what_they_are(self, call):
        curves = [curve([1, 2, 3], [1, 2], metadata={"note": "a\nb"}), curve([1, 2], [3, 4], label="bank 2")]
        curves[0]["e"][1] = None
        run = {
            "number": 7,
            "instrument": "NOM",
            "proposal": "",
            "title": "a\n1 2 3",
            "start_ns": 0,
            "sample": {},
        }
        update = {
            "sequence": 3,
            "final": False,
            "complete": False,
            "missing": ["2 chunks"],
            "n_pulses": 1,
            "n_events": 2,
        }
        latest = {"run": run, "title": "x", "metadata": {}, "update": {**update, "proton_charge_pc": 5.0}}
        panels = call("panels.js", "groupCurves", curves)
        choices = {**call("choices.js", "DEFAULTS"), "off": ["intensity|bank 2"]}
        text = call("downloads.js", "asText", "NOM-simulated", latest, None, panels, choices)
        lines = text.split("\n")
        assert {"# run: 7", "# run title: a 1 2 3", "# complete: no", "# missing: 2 chunks"} <= set(lines)
        assert {"# x: d-spacing [Angstrom]", "# y: intensity [counts]", "# note: a b"} <= set(lines)
        assert [line for line in lines if line and not line.startswith("#")] == ["1 2 1 1", "2 3 2 nan"]
        assert call("downloads.js", "fileName", "NOM-simulated", latest) == "NOM_simulated_run7_update3"
        session = {"id": "b", "livered_version": "9.9", "plugins": {}}
        for made_by, versions in (("b", "livered 9.9"), ("a", "not known")):
            lines = call(
                "downloads.js", "headerLines", "NOM", {**latest, "session": made_by}, {"session": session}
            )
            assert f"versions: {versions}" in lines

    def test_curves_are_put_apart_by_a_round_step_that_is_a_part_of_the_highest(self, call):
        low, high = curve([1, 2, 3], [1, 2]), curve([1, 2, 3], [0, 1000])
        high["y"][0] = None
        high["y"].append(100.0)
        assert call("panels.js", "stepApart", [low, high], False) == 500  # 0.3 of 900, rounded up
        assert call("panels.js", "stepApart", [low, high], True) == 10
        assert call("panels.js", "stepApart", [high], False) == 0
        flat = curve([1, 2, 3], [5, 5])
        assert call("panels.js", "stepApart", [flat, flat], False) == 0

    def test_a_lifted_curve_keeps_its_true_heights(self, call):
        given = curve([1, 2, 3], [1, 2], e=[0.5, 1])
        given["y"][0] = None
        assert call("panels.js", "lifted", given, 0, 10, False) == given
        up = call("panels.js", "lifted", given, 2, 10, False)
        assert (up["y"], up["e"], up["truly"]) == ([None, 22], [0.5, 1], [None, 2])
        times = call("panels.js", "lifted", given, 2, 10, True)
        assert (times["y"], times["e"], times["truly"]) == ([None, 200], [50, 100], [None, 2])

    @pytest.mark.parametrize(
        ("y", "as_steps", "mode"),
        [
            pytest.param([5], False, "lines+markers", id="one-point"),
            pytest.param([*[None] * 10, 5, *[None] * 19], False, "lines+markers", id="among-gaps"),
            pytest.param(range(21), False, "lines", id="many"),
            pytest.param([5], True, "lines", id="one-step"),
        ],
    )
    def test_a_few_points_have_marks(self, call, y, as_steps, mode):
        assert call("panels.js", "modeOf", {"y": list(y)}, as_steps) == mode

    def test_plots_of_a_picture_stand_beside_each_other_where_they_fit(self, call):
        sizes = [{"width": 100, "height": 50}, {"width": 48, "height": 30}, {"width": 48, "height": 40}]
        found = call("picture.js", "arrange", sizes, 100, 10)
        assert found["places"] == [{"x": 0, "y": 10}, {"x": 0, "y": 60}, {"x": 48, "y": 60}]
        assert found["height"] == 100

    def test_ticks_of_logarithms(self, call):
        assert call("image.js", "logTicks", 0, 1)["ticktext"] == ["1", "2", "5", "10"]
        assert call("image.js", "logTicks", 0, 4)["ticktext"] == ["1", "10", "100", "1,000", "10,000"]
        assert call("image.js", "logTicks", 2, 2) == {"tickvals": [2], "ticktext": ["100"]}


class TestState:
    def test_a_page_opens_with_what_runs_and_began_last(self, call):
        listed = [
            {"name": name, "state": {"word": word}, "started_ns": started_ns}
            for name, word, started_ns in [
                ("A", "stopped", 9),
                ("B", "never started", 0),
                ("C", "stale", 8),
                ("D", "live", 3),
                ("E", "not connected", 5),
                ("F", "failed", 7),
            ]
        ]
        opened = []
        while listed:
            opened.append(call("state.js", "toOpenWith", listed)["name"])
            listed = [one for one in listed if one["name"] != opened[-1]]
        assert "".join(opened) == "EDCAFB"

    def test_a_lost_dashboard_is_stale_whatever_it_said(self, call):
        live = {"word": "live", "kind": "good", "sentence": "Data are 0.3 s old."}
        assert call("state.js", "stateShown", live, None) == live
        lost = call("state.js", "stateShown", live, 1795950000000, 1795950060000)
        assert (lost["word"], lost["kind"]) == ("stale", "bad")
        assert lost["sentence"] == "This page has lost its dashboard since 12:00:00."

    def test_the_figures_are_of_the_run_that_is_named(self, call):
        update = {"n_events": 100, "complete": True, "missing": []}
        latest = {"run": {"number": 5}, "update": update}
        status = {"run": {"number": 5}, "n_events": 120, "complete": True, "missing": []}
        assert call("state.js", "figures", status, latest)["of"] == status
        # At the end the status counts nothing any more.
        assert call("state.js", "figures", {**status, "n_events": 0}, latest)["of"] == update
        assert (
            call("state.js", "figures", {**status, "run": {"number": 6}, "n_events": 0}, latest)["run"][
                "number"
            ]
            == 6
        )
        between = call("state.js", "figures", {**status, "run": None}, latest)
        assert (between["run"]["number"], between["isLast"]) == (5, True)

    def test_what_is_drawn_is_said_not_to_be_of_now(self, call):
        status = {"session": {"id": "b"}, "run": {"number": 6}}
        latest = {"session": "a", "run": {"number": 5}, "update": {"final": True}}
        warn = lambda status, latest, state=None: call("state.js", "warningOfResult", status, state, latest)  # noqa: E731
        assert "before the restart" in warn(status, latest)
        assert warn(status, {**latest, "session": "b"}).endswith("run 6 has no result yet.")
        assert warn({**status, "run": None}, {**latest, "session": "b"}).endswith("its final result.")
        assert warn(status, {**latest, "session": "b", "run": {"number": 6}}) == ""
        assert warn(status, None) == ""

    def test_only_addresses_of_this_server_are_followed(self, call):
        for href, safe in {
            "/api/x": True,
            "//evil.example/x": False,
            "javascript:alert(1)": False,
            "": False,
        }.items():
            assert call("runs.js", "safeAddress", href) is safe

    def test_the_history_is_cut_where_nothing_was_recorded(self, call):
        seconds = [1795950000 + n for n in (0, 10, 20, 200, 210)]
        phase = ["live", "live", "paused", "live", "live"]
        history = {"every_s": 10, "time_ns": [s * 10**9 for s in seconds], "phase": phase}
        history |= {"event_rate": [1, 2, 3, 4, 5], "lag_s": [0.1, None, 0.3, 0.4, 0.5]}
        columns = call("history.js", "columns", history)
        assert columns["eventRate"] == [1, 2, 3, None, 4, 5]
        assert columns["x"][0] == 1795950000 * 1000
        found = [
            (one["phase"], (one["to"] - one["from"]) / 1000)
            for one in call("history.js", "stretches", history)
        ]
        assert found == [("live", 20), ("paused", 0), ("live", 10)]

    def test_the_history_says_what_is_missing_from_it(self, call):
        def remarks(seconds, phase, shaded=()):
            history = {"every_s": 10, "time_ns": [s * 10**9 for s in seconds], "phase": phase}
            return call("history.js", "missingS", history), remarks_of(history, shaded)

        def remarks_of(history, shaded):
            return call("history.js", "remarks", history, list(shaded))

        assert remarks([0, 10, 20], ["live"] * 3) == (0, "Live throughout.")
        # Killed, and started again after three hours.
        missing, said = remarks([0, 10, 10810], ["live"] * 3)
        assert (missing, said) == (10790, "Nothing was recorded for 2 h 59 min.")
        assert remarks([0, 10], ["reading a recording"] * 2) == (0, "")
        assert remarks([0, 10], ["live", "paused"], [["paused", 10]]) == (0, "Shaded: paused 10 s.")
