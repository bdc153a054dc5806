"""Plugins that remember what they should not, that fall over rare chunks, or that cost too much."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from checks_support import DATA, EDGES, IN_PROCESS, Good, assert_wrong, curve, look
from livered_core import DataModelError, Result, hookimpl
from livered_core.geometry import difc, read_instrument
from livered_core.testing.checks import Budget, Verdict, check_plugin, problems


class KeepsOverRuns(Good):
    def __init__(self):
        self.total = 0

    @hookimpl
    def process_chunk(self, chunk):
        self.total += chunk.n_events
        return super().process_chunk(chunk)

    @hookimpl
    def post_process(self, accumulated, run):
        result = super().post_process(accumulated, run)
        return Result(run.number, run.title, result.curves, metadata={"total": self.total})


class ClearsIt(KeepsOverRuns):
    @hookimpl
    def run_started(self):
        self.total = 0


class CallsDiffer(Good):
    count: ClassVar = []

    @hookimpl
    def post_process(self, accumulated, run):
        self.count.append(1)
        return Result(run.number, run.title, [curve(accumulated)], metadata={"n": len(self.count)})


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            KeepsOverRuns,
            "the same run after another one gives something else: .metadata['total']: 600 and 1800.",
        ),
        (CallsDiffer, "the same data give something else each time: .metadata['n']: 1 and 2."),
    ],
)
def test_what_goes_from_a_run_into_the_next_is_caught(plugin, said):
    assert_wrong(look(plugin, "run after run"), said)
    assert look(ClearsIt, "run after run").verdict is Verdict.OK


class SharedByAll(Good):
    seen: ClassVar = {}

    @hookimpl
    def run_started(self, run):
        self.seen.clear()

    @hookimpl
    def process_chunk(self, chunk):
        self.seen[len(self.seen)] = chunk.n_events
        return super().process_chunk(chunk)

    @hookimpl
    def post_process(self, accumulated, run):
        notes = {"events": sum(self.seen.values())}
        return Result(run.number, run.title, [curve(accumulated)], metadata=notes)


def test_what_all_instances_share_is_caught():
    assert_wrong(
        look(SharedByAll, "two instances"),
        "beside another instance it gives something else: .metadata['events']",
    )
    assert look(SharedByAll, "run after run").verdict is Verdict.OK


class EndsWhatDidNotBegin(Good):
    @hookimpl
    def session_started(self):
        self.file = []

    @hookimpl
    def session_ended(self):
        self.file.clear()


class FailsOnEmptyRun(Good):
    @hookimpl
    def run_started(self):
        self.n = 0

    @hookimpl
    def process_chunk(self, chunk):
        self.n += 1
        return super().process_chunk(chunk)

    @hookimpl
    def run_ended(self):
        1 / self.n


class ShowsWhatIsNew(Good):
    @hookimpl
    def run_started(self):
        self.shown = 0

    @hookimpl
    def post_process(self, accumulated, run):
        result = Result(run.number, run.title, [curve(accumulated - self.shown)])
        self.shown = accumulated
        return result


class ShowsItOnPurpose(ShowsWhatIsNew):
    order_matters = True


class HasNothingAtTheEnd(Good):
    @hookimpl
    def post_process(self, accumulated, run, update):
        return None if update.final else super().post_process(accumulated, run)


class LeavesOutUpdates(ShowsWhatIsNew):
    @hookimpl
    def post_process(self, accumulated, run, update):
        return Good.post_process(self, accumulated, run) if update.final else None


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (ShowsWhatIsNew, "with an update after each chunk the result differs: .curves[0].y["),
        (HasNothingAtTheEnd, "there is a result while a run goes on, and none at its end (update.final)."),
    ],
)
def test_one_whose_results_depend_on_the_updates_before_is_caught(plugin, said):
    assert_wrong(look(plugin, "updates in between"), said)


@pytest.mark.parametrize(
    ("plugin", "verdict"),
    [(LeavesOutUpdates, Verdict.OK), (ShowsItOnPurpose, Verdict.NOT_APPLICABLE)],
)
def test_updates_may_be_left_out_and_may_show_what_is_new_on_purpose(plugin, verdict):
    assert look(plugin, "updates in between").verdict is verdict


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (EndsWhatDidNotBegin, "session_ended without session_started: AttributeError"),
        (FailsOnEmptyRun, "run_ended fails at the edge of a run: ZeroDivisionError: division by zero."),
        (KeepsOverRuns, "after runs that were empty, stopped and begun again, a run gives something else"),
    ],
)
def test_one_that_falls_over_the_edge_of_a_run_is_caught(plugin, said):
    assert_wrong(look(plugin, "edges of runs"), said)


class Nobody:
    """A class that no checkpoint knows."""

    def __init__(self, counts):
        self.counts = counts

    def __add__(self, other):
        return Nobody(self.counts + other.counts)


class NotStorable(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return Nobody(super().process_chunk(chunk))

    @hookimpl
    def post_process(self, accumulated, run):
        return super().post_process(accumulated.counts, run)


def test_what_no_checkpoint_can_hold_is_caught():
    assert_wrong(look(NotStorable, "checkpoint"), "A checkpoint cannot hold accumulated: it is a ")


class SavesHalf(Good):
    def save_state(self):
        return 1


class SavesWhatCannotBe(ClearsIt):
    def save_state(self):
        return object()

    def restore_state(self, state):
        pass


class CannotRestore(SavesWhatCannotBe):
    def save_state(self):
        return self.total

    def restore_state(self, state):
        raise DataModelError("The calibration is another one.")


class Restores(CannotRestore):
    def restore_state(self, state):
        self.total = state


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            ClearsIt,
            "after a crash in the middle of the run the result differs: .metadata['total']: 600 and 300.",
        ),
        (SavesHalf, "there is no restore_state beside the other one"),
        (SavesWhatCannotBe, "A checkpoint cannot hold "),
        (CannotRestore, "failed in restore_state: DataModelError: The calibration is another one."),
    ],
)
def test_a_run_that_cannot_go_on_after_a_crash_is_caught(plugin, said):
    assert_wrong(look(plugin, "after a crash"), said)
    assert look(Restores, "after a crash").verdict is Verdict.OK


class NeedsAnEvent(Good):
    @hookimpl
    def process_chunk(self, chunk):
        chunk.events.tof.max()
        return super().process_chunk(chunk)


class NeedsTwoEvents(Good):
    @hookimpl
    def process_chunk(self, chunk):
        if chunk.n_events == 1:
            raise ZeroDivisionError("no spread of one event")
        return super().process_chunk(chunk)


class NeedsCharge(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return np.array([super().process_chunk(chunk), np.full(50, int(chunk.proton_charge_pc))])

    @hookimpl
    def post_process(self, accumulated, run):
        counts, charge = accumulated
        1 / int(charge[0])
        return super().post_process(counts, run)


class NeedsInside(Good):
    @hookimpl
    def process_chunk(self, chunk):
        counts = np.zeros(50, np.int64)
        np.add.at(counts, (chunk.events.tof_us // (EDGES[1] - EDGES[0])).astype(int), 1)
        return counts


class NeedsKnownPixels(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return np.bincount(np.arange(512)[chunk.events.pixel_id] // 11, minlength=50)


@pytest.mark.parametrize(
    ("plugin", "check", "said"),
    [
        (
            NeedsAnEvent,
            "no event",
            "pulses without an event, alone: process_chunk fails on chunk 1: ValueError",
        ),
        (NeedsTwoEvents, "one event", "one event, alone: process_chunk fails on chunk 1: ZeroDivisionError"),
        (
            NeedsCharge,
            "no charge",
            "pulses without proton charge, alone: post_process fails: ZeroDivisionError",
        ),
        (NeedsInside, "all outside", "process_chunk fails on chunk 1: IndexError"),
        (NeedsKnownPixels, "unknown pixels", "events of pixels that are not there (512 and beyond), alone: "),
    ],
)
def test_one_that_falls_over_a_rare_chunk_is_caught(plugin, check, said):
    assert_wrong(look(plugin, check), said)
    assert look(plugin, "native data").verdict is Verdict.OK


class ReadsOnce(Good):
    """Knows one instrument, and takes any other for a mistake."""

    def __init__(self):
        self.known = None

    @hookimpl
    def process_chunk(self, chunk):
        self.known = self.known or chunk.instrument
        if chunk.instrument != self.known:
            raise ValueError("operands could not be broadcast together")
        return super().process_chunk(chunk)


class MixesUp(Good):
    """Forgets nothing of the instrument before."""

    def __init__(self):
        self.names = {}

    @hookimpl
    def process_chunk(self, chunk):
        self.names[chunk.instrument.name] = True
        return super().process_chunk(chunk) * len(self.names)


class RefusesAnother(Good):
    @hookimpl
    def process_chunk(self, chunk):
        if chunk.instrument.name != "TST":
            raise DataModelError("The instrument has changed: begin the run again.")
        return super().process_chunk(chunk)


class FallsOverAnother(Good):
    @hookimpl
    def process_chunk(self, chunk):
        if chunk.instrument.name != "TST":
            raise IndexError("no such bank")
        return super().process_chunk(chunk)


class KnowsByName(Good):
    def __init__(self):
        self.known = {}

    @hookimpl
    def process_chunk(self, chunk):
        name = chunk.instrument.name
        if name not in self.known:
            self.known[name] = difc(read_instrument(chunk.instrument))
        pixel = chunk.events.pixel_id
        there = pixel < len(self.known[name])
        d = chunk.events.tof_us[there] / self.known[name][pixel[there]]
        return np.histogram(d * 5000.0, EDGES)[0]


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (ReadsOnce, "the same instrument in other words: process_chunk fails on chunk 3: ValueError"),
        (
            FallsOverAnother,
            "another instrument in the middle of a run: process_chunk fails on chunk 1: IndexError",
        ),
        (MixesUp, "the run after another instrument gives another result: .curves[0].y["),
        (KnowsByName, "places that changed under the same name of an instrument are not noticed: .curves["),
    ],
)
def test_one_that_falls_over_another_instrument_is_caught(plugin, said):
    assert_wrong(look(plugin, "another instrument"), said)
    assert look(RefusesAnother, "another instrument").verdict is Verdict.OK


def test_one_that_takes_too_long_is_caught():
    finding = look(Good, "time per event", budget=Budget(ns_per_event=1e-3))
    assert_wrong(finding, "; 0 ns are budgeted.")
    assert "the first call took" in finding.sentence


class Copies(Good):
    @hookimpl
    def process_chunk(self, chunk):
        np.repeat(chunk.events.tof, 300)
        return super().process_chunk(chunk)


class KeepsEvents(Good):
    @hookimpl
    def process_chunk(self, chunk):
        return chunk.events.tof.copy()

    @hookimpl
    def accumulate(self, accumulated, processed):
        return processed if accumulated is None else np.concatenate([accumulated, processed])

    @hookimpl
    def post_process(self, accumulated, run):
        return super().post_process(np.histogram(accumulated / 10, EDGES)[0], run)


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (Copies, " bytes at most for each event of a chunk; 1,000 are budgeted."),
        (
            KeepsEvents,
            "what is accumulated grows by 4.0 bytes with each event: a run of a billion needs 4 GB.",
        ),
    ],
)
def test_one_that_takes_too_much_memory_is_caught(plugin, said):
    assert_wrong(look(plugin, "memory per event"), said)


class Wrapper:
    """Doubles what the owner counts."""

    @hookimpl(wrapper=True)
    def post_process(self, run):
        result = yield
        return Result(run.number, run.title, result.curves, metadata={"wrapped": True})


class WrapperThatKeeps:
    @hookimpl(wrapper=True)
    def process_chunk(self, chunk):
        self.last = chunk
        return (yield)


def test_a_wrapper_is_checked_beside_the_defaults():
    assert problems(check_plugin(Wrapper, data=DATA, only=IN_PROCESS)) == []
    assert look(Wrapper, "results").sentence.startswith("1 curve with 2,000 points")
    assert_wrong(look(WrapperThatKeeps, "chunks not kept"), "the plugin still holds the chunk")
