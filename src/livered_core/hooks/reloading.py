"""Importing the packages of plugins anew while the old ones are in use.

An old instance keeps working with its old modules, which nobody changes. What it imports by name while the new ones
are being tried would come from the new ones: the reduction waits meanwhile.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import attrs

from livered_core.hooks.registry import INSTRUMENTS, PLUGINS, module_of

OWN: Final = "livered_core"
"""Is never imported anew: its change counts from the next start."""


@attrs.frozen
class PluginPackage:
    """The package, or the single module, that holds plugins.

    Attributes
    ----------
    name
        Of the module, such as ``livered_nom``. Below a namespace package, the first that is none.
    path
        Its folder, or its file where it is a single module.
    """

    name: str
    path: Path


def plugin_packages(points: Iterable[EntryPoint]) -> tuple[PluginPackage, ...]:
    """Find the packages of plugins that have been imported, without livered's own.

    Parameters
    ----------
    points
        Entry points of the plugins.
    """
    found: dict[str, PluginPackage] = {}
    for point in points:
        parts = module_of(point).split(".")
        if parts[0] == OWN:
            continue
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            file = getattr(sys.modules.get(name), "__file__", None)
            if file is not None:
                is_package = hasattr(sys.modules[name], "__path__")
                path = Path(file)
                found[name] = PluginPackage(name, path.parent if is_package else path)
                break
    return tuple(found.values())


def installed_packages() -> tuple[str, ...]:
    """Name the top-level packages of all installed plugins, without livered's own."""
    points = [point for group in (INSTRUMENTS, PLUGINS) for point in entry_points(group=group)]
    tops = (module_of(point).partition(".")[0] for point in points)
    return tuple(dict.fromkeys(top for top in tops if top not in ("", OWN)))


class FreshModules:
    """The modules of some packages, taken out so that they are imported anew; `restore` puts the old ones back.

    For one thread at a time, and for one use.

    Parameters
    ----------
    packages
        Names of packages.
    others
        Names of packages that may join: what of them was not imported before is not there after `restore` either.
    """

    def __init__(self, packages: Sequence[str], others: Sequence[str] = ()) -> None:
        self._packages = tuple(packages)
        self._others = tuple(others)
        self._finder = _FromSource((*self._packages, *self._others))
        self._before: dict[str, ModuleType] = {}
        self._there: frozenset[str] = frozenset()
        self._attributes: list[tuple[ModuleType, str, Any]] = []

    def begin(self) -> None:
        """Take the modules out: from now on an import reads the files."""
        for name in self._packages:
            parent, _, last = name.rpartition(".")
            above = sys.modules.get(parent)
            if above is not None and hasattr(above, last):
                self._attributes.append((above, last, getattr(above, last)))
        self._there = frozenset(sys.modules)
        self._before = self._modules(self._packages)
        for name in self._before:
            del sys.modules[name]
        importlib.invalidate_caches()
        sys.meta_path.insert(0, self._finder)

    def keep(self) -> None:
        """Let the new modules stay."""
        self._forget_finder()

    def restore(self) -> None:
        """Put the old modules back in the place of the new ones."""
        self._forget_finder()
        newcomers = set(self._modules(self._others)) - self._there
        for name in {*self._modules(self._packages), *newcomers}:
            sys.modules.pop(name, None)
        sys.modules.update(self._before)
        for module, name, value in self._attributes:
            setattr(module, name, value)

    def _modules(self, packages: Sequence[str]) -> dict[str, ModuleType]:
        return {name: module for name, module in list(sys.modules.items()) if is_in(name, packages)}

    def _forget_finder(self) -> None:
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)


class _FromSource(importlib.abc.MetaPathFinder):
    """Finds the modules of some packages as others do, and has them read from their source.

    A compiled file is taken for that of its source by size and whole seconds: not of a source that has just changed,
    and not on a file system whose times are not exact.
    """

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of the packages."""
        if not is_in(fullname, self._packages):
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(fullname, path, target)
            if spec is not None:
                if type(spec.loader) is importlib.machinery.SourceFileLoader:
                    spec.loader = _SourceLoader(spec.loader.name, spec.loader.path)
                found: importlib.machinery.ModuleSpec = spec
                return found
        return None


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source, whatever compiled file there is, and leaves none."""

    def get_code(self, fullname: str) -> CodeType | None:
        """Compile the module."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def is_in(name: str, packages: Sequence[str]) -> bool:
    """Say whether a module belongs to one of some packages."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)
