"""Run directories as they are on disk: found, read whole, and never trusted.

Everything is opened relative to descriptors and without following symbolic links, so that nothing leads out of the
folder. What cannot be read is a sentence.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import attrs

from livered_core.config.validators import require_instrument_name
from livered_core.errors import ConfigError
from livered_core.opening import open_unwaiting

FORMAT: Final = 2
"""Layout of the files that are understood."""
_MIB: Final = 1 << 20
LIMITS: Final[Mapping[str, int]] = {
    "status.json": 8 * _MIB,
    "latest.json": 128 * _MIB,
    "runs.json": 32 * _MIB,
    "history.json": 8 * _MIB,
    "failures.json": 32 * _MIB,
}
"""Files that are read, and the most bytes of each."""
MOST_INSTRUMENTS: Final = 200
"""Folders beyond this are left out: something else fills the place."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CURVES: Final = b'"curves":'

Signature = tuple[int, int, int]
"""Inode, time of the last change in nanoseconds, and size in bytes: another one is another file."""


@attrs.frozen(eq=False)
class Stored:
    """A file as it was read.

    Attributes
    ----------
    signature
        Tells it from what was there before.
    data
        Its bytes; empty where there is a problem.
    head
        What it says, decoded; for a result only what stands before the curves. Empty where there is a problem.
    problem
        Why it cannot be used, one sentence; else empty.
    """

    signature: Signature
    data: bytes = b""
    head: Mapping[str, Any] = attrs.field(factory=dict)
    problem: str = ""

    @property
    def etag(self) -> str:
        """Its version, as HTTP wants it."""
        return 'W/"' + "-".join(f"{part:x}" for part in self.signature) + '"'


@attrs.frozen(eq=False)
class Folder:
    """One run directory: its files by name, without those that are not there."""

    files: Mapping[str, Stored] = attrs.field(factory=dict)
    problem: str = ""


@attrs.frozen(eq=False)
class Listing:
    """All run directories, by name, and why they cannot be read if they cannot."""

    folders: Mapping[str, Folder] = attrs.field(factory=dict)
    problem: str = ""


def is_folder_name(name: str) -> bool:
    """Say whether a run directory may have this name."""
    try:
        require_instrument_name(name)
    except ConfigError:
        return False
    return True


def is_wanted(name: str, instruments: Collection[str]) -> bool:
    """Say whether a run directory is one of an instrument that was named; all are when none was."""
    suffixes = ("", "-simulated", "-recorded")
    return not instruments or any(name == wanted + suffix for wanted in instruments for suffix in suffixes)


def look(root: Path, instruments: Collection[str], before: Listing) -> Listing:
    """Read what has changed.

    Parameters
    ----------
    root
        Folder of all run directories; it need not be there.
    instruments
        Only those of these; empty for all.
    before
        What was read before; files that are still the same are taken from it.
    """
    try:
        with _opened(root, None) as descriptor:
            with os.scandir(descriptor) as entries:
                names = sorted(
                    entry.name
                    for entry in entries
                    if is_folder_name(entry.name)
                    and is_wanted(entry.name, instruments)
                    and entry.is_dir(follow_symlinks=False)
                )
            folders = {
                name: _read_folder(name, descriptor, before.folders.get(name, Folder()))
                for name in names[:MOST_INSTRUMENTS]
            }
    except FileNotFoundError:
        return Listing()
    except OSError as error:
        return Listing({}, f"The folder {root} cannot be read: {error.strerror or error}.")
    left_out = len(names) - len(folders)
    return Listing(
        folders, f"{left_out} folders in {root} are not shown: there are too many." if left_out else ""
    )


def read_run(root: Path, name: str, number: int) -> Stored | None:
    """Read the newest result of a run; None when there is none.

    Parameters
    ----------
    root, name
        Folder of all run directories, and the name of one, which was seen by `look`.
    number
        Number of the run.
    """
    try:
        with _opened(root, None) as above, _opened(name, above) as folder, _opened("runs", folder) as runs:
            return _read_file(f"{number}.json", runs, None, LIMITS["latest.json"])
    except OSError:
        return None


def _read_folder(name: str, above: int, before: Folder) -> Folder:
    try:
        with _opened(name, above) as folder:
            files = {}
            for file, limit in LIMITS.items():
                stored = _read_file(file, folder, before.files.get(file), limit)
                if stored is not None:
                    files[file] = stored
    except OSError as error:
        return Folder({}, f"The run directory of {name} cannot be read: {error.strerror or error}.")
    return Folder(files)


def _read_file(name: str, folder: int, before: Stored | None, limit: int) -> Stored | None:
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        signature = _signature(seen)
        if before is not None and before.signature == signature:
            return before
        if not stat.S_ISREG(seen.st_mode):
            return Stored(signature, problem=f"{name} is not an ordinary file: livered did not write it.")
        with open_unwaiting(name, folder=folder) as file:
            seen = os.fstat(file.fileno())
            signature = _signature(seen)
            if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.getuid():
                return Stored(signature, problem=f"{name} is not a file of yours: livered did not write it.")
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Stored((0, 0, 0), problem=f"{name} cannot be read: {error.strerror or error}.")
    if len(data) > limit:
        return Stored(signature, problem=f"{name} is larger than {limit // _MIB} MiB, and is not read.")
    return _decoded(name, signature, data)


def _decoded(name: str, signature: Signature, data: bytes) -> Stored:
    is_result = name not in LIMITS or name == "latest.json"
    try:
        head = result_head(data) if is_result else _table(data)
    except (ValueError, RecursionError):
        return Stored(signature, problem=f"{name} is damaged: livered writes it anew with its next version.")
    if head.get("format") != FORMAT:
        found = head.get("format")
        which = found if isinstance(found, int) else "unknown"
        problem = f"{name} has layout {which} and this page reads {FORMAT}: the two are of different versions of livered."
        return Stored(signature, problem=problem)
    return Stored(signature, data, head)


def result_head(data: bytes) -> Mapping[str, Any]:
    """Decode what stands before the curves of a result: the rest may be megabytes, and is handed on as it is.

    Raises
    ------
    ValueError
        When it is not a result.
    """
    # A quotation mark inside a text is escaped, so that this can only be a key; of another table, the head is no JSON.
    before, found, _ = data.partition(_CURVES)
    if found and data.rstrip().endswith(b"}"):
        try:
            return _table(before.rstrip().removesuffix(b",") + b"}")
        except ValueError:
            pass
    return {key: value for key, value in _table(data).items() if key not in ("curves", "images")}


def _table(data: bytes) -> Mapping[str, Any]:
    table = json.loads(data, parse_constant=_refuse)
    if not isinstance(table, dict):
        message = "not a table"
        raise ValueError(message)
    return table


def _refuse(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _signature(seen: os.stat_result) -> Signature:
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


@contextmanager
def _opened(path: Path | str, above: int | None) -> Iterator[int]:
    """Open a folder that is ours and that no one else may write."""
    descriptor = os.open(path, _FOLDER, dir_fd=above)
    try:
        seen = os.fstat(descriptor)
        if seen.st_uid != os.getuid():
            raise PermissionError(1, "it belongs to another user")
        if stat.S_IMODE(seen.st_mode) & 0o022:
            raise PermissionError(1, "others can write to it: look at what is in it, then chmod it to 700")
        yield descriptor
    finally:
        os.close(descriptor)
