from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys

import attrs
import numpy as np
import pytest

from hooks_support import run_info, update
from livered_core import Curve, Image, Result
from livered_core.errors import LiveredError
from livered_core.publish.latest import Published
from livered_core.publish.run_directory import AlreadyRunning, RunDirectory


def _published():
    notes = {"peak": np.float32(1.5), "width": np.nan, "limit": -np.inf, "seen": np.True_, "n": np.int64(3)}
    curve = Curve("n", [0.0, 1.0, 2.0], [1.0, np.nan], [0.5, np.inf], "Angstrom", "counts", metadata=notes)
    image = Image("i", [0, 1], [0, 1], [[2.0]], "us", "deg", "counts", {"worst": np.nan})
    result = Result(1, "a <title>", (curve,), (image,), {"k": 1, "scale": np.inf})
    return Published(3, result, run_info(), attrs.evolve(update(), proton_charge_pc=np.nan))


def test_the_newest_result_can_be_read_by_anything_that_reads_json(tmp_path):
    with RunDirectory(tmp_path) as folder:
        folder.write_latest(_published())
    latest = json.loads((tmp_path / "latest.json").read_text(), parse_constant=pytest.fail)
    assert (latest["format"], latest["version"], latest["run"]["number"], latest["update"]["sequence"]) == (
        1,
        3,
        1,
        1,
    )
    (curve,) = latest["curves"]
    assert curve["x"] == [0.0, 1.0, 2.0]
    assert curve["y"] == [1.0, None]
    assert curve["e"] == [0.5, None]
    assert (curve["x_unit"], curve["y_unit"]) == ("Angstrom", "counts")
    assert curve["metadata"] == {"peak": 1.5, "width": None, "limit": None, "seen": True, "n": 3}
    assert latest["images"][0]["z"] == [[2.0]]
    assert latest["images"][0]["metadata"] == {"worst": None}
    assert latest["metadata"] == {"k": 1, "scale": None}
    assert latest["update"]["proton_charge_pc"] is None


def test_a_status_with_numbers_that_are_not_finite_is_still_json(tmp_path):
    with RunDirectory(tmp_path) as folder:
        folder.write_status({"lag_s": np.inf, "source": {"rates": (np.nan, 1.0), "where": "here"}})
    status = json.loads((tmp_path / "status.json").read_text(), parse_constant=pytest.fail)
    assert status == {"lag_s": None, "source": {"rates": [None, 1.0], "where": "here"}}


def test_neither_file_waits_for_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("synced"))
    with RunDirectory(tmp_path) as folder:
        folder.write_latest(_published())
        folder.write_status({})
    assert {"latest.json", "status.json"} < {path.name for path in tmp_path.iterdir()}


def test_a_session_begins_without_the_results_of_the_one_before_it(tmp_path):
    with RunDirectory(tmp_path) as folder:
        folder.write_latest(_published())
        folder.write_status({"phase": "stopped"})
    assert (tmp_path / "latest.json").exists()
    with RunDirectory(tmp_path):
        assert not (tmp_path / "latest.json").exists()
        assert json.loads((tmp_path / "status.json").read_text()) == {"phase": "stopped"}


def test_the_lock_names_its_owner_and_nobody_else(tmp_path):
    (tmp_path / "lock").write_text(
        "process 4194304 on a-machine-with-a-name-that-is-longer-than-this-one's\n" * 5
    )
    with RunDirectory(tmp_path):
        expected = f"process {os.getpid()} on {socket.gethostname()}\n"
        assert (tmp_path / "lock").read_text() == expected


@pytest.mark.parametrize("name", ["lock", "latest.json"])
def test_a_run_directory_that_cannot_be_used_is_one_sentence_and_no_lock_is_left(tmp_path, name):
    (tmp_path / name / "inside").mkdir(parents=True)
    with pytest.raises(LiveredError) as caught, RunDirectory(tmp_path):
        pass
    assert str(caught.value) == (
        f"The run directory {tmp_path} cannot be used (Is a directory): "
        "remove what is in it, or mend its permissions."
    )
    (tmp_path / name / "inside").rmdir()
    (tmp_path / name).rmdir()
    with RunDirectory(tmp_path):
        pass


def test_files_are_replaced_whole_and_leave_nothing_behind(tmp_path):
    with RunDirectory(tmp_path) as folder:
        for number in range(3):
            folder.write_status({"number": number})
        assert json.loads((tmp_path / "status.json").read_text()) == {"number": 2}
        assert sorted(p.name for p in tmp_path.iterdir()) == ["lock", "status.json"]
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_a_second_engine_is_refused_and_told_who_is_there(tmp_path):
    holder = (
        "import sys, pathlib; from livered_core.publish.run_directory import RunDirectory\n"
        "with RunDirectory(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        (tmp_path / "latest.json").write_text("{}")
        pattern = rf"process {other.pid} on .* holds"
        with pytest.raises(AlreadyRunning, match=pattern) as caught, RunDirectory(tmp_path):
            pass
        assert caught.value.exit_code == 2
        assert (tmp_path / "latest.json").read_text() == "{}"
        other.stdin.close()
        assert other.wait(30) == 0
    with RunDirectory(tmp_path):
        pass
