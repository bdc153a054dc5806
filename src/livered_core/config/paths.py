"""Paths as people write them, with ``~`` and variables, to absolute ones."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from livered_core.config.wording import shown
from livered_core.config.xdg import home
from livered_core.errors import ConfigError

_VARIABLE = re.compile(r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[^{}]*)\})")


def expand_path(text: str, base_dir: Path, environ: Mapping[str, str]) -> Path:
    """Expand ``~``, ``~name``, ``$NAME`` and ``${NAME}``, and make the path absolute.

    Parameters
    ----------
    text
        The path.
    base_dir
        Absolute folder that a relative path is relative to.
    environ
        Environment variables; ``HOME`` says what ``~`` is.

    Returns
    -------
    Path
        Absolute; ``..`` and symbolic links are left as they are.

    Raises
    ------
    ValueError
        When it is empty, names a variable that is not set or a person whom the machine does not know; the message
        goes on after the name of the key.
    """
    if not text.strip():
        message = "must be a path, not an empty text"
        raise ValueError(message)
    if "\0" in text:
        message = "must be a path, and has a NUL character in it"
        raise ValueError(message)

    def value(match: re.Match[str]) -> str:
        name = match["bare"] or match["braced"] or ""
        if not environ.get(name):
            message = (
                f"uses the variable ${name}, which is not set: set it or write the path out ({shown(text)})"
            )
            raise ValueError(message)
        return environ[name]

    first, slash, rest = text.partition("/")
    if first == "~":
        try:
            expanded = f"{home(environ)}{slash}{rest}"
        except ConfigError as error:
            message = f"starts with ~, and this cannot be expanded: {error}"
            raise ValueError(message) from None
    elif first.startswith("~"):
        expanded = os.path.expanduser(text)  # noqa: PTH111  (pathlib raises where this leaves it)
        if expanded == text:
            message = f"starts with the home folder of {shown(first[1:])}, whom this machine does not know"
            raise ValueError(message)
    else:
        expanded = text
    return base_dir / _VARIABLE.sub(value, expanded)
