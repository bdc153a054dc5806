"""What activating an environment changes: variables, and what its packages' scripts do to them.

conda and pixi activate an environment in the same way: its programs come first in ``PATH``, ``CONDA_PREFIX`` names
it, the variables of ``etc/conda/env_vars.d`` and ``conda-meta/state`` are set, and the scripts of
``etc/conda/activate.d`` are read by a shell. Packages that Mantid needs rely on it. A pixi workspace adds the
``[activation]`` table of its manifest.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from livered_core.config.toml import parse_toml
from livered_core.engine.brief import TookTooLong, run_briefly
from livered_core.engine.environment import Environment, manifest_of
from livered_core.errors import ConfigError

SCRIPTS_TIMEOUT_S: Final = 60.0
"""Seconds that the scripts of an environment may take together."""

_UNSET: Final = "***unset***"
"""What conda writes for a variable that is to be taken away."""
_OF_THE_SHELL: Final = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})
"""Variables that bash changes by itself."""
_READ_THEM: Final = 'dump=$1; shift; for script in "$@"; do . "$script"; done >&2; exec "$dump" -0'


def activated(environment: Environment, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables with which the environment's Python runs.

    ``PYTHONPATH`` stays; ``PYTHONHOME``, which is about another Python, goes. ``PYTHONNOUSERSITE`` is set unless
    there is a value for it: what someone once installed with ``pip install --user`` comes before the packages of a
    conda environment, and a numpy that Mantid was not built with can end it without a word.

    Parameters
    ----------
    environment
        The environment.
    environ
        The variables now; they are not changed.

    Returns
    -------
    dict
        All variables, not only those that differ.

    Raises
    ------
    ConfigError
        When a script of the environment ends the shell or takes too long, or a file of it cannot be read.
    """
    variables = {name: value for name, value in environ.items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
    variables.setdefault("PYTHONNOUSERSITE", "1")
    below = _conda_below(environment)
    if below is not None:
        variables = _activated_conda(below, variables)
    if environment.kind == "venv":
        variables["VIRTUAL_ENV"] = str(environment.prefix)
    if environment != below:
        variables["PATH"] = _first_in_path(environment.prefix, variables)
    return variables


def is_activated(environment: Environment, environ: Mapping[str, str]) -> bool:
    """Say whether the variables are those of the activated environment already; false where it cannot be seen."""
    below = _conda_below(environment)
    return below is None or _same(environ.get("CONDA_PREFIX", ""), below.prefix)


def _conda_below(environment: Environment) -> Environment | None:
    """Give the environment itself where conda or pixi made it, or the one that a virtual environment stands on."""
    if environment.kind in ("conda", "pixi"):
        return environment
    if environment.kind != "venv":
        return None
    try:
        lines = (environment.prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home":
            prefix = Path(value.strip()).parent
            return Environment("conda", prefix) if (prefix / "conda-meta").is_dir() else None
    return None


def _activated_conda(environment: Environment, environ: Mapping[str, str]) -> dict[str, str]:
    prefix = environment.prefix
    variables = {
        **environ,
        "PATH": _first_in_path(prefix, environ),
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": environment.name,
    }
    scripts = sorted((prefix / "etc" / "conda" / "activate.d").glob("*.sh"))
    settings = [_json(path) for path in sorted((prefix / "etc" / "conda" / "env_vars.d").glob("*.json"))]
    settings.append(_json(prefix / "conda-meta" / "state").get("env_vars", {}))
    if environment.workspace is not None:
        table = _activation_table(environment.workspace)
        settings.append(table.get("env", {}))
        scripts += [environment.workspace / str(script) for script in table.get("scripts", [])]
        variables["PIXI_PROJECT_ROOT"] = str(environment.workspace)
        variables["PIXI_PROJECT_MANIFEST"] = str(manifest_of(environment.workspace) or "")
        variables["PIXI_ENVIRONMENT_NAME"] = environment.name
    for table in settings:
        for name, value in table.items():
            if value == _UNSET:
                variables.pop(name, None)
            else:
                variables[name] = str(value)
    return _after_scripts(environment, scripts, variables) if scripts else variables


def _after_scripts(
    environment: Environment, scripts: list[Path], environ: Mapping[str, str]
) -> dict[str, str]:
    """Let bash read the scripts, and give the variables as they are after it."""
    bash, dump = (shutil.which(name, path=os.defpath) for name in ("bash", "env"))
    where = f"The environment {environment} cannot be activated"
    if bash is None or dump is None:
        message = (
            f"{where}: there is no bash to read its scripts with, for example {scripts[0]}; install bash."
        )
        raise ConfigError(message)
    # BASH_ENV would be read first, and has nothing to do with this.
    given = {name: value for name, value in environ.items() if name != "BASH_ENV"}
    command = [bash, "--norc", "--noprofile", "-c", _READ_THEM, "livered", dump, *map(str, scripts)]
    try:
        done = run_briefly(command, given, SCRIPTS_TIMEOUT_S)
    except TookTooLong:
        message = (
            f"{where}: its scripts in {scripts[0].parent} did not end within {SCRIPTS_TIMEOUT_S:g} s; "
            "see which of them waits for something."
        )
        raise ConfigError(message) from None
    except OSError as error:
        message = f"{where}: bash cannot be started to read its scripts ({error.strerror})."
        raise ConfigError(message) from None
    after = dict(entry.split("=", 1) for entry in os.fsdecode(done.output).split("\0") if "=" in entry)
    if done.status != 0 or "PATH" not in after:
        said = f": {done.last_words}" if done.last_words else ""
        message = (
            f"{where}: a script in {scripts[0].parent} ended the shell with status {done.status}{said}; "
            "repair or remove it."
        )
        raise ConfigError(message)
    kept = {name: environ[name] for name in (*_OF_THE_SHELL, "BASH_ENV") if name in environ}
    return {**{name: value for name, value in after.items() if name not in _OF_THE_SHELL}, **kept}


def _activation_table(workspace: Path) -> Mapping[str, Any]:
    """Read ``[activation]`` of a pixi manifest; empty where there is none."""
    manifest = manifest_of(workspace)
    if manifest is None:
        return {}
    try:
        document: Any = parse_toml(manifest.read_text(encoding="utf-8"), str(manifest))
    except (OSError, UnicodeDecodeError):
        return {}
    for key in ("tool", "pixi") if manifest.name == "pyproject.toml" else ():
        document = document.get(key, {})
    table = document.get("activation", {})
    return table if isinstance(table, Mapping) else {}


def _json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object; empty where there is no such file."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        message = f"{path} belongs to an environment and cannot be read ({type(error).__name__}): repair or remove it."
        raise ConfigError(message) from None
    return read if isinstance(read, Mapping) else {}


def _first_in_path(prefix: Path, environ: Mapping[str, str]) -> str:
    programs = str(prefix / "bin")
    others = [folder for folder in environ.get("PATH", os.defpath).split(os.pathsep) if folder != programs]
    return os.pathsep.join([programs, *others])


def _same(one: str, other: Path) -> bool:
    return bool(one) and os.path.realpath(one) == os.path.realpath(other)
