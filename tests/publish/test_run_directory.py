from __future__ import annotations

import json
import stat
import subprocess
import sys

import numpy as np
import pytest

from hooks_support import run_info, update
from livered_core import Curve, Image, Result
from livered_core.publish.latest import Published
from livered_core.publish.run_directory import AlreadyRunning, RunDirectory


def _published():
    curve = Curve(
        "n", [0.0, 1.0, 2.0], [1.0, np.nan], [0.5, np.inf], "Angstrom", "counts", metadata={"peak": 1.5}
    )
    image = Image("i", [0, 1], [0, 1], [[2.0]], "us", "deg", "counts")
    return Published(3, Result(1, "a <title>", (curve,), (image,), {"k": 1}), run_info(), update())


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
    assert (curve["x_unit"], curve["y_unit"], curve["metadata"]) == ("Angstrom", "counts", {"peak": 1.5})
    assert latest["images"][0]["z"] == [[2.0]]


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
        with pytest.raises(AlreadyRunning, match=rf"process {other.pid} on .* holds"), RunDirectory(tmp_path):
            pass
        other.stdin.close()
        assert other.wait(30) == 0
    with RunDirectory(tmp_path):
        pass
