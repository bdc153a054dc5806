"""Folders that livered keeps for itself: the run directory and the state that must survive."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from livered_core.config.validators import require_instrument_name
from livered_core.config.xdg import xdg_folder
from livered_core.errors import ConfigError

_TEMPORARY = Path("/tmp")  # noqa: S108  (the folder in it is checked to be ours)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def run_directory(
    instrument: str, environ: Mapping[str, str], create: bool = True, temporary: Path = _TEMPORARY
) -> Path:
    """Give the folder of what a running session shows: status, latest result, lock.

    Parameters
    ----------
    instrument
        Short name, for example ``NOM``.
    environ
        Environment variables; ``XDG_RUNTIME_DIR`` is used when it names a folder that is there.
    create
        Make what is missing, with mode 0700, and take away rights of others. A reader passes False: nothing is
        changed, and the folder given need not exist.
    temporary
        Where the fallback is.

    Returns
    -------
    Path
        ``$XDG_RUNTIME_DIR/livered/NOM``, or ``/tmp/livered-UID/NOM`` for one numeric user id.

    Raises
    ------
    ConfigError
        When a folder on the way below the root is a symbolic link, no folder, somebody else's or writable by
        others, or cannot be made.
    """
    require_instrument_name(instrument)
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime):  # noqa: PTH112, PTH117  (an empty text is not a path)
        root, names = Path(runtime), ("livered", instrument)
        try:
            owner = root.stat().st_uid
        except OSError as error:
            raise ConfigError(_cannot(root, error)) from None
        if owner != os.getuid():
            message = (
                f"XDG_RUNTIME_DIR names {root}, which belongs to another user: log in as yourself "
                "(su and sudo keep the variable), or unset it."
            )
            raise ConfigError(message)
    else:
        root, names = temporary, (f"livered-{os.getuid()}", instrument)
    _open_private(root, names, create)
    return root.joinpath(*names)


def state_directory(instrument: str, environ: Mapping[str, str]) -> Path:
    """Give the folder of what must survive: checkpoints and unsent final results. It gets mode 0700.

    Parameters
    ----------
    instrument
        Short name, for example ``NOM``.
    environ
        Environment variables; ``XDG_STATE_HOME`` and ``HOME`` are used.

    Returns
    -------
    Path
        ``$XDG_STATE_HOME/livered/NOM``, by default ``~/.local/state/livered/NOM``. It may be a symbolic link to a
        larger disk: what is in the home folder was put there by its owner.

    Raises
    ------
    ConfigError
        When it cannot be made, belongs to somebody else or can be written by others.
    """
    require_instrument_name(instrument)
    base = xdg_folder(environ, "XDG_STATE_HOME", ".local/state")
    path = base / "livered" / instrument
    try:
        base.mkdir(parents=True, exist_ok=True)
        for folder in (path.parent, path):
            folder.mkdir(mode=0o700, exist_ok=True)
            here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _require_private(folder, here, tighten=True)
            finally:
                os.close(here)
    except OSError as error:
        raise ConfigError(_cannot(path, error)) from None
    return path


def _open_private(root: Path, names: tuple[str, ...], create: bool) -> None:
    """Walk down from `root`, folder by folder through open descriptors: no one can swap one in between."""
    path = root
    try:
        above = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(_cannot(root, error)) from None
    try:
        for name in names:
            path = path / name
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=above)
            try:
                here = os.open(name, _FOLDER, dir_fd=above)
            except FileNotFoundError:
                return
            os.close(above)
            above = here
            _require_private(path, here, create)
    except OSError as error:
        raise ConfigError(_cannot(path, error)) from None
    finally:
        os.close(above)


def _require_private(path: Path, descriptor: int, tighten: bool) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.getuid():
        raise ConfigError(_not_ours(path))
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022:
        message = (
            f"{path} can be written by others: look at what is in it, then remove it or chmod it to 700."
        )
        raise ConfigError(message)
    if mode & 0o077 and tighten:
        os.fchmod(descriptor, 0o700)


def _not_ours(path: Path) -> str:
    return f"{path} belongs to another user, so livered does not use it: have it removed."


def _cannot(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return f"{path} is a symbolic link, and livered does not follow it there: remove it."
    return f"The folder {path} cannot be used ({error.strerror}): check what is there and its permissions."
