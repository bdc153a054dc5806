from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import GeometryError
from livered_core.geometry.idlist import IdCursor, read_idlist

ranges = st.tuples(
    st.integers(-1000, 1000), st.integers(1, 30), st.integers(-20, 20).filter(lambda step: step != 0)
)


def entry(element: Element, start: int, count: int, step: int) -> list[int]:
    expected = [start + i * step for i in range(count)]
    element.set("start", str(start))
    if count > 1 or step > 10:
        element.set("end", str(expected[-1]))
    if step != 1:
        element.set("step", str(step))
    return expected


@given(ranges)
def test_a_range_of_its_own(bounds):
    element = Element("idlist", idname="a")
    expected = entry(element, *bounds)
    assert read_idlist(element).tolist() == expected


@given(st.lists(st.one_of(st.integers(-(2**31) + 1, 2**31 - 1), ranges), min_size=1, max_size=6))
def test_ranges_and_single_ids_in_their_order(parts):
    element = Element("idlist", idname="a")
    expected: list[int] = []
    for part in parts:
        child = SubElement(element, "id")
        if isinstance(part, int):
            child.set("val", str(part))
            expected.append(part)
        else:
            expected += entry(child, *part)
    ids = read_idlist(element)
    assert ids.tolist() == expected
    assert ids.dtype == np.int64


@given(st.lists(st.integers(1, 5), max_size=6))
def test_ids_are_given_out_once_and_in_order(counts):
    cursor = IdCursor("a", np.arange(sum(counts)))
    taken = [i for count in counts for i in cursor.take(count, "x").tolist()]
    assert taken == list(range(sum(counts)))
    cursor.check_exhausted("x")
    with pytest.raises(GeometryError, match="more detectors"):
        cursor.take(1, "x")
