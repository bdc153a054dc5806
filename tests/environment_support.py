"""Environments as conda, pixi and venv make them, around a real Python."""

from __future__ import annotations

import json
import site
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path


def make_environment(prefix: Path, *folders: Path, livered: bool = True, version: str | None = None) -> Path:
    """Make a virtual environment, in which livered is installed by seeing what this Python sees.

    Parameters
    ----------
    prefix
        Its folder.
    folders
        Folders with more that is installed there.
    livered
        Whether livered and all else that is installed here is there, too.
    version
        The version that livered-core says it is there; None for its own.
    """
    venv.EnvBuilder(symlinks=True, with_pip=False).create(prefix)
    packages = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # A line that names a folder would not read the .pth files in it, by which livered is installed for development.
    seen = [*map(str, folders), *(site.getsitepackages() if livered else ())]
    lines = [f"import site; site.addsitedir({folder!r})\n" for folder in seen]
    (packages / "here.pth").write_text("".join(lines))
    if version is not None:
        info = packages / f"livered_core-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: livered-core\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(
            distribution("livered-core").read_text("entry_points.txt") or ""
        )
    return prefix


def as_conda(prefix: Path, **scripts: str) -> Path:
    """Add to an environment what conda leaves in each, and activation scripts, by name."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").write_text("")
    folder = prefix / "etc" / "conda" / "activate.d"
    folder.mkdir(parents=True)
    for name, text in scripts.items():
        (folder / f"{name}.sh").write_text(text)
    return prefix


def as_pixi(workspace: Path, name: str = "default", manifest: str = "", **scripts: str) -> Path:
    """Add to the environment `name` of a workspace what pixi leaves in each; return its folder."""
    prefix = as_conda(workspace / ".pixi" / "envs" / name, **scripts)
    (workspace / "pixi.toml").write_text(manifest)
    written = {"manifest_path": str(workspace / "pixi.toml"), "environment_name": name}
    (prefix / "conda-meta" / "pixi").write_text(json.dumps(written))
    return prefix


def empty_environment(prefix: Path) -> Path:
    """Make the folder of an environment whose Python does nothing: enough to be found."""
    (prefix / "bin").mkdir(parents=True)
    python = prefix / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    return prefix
