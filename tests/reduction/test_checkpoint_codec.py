from __future__ import annotations

import math
import struct
import threading
import time
from collections import OrderedDict
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import checkpoint_support
from checkpoint_support import (
    Colour,
    Hashed,
    Loose,
    Pair,
    Plain,
    Point,
    Private,
    Refuses,
    Rights,
    livered_alone,
    same,
)
from hooks_support import chunk, run_info
from livered_core import SlowLog
from livered_core.diffraction import FocusedHistogram
from livered_core.hooks.defaults import TofSpectrum
from livered_core.model import RunEndReason
from livered_core.reduction.checkpoint_codec import CodecDamaged, NotStorable, decode, encode
from livered_core.reduction.run_state import RunState


def there_and_back(value):
    return decode(b"".join(encode(value)), livered_alone)


TYPES = st.one_of(
    hnp.scalar_dtypes(),
    hnp.unicode_string_dtypes(max_len=4),
    hnp.byte_string_dtypes(max_len=4),
    hnp.array_dtypes(hnp.scalar_dtypes(), max_size=3),
).filter(lambda dtype: dtype.itemsize and not any(len(field) > 2 for field in (dtype.fields or {}).values()))
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
ARRAYS = TYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
HASHABLE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=8),
        st.text(st.characters(), min_size=250, max_size=300),
        st.binary(max_size=8),
        st.sampled_from([*Colour, Rights.READ | Rights.WRITE, RunEndReason.ENDED]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Point, st.floats(), inner),
        st.builds(Pair, inner),
    ),
    max_leaves=8,
)
VALUES = st.recursive(
    st.one_of(
        HASHABLE, st.complex_numbers(), ARRAYS, TYPES.flatmap(lambda d: hnp.arrays(d, 1)).map(lambda a: a[0])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.sets(HASHABLE, max_size=3),
        st.builds(Point, st.floats(), inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_comes_back_in_every_bit(value):
    assert same(there_and_back(value), value)


@pytest.mark.parametrize("payload", [0x7FF8000000000001, 0xFFF8DEADBEEF0001, 0x8000000000000000], ids=hex)
def test_a_float_keeps_its_bits(payload):
    data = struct.pack("<Q", payload)
    value = there_and_back(struct.unpack("<d", data)[0])
    assert struct.pack("<d", value) == data


@pytest.mark.parametrize("value", [2**62 - 1, 2**62, -(2**64), 10**5000], ids=["62", "63", "65", "large"])
def test_a_whole_number_may_be_of_any_size(value):
    assert there_and_back(value) == value


@pytest.mark.parametrize(
    "text", ["\ud83d\ude00", "\ud800", "x\udfff" * 200, "e\u0301", "\x00\x7f"], ids=ascii
)
def test_halves_of_a_character_stay_apart(text):
    assert there_and_back(text) == text


ARRAY = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "array",
    [
        ARRAY,
        np.asfortranarray(ARRAY),
        ARRAY.transpose(1, 2, 0),
        ARRAY[:, ::-1, ::2],
        np.broadcast_to(np.arange(3), (4, 3)),
        np.zeros((0, 3)),
        np.array(5),
        np.array([(1, [2.0, 3.0])], [("a", ">i2"), ("b", "<f8", (2,))]),
        np.zeros(2, np.dtype([("a", "u1"), ("b", "f8")], align=True)),
        np.array(["2026-11-29"], "M8[s]"),
        np.array([1, 2], ">u4"),
    ],
    ids=["C", "F", "axes", "steps", "broadcast", "empty", "0-d", "record", "aligned", "time", "big-endian"],
)
def test_an_array_keeps_type_shape_order_and_what_may_be_written(array):
    found = there_and_back(array)
    assert same(found, array)
    assert found.flags.f_contiguous or not array.flags.f_contiguous
    found_order = np.argsort([-stride for stride in found.strides], kind="stable")
    if array.size:
        assert list(found_order) == list(
            np.argsort([-abs(stride) for stride in array.strides], kind="stable")
        )
    assert found.base is None or found.base.base is None, "it holds on to memory that is not its own"


def test_read_only_arrays_stay_read_only_and_shared_ones_shared():
    fixed, free = np.arange(3), np.arange(3)
    fixed.flags.writeable = False
    text, data = "x" * 1000, b"y" * 1000
    pieces = encode([fixed, free, fixed, text, text, data, data])
    assert sum(bytes(piece).count(text.encode()) for piece in pieces) == 1
    found = decode(b"".join(pieces), livered_alone)
    assert found[0] is found[2]
    assert not found[0].flags.writeable
    assert found[1].flags.writeable
    assert found[3] is found[4]
    assert found[5] is found[6]


def test_long_texts_of_numpy_do_not_become_each_other():
    texts = [np.str_(letter * 300) for letter in "abcdef"]
    assert same(there_and_back(texts), texts)


def test_arrays_of_objects_such_as_slow_logs_have():
    values = np.empty(4, object)
    values[:] = [1.5, "open", np.arange(3.0), [1, 2]]
    log = SlowLog("v", "d", "K", np.arange(4), values)
    square = np.empty((2, 2), object)
    square[0, 0] = (1, 2)
    found = there_and_back([log, square])
    assert same(found[0].value, values)
    assert same(found[1], square)


def test_an_instance_is_what_it_was_and_nothing_of_its_class_is_run():
    value = Private(3, 4)
    value.made.append(9)
    found = there_and_back(value)
    assert (found.secret(), found.doubled, found.made) == (3, 8, [9])
    bad = Refuses(-1)
    object.__setattr__(bad, "x", 1)
    assert there_and_back(bad).x == 1
    assert hash(there_and_back(Hashed(3))) == hash(Hashed(3))


def test_a_field_that_is_not_set_stays_so():
    value = object.__new__(Private)
    value.doubled = 1
    found = there_and_back(value)
    assert found.doubled == attrs.fields(Private).doubled.converter(1)
    assert not hasattr(found, "made")


def test_what_is_computed_again_is_not_kept():
    value = Loose(3)
    assert value.square == 9
    found = there_and_back(value)
    assert "square" not in vars(found)
    assert found.square == 9


def test_the_nouns_of_a_run():
    batch = chunk(events=20).events
    spectrum = TofSpectrum.of(batch) + TofSpectrum.of(batch)
    histogram = FocusedHistogram(np.array([[0.0, 1.0, 2.0]]), np.array([[3, 4]]), 10.0, 7, 7, 0, 0, 0)
    state = RunState(run_info(), {"a": spectrum, "b": histogram + histogram}, 2, missing=("x",))
    assert same(there_and_back(state), state)


class Local:
    pass


def nested():
    @attrs.define
    class Inner:
        x: int = 0

    return Inner()


def of_the_same_name():
    cls = attrs.make_class("Point", ["x", "y"])
    cls.__module__ = "checkpoint_support"
    return cls(1, 2)


def loose_with_more():
    value = Loose(1)
    value.more = 2
    return value


class Sub(dict):
    pass


@attrs.define
class Raised(Exception):  # noqa: N818
    x: int = 0


def with_itself():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            lambda: {"a": [1, Plain()]},
            r'cannot hold accumulated\["a"\]\[1\]: it is a checkpoint_support.Plain\.',
        ),
        (lambda: Point(1.0, {3: threading.Lock()}), r"accumulated\.y\[3\]: it is a _thread.lock"),
        (lambda: Point(1.0, {Colour.RED: Path()}), r"accumulated\.y\[\.\.\.\]: it is a pathlib"),
        (nested, "a class that its module does not have under that name"),
        (of_the_same_name, "it is a checkpoint_support.Point, a class that its module does not have under"),
        (loose_with_more, "with the attribute more, which is none of its fields"),
        (lambda: Sub(a=1), r"it is a \S*Sub"),
        (lambda: OrderedDict(a=1), "it is a collections.OrderedDict"),
        (lambda: len, "it is a builtin_function_or_method"),
        (lambda: Point, "it is a type"),
        (Raised, r"it is a \S*Raised"),
        (with_itself, "more than 100 levels deep, or holds itself"),
        (lambda: np.zeros(1).view(np.recarray), "it is a numpy"),
        (lambda: np.zeros(1, [(("title", "a"), "i4")]), "it is an array of type"),
        (lambda: np.ma.masked_array([1]), "it is a numpy"),
        (lambda: np.array([(1, None)], [("a", int), ("b", object)]), "records that hold objects"),
        (lambda: np.array([1.0, Plain()], object), r"accumulated\[1\]: it is a checkpoint_support.Plain"),
        (lambda: np.rec.array([(1,)], [("a", int)])[0], "it is"),
    ],
)
def test_what_cannot_be_held_is_named_with_its_place(value, said):
    with pytest.raises(NotStorable, match=said) as caught:
        encode(value(), "accumulated")
    assert "Hold numpy arrays, numbers" in str(caught.value)


