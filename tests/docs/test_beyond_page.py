"""The page beyond one machine: its tables are worked out of results.json, by arithmetic that is done again here."""

from __future__ import annotations

import json
import runpy

import pytest

from examples_support import REPOSITORY
from livered_core.config import EngineConfig

RESULTS = REPOSITORY / "benchmarks" / "results.json"
ROWS = {
    "stages.receive.300": 1.0,
    "stages.receive.100000": 1000.0,
    "stages.frame.100000": 2000.0,
    "stages.decode.100000": 400.0,
    "stages.assemble.100000": 1000.0,
    "executor.send": 200.0,
    "executor.send.core": 500.0,
    "executor.process": 125.0,
    "executor.answer.size": 2.5,
    "executor.answer": 6.0,
    "executor.answer.processor": 1.5,
    "executor.merge": 0.1,
}


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(REPOSITORY / "docs" / "tools" / "make_beyond.py"))


@pytest.fixture
def costs(tool):
    return tool["costs"]([{"key": key, "value": value} for key, value in ROWS.items()])


def test_the_page_is_what_the_tool_makes(tool):
    if not RESULTS.exists():
        pytest.skip("nothing has been measured: make bench")
    text = (REPOSITORY / "docs" / "beyond-one-machine.md").read_text(encoding="utf-8")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert text == tool["page"](text, results), "run: python docs/tools/make_beyond.py"


def test_what_a_rate_takes(tool, costs):
    # 1/1000 + 1/2000 + 1/400 + 1/1000 of a microsecond: 5 ns an event.
    assert costs.read_core == pytest.approx(200e6)
    assert tool["rate_column"](costs, 1e9, 4e6) == {
        "network to the reader": "64 Gbit/s",
        "network from the reader to the workers": "64 Gbit/s",
        "cores that receive, frame, decode, assemble": "5.0",
        "cores that send": "2.0",
        "workers, one core each": "8",
        "blocks": "250 a second",
        "counts that come back": "5.0 Gbit/s",
        "cores that bring back and merge": "0.40",
        "memory in flight, at the reader and again at the workers": "0.51 GB",
        "a block: filled + sent + processed + back": "4.0 + 20 + 32 + 6.0 ms",
        "events of 5 s, if counts stayed on the workers": "40 GB",
        "counts that would travel then, once in 5 s": "20 MB",
    }


def test_what_breaks_first_comes_first(tool, costs):
    found = [(round(rate / 1e6), what) for rate, what, _ in tool["breaks"](costs)]
    assert found == [
        # 5 ns to read, 2 ns to send, 1.6 ms for each 4 million to merge.
        (135, "reading, sending and merging on a single core"),
        (156, "a link of 10 Gbit/s, in or out"),
        (200, "one thread that reads one socket"),
        (391, "a link of 25 Gbit/s, in or out"),
        (500, "one thread that sends (Dask's event loop)"),
        (1562, "a link of 100 Gbit/s, in or out"),
        (2500, "bringing back and merging in one process"),
    ]


def test_longer_blocks_bring_back_less_and_hold_more(tool, costs):
    lines = tool["blocks_table"](costs)
    assert lines[3] == "| 4 million | 250 | 5.0 | 0.40 | 0.51 | 4.0 |"
    assert lines[4] == "| 16 million | 62 | 1.2 | 0.10 | 2.0 | 16 |"


def test_a_worker_to_which_less_can_be_sent_counts_less(tool):
    rows = [{"key": key, "value": value} for key, value in {**ROWS, "executor.send": 50.0}.items()]
    assert tool["rate_column"](tool["costs"](rows), 1e9, 4e6)["workers, one core each"] == "20"


def test_what_was_not_measured_is_said(tool):
    rows = [{"key": key, "value": value} for key, value in ROWS.items() if key != "executor.merge"]
    with pytest.raises(ValueError, match=r"no executor\.merge: run"):
        tool["costs"](rows)


def test_the_defaults_are_those_of_the_configuration(tool):
    assert EngineConfig().block_events == tool["BLOCK_EVENTS"]
    assert EngineConfig().blocks_in_flight == 0
    assert tool["BLOCKS_A_WORKER"] == 2
