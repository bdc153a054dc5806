"""``livered status`` on run directories that a test has written: each state, its line, what to do, and the exit code."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from livered_core.cli import status_sight
from livered_core.cli.status import status
from livered_core.cli.status_facts import HANGS_S, SINK_FAILS_S
from livered_core.cli.status_findings import (
    EXIT_CODES,
    NOT_CONNECTED_S,
    PLUGIN_FAILED_S,
)
from livered_core.cli.status_sight import phase_since_ns
from livered_core.dashboard.state import Process
from livered_core.publish.as_json import FORMAT
from livered_support import private_environment

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
S = 10**9
NASTY = "T\x9b31mX \u202edesrever\nsecond\x1b[2J"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def now_ns() -> int:
    return time.time_ns()


def ago(seconds: float) -> int:
    return now_ns() - round(seconds * S)


def a_run() -> dict:
    return {
        "number": 243708,
        "instrument": "NOM",
        "proposal": "IPTS-1",
        "title": "Silicon",
        "start_ns": ago(3600),
        "sample": {},
    }


def sink(**more) -> dict:
    receipt = {"where": "/there", "when_ns": ago(3), "size": 9, "files": []}
    base = {"name": "files", "delivered": 3, "refused": 0, "unsent_finals": 0, "last_receipt": receipt}
    return {**base, "last_error": "", "failing_since_ns": 0, **more}


def a_status(**more) -> dict:
    """What a healthy engine writes; it is this process."""
    source = {
        "where": "adara://there:31415",
        "connection": "connected",
        "problem": "",
        "turns": 7,
        "connects": 1,
    }
    counts = {
        "events": 14,
        "reduced_events": 9,
        "between_runs_events": 3,
        "replayed_events": 2,
        "unmapped_events": 1,
    }
    return {
        "format": FORMAT,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "session": {
            "id": "s",
            "started_ns": ago(7200),
            "backend": "native",
            "source": "adara://there:31415",
            "output_dir": "/out",
            "livered_version": "0.1.0",
            "plugins": {"nom": "1.0"},
            "instrument": "NOM",
        },
        "phase": "live",
        "failure": "",
        "now_ns": now_ns(),
        "status_every_s": 1.0,
        "update_every_s": 30.0,
        "lag_s": 3.0,
        "event_rate": 2e4,
        "run": a_run(),
        "n_chunks": 120,
        "n_updates": 120,
        "n_events": 12_400_000,
        "n_pulses": 4200,
        "proton_charge_pc": 3.6e9,
        "last_pulse_ns": ago(3),
        "dropped_chunks": 0,
        "skipped_chunks": 0,
        "dropped_events": 0,
        "skipped_events": 0,
        "newest_pulse_ns": 0,
        "skipped_by": "",
        "complete": True,
        "missing": [],
        "source": {**source, "counts": counts, "silent_s": 0.1, "read_fraction": None},
        "sinks": [sink()],
        "standing_s": 0.1,
        "standing_at": "",
        "log_file": "/logs/livereduce.log",
        "logs": [],
        "logs_left_out": 0,
        "version": 3,
        "runs_version": 1,
        "failures_version": 1,
        **more,
    }


def ended_run(**more) -> dict:
    entry = {"number": 243707, "title": "Before", "end_ns": ago(720), "end": "ended", "n_events": 12_400_000}
    return {"format": FORMAT, "version": 1, "runs": [{**entry, "complete": True, **more}]}


def history(phase: str, seconds: float, before: str = "live") -> dict:
    times = [ago(back) for back in range(round(seconds) + 60, 0, -10)]
    phases = [before if ago(seconds) > time_ns else phase for time_ns in times]
    return {"format": FORMAT, "every_s": 10, "time_ns": times, "event_rate": [], "lag_s": [], "phase": phases}


def failures(seconds: float, **more) -> dict:
    one = {
        "time_ns": ago(seconds),
        "session": "s",
        "run": 243708,
        "plugin": "nom",
        "version": "1.0",
        "hook": "process_chunk",
        "error": "ValueError: upside down",
        "traceback": "Traceback",
        "chunk_sequence": 3,
        "consecutive": 2,
        "sentence": "Plugin nom 1.0 failed in process_chunk on chunk 3: ValueError: upside down",
    }
    return {"format": FORMAT, "version": 1, "total": 1, "failures": [{**one, **more}]}


def source(**more) -> dict:
    return {**a_status()["source"], **more}


def a_dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give the folder of the run directories, in the environment of this process."""
    for name, value in private_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "run" / "livered"
    folder.mkdir(mode=0o700)
    return folder


