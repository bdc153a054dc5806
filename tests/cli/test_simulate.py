"""``livered simulate`` by itself, and livered reducing what it plays."""

from __future__ import annotations

import re
import signal

import pytest

from livered_core.config.faults import CONNECTION_FAULTS, STREAM_FAULTS
from livered_support import WAIT, livered, private_environment, started

PLAY = (
    "simulate",
    "--instrument",
    "NOM",
    "--port",
    "0",
    "--rate",
    "100000",
    "--run-length",
    "2",
    "--runs",
    "0",
    "--gap",
    "1",
)


@pytest.mark.slow
def test_it_plays_to_anybody_who_connects_and_stops_when_asked(tmp_path):
    with started(tmp_path, *PLAY) as process:
        line = process.stdout.readline()
        address = re.search(r"at (127\.0\.0\.1:\d+)", line).group(1)
        for number in (1, 2):
            folder = tmp_path / f"client {number}"
            folder.mkdir()
            environment = private_environment(folder, LIVERED_OUTPUT_DIR=str(folder / "out"))
            arguments = (
                "run",
                "--instrument",
                "NOM",
                "--address",
                address,
                "--stop-after-run",
                "--update-every",
                "0.5",
            )
            result = livered(folder, *arguments, environment=environment)
            assert result.returncode == 0, result
            run = re.search(r"Run (\d+): .* in 120 pulses, complete; final\.", result.stdout).group(1)
            assert (folder / "out" / f"NOM_{run}.h5").exists()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(WAIT) == 0
    assert "Traceback" not in line + rest


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path):
    with started(tmp_path, *PLAY) as process:
        port = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline()).group(1)
        result = livered(tmp_path, "simulate", "--instrument", "NOM", "--port", port)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
    assert result.returncode == 2
    (sentence,) = result.stderr.strip().splitlines()
    assert f"127.0.0.1:{port}" in sentence


def test_a_sample_that_is_not_there_is_said_with_those_that_are(tmp_path):
    result = livered(tmp_path, *PLAY, "--sample", "kryptonite")
    assert result.returncode == 2
    assert "diamond" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_day_with_faults_is_reduced_to_its_end(tmp_path):
    """Pauses, scans, times without beam, file rolls, and a connection that is lost three times."""
    # The run goes on for long enough to be joined again: what has ended the server has no more.
    day = ("--scenario", "day", "--runs", "1", "--run-length", "100", "--speed", "10", "--roll-mb", "1")
    faults = ("--fault", "reset@5", "--fault", "truncate@10", "--fault", "garbage@15")
    with started(tmp_path, *PLAY, *day, *faults, "--hold-for-client") as process:
        address = re.search(r"at (127\.0\.0\.1:\d+)", process.stdout.readline()).group(1)
        run = (
            "run",
            "--instrument",
            "NOM",
            "--address",
            address,
            "--stop-after-run",
            "--update-every",
            "0.5",
        )
        result = livered(tmp_path, *run)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    assert result.returncode == 0, result
    # Ten seconds are paused.
    assert re.search(r"Run \d+: .* in 5,400 pulses, complete; final\.", result.stdout), result.stdout


def test_help_explains_each_fault(tmp_path):
    result = livered(tmp_path, "simulate", "--help")
    assert result.returncode == 0
    for name in {**CONNECTION_FAULTS, **STREAM_FAULTS}:
        assert f"\n    {name} " in result.stdout


def test_a_fault_that_there_is_not_is_a_sentence(tmp_path):
    result = livered(tmp_path, *PLAY, "--fault", "rest@10", "--pause", "30-20")
    assert result.returncode == 2
    fault, pause = sorted(result.stderr.strip().splitlines())
    assert "simulate.faults (command line)" in fault
    assert "'rest' is not the name of a fault; there are reset, close" in fault
    assert "write FROM-TO in seconds, for example 20-30" in pause
