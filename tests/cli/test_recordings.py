"""``livered record``, ``inspect`` and ``run --source``: the real programs, one after the other."""

from __future__ import annotations

import json
import random
import re
import signal
from pathlib import Path

import pytest

from adara_support import banked
from livered_core.adara import encode
from livered_core.recording.index import index_path
from livered_support import WAIT, livered, private_environment, started
from recording_support import run_packets, to_bytes
from sms_support import scripted_server
from waiting import until

STREAM = to_bytes(run_packets(5) + run_packets(6, first=200, n=10))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "run.adara"
    path.write_bytes(STREAM)
    return path


def test_inspect_sums_up_lists_and_writes_json(tmp_path: Path, recorded: Path):
    shown = livered(tmp_path, "inspect", "run.adara")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.search(r"banked event \(0x4000\) +30 ", shown.stdout)
    assert re.search(r"run +5\b", shown.stdout)
    assert re.search(r"title +diamond", shown.stdout)
    assert re.search(r"pulses +20 from 2026-09-21T14:13:20Z", shown.stdout)
    assert re.search(r"in here +all of it", shown.stdout)
    told = json.loads(livered(tmp_path, "inspect", "--json", "run.adara").stdout)
    assert [(run["number"], run["n_events"], run["n_pulses"]) for run in told["runs"]] == [
        (5, 30, 20),
        (6, 13, 10),
    ]
    lines = livered(tmp_path, "inspect", "--packets", "run.adara").stdout.splitlines()
    assert len(lines) == sum(told["packets"].values()) + 1
    assert "run 5: NEW_RUN" in lines[1]


def test_inspect_says_what_is_damaged_and_exits_with_1(tmp_path: Path, recorded: Path):
    recorded.write_bytes(STREAM[:5000] + b"\xee" * 64 + STREAM[5000:])
    shown = livered(tmp_path, "inspect", "run.adara")
    assert shown.returncode == 1
    assert "are not packets; all else is counted above" in shown.stderr
    listed = livered(tmp_path, "inspect", "--packets", "run.adara")
    assert listed.returncode == 1
    assert "SKIPPED: From byte" in listed.stdout


@pytest.mark.parametrize(
    "content",
    [b"", b"something else\n" * 20, random.Random(1).randbytes(300)],
    ids=["nothing", "text", "noise"],
)
def test_what_is_no_recording_is_said_with_exit_code_2(tmp_path: Path, content: bytes):
    (tmp_path / "x.adara").write_bytes(content)
    shown = livered(tmp_path, "inspect", "x.adara")
    assert shown.returncode == 2
    assert shown.stderr.startswith("livered: x.adara is ")
    assert shown.stdout == ""


def test_a_run_from_a_recording_ends_with_it(tmp_path: Path, recorded: Path, tst):
    environment = tst(LIVERED_OUTPUT_DIR=str(tmp_path / "out"))
    result = livered(tmp_path, "run", "-i", "TST", "--source", "run.adara", environment=environment)
    assert result.returncode == 0, result
    assert "Run 6: 13 events in 10 pulses, complete; final." in result.stdout
    assert "reading a recording" in result.stdout
    recorded.write_bytes(to_bytes(run_packets(5)[:-1]))
    result = livered(tmp_path, "run", "-i", "TST", "--source", "run.adara", environment=environment)
    assert result.returncode == 0, result
    assert "INCOMPLETE: The recording ends before the run does" in result.stdout
    assert "not final" in result.stdout


def test_a_recording_and_a_stream_at_once_are_refused(tmp_path: Path, recorded: Path, tst):
    result = livered(
        tmp_path, "run", "-i", "TST", "--source", "run.adara", "--address", "here:1", environment=tst()
    )
    assert result.returncode == 2
    assert "leave one of them out" in result.stderr


def test_what_a_recorder_received_is_readable_after_a_kill(tmp_path: Path):
    def play(client) -> None:
        client.send_bytes(STREAM + encode(banked(300))[:-8])
        client.hold()

    path = tmp_path / "night.adara"
    with (
        scripted_server(play) as server,
        started(tmp_path, "record", "--from", server.address, "night.adara", "--plain") as process,
    ):
        until(lambda: path.exists() and path.stat().st_size == len(STREAM) + len(encode(banked(300))) - 8)
        until(lambda: index_path(path).read_text().count('"run"') == 4)
        process.kill()
        process.wait(WAIT)
    told = livered(tmp_path, "inspect", "--json", "night.adara")
    assert told.returncode == 1, "half a packet is at the end"
    summary = json.loads(told.stdout)
    assert [run["n_pulses"] for run in summary["runs"]] == [20, 10]
    assert summary["n_skipped_bytes"] == len(encode(banked(300))) - 8


def test_record_ends_when_asked_and_says_what_it_wrote(tmp_path: Path):
    def play(client) -> None:
        client.send_bytes(STREAM)
        client.hold()

    with (
        scripted_server(play) as server,
        started(tmp_path, "record", "--from", server.address, "night.adara", "--plain") as process,
    ):
        path = tmp_path / "night.adara"
        until(lambda: path.exists() and path.stat().st_size == len(STREAM))
        process.send_signal(signal.SIGTERM)
        shown = process.stdout.read()
        assert process.wait(WAIT) == 0
    assert path.read_bytes() == STREAM
    assert f"night.adara: {len(STREAM):,} bytes in 1 file, 42 packets, 30 pulses, 1 connection" in shown
    again = livered(tmp_path, "record", "--from", server.address, "night.adara")
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--from", "nowhere", "x.adara"), "--from nowhere"),
        (("--from", "a:1", "x.bin"), "must end in .adara"),
        (("--from", "a:1", "x.adara", "--roll", "7"), "files of less than"),
        (("--from", "a:1", "x.adara", "--roll", "lots"), "is not a size"),
        (("--from", "a:1", "x.adara", "--start-time", "noon"), "--start-time"),
        (("--from", "a:1", "x.adara", "--start-time", "2026-01-01T00:00:00Z", "--from-now"), "contradict"),
    ],
)
def test_wrong_options_are_said(tmp_path: Path, arguments: tuple[str, ...], sentence: str):
    result = livered(tmp_path, "record", *arguments, environment=private_environment(tmp_path))
    assert result.returncode == 2
    assert sentence in result.stderr
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("options", [("--speed", "max"), ("--speed", "50", "--shift-to-now", "--loop")])
def test_a_replay_is_reduced_as_the_stream_was(tmp_path: Path, recorded: Path, tst, options):
    environment = tst(LIVERED_OUTPUT_DIR=str(tmp_path / "out"))
    with started(tmp_path, "replay", "run.adara", "--port", "0", *options) as process:
        address = re.search(r"at (127\.0\.0\.1:\d+)", process.stdout.readline()).group(1)
        result = livered(
            tmp_path, "run", "-i", "TST", "--address", address, "--stop-after-run", environment=environment
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    assert result.returncode == 0, result
    assert "Run 5: 30 events in 20 pulses, complete; final." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.adara",), "cannot be read (No such file"),
        (("run.adara", "--speed", "fast"), "'fast' is not a speed"),
        (("run.adara", "--speed", "0"), "'0' is not a speed"),
        (("run.adara", "--speed", "max", "--loop"), "--loop without a pace fills the disk"),
    ],
)
def test_what_cannot_be_replayed_is_said(tmp_path: Path, recorded: Path, arguments, sentence: str):
    result = livered(tmp_path, "replay", *arguments)
    assert result.returncode == 2
    assert sentence in result.stderr