def write(run, name="NOM", **files):
    folder = run / name
    folder.mkdir(mode=0o700, exist_ok=True)
    for stem, content in files.items():
        (folder / f"{stem}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def told(capsys, *arguments):
    """Run the command here; return its exit code and what it wrote."""
    with pytest.raises(SystemExit) as end:
        status.main(list(arguments), standalone_mode=False)
    out = capsys.readouterr().out
    assert not FORBIDDEN.search(out)
    return end.value.code, out


LEFT_OUT = {"skipped_chunks": 48, "skipped_events": 1_600_000, "skipped_by": "only_hot"}
CASES = {
    "live": (
        lambda: {"status": a_status()},
        0,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing OK",
        (),
    ),
    "catching up": (
        lambda: {"status": a_status(phase="catching up", last_pulse_ns=ago(2400))},
        0,
        "NOM run 243708: catching up, 40 min old, 12.4 M events, complete; publishing OK",
        (),
    ),
    "all left out on purpose": (
        lambda: {"status": a_status(newest_pulse_ns=ago(3), last_pulse_ns=0, n_events=0, **LEFT_OUT)},
        0,
        "NOM run 243708: live, 3 s old, 0 events, 48 chunks left out on purpose; publishing OK",
        (),
    ),
    "ended, with data left out on purpose": (
        lambda: {
            "status": a_status(phase="between runs", run=None),
            "runs": ended_run(skipped_chunks=48, skipped_events=1_600_000),
        },
        0,
        "NOM: between runs, run 243707 ended 12 min ago, 12.4 M events, complete, 1.6 M events left out on purpose",
        (),
    ),
    "between runs": (
        lambda: {"status": a_status(phase="between runs", run=None), "runs": ended_run()},
        0,
        "NOM: between runs, run 243707 ended 12 min ago, 12.4 M events, complete; publishing OK",
        (),
    ),
    "no beam": (
        lambda: {"status": a_status(phase="no beam", source=source(beam_off_s=900.0))},
        0,
        "NOM run 243708: no beam, 3 s old, 12.4 M events, complete; publishing OK",
        (),
    ),
    "paused": (lambda: {"status": a_status(phase="paused")}, 0, "NOM run 243708: paused, 3 s old", ()),
    "stopping": (lambda: {"status": a_status(phase="stopping")}, 0, "NOM run 243708: stopping, ", ()),
    "a recording": (
        lambda: {"status": a_status(phase="reading a recording", source=source(read_fraction=0.25))},
        0,
        "NOM run 243708: reading a recording, 25% read, 12.4 M events",
        (),
    ),
    "connecting": (
        lambda: {"status": a_status(phase="connecting", run=None)},
        0,
        "NOM: connecting; publishing OK",
        ("not-connected",),
    ),
    "not connected for a minute": (
        lambda: {
            "status": a_status(
                phase="not connected", source=source(problem="Nobody answers at there:31415.")
            ),
            "history": history("not connected", NOT_CONNECTED_S / 2),
        },
        0,
        "NOM run 243708: NOT CONNECTED for ",
        ("not-connected",),
    ),
    "not connected for long": (
        lambda: {
            "status": a_status(phase="connecting", source=source(problem="Nobody answers at there:31415.")),
            "history": history("not connected", NOT_CONNECTED_S + 30),
        },
        1,
        "NOM run 243708: NOT CONNECTED for ",
        ("not-connected",),
    ),
    "no pulses for a moment": (
        lambda: {"status": a_status(phase="no pulses", source=source(silent_s=30.0))},
        0,
        "NOM run 243708: no pulses",
        ("no-pulses",),
    ),
    "no pulses for long": (
        lambda: {"status": a_status(phase="no pulses", source=source(silent_s=NOT_CONNECTED_S + 1))},
        1,
        "NOM run 243708: no pulses",
        ("no-pulses",),
    ),
    "stale": (
        lambda: {"status": a_status(last_pulse_ns=ago(700))},
        1,
        "NOM run 243708: STALE, 12 min old",
        ("stale",),
    ),
    "no newer result": (
        lambda: {"status": a_status(), "latest": {"format": FORMAT, "update": {"last_pulse_ns": ago(900)}}},
        1,
        "NOM run 243708: live, 3 s old",
        ("stale",),
    ),
    "hanging": (
        lambda: {"status": a_status(standing_s=HANGS_S + 31, standing_at="nom.py line 7 in wait")},
        1,
        "NOM run 243708: HANGS for 91 s, 3 s old",
        ("hanging",),
    ),
    "busy": (lambda: {"status": a_status(standing_s=89.0)}, 0, "NOM run 243708: live", ()),
    "plugins begin": (
        lambda: {"status": a_status(source=source(turns=0), standing_s=300.0)},
        0,
        "NOM run 243708: live",
        (),
    ),
    "plugins begin before anything connects": (
        lambda: {
            "status": a_status(
                phase="connecting",
                run=None,
                source=source(turns=0, connection="connecting"),
                standing_s=300.0,
            )
        },
        0,
        "NOM: starting for 5 min",
        (),
    ),
    "plugins begin for ever": (
        lambda: {"status": a_status(source=source(turns=0), standing_s=700.0)},
        1,
        "NOM run 243708: HANGS for 12 min",
        ("hanging",),
    ),
    "stopped": (
        lambda: {"status": a_status(phase="stopped", run=None, now_ns=ago(7200)), "runs": ended_run()},
        3,
        "NOM: stopped 2 h 0 min ago, run 243707 ended 12 min ago, 12.4 M events, complete",
        (),
    ),
    "stopped in mid-run": (
        lambda: {
            "status": a_status(phase="stopped", now_ns=ago(720)),
            "runs": ended_run(end="session stopped"),
        },
        3,
        "NOM run 243708: stopped 12 min ago, run 243707 was left in the middle 12 min ago, 12.4 M events, complete so far",
        (),
    ),
    "failed": (
        lambda: {"status": a_status(phase="failed", now_ns=ago(60), failure="Gave up after 5 failures.")},
        1,
        "NOM run 243708: FAILED 60 s ago: Gave up after 5 failures",
        ("failed",),
    ),
    "died": (
        lambda: {"status": a_status(pid=a_dead_pid(), now_ns=ago(12))},
        1,
        "NOM run 243708: engine DIED 12 s ago; last seen live, 12.4 M events, complete",
        ("died",),
    ),
    "no answer": (
        lambda: {"status": a_status(now_ns=ago(30))},
        1,
        "NOM run 243708: NO SIGN OF LIFE for 30 s; last seen live, 12.4 M events, complete",
        ("not-answering",),
    ),
    "no room to answer": (
        lambda: {"status": a_status(now_ns=ago(30))},
        1,
        "NOM run 243708: NO SIGN OF LIFE for 30 s; last seen live, 12.4 M events, complete",
        ("no-room",),
    ),
    "on another machine, silent": (
        lambda: {"status": a_status(host="elsewhere", now_ns=ago(30))},
        1,
        "NOM run 243708: NO SIGN OF LIFE on elsewhere for 30 s",
        ("silent",),
    ),
    "on another machine": (
        lambda: {"status": a_status(host="elsewhere")},
        0,
        "NOM run 243708: live, 3 s old",
        (),
    ),
    "from the future": (
        lambda: {"status": a_status(now_ns=ago(-900))},
        1,
        "NOM run 243708: NO SIGN OF LIFE",
        ("clock",),
    ),
    "unknown to this version": (
        lambda: {"status": a_status(phase="asleep")},
        1,
        "NOM run 243708: STALE",
        ("stale",),
    ),
    "sink fails for a moment": (
        lambda: {"status": a_status(sinks=[sink(name="m", last_error="503", failing_since_ns=ago(60))])},
        0,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing FAILS: m",
        ("sink-failing",),
    ),
    "sink fails for long": (
        lambda: {
            "status": a_status(
                sinks=[
                    sink(),
                    sink(name="m", last_error="503", unsent_finals=2, failing_since_ns=ago(SINK_FAILS_S + 5)),
                ]
            )
        },
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing FAILS: m (2 finals wait)",
        ("sink-failing",),
    ),
    "sink hangs": (
        lambda: {
            "status": a_status(sinks=[sink(unsent_finals=1, waiting_since_ns=ago(SINK_FAILS_S + 5))]),
        },
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing FAILS: files (1 final waits)",
        ("sink-failing",),
    ),
    "finals on their way": (
        lambda: {"status": a_status(sinks=[sink(unsent_finals=1)])},
        0,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing OK (1 final waits)",
        (),
    ),
    "plugin fails": (
        lambda: {"status": a_status(), "failures": failures(5)},
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; a plugin FAILS; publishing OK",
        ("plugin-failing",),
    ),
    "plugin failed": (
        lambda: {"status": a_status(), "failures": failures(PLUGIN_FAILED_S + 5)},
        0,
        "NOM run",
        (),
    ),
    "plugin failed in another session": (
        lambda: {"status": a_status(), "failures": failures(5, session="other")},
        0,
        "NOM run",
        (),
    ),
    "refusal of a change": (
        lambda: {"status": a_status(), "failures": failures(5, hook="reload")},
        0,
        "NOM run",
        (),
    ),
    "failure of a sink": (
        lambda: {"status": a_status(), "failures": failures(5, hook="post_publish")},
        0,
        "NOM run",
        (),
    ),
    "incomplete": (
        lambda: {"status": a_status(complete=False, missing=["Its start was missed."])},
        0,
        "NOM run 243708: live, 3 s old, 12.4 M events, INCOMPLETE; publishing OK",
        ("incomplete",),
    ),
    "no checkpoint": (
        lambda: {
            "status": a_status(checkpoint={"made_ns": ago(99), "bytes": 5, "problem": "no space left."})
        },
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing OK; the run is NOT KEPT on disk",
        ("checkpoint",),
    ),
    "sheds": (
        lambda: {"status": a_status(memory={"used": 9e9, "limit": 1e10, "level": "shedding"})},
        0,
        "NOM run",
        ("memory",),
    ),
    "over the limit": (
        lambda: {"status": a_status(memory={"used": 2e10, "limit": 1e10, "level": "over the limit"})},
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing OK; OUT OF MEMORY soon",
        ("memory",),
    ),
    "disk full": (
        lambda: {"status": a_status(disk={"output_free": 5, "problems": ["There is no room."]})},
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing OK; NO ROOM on a disk",
        ("disk",),
    ),
    "no worker": (
        lambda: {"status": a_status(executor={"where": "tls://there:8786", "no_workers": True})},
        1,
        "NOM run 243708: live, 3 s old, 12.4 M events, complete; publishing OK; NO WORKER for chunks",
        ("no-workers",),
    ),
    "change refused": (
        lambda: {"status": a_status(reload={"state": "refused", "sentence": "No.", "time_ns": ago(9)})},
        0,
        "NOM run",
        ("reload-refused",),
    ),
    "half-written": (
        lambda: {"status": json.dumps(a_status())[:200]},
        1,
        "NOM: NOT KNOWN: status.json",
        ("unreadable",),
    ),
    "empty": (lambda: {"status": ""}, 1, "NOM: NOT KNOWN: status.json is damaged", ("unreadable",)),
    "not an object": (
        lambda: {"status": "[1]"},
        1,
        "NOM: NOT KNOWN: status.json is damaged",
        ("unreadable",),
    ),
    "another layout": (
        lambda: {"status": a_status(format=99)},
        1,
        "NOM: NOT KNOWN: status.json has layout 99",
        ("unreadable",),
    ),
    "never run": (dict, 3, "NOM: livered has not run here", ()),
}


@pytest.mark.parametrize("case", list(CASES))
def test_each_state_has_its_line_its_findings_and_its_exit_code(case, run, capsys, monkeypatch):
    make, code, line, kinds = CASES[case]
    if case == "no room to answer":
        full = os.statvfs(run)
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*full[:4], 0, *full[5:])))
    if case in ("no answer", "no room to answer"):
        # The process of the tests may be younger than that.
        monkeypatch.setattr(status_sight, "process_of", lambda *_: Process.ALIVE)
    write(run, **make())
    answered, out = told(capsys, "--instrument", "NOM")
    assert out.splitlines()[0].startswith(line)
    assert answered == code
    answered, out = told(capsys, "--instrument", "NOM", "--json")
    (instrument,) = json.loads(out)["instruments"]
    assert tuple(finding["kind"] for finding in instrument["findings"]) == kinds
    assert instrument["line"].startswith(line)
    assert answered == instrument["exit_code"] == code
    assert any(finding["urgent"] for finding in instrument["findings"]) == (code == 1)


