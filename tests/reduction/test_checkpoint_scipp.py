"""Arrays of scipp in a checkpoint: back in every bit."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from checkpoint_support import livered_alone
from livered_core.engine.memory_size import memory_size
from livered_core.reduction.checkpoint_codec import CodecDamaged, NotStorable, decode, encode

sc = pytest.importorskip("scipp")

FLOATS = np.array([0.1, -0.0, np.nan, np.inf])


def events():
    weights = sc.array(dims=["event"], values=np.ones(6), variances=np.ones(6), unit="counts")
    coords = {"tof": sc.array(dims=["event"], values=np.linspace(1, 6, 6), unit="us")}
    return sc.DataArray(weights, coords=coords)


def histogram():
    made = events().hist(tof=sc.linspace("tof", 0.0, 8.0, 5, unit="us"))
    made.masks["dead"] = sc.array(dims=["tof"], values=[False, True, False, False])
    made.coords["title"] = sc.scalar("silicon")
    made.coords["measured"] = sc.scalar(np.datetime64(7, "ns"))
    made.coords.set_aligned("title", False)
    made.name = "counts of run 7"
    return made


VALUES = {
    "float": lambda: sc.array(dims=["x"], values=FLOATS, variances=FLOATS, unit="counts/(uA*hour)"),
    "single": lambda: sc.array(dims=["x", "y"], values=np.ones((2, 3), np.float32), unit="angstrom"),
    "turned": lambda: sc.array(dims=["x", "y"], values=np.arange(6.0).reshape(2, 3)).transpose(),
    "part": lambda: sc.arange("x", 10, unit=None)["x", 2:9],
    "small whole": lambda: sc.array(dims=["x"], values=np.array([1, -2], np.int32)),
    "bool": lambda: sc.array(dims=["x"], values=[True, False]),
    "times": lambda: sc.datetimes(dims=["t"], values=[1, 2], unit="ns"),
    "texts": lambda: sc.array(dims=["x"], values=["a", "\u00e5"]),
    "no texts": lambda: sc.empty(dims=["x"], shape=[0], dtype=sc.DType.string, unit=None),
    "table of texts": lambda: (
        sc.array(dims=["x"], values=list("abcdef")).fold("x", sizes={"x": 2, "y": 3}).transpose()
    ),
    "vectors": lambda: sc.vectors(dims=["x"], values=np.ones((2, 3)), unit="m"),
    "vector": lambda: sc.vector([1.0, 2.0, 3.0], unit="m"),
    "nothing": lambda: sc.zeros(dims=["x"], shape=[0]),
    "number": lambda: sc.scalar(0.1, variance=0.2, unit="meV"),
    "whole number": lambda: sc.scalar(3, dtype="int32"),
    "unit": lambda: sc.Unit("1/angstrom"),
    "density": lambda: sc.scalar(1.0, unit=sc.Unit("counts") / sc.Unit("angstrom") ** 2),
    "events": events,
    "histogram": histogram,
    "binned": lambda: events().bin(tof=3),
    "part of binned": lambda: events().bin(tof=4)["tof", 1:3],
    "dataset": lambda: sc.Dataset({"a": histogram(), "b": 2.0 * histogram()}),
    "dataset of coordinates": lambda: sc.Dataset(coords={"x": sc.arange("x", 3.0)}),
    "dataset with NaN": lambda: sc.Dataset(
        {"a": sc.arange("x", 4), "b": sc.arange("x", 4)},
        coords={"x": sc.array(dims=["x"], values=FLOATS)},
    ),
    "group": lambda: sc.DataGroup({"a": histogram(), "b": sc.scalar(1.0)}),
}


@pytest.mark.parametrize("make", VALUES.values(), ids=VALUES)
def test_an_array_of_scipp_comes_back_as_it_was(make):
    value = make()
    data = b"".join(encode({"it": value}))
    back = decode(data, livered_alone)["it"]
    assert type(back) is type(value)
    assert back == value if isinstance(value, sc.Unit) else sc.identical(back, value, equal_nan=True)
    # In every bit, and with what `identical` does not look at.
    assert b"".join(encode({"it": back})) == data


def test_what_is_aligned_stays_so():
    back = decode(b"".join(encode(histogram())), livered_alone)
    assert {name: coord.aligned for name, coord in back.coords.items()} == {
        "tof": True,
        "title": False,
        "measured": True,
    }


def test_a_sum_goes_on_from_what_comes_back():
    back = decode(b"".join(encode(histogram())), livered_alone)
    assert sc.identical(back + histogram(), histogram() + histogram())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sc.scalar(object()), "it is a scipp array of type PyObject"),
        (lambda: sc.spatial.rotation(value=[0, 0, 0, 1.0]), "it is a scipp array of type rotation3"),
        (lambda: sc.DType.float64, "it is a scipp DType"),
    ],
    ids=["object", "rotation", "type"],
)
def test_what_cannot_be_held_is_named(make, said):
    with pytest.raises(NotStorable, match=said):
        encode({"a": make()}, "accumulated")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"Variable"', b'"Varioble"'), (b'"counts"', b'"cuonts"'), (b'["list","x"]', b'["list","x","y"]')],
    ids=["kind", "unit", "dimensions"],
)
def test_what_is_damaged_is_said(old, new):
    data = b"".join(encode(sc.array(dims=["x"], values=FLOATS, unit="counts")))
    assert old in data
    length = int.from_bytes(data[:8], "little") + len(new) - len(old)
    with pytest.raises(CodecDamaged):
        decode(length.to_bytes(8, "little") + data[8:].replace(old, new), livered_alone)


def test_without_scipp_it_is_said(monkeypatch):
    data = b"".join(encode(sc.scalar(1.0)))
    monkeypatch.setitem(sys.modules, "scipp", None)
    with pytest.raises(CodecDamaged, match="scipp is not installed"):
        decode(data, livered_alone)


def test_what_it_takes_in_memory_is_known():
    assert 8_000_000 <= memory_size({"a": sc.zeros(dims=["x"], shape=[1_000_000])}) < 8_100_000
