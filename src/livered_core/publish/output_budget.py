"""The disk that reduced files may take: beyond it the oldest are removed, of those that livered wrote itself.

What livered wrote is known by a record in the state folder, ``outputs.jsonl``, a line for each file. A file that is not
in it is never touched, nor is one that somebody has changed since.
"""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs
from attrs.validators import instance_of

from livered_core.atomic import atomic_path
from livered_core.errors import LiveredError
from livered_core.model import Receipt
from livered_core.publish.disk import DiskThread
from livered_core.publish.latest import Published

_log = logging.getLogger(__name__)

OUTPUTS_FILE: Final = "outputs.jsonl"
FILES_SINK: Final = "files"
"""The sink whose receipts list reduced files."""
_PATIENCE_S: Final = 5.0
_SPARE_LINES: Final = 1000


@attrs.frozen
class WrittenFile:
    """A file as livered wrote it.

    Attributes
    ----------
    path
        Absolute.
    size, mtime_ns
        In bytes, and the time of the change in nanoseconds, by which a file that somebody has changed is told.
    together
        How many files were written of the same result.
    """

    path: str = attrs.field(validator=instance_of(str))
    size: int = attrs.field(validator=instance_of(int))
    mtime_ns: int = attrs.field(validator=instance_of(int))
    together: int = attrs.field(default=1, eq=False, validator=instance_of(int))

    @classmethod
    def of(cls, path: str) -> WrittenFile | None:
        """Look at a file; None where there is none.

        Raises
        ------
        OSError
            When it cannot be looked at.
        """
        try:
            found = Path(path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(path, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


class OutputBudget:
    """Keeps reduced files within their budget, on a thread of its own (``livered-outputs``).

    Parameters
    ----------
    state_folder
        Gives the folder of the record.
    budget
        Bytes; above 0.
    """

    def __init__(self, state_folder: Callable[[], Path], budget: int) -> None:
        self._state_folder = state_folder
        self._budget = budget
        self._disk = DiskThread("livered-outputs")
        self._files: dict[str, WrittenFile] | None = None
        self._lines = 0
        self._said = ""

    def start(self) -> None:
        """Start the thread; what earlier sessions wrote is brought within the budget."""
        self._disk.start()
        self._disk.submit(lambda: self._take(()))

    def taken(self, sink: str, _item: Published, receipt: Receipt) -> None:
        """Note what a sink has written, and return at once. Safe from any thread."""
        if sink == FILES_SINK and receipt.files:
            self._disk.submit(lambda: self._take(tuple(receipt.files)))

    def close(self) -> None:
        """Wait a few seconds until all is done."""
        self._disk.close(_PATIENCE_S)

    def _take(self, paths: tuple[str, ...]) -> None:
        try:
            files = self._record()
            found = [file for file in map(WrittenFile.of, paths) if file is not None]
            new = [attrs.evolve(file, together=len(found)) for file in found]
            for file in new:
                # The newest is the last.
                files.pop(file.path, None)
                files[file.path] = file
            removed = self._remove_oldest(files, keep=_newest_result(files))
            if removed or self._lines > 2 * len(files) + _SPARE_LINES:
                self._write(files)
            elif new:
                self._append(new)
            self._said = ""
        except (OSError, LiveredError) as error:
            words = " ".join(str(error).split())
            if words != self._said:
                self._said = words
                _log.warning(
                    "Reduced files cannot be kept within outputs in [limits]: %s.", words.rstrip(".")
                )

    def _remove_oldest(self, files: dict[str, WrittenFile], keep: set[str]) -> bool:
        """Remove files until the others fit, but not those of the newest result; tell whether any went."""
        too_much = sum(file.size for file in files.values()) - self._budget
        changed, removed, room = False, [], 0
        for file in list(files.values()):
            if too_much <= 0 or file.path in keep:
                break
            there = WrittenFile.of(file.path)
            if there == file:
                try:
                    Path(file.path).unlink(missing_ok=True)
                except OSError as error:
                    _log.warning(
                        "%s cannot be removed (%s), as outputs in [limits] asks.", file.path, error.strerror
                    )
                    continue
                removed.append(file.path)
                room += file.size
            # Else it is gone, or somebody's own by now.
            del files[file.path]
            changed = True
            too_much -= file.size
        if removed:
            _log.info(
                "%d reduced files, %d bytes, were removed, as outputs in [limits] asks: %s%s.",
                len(removed),
                room,
                removed[0],
                "" if len(removed) == 1 else f" to {removed[-1]}",
            )
        return changed

    def _record(self) -> dict[str, WrittenFile]:
        """Return what livered has written, oldest first."""
        if self._files is None:
            files: dict[str, WrittenFile] = {}
            path, damaged = self._state_folder() / OUTPUTS_FILE, 0
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
            for line in lines:
                try:
                    file = WrittenFile(**json.loads(line))
                except (ValueError, TypeError, RecursionError):
                    damaged += 1
                    continue
                files.pop(file.path, None)
                files[file.path] = file
            if damaged:
                _log.warning("%d lines of %s cannot be read: those files are never removed.", damaged, path)
            self._files, self._lines = files, len(lines)
        return self._files

    def _append(self, files: list[WrittenFile]) -> None:
        text = "".join(f"{json.dumps(attrs.asdict(file))}\n" for file in files)
        with (self._state_folder() / OUTPUTS_FILE).open("a", encoding="utf-8") as record:
            record.write(text)
        self._lines += len(files)

    def _write(self, files: dict[str, WrittenFile]) -> None:
        with atomic_path(self._state_folder() / OUTPUTS_FILE) as temporary:
            temporary.chmod(0o600)
            temporary.write_text(
                "".join(f"{json.dumps(attrs.asdict(file))}\n" for file in files.values()), encoding="utf-8"
            )
        self._lines = len(files)


def _newest_result(files: Mapping[str, WrittenFile]) -> set[str]:
    """Give the paths of what was written last, in this session or an earlier one."""
    paths = list(files)
    return set(paths[-files[paths[-1]].together :]) if paths else set()
