"""Who may change what livered obeys: configuration, scripts, plugins."""

from __future__ import annotations

import stat
from pathlib import Path


def open_to_everybody(path: Path) -> str:
    """Say that everybody on the machine can change a file, or put another one in its place.

    Whoever can do that decides what livered runs, with the rights of the person whose livered it is. The group of a
    file counts as trusted: at a beamline the people who look after an instrument share its files.

    Parameters
    ----------
    path
        The file; links to it, and the folders above it, count as well. It need not be there.

    Returns
    -------
    str
        One sentence with what to do; empty when all is well, and where nothing can be seen.
    """
    for link in dict.fromkeys((path.absolute(), Path(path).resolve())):
        if _mode(link) & stat.S_IWOTH:
            return f"Everybody on this machine can change {link}, and so what livered runs: chmod o-w {link}"
        for folder in link.parents:
            mode = _mode(folder)
            # With the sticky bit, as of /tmp, only the owner of a file can put another one in its place.
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                return f"Everybody on this machine can put another {link} in its place, and so decide what livered runs: chmod o-w {folder}"
    return ""


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