@pytest.mark.parametrize("case", [case for case, (_, code, *_) in CASES.items() if code == 1])
def test_who_is_called_is_told_what_to_do(case, run, capsys):
    write(run, **CASES[case][0]())
    for arguments in (("--instrument", "NOM"), ()):
        _, out = told(capsys, *arguments)
        urgent = out[out.index("  ! ") :].splitlines()
        assert urgent[1].startswith("    ")
        assert len(urgent[1].strip()) > 10


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("SCI", "livered run --instrument SCI"),
        ("SCI-simulated", "livered run --instrument SCI --simulate"),
        ("SCI-recorded", ""),
    ],
    ids=["live", "simulated", "recorded"],
)
@pytest.mark.parametrize("runs", [True, False], ids=["runs", "died"])
def test_what_to_start_is_a_command_and_one_that_runs_is_ended_first(name, again, runs, run, capsys):
    more = {"standing_s": HANGS_S + 31} if runs else {"now_ns": ago(60), "pid": a_dead_pid()}
    write(run, name, status=a_status(**more))
    code, out = told(capsys, "--instrument", name)
    advice = out.rstrip().splitlines()[-1]
    told_again = f", then type: {again}" if runs and again else f" Start it again: {again}" if again else ""
    end = " End it with Ctrl-C where it runs" if runs else ""
    assert (code, advice) == (1, f"    Its log says more: /logs/livereduce.log.{end}{told_again}")


