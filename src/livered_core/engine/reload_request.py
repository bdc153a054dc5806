"""Asking a running engine to take up what has changed: a file in its run directory.

A signal would do for a service, but means to end to what runs in a terminal, and may reach whoever has the number of a
process that is gone. The file reaches the engine that has the run directory, however it was started.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

from livered_core.atomic import atomic_path
from livered_core.opening import open_unwaiting

REQUEST_FILE: Final = "reload.request"
"""Its name in the run directory."""
_TOKEN: Final = re.compile(r"[0-9a-f]{16}")


def write_request(folder: Path) -> str:
    """Ask the engine that has a run directory.

    Returns
    -------
    str
        A text by which the answer in ``status.json`` is known.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    token = secrets.token_hex(8)
    with atomic_path(folder / REQUEST_FILE, durable=False, make_folder=False) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(token, encoding="ascii")
    return token


def take_request(folder: Path) -> str | None:
    """Take a request away, for the engine.

    Returns
    -------
    str or None
        Its text, empty where it is none of `write_request`; None without a request.

    Raises
    ------
    OSError
        When it is there and cannot be taken away.
    """
    path = folder / REQUEST_FILE
    text = b""
    try:
        with open_unwaiting(path) as file:
            text = file.read(100) or b""
    except FileNotFoundError:
        return None
    except OSError:
        # It is taken away all the same.
        text = b""
    path.unlink(missing_ok=True)
    found = _TOKEN.fullmatch(text.decode("ascii", "replace").strip())
    return found.group() if found else ""
