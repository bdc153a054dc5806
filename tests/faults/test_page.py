"""The page that shows the table, and the tool that writes it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from faults import test_killed, test_network, test_nomad, test_plugins, test_stream, test_surroundings
from faults.scenario import Outcome, Scenario
from faults.table import document

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "what-happens-when.md"
MODULES = (test_killed, test_network, test_nomad, test_plugins, test_stream, test_surroundings)
SCENARIOS = [scenario for module in MODULES for scenario in module.SCENARIOS]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = REPOSITORY / "docs" / "tools" / "fill_in_faults.py"
    spec = importlib.util.spec_from_file_location("fill_in_faults", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(**changes: object) -> Outcome:
    values = {
        "sent": 3000,
        "reduced": 3000,
        "left_out": 0,
        "missing": (),
        "complete": True,
        "exact": True,
        "recovery_s": 0.25,
    }
    return Outcome(**{**values, **changes})


def scenario(**changes: object) -> Scenario:
    return Scenario(
        **{
            "name": "a-fault",
            "section": "Here",
            "fault": "a | fault",
            "done": "by hand",
            "livered": "goes on",
            "play": lambda stage: None,
            **changes,
        }
    )


def test_each_fault_has_a_name_of_its_own():
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names) > 60


def test_the_page_has_a_line_for_each_fault_with_date_and_version():
    table = PAGE.read_text().split("<!-- faults: begin -->")[1].split("<!-- faults: end -->")[0]
    assert re.search(r"on \d{4}-\d\d-\d\d with livered \d+\.\d+\.\d+, Python", table)
    lines = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert len(lines) == len(SCENARIOS)
    for each in SCENARIOS:
        assert any(line.startswith(f"| {each.fault} | {each.done} | {each.livered}") for line in lines), (
            each.name
        )


def test_the_table_goes_between_its_marks(tool):
    page = "before\n<!-- faults: begin -->\nold\n<!-- faults: end -->\nafter\n"
    rows = [scenario().row(outcome())]
    filled = tool.filled(page, document(rows, []))
    assert filled.startswith("before\n<!-- faults: begin -->\n\nActed out on ")
    assert filled.endswith("\n\n<!-- faults: end -->\nafter\n")
    assert r"| a \| fault | by hand | goes on | 3,000 | 3,000 | 0 | 0 | yes | 0.2 s |" in filled
    assert "old" not in filled
    assert tool.filled(filled, document(rows, [])) == filled


def test_a_suite_that_did_not_pass_makes_no_table(tool):
    page = "<!-- faults: begin -->\n<!-- faults: end -->\n"
    with pytest.raises(ValueError, match="not borne.*test_x"):
        tool.filled(page, document([scenario().row(outcome())], ["test_x"]))
    with pytest.raises(ValueError, match="needs one line"):
        tool.filled("nothing", document([scenario().row(outcome())], []))


@pytest.mark.parametrize(
    "bad",
    [
        {"reduced": 3001},
        {"reduced": 0, "left_out": 3000},
        {"exact": False},
        {"reduced": 2999},
    ],
    ids=["more-than-sent", "nothing", "not-exact", "a-gap"],
)
def test_what_does_not_add_up_is_no_pass(bad):
    with pytest.raises(AssertionError):
        scenario().judge(outcome(**bad))
    scenario().judge(outcome())
    scenario().judge(outcome(reduced=2000, left_out=1000))


def test_what_is_lost_must_be_said():
    lost = {"reduced": 2000, "exact": False}
    said = {"missing": ("Pulses are missing.",), "complete": False}
    scenario(exact=False, said="are missing").judge(outcome(**lost, **said))
    for promise, found in (
        ({"said": ""}, {**lost, **said}),
        ({"said": "are missing"}, lost),
        ({"said": "are missing"}, {**lost, **said, "complete": True}),
        ({"said": "something else"}, {**lost, **said}),
    ):
        with pytest.raises(AssertionError):
            scenario(exact=False, **promise).judge(outcome(**found))
