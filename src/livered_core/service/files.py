"""Where units of a person's systemd are, and writing and removing livered's own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from livered_core.atomic import write_atomically
from livered_core.config.xdg import xdg_folder
from livered_core.errors import ConfigError
from livered_core.service.unit import MARKER

WANTED_BY: Final = "default.target.wants"
"""Folder of the links to units that start when the person's service manager does."""


def unit_folder(environ: Mapping[str, str]) -> Path:
    """Give the folder of the units that a person writes.

    Parameters
    ----------
    environ
        Environment variables; ``XDG_CONFIG_HOME`` and ``HOME`` are used, as systemd does.
    """
    return xdg_folder(environ, "XDG_CONFIG_HOME", ".config") / "systemd" / "user"


def write_unit(path: Path, text: str) -> bool:
    """Write a unit; drop-ins beside it stay.

    Parameters
    ----------
    path
        The unit's file.
    text
        The unit.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    ConfigError
        When there is a file that livered did not write, or the folder cannot be written.
    """
    before = own_text(path)
    if before == text:
        return False
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): see to the folder's permissions."
        raise ConfigError(message) from None
    return True


def remove_unit(path: Path) -> list[Path]:
    """Remove a unit, and the links by which it starts at login; drop-ins stay.

    Returns
    -------
    list of Path
        What was removed; empty where there was no unit.

    Raises
    ------
    ConfigError
        When livered did not write the unit, or it cannot be removed.
    """
    if own_text(path) is None:
        return []
    removed = []
    for file in (path, *sorted(path.parent.glob(f"*.wants/{path.name}"))):
        try:
            file.unlink()
        except OSError as error:
            message = f"{file} cannot be removed ({error.strerror}): see to the folder's permissions."
            raise ConfigError(message) from None
        removed.append(file)
    return removed


def enable(path: Path) -> Path:
    """Let a unit start at login, and with lingering at boot, as ``systemctl --user enable`` does.

    Returns
    -------
    Path
        The link that was made.

    Raises
    ------
    ConfigError
        When the link cannot be made.
    """
    link = path.parent / WANTED_BY / path.name
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(path)
    except OSError as error:
        message = f"{link} cannot be made ({error.strerror}): see to the folder's permissions."
        raise ConfigError(message) from None
    return link


def is_enabled(path: Path) -> bool:
    """Say whether a unit starts at login."""
    return any(path.parent.glob(f"*.wants/{path.name}"))


def drop_ins(path: Path) -> list[Path]:
    """Give the files with which a person changes a unit."""
    return sorted((path.parent / f"{path.name}.d").glob("*.conf"))


def own_text(path: Path) -> str | None:
    """Read a unit that livered wrote; None where there is none.

    Raises
    ------
    ConfigError
        When what is there is not livered's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not path.is_symlink():
            return None
        text = ""
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): see to its permissions."
        raise ConfigError(message) from None
    if not text.startswith(MARKER):
        message = f"{path} was not written by livered, so it stays as it is: move it away, and try again."
        raise ConfigError(message)
    return text
