"""``livered service``: what it writes and says, and what a real systemd makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adara_support import banked, geometry, new_run, run_info
from environment_support import as_conda, make_environment
from livered_core.service.unit import MARKER
from livered_support import WAIT, livered, private_environment
from sms_support import scripted_server
from waiting import until

PLUGIN = """
    import attrs
    from livered_core import Curve, Result, hookimpl

    @attrs.define(eq=False)
    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            return chunk.n_events

        @hookimpl
        def post_process(self, accumulated, run, update):
            return Result(run.number, run.title, (Curve("sum", [0.0], [accumulated], [0.0], "one", "counts"),))
"""
UNIT = "livered-svc.service"


@pytest.fixture
def site(install):
    return install(
        "livered-svc", {"svc_plugin.py": PLUGIN}, {"livered.instruments": ["SVC = svc_plugin:Instrument"]}
    )


def test_install_writes_the_unit_and_says_what_to_type(tmp_path):
    environ = private_environment(tmp_path, LIVERED_BACKEND="native")
    unit = tmp_path / ".config" / "systemd" / "user" / "livered-nom.service"
    printed = livered(tmp_path, "service", "install", "-i", "nomad", "--print", environment=environ)
    assert printed.returncode == 0
    assert not unit.exists()
    result = livered(tmp_path, "service", "install", "-i", "nomad", environment=environ)
    assert result.returncode == 0
    assert unit.read_text() == printed.stdout
    lines = result.stdout.splitlines()
    assert lines[0] == f"Wrote {unit}."
    assert any("The service does not know what is set here only: LIVERED_BACKEND" in line for line in lines)
    assert "  systemctl --user daemon-reload" in lines
    assert "  systemctl --user enable --now livered-nom.service" in lines
    assert f'ExecStart="{sys.executable}" -m livered_core run --plain --instrument NOM\n' in printed.stdout
    assert f"WorkingDirectory={tmp_path}\n" in printed.stdout
    assert "TimeoutStopSec=110\n" in printed.stdout
    again = livered(tmp_path, "service", "install", "-i", "nomad", environment=environ)
    assert again.stdout.startswith(f"Nothing to change in {unit}.")
    gone = livered(tmp_path, "service", "uninstall", "-i", "NOM", environment=environ)
    assert gone.stdout.startswith(f"Removed {unit}.")
    assert not unit.exists()
    nothing = livered(tmp_path, "service", "uninstall", "-i", "NOM", environment=environ)
    assert nothing.stdout == f"There is no {unit}: nothing to remove.\n"


def test_a_unit_of_someone_else_stays(tmp_path):
    unit = tmp_path / ".config" / "systemd" / "user" / "livered-nom.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    for command in ("install", "uninstall"):
        result = livered(tmp_path, "service", command, "-i", "NOM")
        assert (result.returncode, result.stdout) == (2, "")
        assert "was not written by livered" in result.stderr
    assert unit.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_the_unit_runs_the_python_of_the_environment(tmp_path, site):
    env = make_environment(tmp_path / "env", site)
    (tmp_path / "c.toml").write_text(
        f'[mantid]\nenvironment = "{env}"\nstop_timeout = 5\n[publish]\nstop_timeout = "odd"\n'
    )
    private = private_environment(tmp_path)
    command = ["service", "install", "--print", "-i", "SVC"]
    named = livered(tmp_path, *command, "--config", "c.toml", environment=private).stdout
    start = f'"{env}/bin/python" -m livered_core'
    with_file = f"--instrument SVC --config {tmp_path}/c.toml"
    assert f"ExecStartPre=-{start} check --no-connect {with_file}\n" in named
    assert f"ExecStart={start} run --plain {with_file}\n" in named
    assert "TimeoutStopSec=55\n" in named  # 5 s, 20 s by default, and 30 s
    given = livered(tmp_path, *command, "--env", "env", environment=private).stdout
    assert f"ExecStart={start} run --plain --instrument SVC --env {env}\n" in given
    asked = livered(tmp_path, *command, "--config", "c.toml", "--env", environment=private).stdout
    assert f"ExecStart={start} run --plain {with_file} --env\n" in asked


def test_an_environment_without_the_plugin_is_refused(tmp_path):
    env = make_environment(tmp_path / "env")
    result = livered(tmp_path, "service", "install", "-i", "SVC", "--env", env)
    assert (result.returncode, result.stdout) == (2, "")
    assert "The plugin of SVC is not installed in the environment" in result.stderr


def systemctl(environ, *arguments):
    command = ["systemctl", "--user", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT, check=False)


def shown(environ, *properties):
    lines = systemctl(
        environ, "show", UNIT, *(f"--property={name}" for name in properties)
    ).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def main_pid(environ):
    return int(shown(environ, "MainPID")["MainPID"])


def client(connection):
    connection.send(geometry(), new_run(7), run_info(7, "a run"), *(banked(i) for i in range(30)))
    connection.hold()


def status(manager):
    path = Path(manager["XDG_RUNTIME_DIR"]) / "livered" / "SVC" / "status.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}


def test_systemd_runs_it(manager, tmp_path, site):
    folder = tmp_path / 'work 100% $HOME "here"'
    folder.mkdir()
    env = as_conda(make_environment(tmp_path / "envs %h" / "mantid $x", site), a="export FROM_SCRIPT=1")
    config = folder / 'c %i "$y".toml'
    unit = Path(manager["XDG_CONFIG_HOME"]) / "systemd" / "user" / UNIT
    (unit.parent / f"{UNIT}.d").mkdir()
    (unit.parent / f"{UNIT}.d" / "fast.conf").write_text("[Service]\nRestartSec=100ms\n")
    with scripted_server(client) as server:
        good = f'address = "{server.address}"\nupdate_every = 0.2\n[mantid]\nenvironment = "{env}"\n'
        config.write_text(good)
        installed = livered(
            folder, "service", "install", "-i", "SVC", "--config", config.name, environment=manager
        )
        assert installed.returncode == 0, installed.stderr
        assert "fast.conf, which changes it." in installed.stdout
        assert systemctl(manager, "daemon-reload").returncode == 0
        assert systemctl(manager, "enable", "--now", UNIT).returncode == 0

        until(lambda: (status(manager).get("run") or {}).get("number") == 7)
        first = main_pid(manager)
        assert_runs(first, env, folder)

        os.kill(first, signal.SIGKILL)
        until(lambda: main_pid(manager) not in (0, first))
        until(lambda: shown(manager, "ActiveState")["ActiveState"] == "active")
        second = main_pid(manager)
        until(lambda: status(manager)["pid"] == second and (status(manager)["run"] or {}).get("number") == 7)
        assert_runs(second, env, folder)

        assert systemctl(manager, "stop", UNIT).returncode == 0
        assert shown(manager, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
        assert not Path(f"/proc/{second}").exists()
        assert "Asked to stop by SIGTERM" in (folder / "livereduce.log").read_text()

        # Wrong configuration: it is not tried again and again.
        config.write_text("nonsense = 1\n" + good)
        systemctl(manager, "reset-failed", UNIT)
        systemctl(manager, "start", UNIT)
        until(lambda: shown(manager, "ActiveState")["ActiveState"] == "failed")
        told = shown(manager, "ExecMainStatus", "NRestarts", "Result")
        assert told == {"ExecMainStatus": "2", "NRestarts": "0", "Result": "exit-code"}

        removed = livered(folder, "service", "uninstall", "-i", "SVC", environment=manager)
        assert removed.returncode == 0
        assert not unit.exists()
        assert not (unit.parent / "default.target.wants" / UNIT).is_symlink()
        assert (unit.parent / f"{UNIT}.d" / "fast.conf").exists()


def assert_runs(pid, env, folder):
    command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    assert command[:4] == [str(env / "bin" / "python"), "-m", "livered_core", "run"]
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert {"FROM_SCRIPT=1", f"CONDA_PREFIX={env}"} <= set(variables)
    assert Path(f"/proc/{pid}/cwd").readlink() == folder


def test_systemd_finds_nothing_wrong_with_the_unit(manager, tmp_path):
    result = livered(tmp_path, "service", "install", "-i", "NOM", environment=manager)
    assert result.returncode == 0, result.stderr
    unit = Path(manager["XDG_CONFIG_HOME"]) / "systemd" / "user" / "livered-nom.service"
    assert unit.read_text().startswith(MARKER)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", unit],
        env=manager,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_starts_it_anew_when_the_reduction_hangs(manager, tmp_path, install):
    hangs = PLUGIN.replace(
        "return chunk.n_events",
        """import pathlib, threading
            file = pathlib.Path("hung")
            if not file.exists():
                file.touch()
                threading.Event().wait()
            return chunk.n_events""",
    )
    site = install(
        "livered-svc", {"svc_plugin.py": hangs}, {"livered.instruments": ["SVC = svc_plugin:Instrument"]}
    )
    env = make_environment(tmp_path / "env", site)
    unit = Path(manager["XDG_CONFIG_HOME"]) / "systemd" / "user" / UNIT
    (unit.parent / f"{UNIT}.d").mkdir(parents=True)
    fast = "[Service]\nRestartSec=100ms\nWatchdogSec=2\nLimitCORE=0\n"
    (unit.parent / f"{UNIT}.d" / "fast.conf").write_text(fast)
    with scripted_server(client) as server:
        config = tmp_path / "c.toml"
        config.write_text(
            f'address = "{server.address}"\nupdate_every = 0.2\nbackend = "auto"\n[mantid]\nenvironment = "{env}"\n'
        )
        installed = livered(
            tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml", environment=manager
        )
        assert installed.returncode == 0, installed.stderr
        assert systemctl(manager, "daemon-reload").returncode == 0
        assert systemctl(manager, "start", UNIT).returncode == 0

        until((tmp_path / "hung").exists)
        hung = main_pid(manager)
        until(lambda: main_pid(manager) not in (0, hung))
        until(lambda: status(manager).get("pid") != hung and status(manager).get("n_updates", 0) > 0)
        assert systemctl(manager, "stop", UNIT).returncode == 0
