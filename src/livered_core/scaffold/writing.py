"""A folder that is either whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from livered_core.errors import ConfigError

_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
"""Why a folder cannot take a name: another was faster."""


def require_free(target: Path) -> None:
    """See that a folder can be made.

    Raises
    ------
    ConfigError
        When it is there, or the folder around it is not.
    """
    if os.path.lexists(target):
        raise _there_already(target)
    if not target.parent.is_dir():
        message = f"There is no folder {target.parent}: make it first, or name another with --folder."
        raise ConfigError(message)


def write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder beside `target`, and give it that name when all are there.

    Parameters
    ----------
    target
        The folder to make.
    files
        Path of each file below it, with slashes, to its text.

    Raises
    ------
    ConfigError
        When it cannot be written; nothing is left behind then.
    """
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        unfinished.mkdir()
        for name, text in files.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        unfinished.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _there_already(target) from error
        message = (
            f"{target} cannot be written ({error.strerror}): make room, or name another place with --folder."
        )
        raise ConfigError(message) from error
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished, ignore_errors=True)


def _there_already(target: Path) -> ConfigError:
    return ConfigError(f"{target} is there already: choose another name, or another place with --folder.")
