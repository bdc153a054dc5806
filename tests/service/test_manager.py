"""Why no manager answers, whether somebody lingers, and which limits are kept."""

from __future__ import annotations

import os

import pytest

from livered_core.service.control_groups import without_effect
from livered_core.service.lingering import lingering_advice, lingers
from livered_core.service.manager import Manager, ManagerError

LIMITS = {"MemoryMax": "50%", "CPUQuota": "200%"}


@pytest.fixture
def programs(tmp_path):
    """A folder of programs with a systemctl that finds no manager."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text("#!/bin/sh\necho Failed to connect to bus: No such file >&2\nexit 1\n")
    program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def problem(tmp_path, path, **environ):
    manager = Manager.of({"PATH": path, **environ}, runs=tmp_path / "run")
    with pytest.raises(ManagerError) as caught:
        manager.require()
    return str(caught.value)


def test_without_systemd_it_is_said(tmp_path):
    assert "There is no systemctl on this machine: run `livered run`" in problem(tmp_path, str(tmp_path))


def test_why_none_answers_is_said(tmp_path, programs, monkeypatch):
    assert "XDG_RUNTIME_DIR is not set" in problem(tmp_path, programs)
    gone = problem(tmp_path, programs, XDG_RUNTIME_DIR=str(tmp_path / "gone"))
    assert f"XDG_RUNTIME_DIR names {tmp_path}/gone, which is not there" in gone
    mine = problem(tmp_path, programs, XDG_RUNTIME_DIR=str(tmp_path))
    assert (
        "No service manager of yours answers on this machine (Failed to connect to bus: No such file)" in mine
    )
    monkeypatch.setattr(os, "getuid", lambda: 12345678)
    foreign = problem(tmp_path, programs, XDG_RUNTIME_DIR=str(tmp_path))
    assert f"names {tmp_path}, which belongs to another user" in foreign


def test_without_the_variable_the_usual_folder_is_taken(tmp_path):
    folder = tmp_path / str(os.getuid())
    assert Manager.of({"A": "b"}, runs=tmp_path).environ == {"A": "b"}
    folder.mkdir()
    assert Manager.of({"A": "b"}, runs=tmp_path).environ == {"A": "b", "XDG_RUNTIME_DIR": str(folder)}
    assert Manager.of({"XDG_RUNTIME_DIR": "/x"}, runs=tmp_path).environ == {"XDG_RUNTIME_DIR": "/x"}


def test_who_lingers_has_a_file(tmp_path):
    (tmp_path / "nom").touch()
    assert lingers("nom", tmp_path) is True
    assert lingers("other", tmp_path) is False


@pytest.mark.parametrize(("said", "answer"), [("yes", True), ("no", False), ("", None)])
def test_without_that_folder_logind_is_asked(tmp_path, monkeypatch, said, answer):
    program = tmp_path / "loginctl"
    program.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "show-user nom --property=Linger" ] && echo {said}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert lingers("nom", tmp_path / "gone") is answer


def test_without_logind_nobody_can_say(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lingers("nom", tmp_path / "gone") is None


def test_what_to_type_is_said_where_it_is_off():
    assert lingering_advice("nom", True) == ""
    assert "loginctl enable-linger nom" in lingering_advice("nom", False)
    assert "could not be found out" in lingering_advice("nom", None)


@pytest.mark.parametrize(
    ("groups", "controllers", "idle"),
    [
        ("0::/user.slice/livered-nom.service\n", "memory pids", ["CPUQuota"]),
        ("0::/user.slice/livered-nom.service\n", "cpu memory pids", []),
        ("0::/user.slice/livered-nom.service\n", "", ["MemoryMax", "CPUQuota"]),
        (
            "4:memory:/user.slice/livered-nom.service\n3:cpu,cpuacct:/\n0::/user.slice/livered-nom.service\n",
            None,
            ["CPUQuota"],
        ),
    ],
    ids=["memory-only", "both", "none", "version-1"],
)
def test_limits_that_nothing_keeps_are_named(tmp_path, groups, controllers, idle):
    process = tmp_path / "proc" / "12"
    process.mkdir(parents=True)
    (process / "cgroup").write_text(groups)
    folder = tmp_path / "cgroup" / "user.slice" / "livered-nom.service"
    folder.mkdir(parents=True)
    if controllers is not None:
        (folder / "cgroup.controllers").write_text(controllers)
    where = (tmp_path / "proc", tmp_path / "cgroup")
    assert without_effect(LIMITS, 12, *where) == idle
    assert without_effect({}, 12, *where) == []
    assert without_effect(LIMITS, 13, *where) == []
