from __future__ import annotations

import math
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hooks_support import result, run_info, update
from livered_core import Curve, Image, Result, RunInfo, Update
from livered_core.publish.latest import Published
from livered_core.publish.stored import StoredDamaged, StoredTooNew, from_bytes, to_bytes

TEXTS = st.text(st.characters(), max_size=12)
WHOLE = st.integers(0, 2**63)
NOTES = st.dictionaries(
    TEXTS, st.one_of(st.floats(), st.integers(-(10**30), 10**30), TEXTS, st.booleans()), max_size=3
)
UNITS = TEXTS.filter(str.strip)


def floats(*shape):
    return hnp.arrays(np.float64, shape, elements=st.floats(width=64))


@st.composite
def edges(draw, length):
    return np.sort(draw(hnp.arrays(np.float64, length, elements=st.floats(allow_nan=False))))


@st.composite
def curves(draw, label):
    n = draw(st.integers(0, 4))
    return Curve(
        label,
        draw(edges(n + draw(st.integers(0, 1)))),
        draw(floats(n)),
        draw(floats(n)),
        draw(UNITS),
        draw(UNITS),
        draw(TEXTS),
        draw(TEXTS),
        draw(NOTES),
    )


@st.composite
def images(draw, label):
    nx, ny = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    units = [draw(UNITS) for _ in range(3)]
    return Image(label, draw(edges(nx + 1)), draw(edges(ny + 1)), draw(floats(ny, nx)), *units, draw(NOTES))


@st.composite
def published(draw):
    made = Result(
        draw(WHOLE),
        draw(TEXTS),
        [draw(curves(label)) for label in draw(st.lists(TEXTS, unique=True, max_size=3))],
        [draw(images(label)) for label in draw(st.lists(TEXTS, unique=True, max_size=2))],
        draw(NOTES),
    )
    run = RunInfo(
        draw(st.integers(1, 10**9)),
        "TST",
        draw(TEXTS),
        draw(TEXTS),
        draw(WHOLE),
        draw(st.dictionaries(TEXTS, TEXTS)),
    )
    numbers = {
        field.name: draw(WHOLE)
        for field in attrs.fields(Update)
        if field.name not in ("final", "complete", "missing", "proton_charge_pc")
    }
    missing = tuple(draw(st.lists(TEXTS, max_size=2)))
    made_update = Update(
        **numbers,
        final=draw(st.booleans()),
        complete=not missing,
        missing=missing,
        proton_charge_pc=draw(st.floats()),
    )
    return Published(draw(WHOLE), made, run, made_update, draw(TEXTS), draw(WHOLE))


def same(one, other):
    """Whether two values are the same in type and, bit for bit, in what they hold."""
    if type(one) is not type(other):
        return False
    if attrs.has(type(one)):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in attrs.fields(type(one)))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return one == other and str(one) == str(other)


def item() -> Published:
    return Published(3, result(7), run_info(7), update(2, final=True), "a session", 12)


@given(published())
def test_what_is_stored_comes_back_as_it_was(before):
    after = from_bytes(to_bytes(before))
    assert same(before, after)
    assert not any(curve.y.flags.writeable for curve in after.result.curves)


def test_numbers_of_numpy_in_the_bookkeeping_come_back_as_pythons():
    before = attrs.evolve(
        item(), update=attrs.evolve(update(), n_events=np.int64(5), proton_charge_pc=np.float64(1.5))
    )
    after = from_bytes(to_bytes(before)).update
    assert (after.n_events, after.proton_charge_pc, type(after.n_events)) == (5, 1.5, int)


@given(st.data())
def test_whatever_is_changed_in_it_is_noticed(data):
    stored = bytearray(to_bytes(item()))
    index = data.draw(st.integers(0, len(stored) - 1))
    stored[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StoredDamaged, StoredTooNew)):
        from_bytes(bytes(stored))


@given(st.integers(0, 10**6))
def test_whatever_is_cut_off_is_noticed(length):
    stored = to_bytes(item())
    with pytest.raises(StoredDamaged):
        from_bytes(stored[: length % len(stored)])


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_result(data):
    with pytest.raises(StoredDamaged):
        from_bytes(data)


def test_the_layout_of_a_newer_livered_is_told_from_damage():
    newer = to_bytes(item()).replace(b"result 1\n", b"result 2\n", 1)
    with pytest.raises(StoredTooNew, match="layout 2"):
        from_bytes(newer)


def test_what_an_earlier_livered_stored_is_still_read():
    """Written by the first livered that stored results: a noun that changes must still take it."""
    stored = Path(__file__).with_name("stored_by_layout_1.unsent").read_bytes()
    assert same(from_bytes(stored), item())
