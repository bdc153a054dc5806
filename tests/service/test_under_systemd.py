"""What a real systemd user manager makes of the service."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from adara_support import banked, geometry, new_run, run_info
from environment_support import as_conda, make_environment
from livered_core.interpreter import module_arguments
from livered_core.service.unit import MARKER
from livered_support import WAIT
from service_support import PLUGIN, install_plugin, is_alive, variables_of
from sms_support import scripted_server
from waiting import until

FAST = "[Service]\nRestartSec=100ms\n"
HANGS = PLUGIN.replace(
    "return chunk.n_events",
    """import pathlib, threading
            file = pathlib.Path("hung")
            if not file.exists():
                file.touch()
                threading.Event().wait()
            return chunk.n_events""",
)


@pytest.fixture
def site(install):
    return install_plugin(install)


def client(connection):
    connection.send(geometry(), new_run(7), run_info(7, "a run"), *(banked(i) for i in range(30)))
    connection.hold()


@contextlib.contextmanager
def beamline(folder, name="c.toml", more=""):
    """Serve a run, and write the configuration with which livered takes it."""
    with scripted_server(client) as server:
        text = f'address = "{server.address}"\nupdate_every = 0.2\n{more}'
        (folder / name).write_text(text)
        yield text


def with_plugin(site, more=""):
    """A drop-in with which the service finds the plugin."""
    return f"{FAST}Environment=PYTHONPATH={site}\n{more}"


def log_of(folder):
    return (folder / "livereduce.log").read_text()


def test_systemd_finds_nothing_wrong_with_the_unit(manager, tmp_path):
    (tmp_path / "key").write_text("sesame")
    (tmp_path / "c.toml").write_text(
        f'[service]\nmemory_max = "50%"\ncores = 1.5\nload_credential = ["monitor:{tmp_path}/key"]\n'
    )
    result = manager.livered(tmp_path, "service", "install", "-i", "NOM", "--config", "c.toml")
    assert result.returncode == 0, result.stderr
    unit = manager.unit("nom")
    assert unit.read_text().startswith(MARKER)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", unit],
        env=manager.environ,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = manager.shown(
        "CPUQuotaPerSecUSec", "MemoryMax", "LimitCORE", "NoNewPrivileges", "Restart", name="nom"
    )
    assert shown["MemoryMax"].isdigit()
    del shown["MemoryMax"]
    assert shown == {
        "CPUQuotaPerSecUSec": "1.500000s",
        "LimitCORE": "0",
        "NoNewPrivileges": "yes",
        "Restart": "always",
    }


def test_a_life_of_a_service(manager, tmp_path, site):
    """With names that systemd could misread, in an environment of its own."""
    folder = tmp_path / 'work 100% $HOME "here"'
    folder.mkdir()
    env = as_conda(make_environment(tmp_path / "envs %h" / "mantid $x", site), a="export FROM_SCRIPT=1")
    config = 'c %i "$y".toml'
    drop_in = manager.drop_in(FAST)
    with beamline(folder, config, f'[mantid]\nenvironment = "{env}"\n'):
        installed = manager.livered(folder, "service", "install", "-i", "SVC", "--config", config, "--now")
        assert installed.returncode == 0, installed.stderr
        assert f"Kept {drop_in}, which changes it." in installed.stdout
        assert "systemd has read it." in installed.stdout
        assert re.search(r"SVC: running since .*\n  says       \S", installed.stdout)
        first = manager.pid()
        until(lambda: manager.run_number(first) == 7)
        assert_runs(first, env, folder)
        told = manager.livered(tmp_path, "service", "status", "-i", "svc")
        assert told.returncode == 0
        assert f"  process    {first}, " in told.stdout
        assert f"  drop-in    {drop_in}\n" in told.stdout
        assert f"  log        {folder}/livereduce.log\n" in told.stdout
        again = manager.livered(tmp_path, "service", "start")
        assert (again.returncode, again.stdout) == (0, "SVC runs already.\n")
        assert manager.systemctl("reload", "livered-svc").returncode == 0
        until(lambda: "Asked by SIGHUP" in log_of(folder))
        assert manager.pid() == first

        os.kill(first, signal.SIGKILL)
        until(lambda: manager.pid() not in (0, first) and manager.state() == "active")
        second = manager.pid()
        until(lambda: manager.run_number(second) == 7)
        assert_runs(second, env, folder)
        told = manager.livered(tmp_path, "service", "status")
        assert "  restarts   1 by systemd since somebody started it\n" in told.stdout

        stopped = manager.livered(tmp_path, "service", "stop")
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert re.search(r"SVC stopped, in \d+ s\.\nIt begins again at your next login", stopped.stdout)
        assert manager.shown("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
        assert not is_alive(second)
        assert "Asked to stop by SIGTERM" in log_of(folder)
        assert not (folder / "livereduce.log.crash").exists()
        idle = manager.livered(tmp_path, "service", "status")
        assert (idle.returncode, idle.stdout.splitlines()[0][:16]) == (3, "SVC: not running")


def test_a_wrong_configuration_is_not_tried_again_and_again(manager, tmp_path, site):
    drop_in = manager.drop_in(with_plugin(site))
    with beamline(tmp_path) as text:
        (tmp_path / "c.toml").write_text("nonsense = 1\n" + text)
        wrong = manager.livered(tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml", "--now")
        assert wrong.returncode == 1
        assert "its configuration is wrong (exit code 2). It said: nonsense (" in wrong.stderr
        shown = manager.shown("ActiveState", "ExecMainStatus", "NRestarts", "Result")
        assert shown == {
            "ActiveState": "failed",
            "ExecMainStatus": "2",
            "NRestarts": "0",
            "Result": "exit-code",
        }
        told = manager.livered(tmp_path, "service", "status")
        assert told.returncode == 3
        assert "SVC: FAILED since" in told.stdout
        assert "  last said  nonsense (" in told.stdout

        removed = manager.livered(tmp_path, "service", "uninstall", "-i", "SVC")
        assert removed.returncode == 0
        assert f"Kept {drop_in}: remove it if it is of no more use." in removed.stdout
        assert not manager.unit().exists()
        assert not (manager.unit().parent / "default.target.wants" / manager.unit().name).is_symlink()
        assert manager.shown("LoadState")["LoadState"] == "not-found"


def assert_runs(pid, env, folder):
    command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    program = [str(env / "bin" / "python"), *module_arguments("livered_core"), "run"]
    assert command[: len(program)] == program
    assert {"FROM_SCRIPT=1", f"CONDA_PREFIX={env}"} <= variables_of(pid)
    assert Path(f"/proc/{pid}/cwd").readlink() == folder


def test_one_that_hangs_is_started_anew_and_says_where(manager, tmp_path, install):
    manager.drop_in(with_plugin(install_plugin(install, HANGS), "WatchdogSec=3\n"))
    with beamline(tmp_path):
        started = manager.livered(tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml", "--now")
        assert started.returncode == 0, started.stderr
        hung = manager.pid()
        until((tmp_path / "hung").exists)
        until(lambda: manager.pid() not in (0, hung))
        until(lambda: manager.status().get("pid") != hung and manager.status().get("n_updates", 0) > 0)
        told = manager.livered(tmp_path, "service", "logs", "-n", "1000").stdout
        (said,) = re.findall(r"did not end by itself: (.*)", told)
        assert re.fullmatch(
            r"aborted, as systemd does when nothing gets on for 3 s; the reduction was in process_chunk "
            r"\(svc_plugin\.py line 13\), at wait \(threading\.py line \d+\)\. What its threads were doing:",
            said,
        ), said
        assert "take_chunk" in told, "the stacks are in the log"
        assert not is_alive(hung)
        assert manager.livered(tmp_path, "service", "stop").returncode == 0


@pytest.mark.slow
def test_one_that_is_frozen_is_started_anew(manager, tmp_path, site):
    """The whole process stands still, as it would in a read from a disk that does not answer."""
    manager.drop_in(with_plugin(site, "WatchdogSec=3\n"))
    with beamline(tmp_path):
        started = manager.livered(tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml", "--now")
        assert started.returncode == 0, started.stderr
        frozen = manager.pid()
        until(lambda: manager.run_number(frozen) == 7)
        os.kill(frozen, signal.SIGSTOP)
        until(lambda: manager.pid() not in (0, frozen) and manager.run_number(manager.pid()) == 7)
        assert not is_alive(frozen)
        assert "did not end by itself: aborted" in log_of(tmp_path)
        assert manager.livered(tmp_path, "service", "stop").returncode == 0


@pytest.mark.slow
def test_an_upgrade_rewrites_the_unit_and_keeps_what_a_person_added(manager, tmp_path, site):
    old = f"{MARKER}\n[Unit]\nDescription=livered, live data reduction of SVC\n[Service]\nExecStart=/bin/sleep 1000\n"
    manager.unit().write_text(old)
    drop_in = manager.drop_in(with_plugin(site, "Environment=MINE=1\nNice=5\n"))
    manager.systemctl("daemon-reload")
    assert manager.systemctl("start", "livered-svc").returncode == 0
    slept = manager.pid()
    with beamline(tmp_path):
        told = manager.livered(tmp_path, "service", "status")
        assert "Its unit was written by livered of an earlier time" in told.stdout
        installed = manager.livered(tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml")
        assert installed.stdout.startswith(f"Wrote {manager.unit()}.\n")
        assert f"Kept {drop_in}, which changes it." in installed.stdout
        assert "It runs, as it was begun; to begin it anew: livered service restart" in installed.stdout
        assert manager.pid() == slept, "nothing is restarted unasked"
        assert manager.livered(tmp_path, "service", "restart").returncode == 0
        pid = manager.pid()
        until(lambda: manager.run_number(pid) == 7)
        assert "MINE=1" in variables_of(pid)
        assert os.getpriority(os.PRIO_PROCESS, pid) == 5
        assert "written by" not in manager.livered(tmp_path, "service", "status").stdout

        # A change of one's own needs no other word than restart.
        drop_in.write_text(drop_in.read_text().replace("MINE=1", "MINE=2"))
        assert "Its files have changed since" in manager.livered(tmp_path, "service", "status").stdout
        assert manager.livered(tmp_path, "service", "restart").returncode == 0
        assert "MINE=2" in variables_of(manager.pid())
        assert manager.livered(tmp_path, "service", "stop").returncode == 0


@pytest.mark.slow
def test_two_instruments_side_by_side_with_credentials(manager, tmp_path, site, install):
    install(
        "livered-two", {"two_plugin.py": PLUGIN}, {"livered.instruments": ["TWO = two_plugin:Instrument"]}
    )
    secret = tmp_path / "key"
    secret.write_text("sesame")
    secret.chmod(0o600)
    table = f'[service]\nload_credential = ["monitor:{secret}"]\n'
    with beamline(tmp_path, "svc.toml", table), beamline(tmp_path, "two.toml", "[log]\nfile = 'two.log'\n"):
        for name in ("svc", "two"):
            manager.drop_in(with_plugin(site), name)
            command = ("install", "-i", name.upper(), "--config", f"{name}.toml", "--now")
            started = manager.livered(tmp_path, "service", *command)
            assert started.returncode == 0, started.stderr
        pids = {name: manager.pid(name) for name in ("svc", "two")}
        for name, pid in pids.items():
            until(lambda name=name, pid=pid: manager.run_number(pid, name.upper()) == 7)
        both = manager.livered(tmp_path, "service", "status")
        assert both.returncode == 0
        assert re.findall(r"(?m)^(\w+): running", both.stdout) == ["SVC", "TWO"]
        (folder,) = (
            value.partition("=")[2]
            for value in variables_of(pids["svc"])
            if value.startswith("CREDENTIALS_DIRECTORY=")
        )
        # The mounts are in a namespace of the manager's.
        assert (Path(f"/proc/{pids['svc']}/root") / folder.lstrip("/") / "monitor").read_text() == "sesame"

        which = manager.livered(tmp_path, "service", "stop")
        assert which.returncode == 2
        assert "There are services of SVC, TWO: say which" in which.stderr
        assert manager.livered(tmp_path, "service", "stop", "-i", "SVC").returncode == 0
        one = manager.livered(tmp_path, "service", "status")
        assert one.returncode == 3
        assert manager.pid("two") == pids["two"]
        assert manager.livered(tmp_path, "service", "uninstall", "-i", "TWO").returncode == 0
        assert not is_alive(pids["two"])


def test_one_that_does_not_start_says_why(manager, tmp_path, install):
    manager.drop_in(with_plugin(install_plugin(install, "raise RuntimeError('no luck')")))
    (tmp_path / "livereduce.log").write_text("a line of long ago\n")
    (tmp_path / "c.toml").write_text('address = "localhost:1"\n')
    started = manager.livered(tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml", "--now")
    assert started.returncode == 1
    assert "SVC did not start: FAILED since" in started.stderr
    assert "no luck" in started.stderr
    assert "long ago" not in started.stderr
    (tmp_path / "c.toml").unlink()
    again = manager.livered(tmp_path, "service", "start")
    assert again.returncode == 2
    assert "The service of SVC does not start. Its configuration, " in again.stderr


@pytest.mark.slow
def test_one_that_does_not_stop_is_ended_and_says_where(manager, tmp_path, install):
    hangs = HANGS.replace("threading.Event().wait()", "threading.Event().wait(1000)")
    manager.drop_in(with_plugin(install_plugin(install, hangs), "TimeoutStopSec=1\n"))
    with beamline(tmp_path):
        started = manager.livered(tmp_path, "service", "install", "-i", "SVC", "--config", "c.toml", "--now")
        assert started.returncode == 0, started.stderr
        hung = manager.pid()
        until((tmp_path / "hung").exists)
        stopped = manager.livered(tmp_path, "service", "stop")
        assert stopped.returncode == 1
        assert "SVC did not stop in time, and was ended (" in stopped.stderr
        assert "The reduction was in process_chunk (svc_plugin.py line 13), at wait (" in stopped.stderr
        assert not is_alive(hung)
        assert "process_chunk" in (tmp_path / "livereduce.log.crash").read_text()
