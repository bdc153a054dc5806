"""How much room there is on the disks that livered writes to; said in the log when it gets short."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.engine.memory_advice import size
from livered_core.errors import LiveredError
from livered_core.publish.disk_space import free_bytes

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 10.0
"""Seconds between two looks."""
_SILENT_S: Final = 60.0
"""A disk that has not answered for so long is said not to answer."""
_RECOVERED: Final = 1.1
"""So many times what should be free is enough again."""
_JOIN_S: Final = 1.0


@attrs.frozen
class DiskStatus:
    """How much room there is, for ``status.json``.

    Attributes
    ----------
    least_free
        What should stay free on the disk of the reduced files, bytes; 0 for nothing.
    output_free, state_free
        What is free on the disks of the reduced files and of the state folder, bytes; None where not known.
    problems
        One sentence for each thing that is wrong.
    """

    least_free: int = 0
    output_free: int | None = None
    state_free: int | None = None
    problems: tuple[str, ...] = ()


@attrs.frozen
class _Seen:
    """What the newest look saw of a disk."""

    free: int | None = None
    error: str = ""


class DiskWatch:
    """Looks at the disks now and then, on a thread of its own (``livered-disk-watch``): a disk may hang.

    Parameters
    ----------
    output_dir
        Folder of the reduced files; need not exist.
    state_folder
        Gives the state folder; None where there is none.
    least_free
        What should stay free on the disk of the reduced files, bytes; 0 for nothing.
    clock
        The clocks.
    free
        Says what is free, see `livered_core.publish.disk_space.free_bytes`.
    """

    def __init__(
        self,
        output_dir: Path,
        state_folder: Callable[[], Path] | None,
        least_free: int,
        clock: Clock,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._folders: Mapping[str, Callable[[], Path]] = {
            "output": lambda: output_dir,
            **({} if state_folder is None else {"state": state_folder}),
        }
        self._output_dir = output_dir
        self._least_free = least_free
        self._clock = clock
        self._free = free
        self._seen: Mapping[str, _Seen] = {}
        self._looked_s = clock.monotonic()
        self._short = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livered-disk-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a disk that hangs is left behind."""
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def status(self) -> DiskStatus:
        """Return a snapshot; safe from any thread."""
        seen = self._seen
        output, state = seen.get("output", _Seen()), seen.get("state", _Seen())
        problems = [one.error for one in (output, state) if one.error]
        silent_s = self._clock.monotonic() - self._looked_s
        if silent_s > _SILENT_S:
            problems.append(f"A disk that livered writes to has not answered for {silent_s:.0f} s.")
        if self._short and output.free is not None:
            problems.append(self._short_sentence(output.free))
        return DiskStatus(self._least_free, output.free, state.free, tuple(problems))

    def look(self) -> None:
        """Look at the disks once; the thread does it."""
        self._seen = {name: self._look_at(folder) for name, folder in self._folders.items()}
        self._looked_s = self._clock.monotonic()
        free = self._seen["output"].free
        if free is None or not self._least_free:
            return
        if not self._short and free < self._least_free:
            self._short = True
            _log.warning("%s", self._short_sentence(free))
        elif self._short and free >= _RECOVERED * self._least_free:
            self._short = False
            _log.info("There is room again on the disk of %s: %s are free.", self._output_dir, size(free))

    def _look_at(self, folder: Callable[[], Path]) -> _Seen:
        try:
            return _Seen(self._free(folder()))
        except (OSError, LiveredError) as error:
            return _Seen(None, " ".join(f"A disk cannot be looked at: {error}".split()))

    def _short_sentence(self, free: int) -> str:
        return (
            f"Only {size(free)} are free on the disk of {self._output_dir}, and {size(self._least_free)} should stay "
            "free (disk_free in [limits]): reduced files are written of final results only; make room."
        )

    def _run(self) -> None:
        while True:
            self.look()
            if self._clock.wait(self._ends, LOOK_EVERY_S):
                return
