"""Plugins that do with data what they must not, each of which must be caught: results, lent data, sums."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
import pytest

from checks_support import DATA, Good, assert_wrong, curve, look
from livered_core import SKIP, Result, hookimpl
from livered_core.testing import make_log
from livered_core.testing.checks import Verdict, check_plugin


class Fails(Good):
    @hookimpl
    def process_chunk(self, chunk):
        raise KeyError("SampleTemp")


def test_a_plugin_that_does_not_get_through_its_data_is_caught():
    assert_wrong(look(Fails, "native data"), "process_chunk fails on chunk 1: KeyError: 'SampleTemp'")
    assert look(Fails, "order of chunks").verdict is Verdict.NOT_TRIED


class LeavesAllOut(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return SKIP


@pytest.mark.parametrize("check", ["native data", "results", "order of chunks"])
def test_nothing_is_said_of_one_that_leaves_all_out(check):
    finding = look(LeavesAllOut, check)
    assert finding.verdict is Verdict.NOT_TRIED
    assert finding.remedy == "Give settings with which it takes some of the data."


class SaysMantid(Good):
    data_models = ("native", "mantid")


def test_a_plugin_that_does_not_work_on_the_mantid_data_it_names_is_caught(monkeypatch):
    from livered_core.testing import mantid_chunks

    def as_mantid(chunk):
        return attrs.evolve(chunk, model="mantid", data=object())

    monkeypatch.setattr(mantid_chunks, "as_mantid", as_mantid)
    assert_wrong(
        look(SaysMantid, "mantid data"), "process_chunk fails on chunk 1: TypeError: Chunk 1 holds a object"
    )


def test_mantid_data_are_not_tried_without_mantid(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "mantid", None)
    assert look(SaysMantid, "mantid data").verdict is Verdict.NOT_TRIED


class Shows(Good):
    """Shows a curve that is not as it should be."""

    fields: ClassVar = {}
    notes: ClassVar = {}
    changed: ClassVar = {}

    @hookimpl
    def post_process(self, accumulated, run):
        made = curve(**{"y": accumulated, **self.fields})
        for name, value in self.changed.items():
            object.__setattr__(made, name, value)
        return Result(run.number, run.title, [made], metadata=self.notes)


class OfAnotherRun(Good):
    @hookimpl
    def post_process(self, accumulated, run):
        return Result(run.number + 1, run.title, [curve(accumulated)])


class NoResult(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return {"events": 1}

    @hookimpl
    def accumulate(self, processed):
        return processed

    @hookimpl
    def post_process(self, accumulated, run):
        return None


class SameLabels(Good):
    @hookimpl
    def post_process(self, accumulated, run):
        result = Result(run.number, run.title, [curve(accumulated)])
        object.__setattr__(result, "curves", result.curves * 2)
        return result


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (type("NoUnit", (Shows,), {"fields": {"x_unit": ""}}), "has no x_unit"),
        (type("UnitGone", (Shows,), {"changed": {"y_unit": " "}}), "has no y_unit that can be printed"),
        (type("Negative", (Shows,), {"fields": {"e": np.full(50, -1.0)}}), "has 50 negative errors"),
        (type("Short", (Shows,), {"fields": {"e": np.zeros(49)}}), "must be as long as each other"),
        (type("Nothing", (Shows,), {"fields": {"x": [], "y": []}}), "has 0 points"),
        (type("NaN", (Shows,), {"fields": {"y": np.full(50, np.nan)}}), "has no finite y at all"),
        (type("Label", (Shows,), {"fields": {"label": "bank\n1"}}), "not one printable line"),
        (
            type("Note", (Shows,), {"notes": {"error": "two\nlines"}}),
            "a note 'error' that is not one printable line",
        ),
        (OfAnotherRun, "a result of run 2 in run 1"),
        (NoResult, "no result is made of what is accumulated (a dict)"),
        (SameLabels, "two curves are called 'counts'"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_result_that_cannot_be_shown_is_caught(plugin, said):
    assert_wrong(look(plugin, "results"), said)


class SharesResult(Good):
    @hookimpl
    def post_process(self, accumulated, run):
        result = Result(run.number, run.title, [curve(accumulated)])
        object.__setattr__(result.curves[0], "y", accumulated)
        return result


class SharesChunk(Good):
    @hookimpl
    def process_chunk(self, chunk):
        self.column = chunk.events.tof
        return super().process_chunk(chunk)

    @hookimpl
    def post_process(self, accumulated, run):
        result = Result(run.number, run.title, [curve(accumulated)])
        object.__setattr__(result.curves[0], "e", self.column)
        return result


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (SharesResult, "the result shares memory: result.curves[0].y is memory of accumulated."),
        (SharesChunk, "the result shares memory: result.curves[0].e is memory of chunk.events.tof."),
    ],
)
def test_a_result_that_shares_memory_is_caught(plugin, said):
    assert_wrong(look(plugin, "result's memory"), said)


class Sorts(Good):
    """Sorts in place, where it can."""

    @hookimpl
    def process_chunk(self, chunk):
        chunk.events.tof.sort()
        return super().process_chunk(chunk)


class SortsAllTheSame(Good):
    """Takes what cannot be written to for what can."""

    @hookimpl
    def process_chunk(self, chunk):
        if chunk.events.pixel_id.flags.writeable:
            chunk.events.pixel_id[:] = 0
            return super().process_chunk(chunk)
        raise ValueError("buffer source array is read-only")


class OnlyWriteable(Good):
    @hookimpl
    def process_chunk(self, chunk):
        if not chunk.events.tof.flags.writeable:
            raise ValueError("buffer source array is read-only")
        return super().process_chunk(chunk)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (Sorts, "chunk.events.tof is written to"),
        (SortsAllTheSame, "chunk.events.pixel_id is written to"),
        (OnlyWriteable, "it fails on arrays that can only be read"),
    ],
)
def test_one_that_writes_to_lent_data_is_caught(plugin, said):
    assert_wrong(look(plugin, "chunks not written"), said)


class KeepsChunk(Good):
    @hookimpl
    def process_chunk(self, chunk):
        self.last = chunk
        return super().process_chunk(chunk)


class KeepsColumn(Good):
    def __init__(self):
        self.seen = []

    @hookimpl
    def process_chunk(self, chunk):
        self.seen.append(chunk.events.tof[10:])
        return super().process_chunk(chunk)


class KeepsInAccumulate(Good):
    @hookimpl
    def accumulate(self, accumulated, processed, chunk):
        self.last = chunk.events
        return processed if accumulated is None else accumulated + processed


class ReturnsView(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return chunk.events.tof[:50]


class Box:
    """Nobody knows what is in it."""

    __slots__ = ("look",)

    def __init__(self, thing):
        self.look = lambda: thing

    def __add__(self, other):
        return self


class ReturnsHidden(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return Box(chunk.events)

    @hookimpl
    def post_process(self, accumulated, run):
        return Result(run.number, run.title, [curve(np.ones(50))])


class AccumulatesViews(Good):
    @hookimpl
    def accumulate(self, accumulated, processed, chunk):
        return (*(accumulated or ()), chunk.events.tof)

    @hookimpl
    def post_process(self, accumulated, run):
        return Result(run.number, run.title, [curve(np.ones(50))])


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            KeepsChunk,
            "after process_chunk the plugin still holds the chunk, chunk.events, chunk.events.pixel_id",
        ),
        (KeepsColumn, "the plugin still holds chunk.events.tof (self.seen[1])"),
        (KeepsInAccumulate, "after accumulate the plugin still holds chunk.events, "),
        (
            ReturnsView,
            "what process_chunk returns shares memory with the chunk: it is memory of chunk.events.tof",
        ),
        (ReturnsHidden, "what process_chunk returns holds a part of the chunk"),
        (
            AccumulatesViews,
            "what is accumulated shares memory with the chunk: it[1] is memory of chunk.events.tof",
        ),
    ],
)
def test_one_that_keeps_a_part_of_a_chunk_is_caught(plugin, said):
    assert_wrong(look(plugin, "chunks not kept"), said)


class AddsInPlace(Good):
    @hookimpl
    def accumulate(self, accumulated, processed):
        if accumulated is None:
            return processed
        accumulated += processed
        return accumulated


class DividesInPlace(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return super().process_chunk(chunk) / 1.0

    @hookimpl
    def post_process(self, accumulated, run):
        accumulated /= 2.0
        return super().post_process(accumulated, run)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (AddsInPlace, "accumulate changes in place what was accumulated before"),
        (DividesInPlace, "post_process changes what is accumulated"),
    ],
)
def test_one_that_changes_what_is_accumulated_is_caught(plugin, said):
    assert_wrong(look(plugin, "accumulated not changed"), said)


class Decays(Good):
    """What came first counts less."""

    @hookimpl
    def accumulate(self, accumulated, processed):
        return processed if accumulated is None else 0.5 * accumulated + processed


class DecaysRightly(Decays):
    order_matters = True


class MeanOfMeans(Good):
    """Chunks count the same, however long they are."""

    @hookimpl
    def process_chunk(self, chunk):
        return super().process_chunk(chunk) / chunk.n_pulses


class OffsetOnce(Good):
    """Adds something to the first of a run: nobody sees it but who adds sums."""

    @hookimpl
    def accumulate(self, accumulated, processed):
        return processed + 1 if accumulated is None else accumulated + processed


@pytest.mark.parametrize(
    ("plugin", "check", "said"),
    [
        (Decays, "order of chunks", "reduced backwards, the result differs: .curves[0].y["),
        (MeanOfMeans, "grouping of chunks", "reduced as one chunk, the result differs: .curves[0].y["),
        (OffsetOnce, "sums of sums", "added by twos, the result differs: .curves[0].y["),
    ],
)
def test_a_sum_that_depends_on_how_it_was_added_is_caught(plugin, check, said):
    assert_wrong(look(plugin, check), said)


@pytest.mark.parametrize(
    ("plugin", "check"),
    [
        (MeanOfMeans, "order of chunks"),
        (OffsetOnce, "order of chunks"),
        (OffsetOnce, "grouping of chunks"),
        (MeanOfMeans, "sums of sums"),
    ],
)
def test_what_is_wrong_with_a_sum_is_said_by_the_check_that_it_is_of(plugin, check):
    assert look(plugin, check).verdict is Verdict.OK


def test_an_order_that_rightly_matters_is_told_and_not_wrong():
    finding = look(DecaysRightly, "order of chunks")
    assert finding.verdict is Verdict.NOT_APPLICABLE
    assert finding.sentence.startswith(
        "the class says order_matters = True. Reduced backwards, the result differs: "
    )


class FollowsTemperature(Good):
    """Of each chunk the temperature at its beginning counts, as the place of a detector that moves would."""

    @hookimpl
    def process_chunk(self, chunk):
        return super().process_chunk(chunk) * chunk.logs["temperature"].value[0]


def test_what_follows_slow_logs_rightly_depends_on_where_chunks_begin():
    data = attrs.evolve(
        DATA,
        chunks=tuple(
            attrs.evolve(chunk, logs={"temperature": make_log(300.0 + index, first_ns=chunk.first_pulse_ns)})
            for index, chunk in enumerate(DATA.chunks)
        ),
    )
    (finding,) = check_plugin(FollowsTemperature, data=data, only=["grouping of chunks"])
    assert finding.verdict is Verdict.OK
    assert (
        "where slow logs change it follows them (reduced as one chunk, the result differs" in finding.sentence
    )
    (finding,) = check_plugin(MeanOfMeans, data=data, only=["grouping of chunks"])
    assert finding.verdict is Verdict.WRONG


class ListOfParts(Good):
    """Built differently by each grouping, and the same in the end."""

    @hookimpl
    def accumulate(self, accumulated, processed):
        return (*(accumulated or ()), processed)

    @hookimpl
    def post_process(self, accumulated, run):
        return super().post_process(np.sum(accumulated, axis=0), run)


def test_what_is_only_built_differently_is_said_and_is_not_wrong():
    finding = look(ListOfParts, "grouping of chunks")
    assert finding.verdict is Verdict.OK
    assert "what is accumulated is built differently" in finding.sentence


class CannotAddSums(ListOfParts):
    pass


def test_sums_of_sums_are_not_asked_of_what_cannot_be_added_so():
    assert look(CannotAddSums, "sums of sums").verdict is Verdict.NOT_APPLICABLE


class CountsInBytes(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return super().process_chunk(chunk).astype(np.uint8)


class MarksInBytes(Good):
    @hookimpl
    def process_chunk(self, chunk):
        counts = super().process_chunk(chunk)
        return {"counts": counts, "seen": (counts > 0).astype(np.uint8)}

    @hookimpl
    def accumulate(self, accumulated, processed):
        if accumulated is None:
            return processed
        return {
            "counts": accumulated["counts"] + processed["counts"],
            "seen": accumulated["seen"] | processed["seen"],
        }

    @hookimpl
    def post_process(self, accumulated, run):
        return super().post_process(accumulated["counts"], run)


def test_sums_that_soon_overflow_are_caught_and_marks_are_not():
    assert_wrong(
        look(CountsInBytes, "room to count"),
        "accumulated is a sum of type uint8, which counts no further than 255.",
    )
    assert look(MarksInBytes, "room to count").verdict is Verdict.OK
