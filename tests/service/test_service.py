"""``livered service install`` and ``uninstall``: what they write and say where no manager answers."""

from __future__ import annotations

import re
import signal
import socket
import sys

import pytest

from environment_support import make_environment
from livered_core.interpreter import module_arguments
from livered_core.service.unit import argument_word
from livered_support import WAIT, livered, private_environment, started
from service_support import install_plugin

RUNS = " ".join(map(argument_word, module_arguments("livered_core")))


@pytest.fixture
def site(install):
    return install_plugin(install)


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
    assert "It begins by itself at your next login." in lines
    assert any("service manager" in line and "answer" in line for line in lines)
    assert "  systemctl --user daemon-reload" in lines
    assert lines[-1] == "and then, to start it: livered service start --instrument NOM"
    assert f'ExecStart="{sys.executable}" {RUNS} run --plain --instrument NOM\n' in printed.stdout
    assert f"WorkingDirectory={tmp_path}\n" in printed.stdout
    assert "TimeoutStopSec=170\n" in printed.stdout
    link = unit.parent / "default.target.wants" / unit.name
    assert link.resolve() == unit
    again = livered(tmp_path, "service", "install", "-i", "nomad", environment=environ)
    assert again.stdout.startswith(f"Nothing to change in {unit}.")
    gone = livered(tmp_path, "service", "uninstall", "-i", "nomad", environment=environ)
    assert gone.stdout.startswith(f"Removed {unit}.\nRemoved {link}.\n")
    assert "  systemctl --user stop livered-nom.service\n" in gone.stdout
    assert not unit.exists()
    nothing = livered(tmp_path, "service", "uninstall", "-i", "NOM", environment=environ)
    assert nothing.stdout == f"There is no {unit}: nothing to remove.\n"


def test_who_has_disabled_it_is_not_overruled(tmp_path):
    livered(tmp_path, "service", "install", "-i", "NOM")
    link = tmp_path / ".config/systemd/user/default.target.wants/livered-nom.service"
    link.unlink()
    again = livered(tmp_path, "service", "install", "-i", "NOM")
    assert "It does not begin by itself, as you chose" in again.stdout
    assert not link.is_symlink()


def test_what_changes_with_a_new_installation_is_said(tmp_path):
    livered(tmp_path, "service", "install", "-i", "NOM")
    unit = tmp_path / ".config/systemd/user/livered-nom.service"
    unit.write_text(
        unit.read_text().replace(f"ConditionHost={socket.gethostname()}\n", "ConditionHost=bl1b.gov\n")
    )
    other = tmp_path / "elsewhere"
    other.mkdir()
    environ = private_environment(tmp_path)
    told = livered(other, "service", "status", "-i", "NOM", environment=environ)
    assert told.returncode == 3
    assert "It is for the machine bl1b.gov, and this is " in told.stdout
    again = livered(other, "service", "install", "-i", "NOM", environment=environ)
    assert again.stdout.startswith("Wrote ")
    assert "It was for bl1b.gov before, and a service of livered is for one machine." in again.stdout
    assert f"It ran in {tmp_path} before: its older log is there." in again.stdout
    (other / "c.toml").write_text("")
    options = ("service", "install", "-i", "NOM")
    with_file = livered(other, *options, "--config", "c.toml", environment=environ)
    assert f"with --config (none) before, and now with {other}/c.toml." in with_file.stdout
    assert "with --config" not in livered(other, *options, "--config", "c.toml", environment=environ).stdout
    without = livered(other, *options, environment=environ)
    assert f"with --config {other}/c.toml before, and now with none." in without.stdout


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
        f'[mantid]\nenvironment = "{env}"\nstop_timeout = 105\n[publish]\nstop_timeout = "odd"\n'
    )
    private = private_environment(tmp_path)
    command = ["service", "install", "--print", "-i", "SVC"]
    named = livered(tmp_path, *command, "--config", "c.toml", environment=private).stdout
    start = f'"{env}/bin/python" {RUNS}'
    with_file = f"--instrument SVC --config {tmp_path}/c.toml"
    assert f"ExecStartPre=-{start} check --no-connect {with_file}\n" in named
    assert f"ExecStart={start} run --plain {with_file}\n" in named
    assert "TimeoutStopSec=215\n" in named  # 105 s, 30 s and 20 s by default, and 60 s
    given = livered(tmp_path, *command, "--env", "env", environment=private).stdout
    assert f"ExecStart={start} run --plain --instrument SVC --env {env}\n" in given
    asked = livered(tmp_path, *command, "--config", "c.toml", "--env", environment=private).stdout
    assert f"ExecStart={start} run --plain {with_file} --env\n" in asked


def test_an_environment_without_the_plugin_is_refused(tmp_path):
    env = make_environment(tmp_path / "env")
    result = livered(tmp_path, "service", "install", "-i", "SVC", "--env", env)
    assert (result.returncode, result.stdout) == (2, "")
    assert "The plugin of SVC is not installed in the environment" in result.stderr


