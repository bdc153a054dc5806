"""The budgets of disk, and the lock of the state folder, in real sessions."""

from __future__ import annotations

import json
import signal

import attrs
import pytest

from led_beamline import engine_environment, led_beamline
from livered_core.clocks import SystemClock
from livered_core.engine.instance_lock import INSTANCE_LOCK, Machine
from livered_core.engine.lease import from_record, to_record
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.publish.outbox import unsent_files
from livered_support import WAIT, livered, private_environment, started
from played_source import PlayedSource
from waiting import until

PLUGIN = """
    from livered_core import Curve, Result, hookimpl

    class Instrument:
        @hookimpl
        def post_process(self, accumulated, run, update):
            return Result(run.number, "sum", (Curve("sum", [0.0], [1.0], [0.0], "one", "counts"),))

    class Down:
        @hookimpl
        def post_publish(self, result, run, update):
            raise OSError("down")
"""


@pytest.fixture
def play(tmp_path, install, monkeypatch):
    """Run a session of some runs with some limits; return the last ``status.json``."""
    points = {
        "livered.instruments": ["TST = disk_plugins:Instrument"],
        "livered.plugins": ["down = disk_plugins:Down"],
    }
    install("livered-disk-test", {"disk_plugins.py": PLUGIN}, points)
    monkeypatch.chdir(tmp_path)
    environ = private_environment(tmp_path)

    def play(*numbers, limits="", sinks="", recording=None):
        text = f"[limits]\n{limits}\n[plugins.files]\nformats = ['text']\n{sinks}"
        (tmp_path / "c.toml").write_text(text)
        loaded = load_configuration("TST", tmp_path / "c.toml", {}, environ)
        session = Session(
            loaded,
            SystemClock(),
            recording=recording,
            make_source=lambda *_: PlayedSource(*numbers),
            environ=environ,
        )
        assert session.run() == 0
        name = "TST" if recording is None else "TST-recorded"
        return json.loads((tmp_path / "run" / "livered" / name / "status.json").read_text())

    return play


def test_unsent_finals_stay_within_their_budget_and_those_given_up_are_counted(play, tmp_path):
    status = play(1, 2, 3, limits="unsent = 1", sinks="[plugins.down]\n")
    (waits,) = unsent_files(tmp_path / ".local" / "state" / "livered" / "TST" / "unsent")
    assert waits.run == 3
    (down,) = [sink for sink in status["sinks"] if sink["name"] == "down"]
    assert (down["given_up"], down["unsent_finals"]) == (2, 1)


def test_reduced_files_stay_without_a_budget_and_the_oldest_go_with_one(play, tmp_path):
    def left():
        return sorted(path.name for path in (tmp_path / "livered" / "TST").iterdir())

    play(1)
    size = (tmp_path / "livered" / "TST" / "TST_1_sum.dat").stat().st_size
    play(2, 3, 4, limits=f"outputs = {2 * size + size // 2}")
    assert left() == ["TST_1_sum.dat", "TST_3_sum.dat", "TST_4_sum.dat"]
    play(5)
    play(6, limits="outputs = 1", recording=object())
    assert left() == [f"TST_{n}_sum.dat" for n in (1, 3, 4, 5, 6)]


def test_a_disk_that_is_full_is_in_the_status_and_final_results_are_written(play, tmp_path):
    status = play(1, limits='disk_free = "900000 TB"')
    (problem,) = status["disk"]["problems"]
    assert "(disk_free in [limits])" in problem
    assert status["disk"]["output_free"] > 0
    assert status["disk"]["state_free"] > 0
    assert (tmp_path / "livered" / "TST" / "TST_1_sum.dat").exists()


def test_of_two_engines_on_one_state_folder_the_second_is_told_of_the_first(tmp_path):
    # Two run directories, as two logins may have them: only the state folder is the same.
    (tmp_path / "other").mkdir(mode=0o700)
    with led_beamline(7, "one") as beamline:
        arguments = ("run", "-i", "TST", "--plain", "--address", beamline.address)
        environment = engine_environment(tmp_path)
        with started(tmp_path, *arguments, environment=environment) as process:
            lock = tmp_path / ".local" / "state" / "livered" / "TST" / INSTANCE_LOCK
            until(lambda: lock.exists() and from_record(lock.read_bytes()))
            elsewhere = {**environment, "XDG_RUNTIME_DIR": str(tmp_path / "other")}
            second = livered(tmp_path, *arguments, environment=elsewhere)
            assert second.returncode == 1
            assert f"process {process.pid} on" in second.stderr
            assert "stop that one first" in second.stderr
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0, process.stdout.read()
        assert from_record(lock.read_bytes()) is None


def test_an_engine_on_another_host_is_named_with_exit_code_1(tmp_path):
    state = tmp_path / ".local" / "state" / "livered" / "TST"
    state.mkdir(parents=True, mode=0o700)
    owner = attrs.evolve(Machine.this().owner(SystemClock().now_ns()), host="there", boot="its own", pid=4711)
    (state / INSTANCE_LOCK).write_bytes(to_record(owner))
    with led_beamline(7, "one") as beamline:
        arguments = ("run", "-i", "TST", "--plain", "--address", beamline.address)
        refused = livered(tmp_path, *arguments, environment=engine_environment(tmp_path))
    assert refused.returncode == 1
    assert "process 4711 on there, last heard of" in refused.stderr
    assert "this one takes over when that one is gone" in refused.stderr
    assert "Traceback" not in refused.stderr
