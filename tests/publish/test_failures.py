from __future__ import annotations

import json

import attrs
import pytest

from hooks_support import run_info
from livered_core import HookFailure
from livered_core.publish.failures import LONGEST_ERROR, LONGEST_TRACEBACK, MOST_FAILURES, Failures
from livered_core.publish.run_directory import RunDirectory

FAILURE = HookFailure("nom", "1.0", "process_chunk", "ValueError: <b>", "Traceback: <b>", 4, 1)


class Clock:
    def now_ns(self) -> int:
        return 1_000


@pytest.fixture
def failures():
    return Failures("now", Clock())


def written(failures: Failures):
    return json.loads("".join(failures.as_json()), parse_constant=pytest.fail)


def test_a_failure_is_written_with_its_time_its_run_and_its_traceback(failures):
    assert written(failures) == {"format": 2, "version": 0, "total": 0, "failures": []}
    failures.failed(FAILURE, run_info(3))
    failures.failed(attrs.evolve(FAILURE, hook="session_started", chunk_sequence=None), None)
    document = written(failures)
    assert (document["version"], document["total"]) == (2, 2)
    newest, first = document["failures"]
    assert (newest["hook"], newest["run"], newest["chunk_sequence"]) == ("session_started", None, None)
    assert first == {
        "time_ns": 1_000,
        "session": "now",
        "run": 3,
        "plugin": "nom",
        "version": "1.0",
        "hook": "process_chunk",
        "error": "ValueError: <b>",
        "traceback": "Traceback: <b>",
        "chunk_sequence": 4,
        "consecutive": 1,
        "sentence": "Plugin nom 1.0 failed in process_chunk on chunk 4: ValueError: <b>",
    }


def test_a_sink_that_fails_for_hours_does_not_push_out_the_others(failures):
    failures.failed(FAILURE, run_info(3))
    sink = attrs.evolve(FAILURE, plugin="monitor", hook="post_publish", chunk_sequence=None)
    for consecutive in range(1, 201):
        failures.failed(attrs.evolve(sink, consecutive=consecutive), run_info(3))
    document = written(failures)
    assert [(f["plugin"], f["consecutive"]) for f in document["failures"]] == [("monitor", 200), ("nom", 1)]
    assert (document["total"], document["version"]) == (201, 201)
    failures.failed(sink, run_info(3))
    assert [f["consecutive"] for f in written(failures)["failures"]] == [1, 200, 1]
    # Another error, or another run, is another failure.
    failures.failed(attrs.evolve(sink, consecutive=201, error="OSError: other"), run_info(3))
    failures.failed(attrs.evolve(sink, consecutive=202, error="OSError: other"), run_info(4))
    assert len(written(failures)["failures"]) == 5


def test_there_is_an_end_to_how_many_and_how_long_they_are(failures):
    long = attrs.evolve(FAILURE, error="e" * 99_999, traceback="first" + "t" * 99_999 + "last")
    for chunk in range(MOST_FAILURES + 3):
        failures.failed(attrs.evolve(long, chunk_sequence=chunk), run_info())
    document = written(failures)
    assert document["total"] == MOST_FAILURES + 3
    shown = document["failures"]
    assert [f["chunk_sequence"] for f in shown] == [*range(MOST_FAILURES + 2, 2, -1)]
    assert shown[0]["traceback"].startswith("... (80008 characters before)\nttt")
    assert shown[0]["traceback"].endswith("tlast")
    assert len(shown[0]["traceback"]) < LONGEST_TRACEBACK + 50
    assert max(len(shown[0][key]) for key in ("error", "sentence")) == LONGEST_ERROR + len("...")


def test_the_next_session_goes_on_with_the_list(tmp_path, failures):
    failures.failed(FAILURE, run_info(3))
    with RunDirectory(tmp_path) as folder:
        folder.replace("failures.json", failures.as_json())
        again = Failures.continued(folder, "next", Clock())
    assert written(again) == written(failures)
    again.failed(FAILURE, None)
    document = written(again)
    assert [f["session"] for f in document["failures"]] == ["next", "now"]
    assert (document["version"], document["total"]) == (2, 2)


@pytest.mark.parametrize(
    "change", [{"format": 3}, {"total": "x"}, {"failures": [{}]}, {"failures": [1]}, {"failures": None}]
)
def test_a_list_that_is_not_as_it_is_written_is_begun_anew(tmp_path, caplog, failures, change):
    failures.failed(FAILURE, None)
    (tmp_path / "failures.json").write_text(json.dumps({**written(failures), **change}))
    with RunDirectory(tmp_path) as folder:
        assert written(Failures.continued(folder, "next", Clock()))["total"] == 0
    assert "failures.json.damaged" in caplog.text
