"""The real program on a simulated beamline: what it tells in the run directory, also when it is killed."""

from __future__ import annotations

import json
import re
import signal
import stat
from pathlib import Path

import pytest

from livered_support import WAIT, started
from waiting import until

PAGE = Path(__file__).parents[2] / "docs" / "run-directory.md"
CONFIG = """
update_every = 0.5
[simulate]
rate = 100000.0
run_length = 600.0
"""


def read(folder: Path, name: str):
    return json.loads((folder / name).read_text(), parse_constant=pytest.fail)


def keys_on_the_page(section: str) -> set[str]:
    """The keys that the table below a heading names."""
    below = PAGE.read_text().split(f"# {section}\n", 1)[1]
    below = re.split(r"\n#+ ", below, maxsplit=1)[0]
    firsts = [line.split("|")[1] for line in below.splitlines() if line.startswith("|")]
    return {key for first in firsts for key in re.findall(r"`(\w+)`", first)}


def named_in_the_page(pattern: str) -> set[str]:
    """The keys in the object that a pattern finds on the page."""
    (found,) = re.findall(pattern, PAGE.read_text())
    return set(re.findall(r'"(\w+)"', found))


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """An engine is killed in the middle of a run, and another one is asked to stop in the middle of the next run."""
    tmp_path = tmp_path_factory.mktemp("killed")
    folder = tmp_path / "run" / "livered" / "NOM-simulated"
    told = []
    for number, end in ((7, signal.SIGKILL), (8, signal.SIGTERM)):
        (tmp_path / "c.toml").write_text(f"{CONFIG}run_number = {number}\n")
        with started(
            tmp_path, "run", "--instrument", "NOM", "--simulate", "--plain", "--config", "c.toml"
        ) as process:

            def in_hand(number=number) -> bool:
                if not (folder / "runs.json").exists():
                    return False
                runs = read(folder, "runs.json")["runs"]
                going = bool(runs) and runs[0]["number"] == number and runs[0]["version"] >= 2
                return going and bool(read(folder, "status.json")["logs"])

            until(in_hand)
            process.send_signal(end)
            code = process.wait(WAIT)
            assert code == (-signal.SIGKILL if end == signal.SIGKILL else 0), process.stdout.read()
        told.append({path.name: read(folder, path.name) for path in folder.glob("*.json")})
    return folder, *told


def test_each_file_has_the_keys_that_the_page_says(twice):
    _, _, told = twice
    assert set(told) == {"status.json", "latest.json", "runs.json", "history.json", "failures.json"}
    status, latest = told["status.json"], told["latest.json"]
    assert set(status) == keys_on_the_page("`status.json`")
    assert set(status["session"]) == named_in_the_page(r"`session` \| `(\{.*?\})`; `id`") - {
        "name",
        "version",
    }
    assert set(status["plugins"][0]) == keys_on_the_page("Plugins in `status.json`") - {"null"}
    assert set(status["plugins"][0]["hooks"][0]) == named_in_the_page(r"each hook that it has `(\{.*?\})`")
    assert set(status["run"]) == named_in_the_page(r"`run` \| `(\{.*?\})` or `null`")
    assert set(status["logs"][0]) == named_in_the_page(r"`logs` \| list of `(\{.*?\})`")
    assert set(status["sinks"][0]) == named_in_the_page(r"`sinks` \| list of `(\{.*?\}.*?\})`") - {
        "where",
        "when_ns",
        "size",
        "files",
    }
    assert set(latest) == keys_on_the_page("`latest.json` and `runs/NUMBER.json`")
    assert set(latest["update"]) == named_in_the_page(r"`update` \| `(\{.*?\})`")
    assert set(latest["curves"][0]) == named_in_the_page(r"`curves` \| list of `(\{.*?\})`")
    assert all(set(run) == keys_on_the_page("`runs.json`") for run in told["runs.json"]["runs"])
    for name in ("history", "failures", "runs"):
        assert set(told[f"{name}.json"]) == named_in_the_page(rf"## `{name}.json`\n\n`(\{{.*?\}})`"), name


def test_a_killed_engine_leaves_what_it_was_at_and_the_next_one_says_so(twice):
    folder, before, after = twice
    assert before["status.json"]["phase"] in ("live", "catching up")
    (going,) = before["runs.json"]["runs"]
    assert (going["number"], going["end"], going["kept"]) == (7, "", False)
    stopped, died = after["runs.json"]["runs"]
    assert (died["number"], died["end"], died["kept"]) == (7, "engine died", True)
    assert died["session"] == before["status.json"]["session"]["id"]
    assert (stopped["number"], stopped["end"], stopped["final"]) == (8, "session stopped", False)
    assert read(folder, "runs/7.json") == before["latest.json"]
    assert read(folder, "runs/8.json") == after["latest.json"]
    assert after["status.json"]["phase"] == "stopped"


def test_history_goes_on_over_the_kill(twice):
    _, before, after = twice
    rows = len(before["history.json"]["time_ns"])
    for column in ("time_ns", "event_rate", "lag_s", "phase"):
        assert after["history.json"][column][:rows] == before["history.json"][column]
        assert len(after["history.json"][column]) > rows


def test_what_lies_in_the_folder_is_the_users_alone_and_nothing_is_half_written(twice):
    folder, _, _ = twice
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        assert not path.name.endswith((".partial", ".damaged"))
