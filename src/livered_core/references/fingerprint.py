"""Keys of what is kept: by content, so that nothing stale is ever used."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError
from livered_core.recording.files import SUFFIX, find_files

_PIECE = 1 << 22


def fingerprint(path: Path, stop: threading.Event | None = None) -> str:
    """Return the SHA-256 of a file's content, or of all files of a recording, one after the other.

    Parameters
    ----------
    path
        A file; for recordings, with the files it was continued in; or a folder of the server's files.
    stop
        When set, reading ends soon.

    Returns
    -------
    str
        Hexadecimal.

    Raises
    ------
    DataModelError
        When a file cannot be read, or the reading was stopped.
    ConfigError
        When a folder holds no recording.
    """
    paths = [path]
    if path.is_dir() or path.suffix == SUFFIX:
        paths = list(find_files(path).paths)
    digest = hashlib.sha256()
    piece = bytearray(_PIECE)
    try:
        for one in paths:
            with one.open("rb", buffering=0) as file:
                while n_read := file.readinto(piece):
                    if stop is not None and stop.is_set():
                        message = f"Reading {path} was stopped before its end."
                        raise DataModelError(message)
                    digest.update(memoryview(piece)[:n_read])
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): correct the path or its permissions."
        raise DataModelError(message) from error
    return digest.hexdigest()


def content_key(*parts: str | int | float | bool | npt.NDArray[Any] | None) -> str:
    """Return one key for several things: the SHA-256 of their types and contents, hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            content = np.ascontiguousarray(part)
            digest.update(f"{content.dtype.str}{content.shape}".encode())
            digest.update(content.tobytes())
        else:
            text = f"{type(part).__name__} {part!r}"
            digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()