def test_classes_are_taken_from_where_it_is_allowed_alone(tmp_path, monkeypatch):
    data = b"".join(encode(Point(1.0)))
    with pytest.raises(CodecDamaged, match="classes of checkpoint_support are not taken from it"):
        decode(data, lambda module: module == "livered_core")
    (tmp_path / "planted_module.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    planted = data.replace(b"checkpoint_support:Point", b"planted_module:PointPoin")
    with pytest.raises(CodecDamaged, match="classes of planted_module are not taken"):
        decode(planted, livered_alone)


@pytest.mark.parametrize(
    "name",
    [
        b"checkpoint_support:Alias",
        b"checkpoint_support:attrs",
        b"checkpoint_support:Plain",
        b"checkpoint_support:livered_alone",
        b"checkpoint_support:nothing",
        b"checkpoint_support:np.ndarray",
        b"checkpoint_support:Point.__init__",
        b"checkpoint_support:RunState",
        b"checkpoint_support:",
        b"../checkpoint_support:Point",
        b"livered_core.nothing:Point",
        b"livered_core.__main__:Point",
    ],
)
def test_what_is_no_such_class_is_refused(name):
    (length, header, *_) = encode(Point(1.0))
    assert len(length) == 8
    header = header.replace(b"checkpoint_support:Point", name)
    with pytest.raises(CodecDamaged):
        decode(struct.pack("<Q", len(header)) + header, livered_alone)


def test_a_class_that_has_changed_is_refused(monkeypatch):
    data = b"".join(encode(Point(1.0)))

    @attrs.frozen
    class Point3:
        x: float
        y: float
        z: float

    Point3.__qualname__ = "Point"
    Point3.__module__ = "checkpoint_support"
    monkeypatch.setattr(checkpoint_support, "Point", Point3)
    with pytest.raises(CodecDamaged, match="the fields of checkpoint_support:Point are others"):
        decode(data, livered_alone)


SAMPLE = b"".join(
    encode(
        {
            "a": np.arange(12.0).reshape(3, 4).T,
            "b": [Point(math.nan, (1, 2**70)), Colour.RED, Rights.READ | Rights.WRITE],
            "c": {"x" * 300, frozenset([b"1"])},
            "d": np.array([1, "x"], object),
            "e": np.float32(3),
            "f": np.zeros(2, [("a", "i4"), ("b", "f8", (2,))]),
            "g": Loose(1),
        }
    )
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(SAMPLE) - 1), st.one_of(st.integers(0, 255), st.sampled_from(b'[]{}",:0-9eN'))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_changed_bytes_give_a_value_or_the_one_error(changes):
    data = bytearray(SAMPLE)
    for place, byte in changes:
        data[place] = byte
    try:
        decode(data, livered_alone)
    except CodecDamaged as error:
        assert str(error)


@given(st.integers(0, len(SAMPLE) - 1))
def test_cut_off_bytes_are_damaged(length):
    with pytest.raises(CodecDamaged):
        decode(SAMPLE[:length], livered_alone)


def test_more_bytes_than_there_should_be_are_damage():
    with pytest.raises(CodecDamaged, match=r"its parts have \d+ bytes, and there are \d+"):
        decode(SAMPLE + b"x", livered_alone)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"parts":[],"value":' + b'["list",' * 5000 + b"1" + b"]" * 5000 + b"}",
        b'{"parts":[],"value":["int","' + b"f" * 10 + b'g"]}',
        b'{"parts":[],"value":{"a":1}}',
        b'{"parts":[],"value":["list"]} ',
        b'{"parts":[["array",0,"<f8",[1000000000000,1000000000000,0],null,true]],"value":["part",0]}',
        b'{"parts":[["array",0,"<f8",[99999999999999],null,true]],"value":["part",0]}',
        b'{"parts":[["array",0,"O",[0],null,true]],"value":["part",0]}',
        b'{"parts":[["array",0,[8,[["a","O",[],0]]],[0],null,true]],"value":["part",0]}',
        b'{"parts":[["text",-5]],"value":["part",0]}',
        b'{"parts":[],"value":["part",-1]}',
        b'{"parts":[],"value":["part",true]}',
        b'{"parts":[],"value":["objects",[1000000000000],true,["list"]]}',
        b'{"parts":[],"value":["dict",["list"],1]}',
        b'{"parts":[],"value":["set",["list"]]}',
        b'{"parts":[],"value":["scalar","|V999999999","00"]}',
        b"null",
        b"",
    ],
)
def test_hostile_headers_end_in_the_one_error_or_a_value(header):
    try:
        decode(struct.pack("<Q", len(header)) + header, livered_alone)
    except CodecDamaged:
        return
    assert header.endswith(b"} "), "this one alone is whole"


def test_large_arrays_are_not_copied_on_the_way_out():
    arrays = [np.ones(1_000_000) for _ in range(6)]
    begun = time.process_time()
    pieces = encode(arrays)
    assert time.process_time() - begun < 0.05
    assert all(
        np.shares_memory(np.frombuffer(piece, np.uint8), array)
        for piece, array in zip(pieces[2:], arrays, strict=True)
    )
