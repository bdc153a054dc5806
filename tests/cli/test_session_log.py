"""The real program with its log as JSON: every line of the file and of the screen is one object."""

from __future__ import annotations

import json

from adara_support import banked, end_run, geometry, new_run, run_info
from livered_support import WAIT, started
from sms_support import scripted_server

NASTY_TITLE = "T\x9b31mX \u202edesrever\n2026-01-01 00:00:00,000 ERROR forged: line"


def whole_run(client):
    client.send(geometry(), new_run(7), run_info(7, NASTY_TITLE), *(banked(i) for i in range(9)), end_run(7))
    client.hold()


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def run(tst, tmp_path, mode, *arguments, code=0):
    environment = tst(TST_MODE=mode)
    with (
        scripted_server(whole_run) as server,
        started(
            tmp_path,
            *("run", "-i", "TST", "--plain", "--stop-after-run", "--address", server.address),
            *arguments,
            environment=environment,
        ) as process,
    ):
        assert process.stdout is not None
        shown = process.stdout.read()
        assert process.wait(WAIT) == code, shown
    return shown, (tmp_path / "livereduce.log").read_text()


def test_every_line_is_an_object_also_what_plugins_print(tst, tmp_path):
    shown, log = run(tst, tmp_path, "print", "--log-format", "json")
    written = objects(log)
    messages = [line["message"] for line in objects(shown)]
    assert any(message.startswith("printed ") for message in messages)
    assert {line["message"] for line in written} <= set(messages)
    assert {line["run"] for line in written if "run" in line} == {7}
    assert {line["plugin"] for line in written if "plugin" in line} == {"files", "sink", "tst"}


def test_a_failure_has_its_run_plugin_chunk_and_traceback(tst, tmp_path):
    (tmp_path / "c.toml").write_text("[log]\nformat = 'json'\n")
    shown, log = run(tst, tmp_path, "raise", "--config", "c.toml")
    failed = next(
        line for line in objects(log) if "plugin" in line and "failed in process_chunk" in line["message"]
    )
    assert (failed["run"], failed["plugin"], failed["level"]) == (7, "tst", "ERROR")
    assert failed["chunk"] >= 1
    assert failed["exception"].startswith("Traceback")
    assert objects(shown)


def test_the_log_begins_with_what_runs_and_ends_with_the_exit_code(tst, tmp_path):
    _, log = run(tst, tmp_path, "")
    lines = [line.partition(": ")[2] for line in log.splitlines()]
    assert lines[0].startswith("livered ")
    assert "begins for TST" in lines[0]
    assert lines[1].startswith("The configuration is from ")
    assert any(line.startswith("The session begins: data of TST from adara://") for line in lines)
    assert lines[-1] == "livered ends with exit code 0."


def test_why_a_session_cannot_begin_is_in_the_log_and_once_on_the_screen(tst, tmp_path):
    environment = tst(TST_MODE="", LIVERED_START_TIME="2100-01-01T00:00:00Z")
    with started(
        tmp_path, "run", "-i", "TST", "--plain", "--address", "127.0.0.1:1", environment=environment
    ) as process:
        assert process.stdout is not None
        shown = process.stdout.read()
        assert process.wait(WAIT) == 2
    lines = (tmp_path / "livereduce.log").read_text().splitlines()
    assert "start_time" in lines[-2]
    assert lines[-1].endswith("livered ends with exit code 2.")
    assert shown.count("start_time") == 1
