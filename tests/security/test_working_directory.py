"""A folder in which somebody stands decides nothing: no module, and no installed package, is taken from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard_support import RunFolder
from environment_support import make_environment
from livered_core.config import DashboardConfig, SimulateConfig
from livered_core.dashboard.launch import DashboardProcess
from livered_core.engine.environment import find_environment
from livered_core.engine.installed import ask_installed
from livered_core.engine.plugin_look import look_at
from livered_core.errors import ConfigError
from livered_core.interpreter import module_arguments
from livered_core.simulator.process import start_simulator
from livered_core.testing.checks.budget import measure_import
from livered_support import WAIT, private_environment
from waiting import until

VERSIONS = [(3, 10), sys.version_info[:2]]
PLANTED = ("json", "attrs", "click", "socket", "runpy", "livered_core/__init__", "livered_nom/__init__")


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A working directory in which a colleague has put modules with the names of livered's, and a plugin."""
    folder = tmp_path / "shared"
    for name in PLANTED:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"with open({str(tmp_path / 'ran')!r}, 'a') as file:\n    file.write({name!r} + '\\n')\n"
        )
    info = folder / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[livered.plugins]\nevil = json:Evil\n")
    monkeypatch.chdir(folder)
    yield folder
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=private_environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


@pytest.mark.promise("S22")
@pytest.mark.parametrize("version", VERSIONS, ids=["python-3.10", "this-python"])
def test_a_module_runs_without_those_of_the_folder(shared, tmp_path, version):
    done = run(*module_arguments("livered_core", version), "--version", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("livered, version ")


@pytest.mark.promise("S22")
def test_the_simulated_beamline_starts_without_them(shared):
    # It reads its order, and says in its own words that there is nothing to play.
    with pytest.raises(ConfigError, match="the simulated beamline needs an instrument definition"):
        start_simulator(SimulateConfig(), "TST")


@pytest.mark.promise("S22")
def test_the_dashboard_starts_without_them(shared, tmp_path):
    environ = private_environment(tmp_path)
    RunFolder(Path(environ["XDG_RUNTIME_DIR"]) / "livered", "TST")
    dashboard = DashboardProcess(DashboardConfig(port=0), environ)
    dashboard.start()
    try:
        until(lambda: dashboard.address)
    finally:
        dashboard.stop()


@pytest.mark.promise("S22")
def test_plugins_are_looked_at_without_them(shared, tmp_path):
    (look,) = look_at(["livered_core.publish.files:FilesPlugin"])
    assert (look.problem, look.class_name) == ("", "livered_core.publish.files:FilesPlugin")
    # A class that is named by its file is found in the folder, and nothing else is.
    (shared / "mine.py").write_text("import json\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(shared))
        patch.setattr(sys, "path", [*sys.path[1:], sys.path[0]])
        assert "mine" in measure_import("mine").packages


@pytest.mark.promise("S22")
def test_an_environment_is_asked_and_entered_without_them(shared, tmp_path):
    prefix = make_environment(tmp_path / "env")
    installed = ask_installed(find_environment(str(prefix), os.environ), os.environ)
    assert installed.livered is not None
    assert "evil" not in installed.plugins
    arguments = ("run", "-i", "NOM", "--source", "none.adara", "--env", prefix)
    done = run(*module_arguments("livered_core"), *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "none.adara" in done.stderr
