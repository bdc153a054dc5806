"""Setting up with make: what it says where it cannot, and when it has nothing to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")


def make(*arguments: object) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHON", "VENV"}
    }
    return subprocess.run(
        ["make", *map(str, arguments)],
        cwd=REPOSITORY,
        env=kept,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pretend(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def refused(result: subprocess.CompletedProcess[str], *words: object) -> None:
    assert result.returncode == 2, result
    sentence, *rest = result.stderr.splitlines()
    assert all(line.startswith("make: *** ") for line in rest), result.stderr
    for word in words:
        assert str(word) in sentence


@pytest.fixture
def environment(tmp_path):
    """A virtual environment that looks finished."""
    folder = tmp_path / "environment"
    pretend(folder / "bin" / "python", f'exec "{sys.executable}" "$@"')
    stamp = folder / ".livered-setup"
    stamp.touch()
    return folder


def test_help_names_the_targets():
    result = make()
    assert result.returncode == 0
    for target in ("demo", "test", "check", "setup", "wheels", "clean"):
        assert f"make {target} " in result.stdout


def test_a_finished_environment_is_left_alone_silently(environment):
    result = make(f"VENV={environment}", "setup")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "manifest",
    ["pyproject.toml", "plugins/nom/pyproject.toml", "plugins/publish_monitor/pyproject.toml", "Makefile"],
)
def test_a_newer_manifest_brings_it_up_to_date(environment, manifest):
    result = make("-n", f"--what-if={manifest}", f"VENV={environment}", "setup")
    assert "uv pip install" in result.stdout, result


def test_an_old_python_is_refused(tmp_path):
    old = pretend(
        tmp_path / "python3.9",
        f'exec \'{sys.executable}\' -c "import sys; sys.version_info = (3, 9, 18); exec(sys.argv[2])" "$@"',
    )
    refused(make(f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", "setup"), "3.10", old, "3.9")
    assert not (tmp_path / "venv").exists()


def test_no_python_is_said(tmp_path):
    missing = tmp_path / "python3.99"
    refused(make(f"PYTHON={missing}", f"VENV={tmp_path / 'venv'}", "setup"), missing, "3.10")


def test_a_python_without_ensurepip_says_what_to_install(tmp_path):
    bare = pretend(
        tmp_path / "python3", f'case "$*" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"'
    )
    refused(make(f"PYTHON={bare}", f"VENV={tmp_path / 'venv'}", "setup"), "ensurepip", "python3-venv")
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("target", ["setup", "clean"])
def test_a_folder_of_somebody_else_is_not_touched(tmp_path, target):
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "data").write_text("42")
    refused(make(f"VENV={folder}", target), folder)
    assert (folder / "data").read_text() == "42"


def test_another_python_means_another_environment(environment, tmp_path):
    # Only what make would do: a real one takes its time.
    other = pretend(tmp_path / "python3.99", "echo 3.99")
    result = make("-n", f"PYTHON={other}", f"VENV={environment}", "setup")
    assert "-m venv --clear" in result.stdout
    assert "test -z 'anew'" in result.stdout


def test_a_name_with_a_space_is_refused(tmp_path):
    result = make(f"VENV={tmp_path}/a b", "setup")
    assert result.returncode == 2
    assert "spaces" in result.stderr
