"""``memory.json`` in the state folder: sessions that ended because memory was short."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.atomic import atomic_path
from livered_core.engine.memory_advice import MOST_ENDS, MemoryEnd
from livered_core.errors import LiveredError
from livered_core.publish.disk import DiskThread

_log = logging.getLogger(__name__)
MEMORY_FILE: Final = "memory.json"
_FORMAT: Final = 1
_LARGEST: Final = 1 << 20
_PATIENCE_S: Final = 5.0


class MemoryEnds:
    """The record. A thread of its own (``livered-memory``) writes it, so that a disk that hangs holds up nobody.

    `read`, `add` and `forget` are called on one thread.

    Parameters
    ----------
    state_folder
        Gives the state folder of the instrument; None where nothing is kept, for a recording.
    """

    def __init__(self, state_folder: Callable[[], Path] | None) -> None:
        self._state_folder = state_folder
        self._ends: tuple[MemoryEnd, ...] = ()
        self._disk = DiskThread("livered-memory")
        self._started = False

    def read(self) -> Sequence[MemoryEnd]:
        """Return what earlier sessions noted, the newest last. What cannot be read is said, and counts as nothing."""
        if self._state_folder is None:
            return ()
        try:
            path = self._state_folder() / MEMORY_FILE
            with path.open("rb") as file:
                record = json.loads(file.read(_LARGEST))
            if record["format"] != _FORMAT:
                raise ValueError(record["format"])
            self._ends = tuple(MemoryEnd(**end) for end in record["ends"])[-MOST_ENDS:]
        except FileNotFoundError:
            return ()
        except (OSError, LiveredError, ValueError, TypeError, KeyError, RecursionError) as error:
            _log.warning(
                "What is remembered of earlier ends for want of memory cannot be read (%s: %s): "
                "livered begins as if there had been none.",
                type(error).__name__,
                " ".join(str(error).split())[:200],
            )
        return self._ends

    def add(self, end: MemoryEnd) -> None:
        """Note the end of this session, in place of an earlier word of it that was not certain.

        It is written within some seconds, or by `close`.
        """
        kept = self._ends[:-1] if self._ends and not self._ends[-1].certain else self._ends
        self._ends = (*kept, end)[-MOST_ENDS:]
        self._write()

    def withdraw(self) -> None:
        """Take back what was noted and not certain: memory is not short any more."""
        if self._ends and not self._ends[-1].certain:
            self._ends = self._ends[:-1]
            self._write()

    def forget(self) -> None:
        """Forget all ends: there is nothing to be careful about any more."""
        if self._ends:
            self._ends = ()
            self._write()

    def close(self) -> None:
        """Wait a few seconds until all is written."""
        if self._started:
            self._disk.close(_PATIENCE_S)

    def _write(self) -> None:
        if self._state_folder is None:
            return
        if not self._started:
            self._started = True
            self._disk.start()
        folder, ends = self._state_folder, self._ends
        self._disk.submit(lambda: _write(folder, ends))


def _write(state_folder: Callable[[], Path], ends: Sequence[MemoryEnd]) -> None:
    try:
        path = state_folder() / MEMORY_FILE
        if not ends:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            return
        text = json.dumps({"format": _FORMAT, "ends": [attrs.asdict(end) for end in ends]})
        with atomic_path(path) as temporary:
            temporary.chmod(0o600)
            temporary.write_text(text)
    except (OSError, LiveredError) as error:
        _log.warning(
            "It cannot be noted that memory was short (%s): the next start may run into the same limit.",
            error,
        )
