"""What was made of other runs, kept on disk."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.atomic import write_atomically
from livered_core.config.xdg import xdg_folder
from livered_core.errors import DataModelError

Note = str | int | float | bool

_log = logging.getLogger(__name__)
_NOTES: Final = "notes"
_SUFFIX: Final = ".npz"
_KEY: Final = re.compile(r"[0-9a-f]{16,128}")
_MOST_BYTES: Final = 2 << 30


def default_cache_folder(instrument: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return ``$XDG_CACHE_HOME/livered/INSTRUMENT``, by default in ``~/.cache``."""
    return (
        xdg_folder(os.environ if environ is None else environ, "XDG_CACHE_HOME", ".cache")
        / "livered"
        / instrument
    )


@attrs.frozen(eq=False)
class Stored:
    """Something kept.

    Attributes
    ----------
    arrays
        By name; the caller's own.
    notes
        Numbers and texts, by name.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    notes: Mapping[str, Note]


@attrs.frozen
class Shelf:
    """A folder of arrays by key. Several processes may use it at the same time.

    Files are private (folder 0700, files 0600), written whole or not at all, and hold no pickles. The oldest used are
    removed where there are too many bytes.

    Attributes
    ----------
    folder
        Made when something is put into it.
    max_bytes
        Most bytes of all files together.
    """

    folder: Path
    max_bytes: int = _MOST_BYTES

    def get(self, key: str) -> Stored | None:
        """Return what is kept under a key; None where nothing is, or it is damaged.

        Raises
        ------
        DataModelError
            When the key is none of `content_key`.
        """
        path = self._path(key)
        try:
            data = path.read_bytes()
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files if name != _NOTES}
                notes = json.loads(bytes(file[_NOTES]).decode())
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            _log.warning("%s cannot be used (%s): it is made anew.", path, error)
            return None
        return Stored(arrays, notes)

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]], notes: Mapping[str, Note]) -> None:
        """Keep arrays under a key, in place of what was there.

        Parameters
        ----------
        key
            From `content_key`.
        arrays
            Without objects in them; not modified.
        notes
            Numbers and texts.

        Raises
        ------
        DataModelError
            When the key is none, an array holds objects, or the file cannot be written.
        """
        path = self._path(key)
        if _NOTES in arrays or any(array.dtype.hasobject for array in arrays.values()):
            message = (
                f"Arrays for {path} hold objects, or one is called {_NOTES}: only plain arrays are kept."
            )
            raise DataModelError(message)
        text = np.frombuffer(json.dumps(dict(notes)).encode(), np.uint8)
        buffer = io.BytesIO()
        named: dict[str, Any] = {**arrays, _NOTES: text}
        np.savez_compressed(buffer, **named)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, buffer.getvalue(), durable=False)
            path.chmod(0o600)
            self._make_room(path)
        except OSError as error:
            message = f"{path} cannot be written ({error.strerror}): make room, or correct its permissions."
            raise DataModelError(message) from error

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            message = f"{key!r} is no key of something kept: make it with content_key."
            raise DataModelError(message)
        return self.folder / f"{key}{_SUFFIX}"

    def _make_room(self, newest: Path) -> None:
        entries = []
        # What a process that was killed has left behind takes room, too.
        for path in (*self.folder.glob(f"*{_SUFFIX}"), *self.folder.glob(".*.partial")):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # another process has removed it
            entries.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.max_bytes:
                break
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size
