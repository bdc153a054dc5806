"""The built distributions, installed outside the checkout, do what the checkout does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ALL = ("livered_core[native,simulator]", "livered_nom", "livered_publish_monitor")


@pytest.fixture(scope="module")
def everything(install_wheels):
    return install_wheels(*ALL)


@pytest.fixture(scope="module")
def core_alone(install_wheels):
    return install_wheels("livered_core")


def one_sentence(result, *words):
    assert result.returncode == 2, result
    (line,) = result.stderr.splitlines()
    assert line.startswith("livered: ")
    for word in words:
        assert word in line


def test_nothing_is_of_the_checkout(everything, tmp_path):
    code = (
        "import json, livered_core, livered_nom, livered_publish_monitor as p\n"
        "print(json.dumps([livered_core.__version__, *(m.__file__ for m in (livered_core, livered_nom, p))]))"
    )
    result = everything(tmp_path, "python", "-c", code)
    assert result.returncode == 0, result.stderr
    version, *files = json.loads(result.stdout)
    assert all(Path(file).is_relative_to(everything.folder) for file in files)
    assert everything(tmp_path, "livered", "--version").stdout.strip().endswith(f" {version}")


def test_every_entry_point_can_be_loaded(everything, tmp_path):
    code = (
        "from importlib.metadata import entry_points\n"
        "for group in ('livered.instruments', 'livered.plugins'):\n"
        "    for point in entry_points(group=group): print(point.name, point.load().__name__)"
    )
    result = everything(tmp_path, "python", "-W", "error", "-c", code)
    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()[::2]) == {"NOM", "NOMAD", "files", "publish_monitor", "scripts"}


def test_check_finds_everything_in_place(everything, tmp_path):
    result = everything(tmp_path, "livered", "check", "--instrument", "NOM", "--no-connect")
    assert (result.returncode, result.stderr) == (0, ""), result
    assert "livered-nom" in result.stdout


def test_a_simulated_run_is_reduced_and_written(everything, tmp_path):
    (tmp_path / "c.toml").write_text('output_dir = "reduced"\n[simulate]\nrun_length = 2.0\n')
    result = everything(
        tmp_path, "livered", "run", "-i", "NOM", "--simulate", "--stop-after-run", "--plain", "--config", "c.toml"
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    written = list((tmp_path / "reduced").iterdir())
    assert len([path for path in written if path.suffix == ".h5"]) == 1
    columns = [path for path in written if path.suffix == ".dat"]
    assert len(columns) == 6
    for path in columns:
        rows = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert sum(float(row[1]) for row in rows) > 0.0, path.name


def test_the_core_alone_has_a_command_line(core_alone, tmp_path):
    result = core_alone(tmp_path, "livered", "--help")
    assert result.returncode == 0
    assert "Commands:" in result.stdout
    assert core_alone(tmp_path, "python", "-W", "error", "-c", "import livered_core").returncode == 0


@pytest.mark.parametrize("command", ["check", "run", "simulate"])
def test_the_core_alone_asks_for_the_instruments_plugin(core_alone, tmp_path, command):
    one_sentence(core_alone(tmp_path, "livered", command, "--instrument", "NOM"), "'NOM'", "livered-nom")


def test_a_core_without_extras_gives_plugins_its_public_packages(core_alone, tmp_path):
    code = "import livered_core.diffraction, livered_core.geometry"
    result = core_alone(tmp_path, "python", "-W", "error", "-c", code)
    assert result.returncode == 0, result.stderr


def test_a_plugin_without_the_simulator_says_what_to_install(install_wheels, tmp_path):
    nom = install_wheels("livered_core", "livered_nom")
    assert nom(tmp_path, "livered", "check", "--instrument", "NOM", "--no-connect").returncode == 0
    one_sentence(nom(tmp_path, "livered", "run", "-i", "NOM", "--simulate"), "NCrystal", "simulator")
    one_sentence(nom(tmp_path, "livered", "simulate", "-i", "NOM"), "NCrystal", "simulator")
