"""A plugin with which nothing is wrong, for tests of the checks: bad ones are made of it, each wrong in one thing."""

from __future__ import annotations

from typing import Any

import numpy as np

from livered_core import Chunk, Curve, Result, RunInfo, hookimpl
from livered_core.testing import make_run, powder_chunk, small_instrument, split_chunk
from livered_core.testing.checks import CHECKS, Budget, Finding, Verdict, check_plugin
from livered_core.testing.real_chunks import RecordedRun

BINS = 50
EDGES = np.linspace(0.0, 25_000.0, BINS + 1)
"""Of time of flight, microseconds."""
IN_PROCESS = tuple(check.name for check in CHECKS if check.name != "imports")
"""All checks but the one that starts a process."""
DATA = RecordedRun(
    make_run(),
    tuple(
        split_chunk(
            powder_chunk(
                small_instrument(), [2.06, 1.26], n_events=600, pulses=12, logs={"SampleTemp": [300.0, 301.0]}
            ),
            [2, 4, 3, 3],
        )
    ),
)


def curve(y: Any, **fields: Any) -> Curve:
    """A curve of counts over time of flight."""
    given = {
        "label": "counts",
        "x": EDGES,
        "y": y,
        "e": np.sqrt(np.abs(y)),
        "x_unit": "us",
        "y_unit": "counts",
    }
    return Curve(**{**given, **fields})


class Good:
    """Counts events over time of flight."""

    data_models = ("native",)

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> np.ndarray:
        return np.histogram(chunk.events.tof_us, EDGES)[0]

    @hookimpl
    def post_process(self, accumulated: np.ndarray, run: RunInfo) -> Result:
        return Result(run.number, run.title, [curve(accumulated)])


def look(plugin: Any, check: str, settings: Any = None, budget: Budget | None = None) -> Finding:
    """Return what one check finds."""
    (finding,) = check_plugin(plugin, settings, data=DATA, only=[check], budget=budget)
    return finding


def assert_wrong(finding: Finding, said: str) -> None:
    """See that a check has found something, says what, and what to do."""
    assert (finding.verdict, said in finding.sentence) == (Verdict.WRONG, True), finding
    assert finding.sentence.endswith((".", "?")), finding
    assert not finding.sentence.endswith(".."), finding
    assert finding.remedy, finding
