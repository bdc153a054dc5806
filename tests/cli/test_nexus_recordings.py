"""NeXus files given to ``livered inspect``, ``run --source`` and ``replay``: the real programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import pytest

from livered_support import livered, started
from nexus_support import write_nexus
from waiting import until

PULSES = [[(1, 100), (2, 200)], [], [(3, 300)], [(4, 166_667)]] * 20


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "run.nxs.h5"
    write_nexus(path, {"bank1_events": PULSES, "bank_error_events": PULSES}, [18_000_000] * 80)
    return path


def test_inspect_sums_up_and_lists(tmp_path: Path, recorded: Path):
    told = livered(tmp_path, "inspect", "--json", "run.nxs.h5")
    assert (told.returncode, told.stderr) == (0, "")
    (run,) = json.loads(told.stdout)["runs"]
    assert (run["number"], run["title"], run["n_pulses"], run["n_events"]) == (
        1234,
        "diamond & more",
        80,
        160,
    )
    assert (run["proton_charge_pc"], run["n_error_pixel"]) == (80 * 18_000_000, 80)
    lines = livered(tmp_path, "inspect", "--packets", "run.nxs.h5").stdout.splitlines()
    assert len([line for line in lines if "banked event" in line]) == 80


def test_a_run_from_it_is_whole(tmp_path: Path, recorded: Path, tst):
    environment = tst(LIVERED_OUTPUT_DIR=str(tmp_path / "out"))
    result = livered(tmp_path, "run", "-i", "TST", "--source", "run.nxs.h5", environment=environment)
    assert result.returncode == 0, result
    assert "Run 1234: 80 events in 80 pulses, complete; final." in result.stdout


def test_a_replay_of_it_is_reduced_like_a_stream(tmp_path: Path, recorded: Path, tst):
    environment = tst(LIVERED_OUTPUT_DIR=str(tmp_path / "out"))
    with started(tmp_path, "replay", "run.nxs.h5", "--speed", "max", "--port", 0) as server:
        assert server.stdout is not None
        address = ""

        def announced() -> bool:
            nonlocal address
            match = re.search(r"replayed at (\S+);", server.stdout.readline())
            address = match[1] if match else address
            return bool(address)

        until(announced)
        result = livered(
            tmp_path, "run", "-i", "TST", "--address", address, "--stop-after-run", environment=environment
        )
    assert result.returncode == 0, result
    assert "Run 1234: 80 events in 80 pulses, complete; final." in result.stdout


@pytest.mark.parametrize("command", [["inspect"], ["replay"], ["run", "-i", "TST", "--source"]])
def test_hdf5_without_events_is_said_with_exit_code_2(tmp_path: Path, command: list[str], tst):
    with h5py.File(tmp_path / "other.nxs", "w") as file:
        file.create_group("entry")
    result = livered(tmp_path, *command, "other.nxs", environment=tst())
    assert result.returncode == 2
    assert result.stderr.startswith("livered: NeXus file other.nxs has no entry with events of banks")
