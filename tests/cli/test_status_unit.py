"""What ``livered status`` says of a service, with a ``systemctl`` that a test has written; a real one is asked in tests/service."""

from __future__ import annotations

import json
import time

import pytest

from livered_core.cli import status_sight
from livered_core.cli.status_unit import PATIENCE_S, unit_of
from livered_core.service.manager import Manager
from livered_core.service.unit import MARKER
from livered_support import livered, private_environment


@pytest.fixture
def asked(tmp_path):
    """Install a unit of TST and a systemctl that runs a script; ask for the status; give code and document."""

    def ask(script, unit="", **more):
        bin_folder = tmp_path / "bin"
        bin_folder.mkdir()
        (bin_folder / "systemctl").write_text(f"#!/bin/sh\n{script}\n")
        (bin_folder / "systemctl").chmod(0o755)
        units = tmp_path / ".config" / "systemd" / "user"
        units.mkdir(parents=True)
        (units / "livered-tst.service").write_text(unit)
        environment = private_environment(tmp_path, **more)
        environment["PATH"] = f"{bin_folder}:{environment['PATH']}"
        done = livered(tmp_path, "status", "-i", "TST", "--json", environment=environment)
        (instrument,) = json.loads(done.stdout)["instruments"]
        return done.returncode, instrument

    return ask


def shown(**properties):
    lines = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "Result": "success",
        **properties,
    }
    return "\n".join(f"echo {key}={value}" for key, value in lines.items())


def test_one_that_systemd_has_given_up_needs_someone(asked):
    script = shown(
        ActiveState="failed", SubState="failed", Result="exit-code", ExecMainCode=1, ExecMainStatus=2
    )
    code, instrument = asked(f"{script}\necho 'StatusText=update_evry: no such key.'")
    assert code == 1
    (finding,) = instrument["findings"]
    assert finding["kind"] == "service-failed"
    assert finding["sentence"].endswith(
        "its configuration is wrong (exit code 2). It said: update_evry: no such key."
    )
    assert "livered check --instrument TST" in finding["advice"]
    assert instrument["service"]["active"] == "failed"


def test_what_to_type_names_the_configuration_of_the_service(asked):
    script = shown(
        ActiveState="failed", SubState="failed", Result="exit-code", ExecMainCode=1, ExecMainStatus=2
    )
    config = "/home/nom/my live/c.toml"
    unit = f'{MARKER}\n[Unit]\nDescription=x\n[X-Livered]\nConfig="{config}"\n'
    _, instrument = asked(script, unit)
    (finding,) = instrument["findings"]
    assert finding["advice"].startswith(f"Type: livered check --instrument TST --config '{config}', then: ")


def test_one_that_waits_to_be_started_again_needs_someone(asked):
    script = shown(
        ActiveState="activating", SubState="auto-restart", Result="signal", NRestarts=4, RestartUSec="10s"
    )
    code, instrument = asked(script + "\necho StateChangeTimestampMonotonic=1")
    assert code == 1
    assert instrument["findings"][0]["kind"] == "service-restarts"
    assert instrument["service"]["restarts"] == 4


def test_one_that_runs_is_no_finding(asked):
    code, instrument = asked(shown())
    assert (code, instrument["findings"]) == (3, [])
    assert "livered-tst.service: running" in instrument["line"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec sleep 60", "has not answered within 1 s"),
        ("exit 1", "no service manager of this user answers here"),
    ],
    ids=["hangs", "fails"],
)
def test_a_manager_that_does_not_answer_holds_nobody_up(script, said, asked):
    began = time.monotonic()
    code, instrument = asked(script)
    assert time.monotonic() - began < PATIENCE_S + 10
    assert code == 3
    assert said in instrument["service"]["sentence"]
    assert instrument["service"]["active"] is None


def test_without_a_unit_nobody_is_asked(tmp_path):
    assert unit_of("TST", private_environment(tmp_path, PATH="/nowhere")) is None


def test_a_job_of_cron_looks_where_a_login_has_written(tmp_path, monkeypatch):
    login = tmp_path / "login"
    login.mkdir(mode=0o700)
    monkeypatch.setattr(
        Manager, "of", classmethod(lambda cls, environ: cls({**environ, "XDG_RUNTIME_DIR": str(login)}))
    )
    roots = status_sight._roots({"HOME": str(tmp_path)})
    assert roots[0] == login / "livered"
    assert len(roots) == 2
    assert status_sight._roots({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(login)}) == [login / "livered"]


def test_the_first_line_says_that_systemd_has_given_it_up(tmp_path, asked):
    run = tmp_path / "run" / "livered" / "TST"
    run.mkdir(parents=True)
    for folder in (run, run.parent, run.parent.parent):
        folder.chmod(0o700)
    text = {"format": 2, "phase": "stopped", "now_ns": time.time_ns(), "status_every_s": 1.0, "sinks": []}
    (run / "status.json").write_text(json.dumps(text))
    code, instrument = asked(shown(ActiveState="failed"), XDG_RUNTIME_DIR=str(run.parent.parent))
    assert code == 1
    assert instrument["line"].endswith("; the service does NOT START")
