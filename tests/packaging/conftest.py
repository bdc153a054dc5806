"""The distributions as they would be released, and environments in which they are installed from the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from livered_support import private_environment

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 300.0


@attrs.frozen
class Installed:
    """A virtual environment outside the checkout that holds built distributions."""

    folder: Path

    def __call__(self, home: Path, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in a folder that is also its home."""
        kept = private_environment(home, PATH=f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            kept.pop(name, None)
        return subprocess.run(
            [str(self.folder / "bin" / program), *map(str, arguments)],
            cwd=home,
            env=kept,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


Install = Callable[..., Installed]


@pytest.fixture(scope="session")
def uv() -> Callable[..., None]:
    """Run uv; an end with another status than 0 fails the test with what uv said."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if found is None:
        pytest.skip("there is no uv to build and install with; `make setup` installs it")

    def run(*arguments: object) -> None:
        done = subprocess.run(
            [found, *map(str, arguments)],
            cwd=REPOSITORY,
            env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stderr)

    return run


@pytest.fixture(scope="session")
def registry(uv: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where the packages that a build and an installation need cannot be had."""
    try:
        uv("pip", "install", "--quiet", "--target", tmp_path_factory.mktemp("probe"), "hatchling", "attrs")
    except AssertionError as error:
        pytest.skip(f"no package can be installed here, so none is built: {error}")


@pytest.fixture(scope="session")
def built(registry: None, uv: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build every distribution: the source archives from the checkout, the wheels from those."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--all-packages", "--out-dir", folder)
    return folder


@pytest.fixture(scope="session")
def install_wheels(built: Path, uv: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Install built wheels into a new environment; a name may have extras: ``livered_core[native]``."""

    def install(*names: str) -> Installed:
        folder = tmp_path_factory.mktemp("environment") / "venv"
        uv("venv", "--quiet", "--python", sys.executable, folder)
        wheels = []
        for name in names:
            distribution, bracket, extras = name.partition("[")
            (wheel,) = built.glob(f"{distribution}-*.whl")
            wheels.append(f"{wheel}{bracket}{extras}")
        uv("pip", "install", "--quiet", "--python", folder / "bin" / "python", *wheels)
        return Installed(folder)

    return install
