"""The run directory: what other processes may read of a running engine.

``status.json`` says how the engine is doing, ``latest.json`` holds the newest result, ``lock`` names the process
that owns the folder. Files are replaced atomically: a reader sees the old one or the new one, whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import attrs

from livered_core.errors import LiveredError
from livered_core.model import Curve, Image
from livered_core.publish.atomic import write_atomically
from livered_core.publish.latest import Published

LATEST_FORMAT: Final = 1
"""Version of the layout of ``latest.json``."""


class AlreadyRunning(LiveredError):  # noqa: N818
    """Another engine owns the run directory."""


class RunDirectory:
    """A folder that one engine owns for its life. A context manager: the lock is held inside.

    Parameters
    ----------
    path
        An existing private folder (see `livered_core.config.runtime.run_directory`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def __enter__(self) -> RunDirectory:
        """Take the lock.

        Raises
        ------
        AlreadyRunning
            When another process on this machine holds it.
        """
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(lock, 200).decode(errors="replace").strip() or "another process"
            os.close(lock)
            message = f"livered runs already for this instrument ({owner} holds {self.path / 'lock'}): stop that one first."
            raise AlreadyRunning(message) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lock go; the files stay for whoever wants to know how it ended."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write_status(self, status: Mapping[str, Any]) -> None:
        """Replace ``status.json``.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        write_atomically(self.path / "status.json", json.dumps(status, indent=1).encode())

    def write_latest(self, item: Published) -> None:
        """Replace ``latest.json``.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        write_atomically(self.path / "latest.json", json.dumps(published_as_dict(item)).encode())


def published_as_dict(item: Published) -> dict[str, Any]:
    """Return a published result as plain numbers, texts and lists, in the layout of ``latest.json``.

    Values that are not finite become null, since JSON has no words for them.
    """
    return {
        "format": LATEST_FORMAT,
        "version": item.version,
        "run": attrs.asdict(item.run),
        "update": attrs.asdict(item.update),
        "title": item.result.title,
        "metadata": dict(item.result.metadata),
        "curves": [_curve(curve) for curve in item.result.curves],
        "images": [_image(image) for image in item.result.images],
    }


def _curve(curve: Curve) -> dict[str, Any]:
    names = ("label", "x_unit", "y_unit", "x_name", "y_name")
    return {
        **{name: getattr(curve, name) for name in names},
        "metadata": dict(curve.metadata),
        **{name: _numbers(getattr(curve, name)) for name in ("x", "y", "e")},
    }


def _image(image: Image) -> dict[str, Any]:
    names = ("label", "x_unit", "y_unit", "z_unit")
    return {
        **{name: getattr(image, name) for name in names},
        "metadata": dict(image.metadata),
        "x": _numbers(image.x),
        "y": _numbers(image.y),
        "z": [_numbers(row) for row in image.z],
    }


def _numbers(values: Any) -> list[float | None]:
    return [value if -1e308 < value < 1e308 else None for value in values.tolist()]
