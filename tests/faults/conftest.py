"""The stage, and the table that is printed at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.beamline import Beamline
from faults.scenario import Scenario
from faults.stage import Stage
from faults.table import document, printed

_PROPERTY = "fault"

Act = Callable[[Scenario], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-json", metavar="FILE", help="write the table of the faults to a file")


@pytest.fixture
def beamline() -> Iterator[Beamline]:
    made = Beamline()
    made.open()
    yield made
    made.close()


@pytest.fixture
def stage(tmp_path: Path, beamline: Beamline) -> Iterator[Stage]:
    made = Stage(tmp_path, beamline)
    yield made
    made.close()


@pytest.fixture
def act(stage: Stage, record_property: Callable[[str, Any], None]) -> Act:
    """Act a scenario out, judge it, and put it into the table."""

    def act(scenario: Scenario) -> None:
        scenario.play(stage)
        stage.stop()
        outcome = stage.outcome()
        scenario.judge(outcome)
        record_property(_PROPERTY, json.dumps(scenario.row(outcome)))

    return act


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    passed = terminalreporter.stats.get("passed", [])
    rows = [
        json.loads(text) for report in passed for name, text in report.user_properties if name == _PROPERTY
    ]
    if not rows:
        return
    failed = [
        report.nodeid
        for report in terminalreporter.stats.get("failed", [])
        if "::test_fault[" in report.nodeid
    ]
    terminalreporter.section("faults")
    for line in printed(rows):
        terminalreporter.write_line(line)
    path = config.getoption("--faults-json", default=None)
    if path:
        Path(path).write_text(json.dumps(document(rows, failed), indent=1) + "\n")
