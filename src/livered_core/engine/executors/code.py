"""Whether a worker has the code that livered runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from livered_core.engine.fingerprint import CORE_PACKAGE, code_digest
from livered_core.errors import PluginLoadError
from livered_core.hooks.calls import words_of
from livered_core.hooks.reloading import FreshModules

_DIGEST: Final = "__livered_code__"
"""Where a package keeps the digest of the code that it was imported from, for as long as the process lives."""


def code_as_imported(package: str) -> str:
    """Return the digest of a package's code as this process imported it; an empty text where it has not.

    Parameters
    ----------
    package
        Name of a top-level package or module.
    """
    module = sys.modules.get(package)
    if module is None:
        return ""
    known = getattr(module, _DIGEST, None)
    if known is None:
        known = code_digest(package)
        setattr(module, _DIGEST, known)
    return str(known)


def require_version(wanted: str) -> None:
    """See that livered-core has the same version here.

    Raises
    ------
    PluginLoadError
        When it has not.
    """
    here = version("livered-core")
    if here != wanted:
        message = f"livered-core is {here} on a worker and {wanted} where livered runs: install the same version there."
        raise PluginLoadError(message)


def require_code(code: Mapping[str, str]) -> None:
    """Import packages, and see that they are as livered runs them.

    Parameters
    ----------
    code
        Digest of the code of each package.

    Raises
    ------
    PluginLoadError
        When one cannot be imported, or is another.
    """
    for package, wanted in code.items():
        _require(package, wanted)


def _require(package: str, wanted: str) -> None:
    here = code_as_imported(package)
    if here == wanted:
        return
    fresh = None
    if here and package != CORE_PACKAGE:
        # Changed since: livered has taken it up as well.
        fresh = FreshModules([package])
        fresh.begin()
    try:
        importlib.import_module(package)
    except (Exception, SystemExit) as error:
        if fresh is not None:
            fresh.restore()
        message = (
            f"{package} cannot be imported on a worker ({words_of(error)}): "
            "install there what is installed where livered runs."
        )
        raise PluginLoadError(message) from error
    if fresh is not None:
        fresh.keep()
    if code_as_imported(package) != wanted:
        message = (
            f"{package} on a worker is not the one that livered runs: install the same version there, "
            "and start the worker again."
        )
        raise PluginLoadError(message)
