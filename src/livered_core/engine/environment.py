"""Environments in which Mantid is installed: which one a text such as ``conda:mantid`` means.

A text is ``conda:NAME``, ``conda:/folder``, ``pixi:FOLDER``, ``pixi:FOLDER#ENV``, ``pixi:NAME``, or the folder of an
environment (of conda, of pixi, or a virtual environment). Nothing is run, except ``conda env list`` for a name that
is in none of the places where conda keeps environments.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import attrs

from livered_core.config.xdg import home
from livered_core.engine.brief import TookTooLong, run_briefly
from livered_core.errors import ConfigError

Kind = Literal["conda", "pixi", "venv", "prefix"]

PIXI_WORKSPACES: Final = ("/usr/local/pixi", "/opt/pixi", "~/pixi")
"""Folders in which facilities and people keep pixi workspaces by name."""
CONDA_ROOTS: Final = (
    "~/miniforge3",
    "~/mambaforge",
    "~/miniconda3",
    "~/anaconda3",
    "~/micromamba",
    "~/.conda",
    "/opt/conda",
    "/opt/miniforge3",
    "/opt/miniconda3",
    "/opt/anaconda3",
    "/opt/anaconda",
)
"""Folders in which conda, or one of its kind, is usually installed; environments are in ``envs`` of them."""

_MANIFESTS: Final = ("pixi.toml", "pyproject.toml")
_LIST_TIMEOUT_S: Final = 60.0


@attrs.frozen
class Environment:
    """An environment that holds a Python.

    Attributes
    ----------
    kind
        What made it: ``"conda"``, ``"pixi"``, ``"venv"``, or ``"prefix"`` where it does not say.
    prefix
        Its folder, absolute; symbolic links are kept as they were given.
    workspace
        Folder of the pixi workspace that it belongs to; None for other kinds, and where it is not known.
    """

    kind: Kind
    prefix: Path
    workspace: Path | None = None

    @property
    def python(self) -> Path:
        """Its Python interpreter."""
        return self.prefix / "bin" / "python"

    @property
    def name(self) -> str:
        """Its short name, as conda and pixi show it: ``mantid``."""
        return self.prefix.name

    def __str__(self) -> str:
        return f"{self.prefix} ({self.kind})" if self.kind != "prefix" else str(self.prefix)


def find_environment(text: str, environ: Mapping[str, str], base_dir: Path | None = None) -> Environment:
    """Find the environment that a text means.

    Parameters
    ----------
    text
        As in ``[mantid] environment`` and ``--env``; see the top of this module.
    environ
        Environment variables.
    base_dir
        Folder that a relative path is relative to; the working directory by default.

    Raises
    ------
    ConfigError
        When there is no such environment, or no Python in it.
    """
    base = Path.cwd() if base_dir is None else base_dir
    kind, colon, rest = text.strip().partition(":")
    if not (rest if colon else kind):
        message = (
            f"{text!r} names no environment: say conda:NAME, pixi:FOLDER, or the folder of an environment."
        )
        raise ConfigError(message)
    if colon and kind == "conda":
        return _conda(rest, environ, base)
    if colon and kind == "pixi":
        return _pixi(rest, environ, base)
    return _in_folder(text.strip(), environ, base)


def described(prefix: Path) -> Environment:
    """Say of what kind the environment in a folder is, by what its tool has left there.

    Parameters
    ----------
    prefix
        Absolute folder of the environment.
    """
    if (prefix / "conda-meta" / "pixi").is_file() or prefix.parts[-3:-1] == (".pixi", "envs"):
        return Environment("pixi", prefix, _workspace_of(prefix))
    if (prefix / "conda-meta").is_dir():
        return Environment("conda", prefix)
    if (prefix / "pyvenv.cfg").is_file():
        return Environment("venv", prefix)
    return Environment("prefix", prefix)


def _in_folder(text: str, environ: Mapping[str, str], base: Path) -> Environment:
    prefix = _path(text, environ, base)
    if not prefix.is_dir():
        hint = (
            f"; for one that conda or pixi knows by name say conda:{text} or pixi:{text}"
            if _is_name(text)
            else ""
        )
        message = f"There is no folder {prefix}, which should be an environment with Mantid{hint}."
        raise ConfigError(message)
    return _with_python(described(prefix))


def _conda(text: str, environ: Mapping[str, str], base: Path) -> Environment:
    if not _is_name(text):
        return attrs.evolve(_in_folder(text, environ, base), kind="conda", workspace=None)
    without_python = None
    for prefix in _conda_prefixes(text, environ):
        if (prefix / "bin" / "python").exists():
            return Environment("conda", prefix)
        if (prefix / "conda-meta").is_dir():
            without_python = without_python or prefix
    if without_python is not None:
        return _with_python(Environment("conda", without_python))
    message = (
        f"No conda environment is called {text!r}: `conda env list` shows those that there are; "
        "the folder of one will do, too, as in conda:/folder/of/it."
    )
    raise ConfigError(message)


def _conda_prefixes(name: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Give the folders that an environment of this name may have, the likeliest first."""
    for variable in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        for folder in filter(None, environ.get(variable, "").split(os.pathsep)):
            yield _path(folder, environ, Path("/")) / name
    roots = list(_conda_roots(environ))
    if name == "base":
        yield from (root for root in roots if root.name != ".conda")
    yield from (root / "envs" / name for root in roots)
    for prefix in _conda_register(environ):
        if prefix.name == name:
            yield prefix
    yield from (prefix for prefix in _conda_list(environ) if prefix.name == name)