def test_the_table_service_goes_into_the_unit(tmp_path):
    folder = tmp_path / "work NOM"
    folder.mkdir()
    secret = tmp_path / "key"
    secret.write_text("sesame")
    secret.chmod(0o644)
    (tmp_path / "c.toml").write_text(
        'working_dir = 1\n[service]\nmemory_max = "8 GB"\ncores = 2\nwatchdog = 60\ndashboard = true\n'
        'working_directory = "work {instrument}"\nload_credential = ["monitor:~/key", "other:/not/there"]\n'
    )
    result = livered(tmp_path, "service", "install", "-i", "NOM", "--config", "c.toml")
    assert result.returncode == 0, "what is wrong elsewhere is told at the start"
    unit = (tmp_path / ".config/systemd/user/livered-nom.service").read_text()
    assert "MemoryMax=8000000000\n" in unit
    assert "CPUQuota=200%\n" in unit
    assert "WatchdogSec=60\n" in unit
    assert f"WorkingDirectory={folder}\n" in unit
    assert f"LoadCredential=monitor:{secret}\nLoadCredential=other:/not/there\n" in unit
    assert re.search(r"ExecStart=.* --dashboard\n", unit)
    assert f"can be read by others: type `chmod 600 {secret}`." in result.stdout
    assert "The credential other, /not/there, cannot be read (No such file or directory)" in result.stdout


def test_a_table_service_that_is_wrong_is_refused(tmp_path):
    (tmp_path / "c.toml").write_text("[service]\nwatchdog = 5\n")
    result = livered(tmp_path, "service", "install", "-i", "NOM", "--config", "c.toml")
    assert (result.returncode, result.stdout) == (2, "")
    assert "service.watchdog (c.toml) must be 30 or more, or 0 for none, not 5." in result.stderr
    (tmp_path / "c.toml").write_text('[service]\nworking_directory = "not-there"\n')
    result = livered(tmp_path, "service", "install", "-i", "NOM", "--config", "c.toml")
    assert (result.returncode, result.stdout) == (2, "")
    assert f"{tmp_path}/not-there is not there: make it, or name another." in result.stderr
    assert not (tmp_path / ".config").exists()


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_without_a_manager_nothing_is_started(tmp_path, command):
    livered(tmp_path, "service", "install", "-i", "NOM")
    result = livered(tmp_path, "service", command)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.match(r"livered: (No service manager of yours answers|There is no systemctl)", result.stderr)


def test_what_is_not_installed_is_said(tmp_path):
    nothing = livered(tmp_path, "service", "status")
    assert nothing.returncode == 4
    assert "No service of livered is installed: `livered service install" in nothing.stderr
    for name in ("NOM", "PG3"):
        livered(tmp_path, "service", "install", "-i", name)
    other = livered(tmp_path, "service", "status", "-i", "SVC")
    assert other.returncode == 4
    assert "No service of SVC is installed (there are services of NOM, PG3)" in other.stderr
    which = livered(tmp_path, "service", "logs")
    assert which.returncode == 2
    assert "There are services of NOM, PG3: say which with --instrument NOM." in which.stderr


def test_what_has_vanished_is_said(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "c.toml").write_text("")
    environ = private_environment(tmp_path)
    livered(folder, "service", "install", "-i", "NOM", "--config", "c.toml", environment=environ)
    unit = tmp_path / ".config/systemd/user/livered-nom.service"
    unit.write_text(unit.read_text().replace(f'="{sys.executable}"', '="/gone/python"'))
    (folder / "c.toml").unlink()
    folder.rmdir()
    told = livered(tmp_path, "service", "status", environment=environ).stdout
    assert f"The folder in which it runs, {folder}, is not there" in told
    assert "Its Python, /gone/python, is not there" in told
    assert f"Its configuration, {folder}/c.toml, is not there" in told


def test_logs_are_those_of_the_configured_file(tmp_path):
    (tmp_path / "c.toml").write_text('[log]\nfile = "logs/nom.log"\n')
    livered(tmp_path, "service", "install", "-i", "NOM", "--config", "c.toml")
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "nom.log"
    log.write_text("one\ntwo\nthree\n")
    shown = livered(
        tmp_path,
        "service",
        "logs",
        "-n",
        "2",
        environment=private_environment(tmp_path, LIVERED_LOG__FILE="/elsewhere"),
    )
    assert (shown.returncode, shown.stdout) == (0, "two\nthree\n")
    assert f"log        {log}\n" in livered(tmp_path, "service", "status").stdout


def test_logs_go_on_with_what_is_written(tmp_path):
    livered(tmp_path, "service", "install", "-i", "NOM")
    log = tmp_path / "livereduce.log"
    log.write_text("before\n")
    with started(tmp_path, "service", "logs", "-f", "-n", "1") as process:
        assert process.stdout.readline() == "before\n"
        log.rename(f"{log}.1")
        log.write_text("after\n")
        assert process.stdout.readline() == "after\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
        assert process.stdout.read() == ""
