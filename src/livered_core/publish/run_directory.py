"""The run directory: what other processes may read of a running engine.

``status.json`` says how the engine is doing, ``latest.json`` holds the newest result, ``lock`` names the process
that owns the folder. Files are replaced atomically: a reader sees the old one or the new one, whole.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.atomic import write_atomically
from livered_core.errors import EXIT_CONFIG, LiveredError
from livered_core.model import Curve, Image
from livered_core.publish.latest import Published

LATEST_FORMAT: Final = 1
"""Version of the layout of ``latest.json``."""


class AlreadyRunning(LiveredError):  # noqa: N818
    """Another engine owns the run directory (exit code 2: starting again would not help)."""

    exit_code = EXIT_CONFIG


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
        """Take the lock, and remove the results of the session before.

        Raises
        ------
        AlreadyRunning
            When another process on this machine holds it.
        LiveredError
            When the folder cannot be used: it is missing, not writable, or something else has the lock's name.
        """
        try:
            self._lock = _take_lock(self.path / "lock")
            (self.path / "latest.json").unlink(missing_ok=True)
        except OSError as error:
            self._release()
            message = (
                f"The run directory {self.path} cannot be used ({error.strerror or error}): "
                "remove what is in it, or mend its permissions."
            )
            raise LiveredError(message) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lock go; the files stay for whoever wants to know how it ended."""
        self._release()

    def _release(self) -> None:
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
        self._replace("status.json", json.dumps(_finite(status), indent=1, allow_nan=False))

    def write_latest(self, item: Published) -> None:
        """Replace ``latest.json``.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        self._replace("latest.json", json.dumps(published_as_dict(item), allow_nan=False))

    def _replace(self, name: str, text: str) -> None:
        # Not durable: of no use after a restart of the machine, and syncing would wait for a busy disk.
        write_atomically(self.path / name, text.encode(), durable=False)


def _take_lock(path: Path) -> int:
    """Open and lock a file, and write into it who holds it; return its descriptor."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except BlockingIOError:
        owner = os.read(lock, 200).decode(errors="replace").strip() or "another process"
        os.close(lock)
        message = f"livered runs already for this instrument ({owner} holds {path}): stop that one first."
        raise AlreadyRunning(message) from None
    except OSError:
        os.close(lock)
        raise
    return lock


def published_as_dict(item: Published) -> dict[str, Any]:
    """Return a published result as plain numbers, texts and lists, in the layout of ``latest.json``.

    Values that are not finite become None, since JSON has no words for them.
    """
    return {
        "format": LATEST_FORMAT,
        "version": item.version,
        "run": _finite(attrs.asdict(item.run)),
        "update": _finite(attrs.asdict(item.update)),
        "title": item.result.title,
        "metadata": _finite(item.result.metadata),
        "curves": [_curve(curve) for curve in item.result.curves],
        "images": [_image(image) for image in item.result.images],
    }


def _curve(curve: Curve) -> dict[str, Any]:
    names = ("label", "x_unit", "y_unit", "x_name", "y_name")
    return {
        **{name: getattr(curve, name) for name in names},
        "metadata": _finite(curve.metadata),
        **{name: _numbers(getattr(curve, name)) for name in ("x", "y", "e")},
    }


def _image(image: Image) -> dict[str, Any]:
    names = ("label", "x_unit", "y_unit", "z_unit")
    return {
        **{name: getattr(image, name) for name in names},
        "metadata": _finite(image.metadata),
        "x": _numbers(image.x),
        "y": _numbers(image.y),
        "z": [_numbers(row) for row in image.z],
    }


def _numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _finite(value: Any) -> Any:
    """Copy nested mappings and lists with numbers that are not finite made None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
