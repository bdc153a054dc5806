"""What somebody points at, opened as a recording."""

from __future__ import annotations

from pathlib import Path

from livered_core.recording.base import Recording
from livered_core.recording.files import find_files


def open_recording(path: Path) -> Recording:
    """Open a recording of whatever kind.

    Parameters
    ----------
    path
        An ``.adara`` file, with those in which it was continued, or a folder of the server's files.

    Raises
    ------
    ConfigError
        When there is nothing that can be read.
    """
    return find_files(path)
