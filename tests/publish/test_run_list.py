from __future__ import annotations

import json
import threading

import attrs
import numpy as np
import pytest

from hooks_support import result, run_info, update
from livered_core import Receipt, RunEndReason
from livered_core.publish.as_json import ResultEncoder
from livered_core.publish.latest import Published
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.run_list import ENGINE_DIED, LEFT, LONGEST_TITLE, MOST_KEPT, MOST_RUNS, RunList


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self, now_ns: int = 1_000) -> None:
        self.ns = now_ns

    def now_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9

    def wait(self, event: threading.Event, timeout: float) -> bool:
        return event.wait(timeout)


def run(number: int = 1, start_ns: int = 50, **changes):
    return attrs.evolve(run_info(number), start_ns=start_ns, **changes)


def published(of, version: int = 1, final: bool = False, **changes) -> Published:
    about = attrs.evolve(update(final=final), **changes)
    return Published(version, result(of.number), of, about, "now", 7)


def written(runs: RunList):
    return json.loads("".join(runs.as_json()), parse_constant=pytest.fail)


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def runs(clock):
    return RunList("now", clock)


def test_a_run_is_in_the_list_from_its_beginning_to_its_end(runs, clock):
    one = run(3, title="a <title>", proposal="IPTS-1")
    runs.run_started(one)
    going = {
        "number": 3,
        "title": "a <title>",
        "proposal": "IPTS-1",
        "start_ns": 50,
        "session": "now",
        "end_ns": 0,
        "end": "",
        "final": False,
        "n_events": 0,
        "n_pulses": 0,
        "proton_charge_pc": 0.0,
        "complete": True,
        "missing": [],
        "last_pulse_ns": 0,
        "skipped_chunks": 0,
        "skipped_events": 0,
        "version": 0,
        "kept": False,
        "receipts": {},
    }
    assert written(runs) == {"format": 2, "version": 1, "runs": [going]}
    runs.run_known(attrs.evolve(one, title="b"))
    numbers = {"n_events": 9, "n_pulses": 8, "last_pulse_ns": 6, "proton_charge_pc": 7.5, "complete": False}
    runs.published(published(one, 4, final=True, missing=("why",), **numbers))
    runs.taken("files", published(one), Receipt("/out", 5, 6, ["/out/a"]))
    runs.taken("files", published(one), Receipt("/out", 7, 8, ["/out/b"]))
    runs.taken("monitor", published(one), Receipt("https://there", 9, 1))
    clock.ns = 2_000
    runs.run_ended(one, RunEndReason.ENDED)
    (entry,) = written(runs)["runs"]
    assert entry == {
        **going,
        **numbers,
        "final": True,
        "missing": ["why"],
        "version": 4,
        "end": "ended",
        "end_ns": 2_000,
        "receipts": {
            "files": {"where": "/out", "when_ns": 7, "size": 8, "files": ["/out/b"]},
            "monitor": {"where": "https://there", "when_ns": 9, "size": 1, "files": []},
        },
    }


def test_the_version_grows_with_each_change_and_with_nothing_else(runs):
    one, versions = run(3), [runs.version]
    steps = [
        lambda: runs.run_started(one),
        lambda: runs.published(published(one)),
        lambda: runs.taken("files", published(one), Receipt("/out", 1, 1)),
        lambda: runs.run_ended(one, RunEndReason.ENDED),
        lambda: runs.kept(one),
    ]
    for step in steps:
        step()
        versions.append(runs.version)
        runs.run_known(one)
        runs.taken("files", published(run(8)), Receipt("/out", 1, 1))
        assert runs.version == versions[-1]
    assert versions == [0, 1, 2, 3, 4, 5]


def test_the_newest_is_the_first_and_there_is_an_end(runs):
    for number in range(1, MOST_RUNS + 3):
        runs.run_started(run(number))
    assert [entry["number"] for entry in written(runs)["runs"]] == [*range(MOST_RUNS + 2, 2, -1)]


def test_a_run_that_is_begun_again_goes_on(runs):
    runs.run_started(run(3))
    runs.published(published(run(3), 2))
    runs.run_ended(run(3), RunEndReason.BEGUN_AGAIN)
    assert written(runs)["runs"][0]["end"] == ""
    runs.run_started(run(3))
    (entry,) = written(runs)["runs"]
    assert (entry["end"], entry["end_ns"], entry["version"]) == ("", 0, 2)


@pytest.mark.parametrize(
    ("first", "second", "same"), [(50, 50, True), (50, 0, True), (0, 50, True), (50, 51, False)]
)
def test_another_run_with_the_same_number_takes_its_place(runs, first, second, same):
    runs.run_started(run(3, first))
    runs.taken("files", published(run(3, first)), Receipt("/out", 1, 1))
    runs.kept(run(3, first))
    runs.run_started(run(4))
    runs.run_started(run(3, second))
    newest, other = written(runs)["runs"]
    assert (newest["number"], other["number"]) == (3, 4)
    assert (newest["kept"], bool(newest["receipts"])) == (same, same)
    # What comes late for the other one is not noted for this one.
    runs.taken("late", published(run(3, first)), Receipt("/out", 2, 2))
    assert ("late" in written(runs)["runs"][0]["receipts"]) is same


