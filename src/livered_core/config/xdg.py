"""Base folders of a person, by the XDG base directory specification (0.8)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from livered_core.errors import ConfigError


def xdg_folder(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """Give one of the base folders.

    Parameters
    ----------
    environ
        Environment variables.
    variable
        For example ``XDG_CONFIG_HOME``. A relative path in it is passed over, as the specification says.
    default
        Path below the home folder to use instead.
    """
    given = environ.get(variable, "")
    if os.path.isabs(given):  # noqa: PTH117  (an empty text is not a path)
        return Path(given)
    return home(environ) / default


def home(environ: Mapping[str, str]) -> Path:
    """Give the home folder: ``HOME``, or the one of the user database.

    Raises
    ------
    ConfigError
        When neither knows one.
    """
    given = environ.get("HOME", "")
    if given:
        return Path(given)
    try:
        return Path.home()
    except RuntimeError:
        message = "The home folder is not known: set HOME to it."
        raise ConfigError(message) from None
