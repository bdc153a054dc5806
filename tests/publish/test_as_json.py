from __future__ import annotations

import json
import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from hooks_support import run_info, update
from livered_core import Curve, Image, Result, SlowLog
from livered_core.publish.as_json import (
    LONGEST_TEXT,
    MOST_LOGS,
    ResultEncoder,
    lines_of,
    newest_values,
    numbers,
    to_json,
)
from livered_core.publish.latest import Published


def strict(text: str):
    return json.loads(text, parse_constant=pytest.fail)


def encoded(item: Published, encoder: ResultEncoder | None = None):
    return strict("".join((encoder or ResultEncoder()).parts(item)))


def item(*curves: Curve, images=(), **changes) -> Published:
    return Published(3, Result(1, "a <title>", curves, images), run_info(), update(), "abc", 5, **changes)


def or_null(values) -> list:
    return [value if math.isfinite(value) else None for value in np.asarray(values).tolist()]


def test_a_result_is_written_in_the_layout_of_the_page():
    notes = {"peak": np.float32(1.5), "width": np.nan, "limit": -np.inf, "seen": np.True_, "n": np.int64(3)}
    curve = Curve(
        "n", [0.0, 1.0, 2.0], [1.0, np.nan], [0.5, np.inf], "Angstrom", "counts", "d", "I", metadata=notes
    )
    image = Image("i", [0, 1, 2], [0, 1], [[2.0, -np.inf]], "us", "deg", "counts", {"worst": np.nan})
    result = Result(1, "a <title>", (curve,), (image,), {"k": 1, "scale": np.inf})
    run = attrs.evolve(run_info(), sample={"name": "diamond"})
    written = encoded(Published(3, result, run, attrs.evolve(update(), proton_charge_pc=np.nan), "abc", 5))
    assert written == {
        "format": 2,
        "session": "abc",
        "version": 3,
        "published_ns": 5,
        "run": {
            "number": 1,
            "instrument": "TST",
            "proposal": "",
            "title": "title 1",
            "start_ns": 0,
            "sample": {"name": "diamond"},
        },
        "update": {**attrs.asdict(update()), "missing": [], "proton_charge_pc": None},
        "title": "a <title>",
        "metadata": {"k": 1, "scale": None},
        "curves": [
            {
                "label": "n",
                "x_name": "d",
                "x_unit": "Angstrom",
                "y_name": "I",
                "y_unit": "counts",
                "metadata": {"peak": 1.5, "width": None, "limit": None, "seen": True, "n": 3},
                "x": [0.0, 1.0, 2.0],
                "y": [1.0, None],
                "e": [0.5, None],
            }
        ],
        "images": [
            {
                "label": "i",
                "x_unit": "us",
                "y_unit": "deg",
                "z_unit": "counts",
                "metadata": {"worst": None},
                "x": [0.0, 1.0, 2.0],
                "y": [0.0, 1.0],
                "z": [[2.0, None]],
            }
        ],
    }


def test_a_part_holds_one_column_since_other_threads_wait_while_it_is_made():
    y = np.random.default_rng(1).random(6000)
    image = Image("i", np.arange(6001), np.arange(7), y.reshape(1, -1).repeat(6, 0), "one", "one", "one")
    parts = ResultEncoder().parts(item(Curve("a", np.arange(6001), y, y, "one", "one"), images=[image]))
    assert max(len(part) for part in parts) < 6001 * 25


def test_a_long_column_is_made_in_pieces_since_other_threads_wait_while_one_is_made(monkeypatch):
    lengths = []

    def dumps(value, **options):
        lengths.append(len(value))
        return real(value, **options)

    real = json.dumps
    monkeypatch.setattr(json, "dumps", dumps)
    column = np.arange(25_000) / 3
    column[12_345] = np.inf
    assert strict(numbers(column)) == or_null(column)
    assert max(lengths) <= 10_000


columns = np_st.arrays(np.float64, st.integers(0, 40), elements=st.floats(width=64))
texts = st.text(st.characters(), max_size=30)


@given(columns, texts, st.dictionaries(texts, st.one_of(texts, st.floats(), st.integers(), st.booleans())))
def test_whatever_is_in_a_result_it_is_strict_json_and_every_number_is_exact(values, text, notes):
    x = np.arange(len(values) + 1.0) / 3
    curve = Curve(text, x, values, values[::-1], "one", "counts", metadata=notes)
    image = Image(text, x, [0, 1], [values], "one", "one", "one")
    result = Result(1, text, (curve,), (image,), notes)
    run = attrs.evolve(run_info(), title=text, sample={text: text})
    written = encoded(Published(1, result, run, attrs.evolve(update(), missing=(text,)), text))
    (again,) = written["curves"]
    assert again["x"] == x.tolist()
    assert again["y"] == or_null(values)
    assert again["e"] == or_null(values[::-1])
    assert written["images"][0]["z"] == [or_null(values)]
    assert again["metadata"] == {
        key: None if isinstance(note, float) and not math.isfinite(note) else note
        for key, note in curve.metadata.items()
    }
    assert (written["title"], written["run"]["sample"], written["update"]["missing"]) == (
        text,
        {text: text},
        [text],
    )


