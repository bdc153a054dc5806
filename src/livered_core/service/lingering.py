"""Whether a person's services run while the person is not logged in."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path
from typing import Final

_FOLDER: Final = Path("/var/lib/systemd/linger")


def user_name() -> str:
    """Give the name of the person who runs this process; the number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return str(os.getuid())


def lingers(user: str, folder: Path = _FOLDER) -> bool | None:
    """Say whether a person's service manager begins at boot and stays after logout; None where nobody can say.

    Parameters
    ----------
    user
        Name of the person.
    folder
        Where systemd-logind has a file for each person who lingers.
    """
    try:
        if (folder / user).exists():
            return True
        if folder.is_dir():
            return False
    except OSError:
        pass
    try:
        done = subprocess.run(  # noqa: S603  (our own words)
            ["loginctl", "show-user", user, "--property=Linger", "--value"],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def lingering_advice(user: str, lingering: bool | None) -> str:
    """Say in one sentence what to do about lingering; empty where nothing is to be done."""
    if lingering:
        return ""
    type_it = f"type `loginctl enable-linger`, or have it typed: `sudo loginctl enable-linger {user}`"
    if lingering is None:
        return (
            f"Whether services of {user} run while {user} is not logged in could not be found out: {type_it}."
        )
    return f"Services of {user} end at logout, and do not begin at boot: {type_it}."
