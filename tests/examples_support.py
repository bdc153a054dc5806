"""An environment with plugins really installed in it, and the real program in that environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import attrs
import pytest

from livered_support import WAIT, private_environment

REPOSITORY = Path(__file__).parents[1]
EXAMPLES = REPOSITORY / "examples"


@attrs.frozen
class PluginEnvironment:
    """A virtual environment that sees all that this one has, and may have more.

    In ``path`` are ``livered``, ``python`` and a ``pip`` that installs without a network.
    """

    folder: Path
    path: str

    def run(self, folder: Path, command: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run lines of shell in a folder; settings become ``LIVERED_...``. Ends at the first line that fails."""
        more = {f"LIVERED_{name.upper()}": str(value) for name, value in settings.items()}
        return subprocess.run(
            ["/bin/sh", "-e", "-c", command],
            cwd=folder,
            env=private_environment(folder, PATH=self.path, **more),
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )


def make_environment(folder: Path) -> PluginEnvironment:
    """Make an environment; skips the test where there is no uv to install with."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("there is no uv to install the packages with; `make setup` installs it")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    bin_ = folder / "venv" / "bin"
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    # addsitedir, and not the bare path: editable installations are .pth files themselves.
    (packages / "this.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    offline = "--quiet --offline --no-index --no-cache --no-deps --no-build-isolation"
    for name, line in {
        "livered": f'exec "{bin_}/python" -m livered_core "$@"',
        "pip": f'command=$1; shift; exec "{uv}" pip $command --python "{bin_}/python" {offline} "$@"',
    }.items():
        script = bin_ / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
    return PluginEnvironment(folder, f"{bin_}{os.pathsep}{os.environ['PATH']}")
