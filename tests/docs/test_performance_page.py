"""The page of performance is what its tool makes of results.json, and speaks of every benchmark and every aim."""

from __future__ import annotations

import json
import runpy

import pytest

from examples_support import REPOSITORY


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(REPOSITORY / "docs" / "tools" / "make_performance.py"))


@pytest.fixture(scope="module")
def results():
    return json.loads((REPOSITORY / "benchmarks" / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def text():
    return (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_tool_makes(tool, results, text):
    assert text == tool["page"](text, results), "run: python docs/tools/make_performance.py"


def test_each_benchmark_is_on_the_page_and_in_the_results(tool, results, text):
    measured = {row["key"].partition(".")[0] for row in results["rows"]}
    there = tool["programs"]()
    assert len(there) > 12
    for program in there:
        assert f"[`{program}.py`](../benchmarks/{program}.py)" in text
        assert program in measured, f"{program}.py has no rows in results.json: run make bench"
    assert measured <= set(there)


def test_each_aim_is_measured(tool, results, text):
    placed = tool["aimed"](results["rows"])
    assert len(tool["AIMS"]) == 7
    for aim in tool["AIMS"]:
        assert f"| {aim} |" in text
        assert [row for row in placed[aim] if row.get("met") is not None], (
            f"nothing says whether it is met: {aim}"
        )


def test_it_is_said_what_bounds_each_aim_that_is_not_met(tool, results):
    for row in results["rows"]:
        assert row.get("met") is not False or tool["bound"](row), row["key"]


def test_what_is_compared_with_others_is_there(tool, results):
    keys = {row["key"] for row in results["rows"]}
    assert set(tool["ELSEWHERE"]) <= keys | set(tool["ABSENT"])


def test_some_ratios_are_held(results):
    held = {row["key"].partition(".")[0] for row in results["rows"] if row.get("held")}
    assert {"decode", "focus", "nomad", "beside"} <= held


def test_a_page_without_a_place_for_a_table_is_refused(tool, results):
    with pytest.raises(ValueError, match="programs: begin"):
        tool["page"]("nothing", results)
