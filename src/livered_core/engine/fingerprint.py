"""What accumulated data depend on beside the stream, as digests: a checkpoint is used only where all are the same."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import attrs

import livered_core
from livered_core.config import plain
from livered_core.engine.setup import LoadedConfiguration
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.plugin_state import keeps_state
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.spec import TRANSFORMS

NOT_REDUCTION: Final = frozenset(
    (
        "checkpoint",
        "dashboard",
        "engine",
        "limits",
        "log",
        "mantid",
        "max_chunk_events",
        "output_dir",
        "plugins",
        "publish",
        "reload",
        "run_transition",
        "service",
        "simulate",
        "update_every",
    )
)
"""Keys of the configuration on which no accumulated data depend; plugins' tables are looked at one by one."""
CODE: Final = (".py", ".so", ".toml", ".xml", ".json")
"""Endings of files of a package that may change what it does."""
CORE_CODE: Final = "the code of livered"
"""Name of the digest of livered's own code."""
CORE_PACKAGE: Final = "livered_core"
"""Name of livered's own package."""


def fingerprint(loaded: LoadedConfiguration, plugins: Sequence[LoadedPlugin]) -> dict[str, str]:
    """Tell what accumulated data depend on.

    Parameters
    ----------
    loaded
        The configuration.
    plugins
        The plugins that run, in the order of their calls. Those without a transform, and without a state of their
        own, do not count: a sink may change while a run is reduced.

    Returns
    -------
    dict of str to str
        A name for people, such as ``the settings of plugin nom``, to a digest. Code that cannot be read has a
        random one: nothing is the same as it.
    """
    config = loaded.config
    reducing = [plugin for plugin in plugins if _reduces(plugin)]
    settings = {
        field.name: plain(getattr(config, field.name))
        for field in attrs.fields(type(config))
        if field.name not in NOT_REDUCTION
    }
    parts = {
        "the configuration": _digest(settings),
        "the choice of plugins": _digest([plugin.name for plugin in reducing]),
        CORE_CODE: code_digest(CORE_PACKAGE),
        "the version of Python or numpy": _digest(
            [sys.implementation.name, sys.version_info[:2], platform.machine(), _version("numpy")]
        ),
    }
    for plugin in reducing:
        own = plain(config.plugins.get(plugin.name))
        packages = packages_of(type(plugin.instance))
        parts[f"the settings of plugin {plugin.name}"] = _digest(own)
        parts[f"the code of plugin {plugin.name}"] = _digest(
            [plugin.distribution, plugin.version, [code_digest(package) for package in packages]]
        )
    return parts


def in_force(started_with: LoadedConfiguration, reloaded: LoadedConfiguration) -> LoadedConfiguration:
    """Return a configuration that was taken up, with the keys that count from the next start as at this one.

    Parameters
    ----------
    started_with
        That of the start: the source still takes pulses as it says.
    reloaded
        That of the plugins that run.
    """
    config = attrs.evolve(started_with.config, plugins=reloaded.config.plugins, hooks=reloaded.config.hooks)
    return attrs.evolve(reloaded, config=config)


def code_digest(package: str) -> str:
    """Return the SHA-256 of the names and contents of all code of a package that is imported.

    Parameters
    ----------
    package
        Name of a top-level package or module.
    """
    digest = hashlib.sha256()
    try:
        for name, path in _files(package):
            content = path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
            digest.update(content)
    except OSError:
        return secrets.token_hex()
    return digest.hexdigest()


def allowed_modules(plugins: Sequence[LoadedPlugin]) -> frozenset[str]:
    """Name the top-level packages from which a checkpoint may hold classes: livered's and those of the plugins."""
    return frozenset(
        (CORE_PACKAGE, *(name for plugin in plugins for name in packages_of(type(plugin.instance))))
    )


def _reduces(plugin: LoadedPlugin) -> bool:
    cls = type(plugin.instance)
    return keeps_state(cls) or any(hook in TRANSFORMS for hook in implemented_hooks(cls))


def packages_of(cls: type) -> list[str]:
    """Name the top-level packages that a plugin's class and those that it inherits from are in, but for livered's."""
    tops = {base.__module__.partition(".")[0] for base in cls.__mro__}
    return sorted(tops - {CORE_PACKAGE} - sys.stdlib_module_names)


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """Give the files of a package with their names in it, in one order.

    Raises
    ------
    FileNotFoundError
        When it has none: it is in an archive, or was typed in.
    """
    module = livered_core if package == CORE_PACKAGE else sys.modules.get(package)
    roots = [Path(root) for root in getattr(module, "__path__", ())]
    if not roots:
        single = getattr(module, "__file__", None)
        if single is None:
            raise FileNotFoundError(package)
        yield Path(single).name, Path(single)
        return
    found = [(str(path.relative_to(root)), path) for root in roots for path in _below(root)]
    if not found:
        raise FileNotFoundError(package)
    yield from sorted(found)


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
        yield from (Path(folder, name) for name in names if name.endswith(CODE))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