def test_a_run_made_of_other_types_does_not_end_the_reduction(runs):
    odd = attrs.evolve(run(3), title=None, start_ns=np.int64(50), proposal=7)
    runs.run_started(odd)
    runs.run_known(odd)
    runs.published(published(odd, n_events=np.int64(2), proton_charge_pc=np.float32(np.nan)))
    (entry,) = written(runs)["runs"]
    assert (entry["title"], entry["proposal"], entry["start_ns"]) == ("None", "7", 50)
    assert (entry["n_events"], entry["proton_charge_pc"]) == (2, None)


def test_a_title_without_end_does_not_make_the_list_one(runs):
    runs.run_started(run(3, title="x" * 4_000_000, proposal="y" * 4_000_000))
    runs.run_known(run(3, title="z" * 4_000_000))
    assert len("".join(runs.as_json())) < 3_000
    assert written(runs)["runs"][0]["title"] == "z" * LONGEST_TITLE


def test_a_start_that_becomes_known_is_noted(runs):
    runs.run_started(run(3, 0))
    runs.run_known(run(3, 50))
    runs.run_known(run(3, 0))
    assert written(runs)["runs"][0]["start_ns"] == 50


def test_the_results_of_the_newest_runs_are_kept(runs):
    for number in range(1, MOST_KEPT + 3):
        runs.run_started(run(number))
        staying = runs.kept(run(number))
    assert staying == set(range(3, MOST_KEPT + 3))
    assert {entry["number"] for entry in written(runs)["runs"] if entry["kept"]} == staying


def test_the_end_of_a_session_is_the_end_of_the_run_that_goes_on(runs, clock):
    for number in (3, 4):
        runs.run_started(run(number))
    runs.run_ended(run(3), RunEndReason.ENDED)
    clock.ns = 9_000
    runs.session_ended(RunEndReason.SESSION_FAILED)
    assert [(entry["number"], entry["end"]) for entry in written(runs)["runs"]] == [
        (4, "session failed"),
        (3, "ended"),
    ]
    assert written(runs)["runs"][0]["end_ns"] == 9_000


def test_the_next_session_goes_on_with_the_list_and_sees_that_an_engine_died(tmp_path, runs, clock):
    for number in (3, 4, 5):
        runs.run_started(run(number))
    runs.run_ended(run(3), RunEndReason.ENDED)
    runs.kept(run(3))
    runs.kept(run(4))
    with RunDirectory(tmp_path) as folder:
        folder.replace("runs.json", runs.as_json())
        folder.replace("runs/4.json", ["{}"])
        before = runs.version
        clock.ns = 77
        again = RunList.continued(folder, "next", clock)
    # What is kept is what is there, whatever the list says.
    assert [(e["number"], e["end"], e["kept"]) for e in written(again)["runs"]] == [
        (5, ENGINE_DIED, False),
        (4, ENGINE_DIED, True),
        (3, "ended", False),
    ]
    assert (written(again)["runs"][0]["end_ns"], again.version) == (77, before + 1)
    # A run that nobody has seen end is not complete, and says so.
    assert [(e["complete"], e["missing"]) for e in written(again)["runs"]] == [
        (False, [LEFT]),
        (False, [LEFT]),
        (True, []),
    ]
    again.run_started(run(5))
    newest = written(again)["runs"][0]
    assert (newest["number"], newest["session"], newest["end"], newest["end_ns"]) == (5, "next", "", 0)
    # Taken up again, it is whole.
    assert (newest["complete"], newest["missing"]) == (True, [])
    assert again.version == before + 2


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"number": "3"},
        {"missing": [1]},
        {"missing": 1},
        {"receipts": []},
        {"receipts": {"files": "x"}},
        {"n_events": None},
        {"kept": 1},
        {"surprise": 1},
    ],
)
def test_a_list_that_is_not_as_it_is_written_is_begun_anew(tmp_path, runs, clock, caplog, change):
    runs.run_started(run(3))
    document = written(runs)
    document["runs"][0].update(change)
    (tmp_path / "runs.json").write_text(json.dumps(document))
    with RunDirectory(tmp_path) as folder:
        again = RunList.continued(folder, "next", clock)
    assert written(again) == {"format": 2, "version": 0, "runs": []}
    assert "runs.json.damaged" in caplog.text


def test_many_threads_may_tell_it_at_once(runs):
    def tell(sink: str) -> None:
        for number in range(1, 101):
            runs.run_started(run(number))
            runs.taken(sink, published(run(number)), Receipt(sink, 1, 1))
            written(runs)

    threads = [threading.Thread(target=tell, args=(f"sink {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = written(runs)["runs"]
    assert len(entries) == 100
    assert all(set(entry["receipts"]) == {f"sink {n}" for n in range(4)} for entry in entries)


def test_a_file_of_another_run_with_the_same_number_is_not_taken_for_that_of_the_newest(tmp_path, clock):
    with RunDirectory(tmp_path) as folder:
        encode = ResultEncoder().parts
        folder.replace("runs/3.json", encode(published(run(3, 50))))
        folder.replace("runs/4.json", encode(published(run(4, 60))))
        runs = RunList("abc", clock)
        for number, start_ns in ((3, 70), (4, 60)):
            runs.run_started(run(number, start_ns))
        folder.replace("runs.json", runs.as_json())
        again = RunList.continued(folder, "next", clock)
    # Of run 4 the engine was killed before it could note the file.
    assert [(entry["number"], entry["kept"]) for entry in written(again)["runs"]] == [(4, True), (3, False)]
