"""What systemd says of a unit, in plain words; the texts are those of systemd 252."""

from __future__ import annotations

import re

import pytest

from livered_core.service.state import UnitState, signal_name

LOADED = {"LoadState": "loaded", "Result": "success", "ExecMainCode": "0", "ExecMainStatus": "0"}
LATELY = "Sun 2026-11-29 23:37:18 UTC"


def state(**shown):
    return UnitState.of({**LOADED, **{key: str(value) for key, value in shown.items()}}, 1000.0)


def test_a_running_unit():
    found = state(
        ActiveState="active", SubState="running", MainPID=12, MemoryCurrent=5000, NRestarts=3,
        StatusText="run 7: live\tnow", ActiveEnterTimestamp=LATELY, NeedDaemonReload="yes",
    )  # fmt: skip
    assert found.runs
    assert re.fullmatch(r"running since 2026-11-\d\d \d\d:\d\d:18 \S+", found.sentence())
    assert (found.main_pid, found.memory, found.n_restarts, found.status, found.stale) == (
        12, 5000, 3, "run 7: live now", True,
    )  # fmt: skip
    assert found.ended_by is None


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        ({"ActiveState": "inactive", "SubState": "dead"}, "not running"),
        ({"ActiveState": "activating", "SubState": "start-pre"}, "checking its configuration"),
        ({"ActiveState": "activating", "SubState": "start"}, "starting"),
        ({"ActiveState": "deactivating", "SubState": "stop-sigterm"}, "stopping"),
        (
            {"ActiveState": "failed", "Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 2},
            "FAILED, and not started anew; its configuration is wrong (exit code 2)",
        ),
        (
            {"ActiveState": "failed", "Result": "start-limit-hit", "ExecMainCode": 1, "ExecMainStatus": 1},
            "FAILED, and not started anew; it failed too often (exit code 1)",
        ),
        (
            {"ActiveState": "failed", "Result": "resources"},
            "FAILED, and not started anew; systemd could not start it; see `systemctl --user status`",
        ),
        (
            {
                "ActiveState": "activating", "SubState": "auto-restart", "Result": "watchdog", "ExecMainCode": 2,
                "ExecMainStatus": 6, "RestartUSec": "1min 10s", "StateChangeTimestampMonotonic": 990_000_000,
            },
            "down, and started anew in 60 s; it got on no more, and systemd ended it (SIGABRT)",
        ),
        (
            {
                "ActiveState": "activating", "SubState": "auto-restart", "Result": "signal", "ExecMainCode": 2,
                "ExecMainStatus": 9, "RestartUSec": "100ms", "StateChangeTimestampMonotonic": 990_000_000,
            },
            "down, and started anew in 0 s; somebody killed it, or the kernel because memory was short (SIGKILL)",
        ),
        (
            {
                "ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code", "ExecMainCode": 1,
                "ExecMainStatus": 200, "RestartUSec": "10s", "StateChangeTimestampMonotonic": 995_000_000,
            },
            "down, and started anew in 5 s; the folder in which it runs is not there, or it may not enter it (exit code 200)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_unit_that_does_not_run(shown, sentence):
    found = state(**shown)
    assert not found.runs
    assert found.sentence() == sentence


def test_what_systemd_does_not_say_is_not_known():
    found = UnitState.of({"MemoryCurrent": "[not set]", "StateChangeTimestamp": "n/a"}, 0.0)
    assert not found.loaded
    assert (found.active, found.memory, found.since, found.restart_in_s) == ("inactive", None, None, None)
    assert UnitState.of({"MemoryCurrent": str(2**64 - 1)}, 0.0).memory is None
    assert found.last_end() == "systemd does not say how its last life ended"
    assert signal_name(255) == "signal 255"
