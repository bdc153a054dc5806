"""How the checks compare values, and what shares memory with what."""

from __future__ import annotations

import enum

import attrs
import numpy as np
import pytest

from livered_core.testing.checks.values import arrays_of, difference, n_bytes, shared


@attrs.frozen(eq=False)
class Noun:
    counts: object
    notes: object = None


class Plain:
    def __init__(self, **fields):
        self.__dict__.update(fields)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


ONES = np.ones(3)


def holds_itself():
    value: list = [1]
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.array([1, 2]), np.array([1, 2])),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0])),
        (np.array([np.inf, 1.0]), np.array([np.inf, 1.0])),
        (np.array(["NaT"], "datetime64[ns]"), np.array(["NaT"], "datetime64[ns]")),
        (np.array([1e9, 1e-9]), np.array([1e9, 2e-9])),
        (np.array([0.1 + 0.2]), np.array([0.3])),
        (0.1 + 0.2, 0.3),
        (float("nan"), float("nan")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2}, {2, 1}),
        (Noun(ONES, {"a": "b"}), Noun(ONES.copy(), {"a": "b"})),
        (Plain(a=[1], b=ONES), Plain(b=ONES, a=[1])),
        (holds_itself(), holds_itself()),
        (Colour.RED, Colour.RED),
        (object(), object()),
    ],
)
def test_what_is_the_same(first, second):
    assert difference(first, second) is None


@pytest.mark.parametrize(
    ("first", "second", "said", "of_form"),
    [
        (np.array([1, 2]), np.array([1, 3]), "[1]: 2 and 3, and 1 of 2 values differ", False),
        (
            np.array([2**60]),
            np.array([2**60 + 1]),
            f"[0]: {2**60} and {2**60 + 1}, and 1 of 1 values differ",
            False,
        ),
        (np.array([1.0, np.nan]), np.array([1.0, 1.0]), "[1]: nan and 1.0, and 1 of 2 values differ", False),
        (np.array([1.0]), np.array([1.0 + 1e-7]), "[0]: 1.0 and 1.0000001, and 1 of 1 values differ", False),
        (np.array([1.0]), np.array([1]), "the value: float64[1] and int64[1]", True),
        (np.zeros(2), np.zeros(3), "the value: float64[2] and float64[3]", True),
        (1.0, 1.1, "the value: 1.0 and 1.1", False),
        (2**60, 2**60 + 1, f"the value: {2**60} and {2**60 + 1}", False),
        ("a", "b", "the value: 'a' and 'b'", False),
        (Colour.RED, Colour.BLUE, "the value: <Colour.RED: 1> and <Colour.BLUE: 2>", False),
        ("1", 1, "the value: a str and a int", True),
        ([1], [1, 2], "the value: list of 1 and list of 2", True),
        ({"a": 1}, {"b": 1}, "['a']: another one has ['b'] there", True),
        (Noun(ONES, {"a": [1]}), Noun(ONES, {"a": [2]}), ".notes['a'][0]: 1 and 2", False),
        (Plain(a=1), Plain(a=2), ".a: 1 and 2", False),
    ],
)
def test_what_differs_is_said_with_its_place(first, second, said, of_form):
    found = difference(first, second)
    assert found is not None
    assert str(found) == said
    assert found.of_form is of_form


def scipp_values(sc, *, weight=1.0, dead=False, unit="us"):
    """Counts of two bins, events in bins, and both in a group."""
    weights = sc.array(dims=["event"], values=[1.0, 1.0, weight], unit="counts")
    tof = sc.array(dims=["event"], values=[1.0, 2.0, 3.0], unit=unit)
    binned = sc.DataArray(weights, coords={"tof": tof}).bin(tof=2)
    counts = binned.hist()
    counts.masks["dead"] = sc.array(dims=["tof"], values=[dead, False])
    return {"events": binned, "counts": counts, "group": sc.DataGroup(all=sc.Dataset({"counts": counts}))}


@pytest.mark.parametrize("which", ["events", "counts", "group"])
@pytest.mark.parametrize("other", [{"weight": 2.0}, {"dead": True}, {"unit": "ms"}], ids=str)
def test_arrays_of_scipp_are_compared_in_all_that_they_hold(which, other):
    sc = pytest.importorskip("scipp")
    ours = scipp_values(sc)[which]
    assert difference(ours, scipp_values(sc)[which]) is None
    assert (difference(ours, scipp_values(sc, **other)[which]) is None) is (
        which == "events" and "dead" in other
    )
    assert shared([ours], [ours])
    assert shared(ours, scipp_values(sc)[which]) == ""
    assert n_bytes(ours) >= 16


def test_shared_memory_is_found_in_views_and_not_in_copies():
    column = np.arange(10)
    assert shared({"kept": [column[3:5]]}, Noun(column)) == "it['kept'][0] is memory of it.counts"
    assert shared(column[:5], column[5:]) == ""
    assert shared(Noun(column.copy()), Noun(column)) == ""


def test_what_a_value_takes():
    assert n_bytes(Noun(np.zeros(4), ["abc", 1])) == 32 + 3 + 8
    assert [path for path, _ in arrays_of(Noun(ONES, {"more": (ONES,)}))] == [".counts", ".notes['more'][0]"]
