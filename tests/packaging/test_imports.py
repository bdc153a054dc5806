"""What `import livered_core` and the help of the command line load, and how long that takes."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

HEAVY = {"numba", "llvmlite", "h5py", "NCrystal", "scipp", "plotly", "httpx", "mantid"}
LIGHT = {"livered-core", "numpy", "attrs", "pluggy", "click"}


def run(*arguments: str) -> str:
    """Run Python, and return what it wrote to stderr."""
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=True
    ).stderr


def loaded(*arguments: str) -> set[str]:
    """Top-level names of all modules that a run of Python imports."""
    lines = run("-X", "importtime", *arguments).splitlines()
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


@pytest.mark.parametrize("command", ["run", "check", "config", "simulate"])
def test_the_help_of_a_command_is_light(command):
    assert loaded("-m", "livered_core", command, "--help") & HEAVY == set()


def test_plugins_are_light_until_they_work():
    code = "import livered_nom.plugin, livered_publish_monitor.plugin, livered_core.diffraction, livered_core.geometry"
    # The one that posts results needs httpx for its settings already.
    assert loaded("-c", code) & HEAVY <= {"httpx"}


def test_help_takes_little_more_than_numpy():
    # Measured: less than twice. Compared, and in processor time, so that a slow or busy machine does not matter.
    assert cpu_time("-m", "livered_core", "--help") < 4 * cpu_time("-c", "import numpy")
