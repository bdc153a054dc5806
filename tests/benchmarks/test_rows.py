"""Rows of benchmarks: what may be held, how they are written, and how pieces of work are timed."""

from __future__ import annotations

import json
import sys

import pytest

from examples_support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
try:
    import rows
finally:
    sys.path.pop(0)

ROW = rows.Row(
    "focus.d", "focused", 123.456, "million events/s", "numpy", 12.3456, held=True, note="one thread"
)


def test_a_row_goes_through_a_file(tmp_path, capsys):
    path = tmp_path / "rows.json"
    options = rows.arguments("").parse_args(["--json", str(path), "--quick"])
    assert options.quick
    rows.finish([ROW], options)
    assert rows.read(path) == [
        rows.Row(
            "focus.d", "focused", 123.5, "million events/s", "numpy", 12.35, held=True, note="one thread"
        )
    ]
    said = capsys.readouterr().out
    assert "123 million events/s; 12.3 of numpy (one thread)" in said


def test_without_a_file_rows_are_only_said(capsys):
    rows.finish([ROW], rows.arguments("").parse_args([]))
    assert capsys.readouterr().out.startswith("focused")


def test_what_is_at_its_default_is_not_written():
    assert json.dumps(rows.as_json(rows.Row("a.b", "c", 1.0, "s"))) == (
        '{"key": "a.b", "what": "c", "value": 1.0, "unit": "s"}'
    )


def test_a_key_may_be_there_once():
    with pytest.raises(ValueError, match=r'Two rows have the key "focus\.d"'):
        rows.check([ROW, ROW])


@pytest.mark.parametrize("ratio", [None, float("nan"), float("inf"), 0.0, -1.0])
def test_a_ratio_that_is_held_is_a_positive_number(ratio):
    with pytest.raises(ValueError, match="is held and is"):
        rows.check([rows.Row("a.b", "c", 1.0, "s", ratio=ratio, held=True)])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.00"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (0.012345, "0.0123"),
        (0.000012345, "1.23e-05"),
        (-250.0, "-250"),
        (1.5e9, "1.50e+09"),
    ],
)
def test_a_figure_has_three_digits(value, said):
    assert rows.figure(value) == said
    assert rows.figure(value, "MB") == f"{said} MB"


def test_an_aim_is_said_with_whether_it_is_met():
    said = rows.table(
        [rows.Row("a.b", "c", 1.0, "s", aim="below 2 s", met=met) for met in (True, False, None)]
    )
    assert [line.rpartition(": ")[2] for line in said.splitlines()] == ["met", "not met", "not measured"]


def test_work_is_done_by_turns_and_the_shortest_counts(monkeypatch):
    order = []
    now = iter(range(1000))
    took = {"a": [3, 1, 2], "b": [5, 6, 4]}
    clock = {"now": 0}

    def work(name, first=[]):  # noqa: B006
        order.append(name)
        times = took[name]
        if order.count(name) > 1:
            clock["now"] += times[order.count(name) - 2]

    assert next(now) == 0
    monkeypatch.setattr(rows, "perf_counter", lambda: clock["now"])
    assert rows.best_of(0.0, lambda: work("a"), lambda: work("b"), least=3) == [1, 4]
    assert "".join(order) == "abababab"