def test_the_plugin_that_hangs_is_named(run, capsys):
    hooks = {
        "outer": [("process_chunk", 87.0)],
        "owner2": [("run_started", None), ("process_chunk", 86.0)],
        "sender": [("post_publish", 3.0)],
    }
    plugins = [
        {"name": name, "hooks": [{"hook": hook, "running_s": for_s} for hook, for_s in calls]}
        for name, calls in hooks.items()
    ]
    write(run, status=a_status(standing_s=HANGS_S + 31, standing_at="x.py line 7 in wait", plugins=plugins))
    _, out = told(capsys, "--instrument", "NOM")
    assert "Plugin owner2 has been in process_chunk for 86 s. It is at x.py line 7 in wait." in out


def test_a_long_label_stands_off_from_its_value(run, capsys):
    write(run, status=a_status(source=source(counts={"reduced_events": 2395269})))
    _, out = told(capsys, "--instrument", "NOM", "--all")
    assert "reduced_events 2395269" in out


@pytest.mark.parametrize("kind", ["link", "file", "for-all", "pipe"])
def test_what_livered_did_not_make_is_not_read(kind, run, tmp_path, capsys):
    elsewhere = write(tmp_path, "elsewhere", status=a_status())
    path = run / "NOM"
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "file":
        path.write_text("x")
    elif kind == "for-all":
        elsewhere.rename(path)
        path.chmod(0o777)
    else:
        path.mkdir(mode=0o700)
        os.mkfifo(path / "status.json")
    code, out = told(capsys, "-i", "NOM")
    assert code == 1
    assert out.startswith("NOM: NOT KNOWN: ")


