from __future__ import annotations

import io

import attrs
import pytest
from rich.console import Console

from hooks_support import update
from livered_core import Curve, Receipt, Result, RunInfo
from livered_core.cli.farewell import farewell
from livered_core.engine.health import Health, Phase
from livered_core.errors import ConnectionLost
from livered_core.publish.sinks import SinkStatus
from livered_core.sources.base import Connection, SourceStatus

RUN = RunInfo(number=7, instrument="TST", title="t")
SOURCE = SourceStatus("adara://here:1", Connection.CLOSED, "", None, False, 0, None, 0, 1, {"events": 5})
RESULT = Result(7, "t", (Curve("bank 5", [0.0], [1.0], [1.0], "one", "counts"),))
RUNNING = Health(Phase.LIVE, SOURCE, RUN, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, (), None, None, ())
ENDED = attrs.evolve(RUNNING, phase=Phase.STOPPED, run=None)


def said(health, last_run=None, unsent=(), failure=None, code=0):
    console = Console(file=io.StringIO(), width=200)
    for part in farewell(health, last_run, unsent, failure, code):
        console.print(part)
    return console.file.getvalue()


def test_what_was_made_and_where_it_is():
    sink = SinkStatus("files", 1, 0, 0, Receipt("/out\x1b[31m", 1, 2), "")
    health = attrs.evolve(ENDED, result=RESULT, update=attrs.evolve(update(), final=True), sinks=(sink,))
    text = said(health, attrs.evolve(RUNNING, n_chunks=1))
    assert "bank 5" in text
    assert "final." in text
    assert "files: /out [31m" in text
    assert "No result" not in text
    assert "left out" not in text
    left_out = attrs.evolve(health.update, skipped_chunks=4, skipped_events=1_600_000)
    assert ", complete, 1,600,000 events left out on purpose; final." in said(
        attrs.evolve(health, update=left_out)
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dropped_chunks": 3}, "at least 3 chunks were dropped, and the log says why"),
        ({"skipped_chunks": 1}, "at least 1 chunk was skipped by the plugin, and none was accumulated"),
        ({"n_chunks": 2}, "no update was made of what was accumulated"),
        ({"missing": ("A gap.",)}, "A gap"),
        ({"source": attrs.evolve(SOURCE, counts={})}, "no events came from adara://here:1"),
        ({}, "it ended before its first chunk was reduced"),
    ],
)
def test_a_run_without_a_result(changes, reason):
    text = said(ENDED, attrs.evolve(RUNNING, **changes))
    assert text == f"No result was made of run 7: {reason}.\n"


def test_a_result_of_the_run_before_is_not_taken_for_the_last_ones():
    health = attrs.evolve(ENDED, result=RESULT, update=update())
    last = attrs.evolve(RUNNING, run=attrs.evolve(RUN, number=8), dropped_chunks=1)
    text = said(health, last)
    assert "Run 7: " in text
    assert "No result was made of run 8: at least 1 chunk was dropped" in text


def test_no_run_at_all():
    assert said(attrs.evolve(ENDED, source=attrs.evolve(SOURCE, counts={}))) == (
        "No result was made: no events came from adara://here:1.\n"
    )
    assert said(None) == ""


def test_what_was_not_sent_and_what_ended_it():
    text = said(ENDED, RUNNING, ("Sink s did not take it.",), ConnectionLost("No\nmore."), 1)
    assert text.splitlines()[-2:] == ["Sink s did not take it.", "livered: No more."]
    assert said(ENDED, RUNNING, (), TypeError("odd"), 1).splitlines()[-1] == "livered: TypeError: odd"
