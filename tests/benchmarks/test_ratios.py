"""The check of ratios: what is worse by more than the factor, three times in a row, fails with a sentence."""

from __future__ import annotations

import json
import sys

import pytest

from examples_support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
try:
    import bench
    import ratios
    from rows import Row
finally:
    sys.path.pop(0)


def row(ratio, key="focus.d", better="higher", held=True):
    return Row(key, "focused", 1.0, "s", "numpy", ratio, better=better, held=held)


class Measured:
    """Gives the rows of one try after another."""

    def __init__(self, *tries):
        self.tries = list(tries)
        self.asked = 0

    def __call__(self, name):
        assert name == "focus"
        self.asked += 1
        given = self.tries.pop(0)
        if isinstance(given, str):
            raise bench.BenchmarkError(given)
        return given


@pytest.mark.parametrize(
    ("better", "was", "measured", "holds"),
    [
        ("higher", 10.0, 5.1, True),
        ("higher", 10.0, 4.9, False),
        ("higher", 10.0, 100.0, True),
        ("lower", 10.0, 19.9, True),
        ("lower", 10.0, 20.1, False),
        ("lower", 10.0, 1.0, True),
    ],
)
def test_a_ratio_may_be_worse_by_the_factor_and_better_by_any(better, was, measured, holds):
    problem = ratios.compared(row(was, better=better), row(measured, better=better))
    assert (problem == "") == holds, problem


def test_one_good_try_of_three_is_enough():
    measure = Measured([row(1.0)], [row(1.0)], [row(9.0)])
    said, wrong = ratios.hold("focus", {"focus.d": row(10.0)}, measure)
    assert (len(said), wrong, measure.asked) == (1, [], 3)
    assert said[0].startswith("holds: focus.d: 9.00, was 10.0")


def test_three_bad_tries_fail_with_a_sentence():
    measure = Measured(*[[row(1.0)]] * 3)
    said, (wrong,) = ratios.hold("focus", {"focus.d": row(10.0)}, measure)
    assert (said, measure.asked) == ([], 3)
    assert wrong.startswith(
        "focus.d: focused is 1.00 of numpy, and was 10.0: worse by a factor of 10.0 in 3 tries."
    )


def test_what_holds_is_not_asked_again():
    measure = Measured([row(9.0), row(1.0, "focus.q")], [row(1.0), row(9.0, "focus.q")])
    said, wrong = ratios.hold("focus", {"focus.d": row(10.0), "focus.q": row(10.0, "focus.q")}, measure)
    assert (len(said), wrong, measure.asked) == (2, [], 2)


def test_a_program_that_fails_is_said():
    _, (wrong,) = ratios.hold("focus", {"focus.d": row(10.0)}, Measured("It ended with exit code 1."))
    assert wrong == "focus could not be measured. It ended with exit code 1."


def test_a_ratio_that_is_held_on_one_side_only_is_said():
    _, (missing,) = ratios.hold("focus", {"focus.d": row(10.0)}, Measured(*[[row(9.0, held=False)]] * 3))
    assert missing == "focus.d is held in results.json, and is not measured: run make bench."
    _, (fresh,) = ratios.hold("focus", {"focus.d": row(10.0)}, Measured([row(9.0), row(9.0, "focus.new")]))
    assert fresh == "focus.new is held and not in results.json: run make bench."


def test_only_rows_that_are_held_are_read(tmp_path):
    path = tmp_path / "results.json"
    document = {"rows": [bench.as_json(each) for each in (row(1.0), row(1.0, "focus.q", held=False))]}
    path.write_text(bench.written(document | {"date": "today"}))
    assert json.loads(path.read_text())["date"] == "today"
    assert list(ratios.held(path)) == ["focus.d"]


# The runner.


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "helpers.py").write_text("# def measure(options) is elsewhere\n")
    for name, body in (
        ("good", "key = 'good.a'"),
        ("failing", "raise SystemExit(3)"),
        ("strange", "key = 'other.a'"),
        ("slow", "import time; time.sleep(60)"),
    ):
        text = f"import json, sys\ndef measure(options): ...\n{body}\n"
        text += "rows = [{'key': key, 'what': '', 'value': 1.0, 'unit': ''}]\n"
        text += "open(sys.argv[sys.argv.index('--json') + 1], 'w').write(json.dumps(rows))\n"
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_programs_are_those_that_measure(folder):
    assert bench.programs(folder) == ["failing", "good", "slow", "strange"]


def test_a_program_gives_its_rows(folder):
    assert [each.key for each in bench.run("good", quick=True, folder=folder, show=False)] == ["good.a"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("failing", "It ended with exit code 3."),
        ("strange", "Its rows need keys that begin with strange"),
        ("slow", "It was not done after"),
    ],
)
def test_a_program_that_gives_none_is_said(folder, name, sentence):
    with pytest.raises(bench.BenchmarkError, match=sentence):
        bench.run(name, quick=False, folder=folder, longest=0.3 if name == "slow" else 20.0, show=False)