def test_an_engine_that_has_not_spoken_yet_is_starting(run, capsys):
    lock = f"process {os.getpid()} on {socket.gethostname()}\n"
    (write(run, status=a_status(phase="stopped", pid=a_dead_pid())) / "lock").write_text(lock)
    code, out = told(capsys, "-i", "NOM")
    assert (code, out.splitlines()[0].startswith("NOM: starting for ")) == (0, True)
    os.utime(run / "NOM" / "lock", ns=(ago(0), ago(700)))
    # This process began later than that: the lock is another one's of this number.
    assert told(capsys, "-i", "NOM")[0] == 3


def test_of_several_the_worst_counts_and_one_that_is_stopped_is_no_harm(run, capsys):
    write(run, "NOM", status=a_status())
    write(run, "POW", status=a_status(phase="stopped", now_ns=ago(9)))
    assert told(capsys)[0] == 0
    write(run, "SEQ", status=a_status(phase="failed", failure="It broke."))
    code, out = told(capsys)
    assert code == 1
    assert [line.partition(" ")[0].strip(":") for line in out.splitlines() if line[0] != " "] == [
        "NOM",
        "POW",
        "SEQ",
    ]
    assert "title" not in out
    assert told(capsys, "--all")[1].count("  engine  ") == 3
    for name in ("NOM", "SEQ"):
        write(run, name, status=a_status(phase="stopped"))
    assert told(capsys)[0] == 3


def test_nothing_has_ever_run(tmp_path, run, capsys):
    code, out = told(capsys)
    assert code == 3
    assert "--simulate" in out


def test_a_name_in_other_capitals_and_a_simulated_one_are_found(run, capsys):
    write(run, "NOM-simulated", status=a_status())
    assert told(capsys, "-i", "nom-Simulated")[0] == 0
    code, out = told(capsys, "-i", "NOM")
    assert code == 3
    assert "livered status --instrument NOM-simulated" in out


