"""Instruments that have been read are kept by their content."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest

from livered_core.errors import GeometryError
from livered_core.geometry import InstrumentCache, cache, read_instrument
from livered_core.model import InstrumentDefinition, SlowLog


@pytest.fixture
def reads(monkeypatch):
    """Names of the definitions that were really read."""
    names = []
    read = cache.read_by_logs

    def count(definition, logs):
        names.append(definition.name)
        return read(definition, logs)

    monkeypatch.setattr(cache, "read_by_logs", count)
    return names


def pixel_at(define, x) -> InstrumentDefinition:
    return define(
        f'<component type="pixel" idlist="ids"><location x="{x}"/></component><idlist idname="ids" start="0"/>'
    )


@pytest.fixture
def moving(define):
    """One pixel that the mean of the log `arm` and the last value of the log `lift` move."""
    return define(
        '<component type="pixel" idlist="ids"><location z="1">'
        '<parameter name="x"><logfile id="arm"/></parameter>'
        '<parameter name="y"><logfile id="lift" extract-single-value-as="last_value"/></parameter>'
        '</location></component><idlist idname="ids" start="0"/>'
    )


def log(values, name="arm") -> SlowLog:
    return SlowLog(name, "", "", np.arange(len(values)) * 10**9, np.array(values, np.float64))


def test_the_same_content_is_the_same_object(define, reads):
    kept = InstrumentCache()
    first = kept.read(pixel_at(define, 1))
    again = kept.read(InstrumentDefinition("ANOTHER NAME", "".join(list(pixel_at(define, 1).xml))))
    assert again is first
    assert reads == ["TEST"]
    np.testing.assert_array_equal(first.position, read_instrument(pixel_at(define, 1)).position)
    with pytest.raises(ValueError, match="read-only"):
        first.position[0, 0] = 2.0


def test_another_content_is_another_object(define, reads):
    kept = InstrumentCache()
    assert kept.read(pixel_at(define, 1)).position[0, 0] == 1
    assert kept.read(pixel_at(define, 2)).position[0, 0] == 2
    assert len(reads) == 2


def test_two_caches_share_nothing(define):
    assert InstrumentCache().read(pixel_at(define, 1)) is not InstrumentCache().read(pixel_at(define, 1))


def test_logs_that_move_nothing_do_not_matter(moving, define, reads):
    kept = InstrumentCache()
    first = kept.read(moving, {"arm": 1.0, "lift": 2.0, "temperature": log([1, 2])})
    assert kept.read(moving, {"arm": 1.0, "lift": 2.0, "temperature": 300.0}) is first
    assert kept.read(moving, {"arm": 1.0, "lift": 2.0}) is first
    still = kept.read(pixel_at(define, 1), {"arm": 1.0})
    assert kept.read(pixel_at(define, 1), {"arm": 2.0}) is still
    assert kept.read(pixel_at(define, 1)) is still
    assert len(reads) == 2


def test_a_log_that_moves_something_gives_another_instrument_and_the_old_one_is_kept(moving, reads):
    kept = InstrumentCache()
    first = kept.read(moving, {"arm": 1.0, "lift": 2.0})
    second = kept.read(moving, {"arm": 1.5, "lift": 2.0})
    third = kept.read(moving, {"arm": 1.5, "lift": 2.5})
    assert [x.position[0].tolist() for x in (first, second, third)] == [[1, 2, 1], [1.5, 2, 1], [1.5, 2.5, 1]]
    assert kept.read(moving, {"arm": 1.0, "lift": 2.0}) is first
    assert len(reads) == 3


def test_only_the_value_that_is_taken_of_a_log_matters(moving, reads):
    kept = InstrumentCache()
    first = kept.read(moving, {"arm": log([1, 3]), "lift": log([0, 5])})
    assert kept.read(moving, {"arm": log([2, 2, 2]), "lift": log([1, 9, 5])}) is first
    assert kept.read(moving, {"arm": 2.0, "lift": 5.0}) is first
    assert kept.read(moving, {"arm": log([1, 3]), "lift": log([0, 5, 6])}) is not first
    assert len(reads) == 2


def test_a_log_that_breaks_or_goes_is_an_error_and_does_no_harm(moving):
    kept = InstrumentCache()
    first = kept.read(moving, {"arm": 1.0, "lift": 2.0})
    for logs in (None, {}, {"arm": 1.0}, {"arm": 1.0, "lift": log([])}, {"arm": float("nan"), "lift": 2.0}):
        with pytest.raises(GeometryError, match="The instrument definition of TEST"):
            kept.read(moving, logs)
    assert kept.read(moving, {"arm": 1.0, "lift": 2.0}) is first


def test_the_instrument_that_was_used_longest_ago_is_given_up(define, reads):
    kept = InstrumentCache(capacity=2)
    one, two, three = (pixel_at(define, x) for x in (1, 2, 3))
    first = kept.read(one)
    kept.read(two)
    assert kept.read(one) is first
    kept.read(three)
    assert len(reads) == 3
    assert kept.read(one) is first
    assert len(reads) == 3
    kept.read(two)
    assert len(reads) == 4


def test_a_capacity_of_one_and_of_none(define, reads):
    kept = InstrumentCache(capacity=1)
    assert kept.read(pixel_at(define, 1)) is kept.read(pixel_at(define, 1))
    kept.read(pixel_at(define, 2))
    kept.read(pixel_at(define, 1))
    assert len(reads) == 3
    with pytest.raises(ValueError, match="capacity"):
        InstrumentCache(capacity=0)


def test_what_failed_is_tried_again(define, reads):
    kept = InstrumentCache(capacity=1)
    good, bad = pixel_at(define, 1), pixel_at(define, 0)
    first = kept.read(good)
    for _ in range(2):
        with pytest.raises(GeometryError, match="where the sample is"):
            kept.read(bad)
    assert len(reads) == 3
    assert kept.read(good) is first


def test_a_text_that_is_not_unicode_is_refused_as_without_a_cache(define):
    broken = attrs.evolve(pixel_at(define, 1), xml=pixel_at(define, 1).xml.replace("TEST", "\udc80"))
    with pytest.raises(GeometryError, match="not a character of Unicode"):
        InstrumentCache().read(broken)


def test_threads_that_want_the_same_instrument_read_it_once(define, reads):
    pixels = "".join(f'<location x="{x}"/>' for x in range(1, 2001))
    definition = define(
        f'<component type="pixel" idlist="ids">{pixels}</component><idlist idname="ids" start="1" end="2000"/>'
    )
    kept = InstrumentCache()
    start = threading.Barrier(8)

    def read(_: int):
        start.wait()
        return kept.read(definition)

    with ThreadPoolExecutor(8) as pool:
        instruments = list(pool.map(read, range(8)))
    assert all(instrument is instruments[0] for instrument in instruments)
    assert reads == ["TEST"]
