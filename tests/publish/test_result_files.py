from __future__ import annotations

import json
import threading

import attrs
import pytest

from hooks_support import result, run_info, update
from livered_core import RunEndReason
from livered_core.clocks import SystemClock
from livered_core.publish.latest import Published
from livered_core.publish.result_files import ResultFiles
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.run_list import MOST_KEPT, RunList
from waiting import WAIT, until


def run(number: int, start_ns: int = 50):
    return attrs.evolve(run_info(number), start_ns=start_ns)


class Publishing:
    """What the session does with a result."""

    def __init__(self, folder: RunDirectory) -> None:
        self.path = folder.path
        self.runs = RunList.continued(folder, "now", SystemClock())
        self.files = ResultFiles(folder, self.runs)
        self._version = 0

    def make(self, of, final: bool = False) -> Published:
        """Make a result, and offer it; the publish thread has not seen it yet."""
        self._version += 1
        if not self.runs.entry(of.number) or not self.runs.entry(of.number).is_of(of):
            self.runs.run_started(of)
        item = Published(self._version, result(of.number), of, update(self._version, final), "now", 7)
        self.runs.published(item)
        self.files.offer(item)
        return item

    def show(self, of, final: bool = False) -> None:
        self.files.show(self.make(of, final))

    @property
    def latest(self) -> int:
        return json.loads((self.path / "latest.json").read_text())["version"]

    @property
    def kept(self) -> dict[int, int]:
        """Run to the version of its result, as the files have it; the list of runs must say the same."""
        found = {int(p.stem): json.loads(p.read_text()) for p in (self.path / "runs").iterdir()}
        assert all(document["run"]["number"] == number for number, document in found.items())
        listed = json.loads("".join(self.runs.as_json()))["runs"]
        assert {entry["number"] for entry in listed if entry["kept"]} == set(found)
        return {number: document["version"] for number, document in found.items()}


@pytest.fixture
def folder(tmp_path):
    with RunDirectory(tmp_path) as opened:
        yield opened


@pytest.fixture
def publishing(folder):
    return Publishing(folder)


def test_a_final_result_is_kept_when_the_next_run_comes(publishing):
    publishing.show(run(3))
    assert (publishing.latest, publishing.kept) == (1, {})
    publishing.show(run(3), final=True)
    assert (publishing.latest, publishing.kept) == (2, {3: 2})
    publishing.show(run(4))
    assert (publishing.latest, publishing.kept) == (3, {3: 2})


def test_a_final_result_is_kept_when_it_was_never_the_newest_that_the_publish_thread_saw(publishing):
    publishing.show(run(3))
    for number in (3, 4, 5):
        publishing.make(run(number), final=True)
    publishing.show(run(6))
    assert (publishing.latest, publishing.kept) == (5, {3: 2, 4: 3, 5: 4})


def test_the_newest_result_of_a_run_without_a_final_one_is_kept_at_the_next_run_and_at_the_end(publishing):
    publishing.show(run(3))
    publishing.show(run(3))
    publishing.show(run(4))
    assert publishing.kept == {3: 2}
    publishing.files.close()
    assert publishing.kept == {3: 2, 4: 3}


def test_another_run_with_the_same_number_takes_its_place(publishing):
    publishing.show(run(3), final=True)
    publishing.show(run(3, start_ns=51))
    assert publishing.runs.entry(3).kept is False
    publishing.show(run(3, start_ns=51), final=True)
    assert publishing.kept == {3: 3}


def test_the_results_of_the_newest_runs_stay(publishing):
    for number in range(1, MOST_KEPT + 4):
        publishing.show(run(number), final=True)
    assert set(publishing.kept) == set(range(4, MOST_KEPT + 4))


def test_a_result_costs_its_room_once(publishing):
    publishing.show(run(3), final=True)
    assert (publishing.path / "latest.json").samefile(publishing.path / "runs" / "3.json")
    publishing.show(run(4))
    assert not (publishing.path / "latest.json").samefile(publishing.path / "runs" / "3.json")


def test_a_full_disk_is_said_once_until_it_went_well_again(publishing, monkeypatch, caplog):
    publishing.show(run(3))
    full = OSError(28, "No space left on device")

    class Full:
        def __call__(self, *_, **__):
            raise full

    real = RunDirectory.replace
    for _ in range(2):
        monkeypatch.setattr(RunDirectory, "replace", Full())
        with pytest.raises(OSError, match="No space"):
            publishing.show(run(3))
        publishing.show(run(3))
        publishing.show(run(4), final=True)
        monkeypatch.setattr(RunDirectory, "replace", real)
        publishing.show(run(4))
    monkeypatch.setattr(RunDirectory, "keep", Full())
    caplog.clear()
    for number in (5, 6, 7):
        publishing.show(run(number), final=True)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "The result of run 4 cannot be kept in" in said
    assert "No space left on device" in said


def test_closing_does_not_wait_for_a_publish_thread_that_hangs(publishing, monkeypatch):
    publishing.show(run(3))
    go_on, hangs = threading.Event(), threading.Event()
    real = RunDirectory.replace

    def hang(*arguments):
        hangs.set()
        assert go_on.wait(WAIT)
        real(*arguments)

    monkeypatch.setattr(RunDirectory, "replace", hang)
    thread = threading.Thread(target=publishing.show, args=(run(3),))
    thread.start()
    assert hangs.wait(WAIT)
    closed = threading.Thread(target=publishing.files.close)
    closed.start()
    closed.join(WAIT)
    assert not closed.is_alive()
    assert publishing.kept == {}
    go_on.set()
    thread.join(WAIT)
    until(lambda: publishing.latest == 2)


@pytest.mark.parametrize(("ended", "kept"), [(False, {3: 2}), (True, {})])
def test_what_an_engine_that_died_had_last_is_kept_at_the_next_start(folder, publishing, ended, kept):
    publishing.show(run(3))
    publishing.show(run(3))
    if ended:
        publishing.runs.run_ended(run(3), RunEndReason.ENDED)
    folder.replace("runs.json", publishing.runs.as_json())
    again = Publishing(folder)
    assert (again.latest, again.kept) == (2, kept)
    assert again.runs.entry(3).end == ("ended" if ended else "engine died")


@pytest.mark.parametrize("content", ["{", '{"format": 1}', '{"format": 2, "run": {"number": 0}}', "[]"])
def test_a_newest_result_that_cannot_be_read_is_set_aside(folder, content, caplog):
    (folder.path / "latest.json").write_text(content)
    again = Publishing(folder)
    assert (folder.path / "latest.json.damaged").read_text() == content
    assert "latest.json.damaged" in caplog.text
    again.show(run(1), final=True)
    assert again.kept == {1: 1}
