"""Calls of hooks, written down for people."""

from __future__ import annotations

import json

import pytest

from livered_core.hooks.calls import FinishedCall
from livered_core.testing.trial_failures import own_frames, read_failures
from livered_core.testing.trial_transcript import duration, fold, transcript


def call(hook, chunk=None, at=0.0, seconds=0.001, outcome="returned", plugin="p"):
    return FinishedCall(plugin, hook, 1, chunk, at, seconds, outcome, "E: e" if outcome == "raised" else "")


def chunks(first, last):
    return [call(hook, chunk) for chunk in range(first, last + 1) for hook in ("process_chunk", "accumulate")]


@pytest.mark.parametrize(
    ("calls", "rows"),
    [
        pytest.param([], [], id="none"),
        pytest.param(chunks(1, 2), [(1, 1)] * 4, id="twice is not folded"),
        pytest.param(chunks(1, 3), [(3, 3), (3, 3)], id="three times is"),
        pytest.param(
            [call("a"), *chunks(1, 9), call("b")], [(1, 1), (9, 9), (9, 9), (1, 1)], id="in the middle"
        ),
        pytest.param([call("a", n) for n in range(7)], [(7, 7)], id="one hook"),
        pytest.param(
            [
                call("a", 1),
                call("a", 2),
                call("a", 3, outcome="raised"),
                *(call("a", n) for n in range(4, 8)),
            ],
            [(1, 1), (1, 1), (1, 1), (4, 4)],
            id="what came of it counts",
        ),
    ],
)
def test_alike_rows_are_folded(calls, rows):
    folded = fold(calls)
    assert [(row.repeats, len(row.calls)) for row in folded] == rows
    assert sum(len(row.calls) for row in folded) == len(calls)


def test_a_line_says_when_who_what_and_how_long():
    calls = [
        call("run_started", at=10.25, seconds=2e-6),
        call("process_chunk", 1, at=10.5, seconds=0.25, outcome="skip"),
        call("process_chunk", 2, at=11.0, seconds=1.5, outcome="raised"),
        call("post_publish", at=10.75, seconds=3e-8, outcome="none", plugin="sink"),
    ]
    assert [" ".join(line.split()) for line in transcript(calls, 10.0)] == [
        "0.250 s p.run_started run 1 2 us",
        "0.500 s p.process_chunk chunk 1 250 ms -> SKIP",
        "1.000 s p.process_chunk chunk 2 1.5 s FAILED: E: e",
        # Sinks are on threads of their own: they stand behind the others.
        "0.750 s sink.post_publish run 1 30 ns -> None",
    ]


def test_a_folded_line_says_how_often_and_at_most():
    calls = [call("process_chunk", n, at=n, seconds=n / 1000) for n in range(1, 6)]
    (line,) = transcript(calls, 0.0)
    assert line.split() == [
        "1.000",
        "s",
        "5",
        "x",
        "p.process_chunk",
        "chunks",
        "1-5",
        "3",
        "ms,",
        "at",
        "most",
        "5",
        "ms",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 ns"), (2.5e-9, "2 ns"), (1e-6, "1 us"), (0.0123, "12.3 ms"), (1234.0, "1234 s")],
)
def test_times_have_units_that_fit(seconds, text):
    assert duration(seconds) == text


def test_failures_are_counted_by_the_calls(tmp_path):
    entry = {
        "plugin": "p",
        "hook": "process_chunk",
        "error": "E: e",
        "chunk_sequence": 4,
        "traceback": "E: e",
    }
    path = tmp_path / "failures.json"
    path.write_text(json.dumps({"failures": [entry]}))
    calls = [call("process_chunk", n, outcome="raised") for n in range(80)]
    (failed,) = read_failures(path, calls)
    assert failed.sentence == "p failed in process_chunk on chunk 4 (80 times): E: e"
    assert read_failures(tmp_path / "nowhere.json", calls) == ()


def test_frames_of_livered_are_left_out_only_before_the_plugins():
    import livered_core

    ours = f'  File "{livered_core.__path__[0]}/hooks/table.py", line 1, in owner\n    call()\n'
    theirs = '  File "/plugin.py", line 2, in process_chunk\n    bad()\n'
    head, end = "Traceback (most recent call last):\n", "E: e\n"
    assert own_frames(head + ours + ours + theirs + ours + end) == head + theirs + ours + end
    assert own_frames(head + ours + end) == head + ours + end
    assert own_frames("E: e") == "E: e"