def test_texts_from_anywhere_cannot_move_the_cursor(run, capsys):
    wild = a_status(
        run={**a_run(), "title": NASTY, "proposal": NASTY},
        missing=[NASTY],
        sinks=[sink(name=NASTY, last_error=NASTY)],
        source=source(where=NASTY, problem=NASTY, counts={NASTY: 3}),
        log_file=NASTY,
        host=NASTY,
        standing_s=900.0,
        standing_at=NASTY,
    )
    write(run, status=wild, failures=failures(3, plugin=NASTY, sentence=NASTY))
    for arguments in ((), ("--all",), ("--json",)):
        code, out = told(capsys, *arguments)
        assert code == 1
        assert "second" not in [line.strip() for line in out.splitlines()]
    (instrument,) = json.loads(out)["instruments"]
    assert not FORBIDDEN.search(
        str([instrument[key] for key in ("line", "missing", "run", "sinks", "failures")])
    )
    assert instrument["missing"] == ["T 31mX desrever second [2J"]


@pytest.mark.parametrize("key", sorted({*a_status()} - {"format"}))
@pytest.mark.parametrize("value", [None, -1, "x", [], {}, [None], {"x": 1}, 1e308, 10**400], ids=str)
def test_nothing_that_a_foreign_file_may_hold_breaks_it(key, value, run, capsys):
    write(run, status={**a_status(), key: value}, failures={"format": FORMAT, "failures": value})
    assert told(capsys, "--all")[0] in (0, 1, 3)
    assert told(capsys, "--json")[0] in (0, 1, 3)


@pytest.mark.parametrize("arriving", [0, 1])
def test_what_came_adds_up(arriving, run, capsys):
    counts = {**a_status()["source"]["counts"], "events": 14 + arriving}
    write(run, status=a_status(source=source(counts=counts)))
    _, out = told(capsys, "-i", "NOM")
    (line,) = [line for line in out.splitlines() if "received" in line]
    whole, parts = line.partition(";")[0].split("=")
    numbers = [int(part.split()[0]) for part in parts.split("+")]
    assert sum(numbers) == int(whole.split()[1]) == 14 + arriving
    assert "1 in pixels that are not mapped" in line


def test_since_when_is_found_over_attempts_to_connect_and_restarts():
    rows = {"time_ns": [S * n for n in (10, 20, 30, 40, 50)], "every_s": 10}
    phases = ["live", "not connected", "connecting", "not connected", "connecting"]
    now = {"now_ns": 55 * S, "phase": "not connected"}
    assert phase_since_ns({**rows, "phase": phases}, now) == 10 * S
    assert phase_since_ns({**rows, "phase": ["connecting"] * 5}, now) == 10 * S
    # Without livered nobody knows.
    assert phase_since_ns({**rows, "phase": phases}, {**now, "now_ns": 500 * S}) == 0
    assert phase_since_ns({}, now) == 0


def test_the_page_says_which_keys_the_document_has(run, capsys):
    write(run, status=a_status(phase="failed"), failures=failures(3), runs=ended_run())
    document = json.loads(told(capsys, "--json")[1])
    below = PAGE.read_text().split("## `livered status --json`\n", 1)[1].split("\n## ", 1)[0]
    firsts = [line.split("|")[1] for line in below.splitlines() if line.startswith("| `")]
    told_keys = {key for first in firsts for key in re.findall(r"`(\w+)`", first)}
    (instrument,) = document["instruments"]
    assert told_keys == {*document, *instrument}


def test_the_page_says_which_findings_there_are_and_which_codes():
    text = PAGE.read_text()
    below = text.split("## What `livered status` finds\n", 1)[1].split("\n## ", 1)[0]
    found = {kind for *_, kinds in CASES.values() for kind in kinds} | {"service-failed", "service-restarts"}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", below, re.M)) == found
    for verdict, code in EXIT_CODES.items():
        assert re.search(rf"^\| {code} \| {verdict.value} \|", text, re.M)


def test_it_is_quick_and_needs_nothing_heavy(run, tmp_path):
    write(run, status=a_status())
    question = (
        "import sys; from livered_core.cli.status import status\n"
        "try: status.main(['-i', 'NOM'], standalone_mode=False)\nexcept SystemExit: pass\n"
        "print(sorted({'scipy', 'numba', 'rich', 'h5py', 'plotly', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", question],
        env=private_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [("--instrument", "../x"), ("--nonsense",), ("-i", "a b")])
def test_wrong_arguments_have_a_code_of_their_own(arguments, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "livered_core", "status", *arguments],
        env=private_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr
