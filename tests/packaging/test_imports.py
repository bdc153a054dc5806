"""What `import livered_core` and the help of the command line load, and how long that takes."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

HEAVY = {"numba", "llvmlite", "h5py", "NCrystal", "scipp", "plotly", "httpx", "mantid"}
LIGHT = {"livered-core", "numpy", "attrs", "pluggy", "click"}


def run(*arguments: str, may_fail: bool = False) -> str:
    """Run Python, and return what it wrote to stderr."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=not may_fail
    ).stderr


def loaded(*arguments: str, may_fail: bool = False) -> set[str]:
    """Top-level names of all modules that a run of Python imports."""
    lines = run("-X", "importtime", *arguments, may_fail=may_fail).splitlines()
    return {
        line.rpartition("|")[2].strip().partition(".")[0] for line in lines if line.startswith("import time:")
    }


def distributions(modules: set[str]) -> set[str]:
    known = packages_distributions()
    return {distribution for module in modules for distribution in known.get(module, [])}


def cpu_time(*arguments: str) -> float:
    """Processor seconds of a run of Python, the least of three."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    took = []
    for _ in range(3):
        before = spent()
        run(*arguments)
        took.append(spent() - before)
    return min(took)


@pytest.mark.parametrize(
    "arguments",
    [("-c", "import livered_core"), ("-m", "livered_core", "--help"), ("-m", "livered_core", "--version")],
)
def test_it_loads_only_what_it_needs(arguments):
    names = loaded(*arguments)
    assert "livered_core" in names
    assert names & HEAVY == set()
    assert distributions(names) - distributions(loaded("-c", "")) <= LIGHT


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import livered_core"),
        ("-m", "livered_core", "--help"),
        ("-m", "livered_core", "run", "--help"),
        ("-m", "livered_core", "status"),
    ],
    ids=["import", "help", "help of run", "status"],
)
def test_what_people_wait_for_does_without_numpy(arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    names = loaded(*arguments, may_fail=arguments[-1] == "status")
    assert names & {"numpy", "asyncio", "rich", *HEAVY} == set()
    # Those of a running livered are read into attrs classes.
    assert "attr" not in names or arguments[-1] == "status"


@pytest.mark.parametrize("command", ["run", "check", "config", "simulate"])
def test_the_help_of_a_command_is_light(command):
    assert loaded("-m", "livered_core", command, "--help") & HEAVY == set()


def test_plugins_are_light_until_they_work():
    code = "import livered_nom.plugin, livered_publish_monitor.plugin, livered_core.diffraction, livered_core.geometry"
    # The one that posts results needs httpx for its settings already.
    assert loaded("-c", code) & HEAVY <= {"httpx"}


@pytest.mark.parametrize("command", ["--help", "--version", "run"])
def test_metadata_of_packages_are_read_where_they_are_asked_for(command):
    arguments = ("-m", "livered_core", command, *(["--help"] if command == "run" else []))
    lines = run("-X", "importtime", *arguments).splitlines()
    assert any(line.endswith(" importlib.metadata") for line in lines) is (command == "--version")


@pytest.mark.parametrize(
    "code",
    [
        "import livered_core; livered_core.errors.ConfigError, livered_core.hooks, livered_core.model.result.Curve",
        "from livered_core import *; hookimpl, Chunk, ConfigError",
        "from livered_core.model import *; Chunk, format_utc",
        "import livered_core as core; assert not hasattr(core, 'nonsense') and not hasattr(core.model, 'nonsense')",
        "import livered_core as core; assert {*core.__all__, 'errors', '__version__'} <= {*dir(core)}",
    ],
    ids=["parts", "all", "all nouns", "nothing else", "dir"],
)
def test_names_are_there_as_if_they_were_imported_at_once(code):
    run("-c", code)


def test_the_help_takes_less_than_numpy():
    # Measured: half of it. Compared, and in processor time, so that a slow or busy machine does not matter.
    assert cpu_time("-m", "livered_core", "--help") < cpu_time("-c", "import numpy")
