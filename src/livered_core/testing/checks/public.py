"""The check that a plugin imports only what stays as it is."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from livered_core.testing.checks.finding import Found, not_applicable, not_tried, ok, wrong
from livered_core.testing.checks.subject import Subject

_CORE: Final = "livered_core"
PUBLIC: Final = ("diffraction", "geometry", "references", "testing", "workspaces")
"""Packages of livered whose names are public, beside its own."""
INNER: Final = (
    "adara",
    "chunking",
    "cli",
    "config",
    "dashboard",
    "engine",
    "hooks",
    "publish",
    "reduction",
    "scaffold",
    "service",
    "simulator",
    "sources",
)
"""Packages of livered that nobody but livered may know."""
_MOST_FILES: Final = 500


def public_imports(subject: Subject) -> Found:
    """See that the plugin's package imports only the public names of livered."""
    module = subject.plugin_class.__module__
    if module.partition(".")[0] == _CORE:
        return not_applicable("it comes with livered itself.")
    files = list(_files(module))
    if not files:
        return not_tried(f"there are no files of {module} to look at.")
    found: dict[str, str] = {}
    for path in files:
        for name in _imported(path):
            found.setdefault(name, path.name)
    inner = sorted(name for name in found if name in INNER)
    if inner:
        named = ", ".join(f"{_CORE}.{name} (in {found[name]})" for name in inner)
        return wrong(
            f"it imports {named}, which may change with any version.",
            "Import from livered_core, and its diffraction, geometry and references; what is public is in docs/deprecations.md.",
        )
    others = sorted(name for name in found if name not in PUBLIC)
    if others:
        named = ", ".join(f"{_CORE}.{name}" for name in others)
        return ok(
            f"nothing of livered's inside; {named} {'is' if len(others) == 1 else 'are'} not public, and may change."
        )
    return ok("only public names of livered.")


def _files(module: str) -> Iterator[Path]:
    """Give the files of the package that a module is in; of one without ``__init__.py`` the module alone."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top) if top not in ("__main__", "builtins") else None
    if spec is not None and spec.origin is not None and spec.submodule_search_locations:
        for folder in spec.submodule_search_locations:
            yield from sorted(Path(folder).rglob("*.py"))[:_MOST_FILES]
        return
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is not None:
        yield Path(file)


def _imported(path: Path) -> Iterator[str]:
    """Give the packages of livered that a file imports from."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # whoever imports it is told
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == _CORE:
            names = [f"{_CORE}.{alias.name}" for alias in node.names if alias.name in (*INNER, *PUBLIC)]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            parts = name.split(".")
            if parts[0] == _CORE and len(parts) > 1:
                yield parts[1]
