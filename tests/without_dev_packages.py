"""A plugin of pytest that hides what `environments/*` do not install: ``-p without_dev_packages`` with tests in the path.

What they install is their own list and the extras of the wheels, with all that those require. Nothing else can be
imported from then on, whatever is installed here.
"""

from __future__ import annotations

import sys
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from livered_core.config.toml import parse_toml

_ENVIRONMENT = Path(__file__).parents[1] / "environments" / "pixi.toml"


def _wanted() -> list[Requirement]:
    """What the environment lists, Mantid and Python apart."""
    document = parse_toml(_ENVIRONMENT.read_text(encoding="utf-8"), str(_ENVIRONMENT))
    listed = [Requirement(name) for name in document["dependencies"] if name not in ("python", "mantid")]
    wheels = [
        Requirement(f"{name}[{','.join(given.get('extras', []))}]")
        for name, given in document["pypi-dependencies"].items()
    ]
    return listed + wheels


def _installed_there() -> set[str]:
    """Names of the distributions that are in the environment, as far as they are here."""
    found: set[tuple[str, str]] = set()
    waiting = _wanted()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            key = (canonicalize_name(requirement.name), extra)
            if key in found:
                continue
            try:
                required = metadata.requires(requirement.name) or []
            except metadata.PackageNotFoundError:
                continue
            found.add(key)
            lines = map(Requirement, required)
            waiting += [
                line for line in lines if line.marker is None or line.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in found}


def _hidden() -> set[str]:
    """Modules of distributions that are here and not in the environment."""
    there = _installed_there()
    return {
        module
        for module, distributions in metadata.packages_distributions().items()
        if not any(canonicalize_name(name) in there for name in distributions)
    } - {"pip"}


class _Finder(PathFinder):
    """Finds what is in path, but for what is hidden."""

    names = frozenset(_hidden())

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in cls.names:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[:] = [_Finder if finder is PathFinder else finder for finder in sys.meta_path]
