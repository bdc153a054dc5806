from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hooks_support import result, run_info, update
from livered_core import RunInfo
from livered_core.publish.latest import Published
from livered_core.publish.outbox import Outbox, OutboxBusy, Removed, unsent_files
from livered_core.publish.published_runs import MOST_RUNS, PublishedRuns
from livered_core.publish.stored import StoredDamaged, StoredTooNew
from waiting import WAIT

TESTS = Path(__file__).parents[1]


@pytest.fixture
def outbox(tmp_path):
    made = Outbox(lambda: tmp_path)
    made.open()
    yield made
    made.close()


def item(run=7):
    return Published(1, result(run), run_info(run), update(2, final=True))


def reopened(tmp_path, outbox):
    outbox.close()
    again = Outbox(lambda: tmp_path)
    kept = again.open()
    again.close()
    return kept


def test_a_result_is_written_once_for_all_its_sinks_and_only_its_owner_can_read_it(tmp_path, outbox):
    name = outbox.keep(item(), ["one", "two"], 5)
    paths = [tmp_path / "unsent" / sink / name for sink in ("one", "two")]
    assert [path.stat().st_nlink for path in paths] == [2, 2]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in paths} == {0o700}
    assert stat.S_IMODE((tmp_path / "unsent").stat().st_mode) == 0o700
    outbox.remove("one", name)
    assert not paths[0].exists()
    assert outbox.load("two", name).result.run_number == 7


def test_names_keep_the_order_of_publication_although_the_clock_goes_back(tmp_path, outbox):
    names = [outbox.keep(item(run), ["one"], now_ns) for run, now_ns in ((3, 100), (2, 50), (9, 100))]
    outbox.close()
    outbox.open()
    names += [outbox.keep(item(1), ["one"], 60)]
    assert names == sorted(names)
    assert [file.run for file in sorted(unsent_files(tmp_path / "unsent"), key=lambda f: f.name)] == [
        3,
        2,
        9,
        1,
    ]


def test_a_new_session_finds_what_waits_and_removes_what_a_killed_one_half_wrote(tmp_path, outbox):
    kept_run = RunInfo(8, "TST", start_ns=77)
    name = outbox.keep(Published(1, result(8), kept_run, update(1, True)), ["two", "one"], 5)
    half = tmp_path / "unsent" / "one" / ".0123456789abcdef.partial"
    half.write_text("half")
    foreign = tmp_path / "unsent" / "one" / "notes.txt"
    foreign.write_text("mine")
    kept = reopened(tmp_path, outbox)
    assert [(file.sink, file.name, file.key) for file in kept.files] == [
        ("one", name, (8, 77)),
        ("two", name, (8, 77)),
    ]
    assert not half.exists()
    assert foreign.exists()


def test_what_is_damaged_is_set_aside(tmp_path, outbox):
    name = outbox.keep(item(), ["one"], 5)
    path = tmp_path / "unsent" / "one" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoredDamaged, match=r"\.damaged was set aside: its checksum is wrong"):
        outbox.load("one", name)
    assert [p.name for p in path.parent.iterdir()] == [f"{name}.damaged"]
    assert reopened(tmp_path, outbox).files == []


def test_what_a_newer_livered_wrote_stays(tmp_path, outbox):
    name = outbox.keep(item(), ["one"], 5)
    path = tmp_path / "unsent" / "one" / name
    path.write_bytes(path.read_bytes().replace(b"result 1\n", b"result 9\n", 1))
    with pytest.raises(StoredTooNew):
        outbox.load("one", name)
    assert len(reopened(tmp_path, outbox).files) == 1


def test_what_somebody_removed_is_told_from_a_folder_that_is_gone(tmp_path, outbox):
    name = outbox.keep(item(), ["one"], 5)
    outbox.require("one", name)
    (tmp_path / "unsent" / "one" / name).unlink()
    for look in (outbox.require, outbox.load):
        with pytest.raises(Removed):
            look("one", name)
    (tmp_path / "unsent" / "one").rmdir()
    with pytest.raises(FileNotFoundError):
        outbox.require("one", name)


def test_one_engine_at_a_time_keeps_the_folder(tmp_path, outbox):
    other = Outbox(lambda: tmp_path)
    with pytest.raises(OutboxBusy, match=f"process {os.getpid()} on .* keeps "):
        other.open()
    with pytest.raises(OSError, match="is not open"):
        other.keep(item(), ["one"], 5)
    assert list(unsent_files(tmp_path / "unsent")) == []
    outbox.close()
    other.open()
    other.close()


def test_on_a_full_disk_a_result_is_kept_for_all_its_sinks_or_for_none(tmp_path):
    script = """
        import errno, os, resource, sys
        from pathlib import Path
        from hooks_support import result, run_info, update
        from livered_core.publish.latest import Published
        from livered_core.publish.outbox import Outbox
        state = Path(sys.argv[1])
        outbox = Outbox(lambda: state)
        outbox.open()
        item = Published(1, result(7), run_info(7), update(2, True))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
        try:
            outbox.keep(item, ["one", "two"], 5)
        except OSError as error:
            assert error.errno == errno.EFBIG
        else:
            sys.exit("it was written")
        assert not any(path.is_file() for path in state.glob("unsent/*/*")), list(state.glob("unsent/*/*"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        (state / "unsent" / "two").write_text("in the way")
        try:
            outbox.keep(item, ["one", "two"], 6)
        except OSError:
            assert not list((state / "unsent" / "one").iterdir())
        else:
            sys.exit("it was written")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        timeout=WAIT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_where_the_file_system_knows_no_links_each_sink_gets_a_file(tmp_path, outbox, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    name = outbox.keep(item(), ["one", "two"], 5)
    for sink in ("one", "two"):
        assert (tmp_path / "unsent" / sink / name).stat().st_nlink == 1
        assert outbox.load(sink, name).run.number == 7


def test_published_runs_are_remembered_up_to_a_number(tmp_path):
    record = PublishedRuns(tmp_path / "published.json")
    assert record.load() == frozenset()
    (tmp_path / "published.json").write_text(
        json.dumps({"format": 1, "runs": [[number, 5] for number in range(1, MOST_RUNS + 1)]})
    )
    record.load()
    record.add(RunInfo(1, "TST", start_ns=5))
    record.add(RunInfo(5000, "TST", start_ns=9))
    record.add(RunInfo(6000, "TST", start_ns=0))
    again = PublishedRuns(tmp_path / "published.json").load()
    assert len(again) == MOST_RUNS
    assert {(1, 5), (5000, 9)} <= again
    assert (2, 5) not in again
    assert stat.S_IMODE((tmp_path / "published.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 2, "runs": []}', '{"format": 1, "runs": [1]}', "\x80"]
)
def test_a_record_that_cannot_be_understood_is_begun_anew(tmp_path, text, caplog):
    path = tmp_path / "published.json"
    path.write_text(text, encoding="latin-1")
    record = PublishedRuns(path)
    assert record.load() == frozenset()
    assert "is not a record of published runs" in caplog.text
    record.add(RunInfo(1, "TST", start_ns=5))
    assert PublishedRuns(path).load() == {(1, 5)}