def _conda_roots(environ: Mapping[str, str]) -> Iterator[Path]:
    """Give the folders in which conda may be installed."""
    program = environ.get("CONDA_EXE", "")
    if program:
        yield Path(program).parent.parent
    if environ.get("MAMBA_ROOT_PREFIX"):
        yield Path(environ["MAMBA_ROOT_PREFIX"])
    active = environ.get("CONDA_PREFIX", "")
    if active:
        prefix = Path(active)
        yield prefix.parent.parent if prefix.parent.name == "envs" else prefix
    yield from (_path(root, environ, Path("/")) for root in CONDA_ROOTS)


def _conda_register(environ: Mapping[str, str]) -> list[Path]:
    """Read the list of environments that conda keeps for a person; empty where there is none."""
    try:
        text = (home(environ) / ".conda" / "environments.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [Path(line.strip()) for line in text.splitlines() if line.strip().startswith("/")]


def _conda_list(environ: Mapping[str, str]) -> list[Path]:
    """Ask conda itself for its environments; empty where there is no conda, or no use in it."""
    program = environ.get("CONDA_EXE") or shutil.which("conda", path=environ.get("PATH", os.defpath))
    if program is None:
        return []
    try:
        done = run_briefly([program, "env", "list", "--json"], environ, _LIST_TIMEOUT_S)
        listed = json.loads(done.output)["envs"]
        return [Path(prefix) for prefix in listed]
    except (TookTooLong, OSError, ValueError, KeyError, TypeError):
        return []


def _pixi(text: str, environ: Mapping[str, str], base: Path) -> Environment:
    folder, _, name = text.partition("#")
    name = name or "default"
    workspace = _path(folder, environ, base)
    if workspace.name in _MANIFESTS and workspace.is_file():
        workspace = workspace.parent
    if not workspace.is_dir():
        if not _is_name(folder):
            message = f"There is no folder {workspace}, which should be a pixi workspace."
            raise ConfigError(message)
        return _pixi_by_name(folder, name, environ)
    if _is_prefix(workspace):
        return _with_python(attrs.evolve(described(workspace), kind="pixi"))
    return _of_workspace(workspace, name)


def _pixi_by_name(name: str, env: str, environ: Mapping[str, str]) -> Environment:
    places = [_path(root, environ, Path("/")) for root in PIXI_WORKSPACES]
    for place in places:
        if (place / name).is_dir():
            return _of_workspace(place / name, env)
    shared = _path(environ.get("PIXI_HOME") or "~/.pixi", environ, Path("/")) / "envs" / name
    if _is_prefix(shared):
        return Environment("pixi", shared)
    message = (
        f"No pixi workspace is called {name!r} in {', '.join(map(str, places))}, and no environment in "
        f"{shared.parent}: say where it is with pixi:FOLDER, the folder that holds its pixi.toml."
    )
    raise ConfigError(message)


def _of_workspace(workspace: Path, name: str) -> Environment:
    prefix = workspace / ".pixi" / "envs" / name
    manifest = manifest_of(workspace)
    if not prefix.is_dir():
        folder = prefix.parent
        have = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
        if manifest is None and not have:
            message = f"{workspace} is no pixi workspace: it holds neither pixi.toml nor pyproject.toml."
            raise ConfigError(message)
        message = (
            f"The pixi workspace {workspace} has no environment {name!r} that is installed "
            f"(it has: {', '.join(have) or 'none'}): `pixi install --manifest-path {manifest or workspace} "
            f"--environment {name}` installs one that its manifest names."
        )
        raise ConfigError(message)
    return _with_python(Environment("pixi", prefix, workspace))


def manifest_of(workspace: Path) -> Path | None:
    """Give the manifest of a pixi workspace; None where there is none."""
    return next((workspace / name for name in _MANIFESTS if (workspace / name).is_file()), None)


def _workspace_of(prefix: Path) -> Path | None:
    """Give the workspace of a pixi environment, as pixi wrote it down there, or by where the environment is."""
    try:
        written = json.loads((prefix / "conda-meta" / "pixi").read_text(encoding="utf-8"))
        manifest = Path(written["manifest_path"])
    except (OSError, ValueError, KeyError, TypeError):
        manifest = None
    if manifest is not None and manifest.is_file():
        return manifest.parent
    return prefix.parents[2] if prefix.parts[-3:-1] == (".pixi", "envs") else None


def _with_python(environment: Environment) -> Environment:
    python = environment.python
    if not python.exists():
        message = f"The environment {environment} has no Python: {python} is not there."
        raise ConfigError(message)
    if not os.access(python, os.X_OK):
        message = f"The environment {environment} is closed to this user: {python} may not be executed."
        raise ConfigError(message)
    return environment


def _is_prefix(folder: Path) -> bool:
    return (folder / "bin" / "python").exists()


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[^/~.][^/]*", text) is not None


def _path(text: str, environ: Mapping[str, str], base: Path) -> Path:
    """Make an absolute path of one that may begin with ``~`` or be relative; links in it stay."""
    if text == "~" or text.startswith("~/"):
        return home(environ) / text[2:]
    return base / text