@pytest.mark.parametrize(
    "row",
    [
        [0.0, 1.0, 4095.0],
        [0.0, 4096.0],
        [0.0, 123456789.0],
        [2.0**53 - 1, 0.0],
        [2.0**53, 1e16],
        [1e300, 7.0],
        [0.0, -0.0],
        [-1.0, 3.0],
        [0.5, 3.0],
    ],
    ids=lambda row: f"{row[0]:g} and {row[-1]:g}",
)
def test_counts_are_written_as_other_numbers_are(row):
    z = np.tile(row, (3, 1))
    image = Image("i", range(len(row) + 1), range(4), z, "one", "one", "counts")
    text = "".join(ResultEncoder().parts(item(images=[image])))
    assert f'"z": {json.dumps(z.tolist())}]' in text.replace("}", "]")


def test_rows_of_counts_and_of_other_numbers_are_told_apart():
    z = np.arange(60_000.0).reshape(120, 500) % 5000
    z[7, 3], z[60] = 0.25, np.nan
    image = Image("i", range(501), range(121), z, "one", "one", "counts")
    assert encoded(item(images=[image]))["images"][0]["z"] == [or_null(row) for row in z]


def test_edges_that_stay_are_not_written_anew_and_those_that_change_are(monkeypatch):
    made = []
    import livered_core.publish.as_json as module

    numbers = module.numbers
    monkeypatch.setattr(module, "numbers", lambda values: made.append(values) or numbers(values))
    encoder = ResultEncoder()

    def curve(label: str, first: float) -> Curve:
        return Curve(label, [first, 2.0], [1.0], [1.0], "one", "counts")

    for first in (0.5, 0.5, 1.5, 0.5):
        read = encoded(item(curve("a", first), curve("b", first)), encoder)
        assert [c["x"] for c in read["curves"]] == [[first, 2.0]] * 2
    assert [values.tolist() for values in made if len(values) == 2] == [[0.5, 2.0], [1.5, 2.0], [0.5, 2.0]]


@given(st.recursive(st.one_of(st.floats(), texts, st.none(), st.integers()), st.lists))
def test_any_nested_value_is_strict_json(value):
    strict(to_json({"value": value, "tuple": (value,), "numpy": [np.float32("nan"), np.int64(3), np.True_]}))


def test_an_object_has_a_line_for_each_key():
    text = "".join(lines_of({"a": {"b": [np.nan]}, 'c"': "two\nlines"}))
    assert text == '{\n "a": {"b": [null]},\n "c\\"": "two\\nlines"\n}\n'


def log(name: str, values, device: str = "D", unit: str = "K") -> SlowLog:
    array = np.empty(len(values), float if all(isinstance(v, float) for v in values) else object)
    for index, value in enumerate(values):
        array[index] = value
    return SlowLog(name, device, unit, np.arange(10, 10 + len(values)), array)


def test_the_newest_value_of_each_log_is_shown_by_name():
    logs = [
        log("temp", [290.0, 291.5]),
        log("Mode", ["Off", "On"]),
        log("wave", [np.arange(3.0), np.array([1 / 3, np.nan])]),
        log("long wave", [np.arange(3.0), np.arange(1000.0)]),
        log("broken", [np.nan]),
        log("none yet", []),
        log("text", ["x" * 5000]),
    ]
    values, left_out = newest_values({log.name: log for log in logs})
    assert left_out == 0
    assert values[-3] == {"name": "temp", "device": "D", "unit": "K", "value": 291.5, "time_ns": 11}
    shown = {value["name"]: value["value"] for value in values}
    assert list(shown) == ["Mode", "broken", "long wave", "temp", "text", "wave"]
    assert shown["Mode"] == "On"
    assert shown["wave"] == "0.333333, nan"
    assert shown["long wave"] == "0, 1, 2, 3, 4, 5, 6, 7, ... (1000 values)"
    assert shown["text"] == "x" * (LONGEST_TEXT - 3) + "..."
    assert strict(to_json(values))[1]["value"] is None


def test_there_is_an_end_to_the_logs_that_are_shown():
    values, left_out = newest_values({f"{n:04}": log(f"{n:04}", [1.0]) for n in range(MOST_LOGS + 7)})
    assert (len(values), values[0]["name"], left_out) == (MOST_LOGS, "0000", 7)
