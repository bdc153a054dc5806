"""The folder of checkpoints: ``checkpoints/NNNNNNNNNN.checkpoint`` below the state folder; the newest two are kept.

Layout of a file: one line of text that names the version of the layout, the SHA-256 of all that follows (32 bytes),
the length of the head (8 bytes, little-endian), the head (JSON: what tells whether the file is of use), and the state
as `livered_core.reduction.checkpoint_codec` writes it.

One engine at a time keeps the folder. Everything here may wait for the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.atomic import atomic_path, sync
from livered_core.errors import LiveredError
from livered_core.opening import open_unwaiting
from livered_core.reduction.checkpoint import Checkpoint, differences
from livered_core.reduction.checkpoint_codec import CodecDamaged, NotStorable, decode, encode

_log = logging.getLogger(__name__)

CHECKPOINT_LAYOUT: Final = 1
"""Version of the layout."""
CHECKPOINTS_FOLDER: Final = "checkpoints"
"""Below the state folder of an instrument."""
KEPT: Final = 2
"""So many checkpoints are kept, and so many damaged ones."""
DEFAULT_MAX_BYTES: Final = 512 * 1024**2

_FIRST_LINE: Final = re.compile(rb"livered checkpoint (\d{1,9})\n")
_LONGEST_LINE: Final = 64
_NAME: Final = re.compile(r"(\d{10})\.checkpoint")
_DAMAGED_NAME: Final = re.compile(r"(\d{10})\.damaged")
_PARTIAL: Final = re.compile(r"\.[0-9a-f]{16}\.partial")
_LENGTH: Final = struct.Struct("<Q")
_SHA_BYTES: Final = 32


class CheckpointTooLarge(LiveredError):  # noqa: N818  (reads as what it is)
    """What has been accumulated is larger than a checkpoint may be."""


class _Unusable(LiveredError):  # noqa: N818
    """A file is no checkpoint that can be used; the text goes on after its name."""


class _Damaged(_Unusable):
    """It never will be."""


@attrs.frozen
class Loaded:
    """What was found.

    Attributes
    ----------
    checkpoint
        The newest one that can be used; None where there is none.
    remarks
        One sentence for each file that was passed over, for the log.
    """

    checkpoint: Checkpoint | None
    remarks: tuple[str, ...] = ()


class CheckpointStore:
    """Keeps the newest checkpoints of one instrument on disk. All methods are called on one thread at a time.

    Parameters
    ----------
    state_folder
        The state folder of the instrument, or what gives it, made where it is missing.
    max_bytes
        Largest file, bytes.
    """

    def __init__(self, state_folder: Path | Callable[[], Path], max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._state_folder = state_folder
        self._max_bytes = max_bytes

    def save(self, checkpoint: Checkpoint) -> int:
        """Write a checkpoint and wait until it is on the disk; then remove all but the newest two.

        Parameters
        ----------
        checkpoint
            What it holds must not change before this returns.

        Returns
        -------
        int
            Its size, bytes.

        Raises
        ------
        NotStorable
            When it holds something that cannot be kept.
        CheckpointTooLarge
            When it would be larger than is allowed.
        OSError, LiveredError
            When it cannot be written; those that are there stay.
        """
        pieces = _to_pieces(checkpoint)
        size = sum(len(piece) for piece in pieces)
        if size > self._max_bytes:
            message = (
                f"The checkpoint of run {checkpoint.state.run.number} would have {size:,} bytes, and no more than "
                f"{self._max_bytes:,} are allowed: raise max_bytes in [checkpoint], or let the plugin accumulate less."
            )
            raise CheckpointTooLarge(message)
        folder = self._folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._remove_partials(folder)
        newest = max((number for _, number in _numbered(folder)), default=0)
        path = folder / f"{newest + 1:010d}.checkpoint"
        with atomic_path(path, make_folder=False) as temporary:
            temporary.chmod(0o600)
            with temporary.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
        self._remove_old(folder, ".checkpoint")
        return size

    def load(self, fingerprint: Mapping[str, str], allowed: Callable[[str], bool]) -> Loaded:
        """Read the newest checkpoint that is whole and was made with the same settings and code.

        Parameters
        ----------
        fingerprint
            Of this session; see `Checkpoint.fingerprint`.
        allowed
            Says of the name of a module whether classes may be taken from it.

        Returns
        -------
        Loaded
            Nothing is raised: what cannot be read is said. Damaged files are set aside under names that end in
            ``.damaged``.
        """
        remarks: list[str] = []
        try:
            folder = self._folder()
            paths = [path for path, _ in sorted(_numbered(folder), key=lambda found: -found[1])]
        except FileNotFoundError:
            return Loaded(None)
        except (OSError, LiveredError) as error:
            return Loaded(None, (f"Checkpoints cannot be read: {_words(error)}.",))
        for path in paths:
            if _NAME.fullmatch(path.name) is None:
                continue
            try:
                return Loaded(self._read(path, fingerprint, allowed), tuple(remarks))
            except _Damaged as error:
                remarks.append(f"Checkpoint {path} is damaged: {error}{self._set_aside(path)}")
            except _Unusable as error:
                remarks.append(f"Checkpoint {path} is not used: {error}.")
            except OSError as error:
                remarks.append(f"Checkpoint {path} cannot be read: {_words(error)}.")
        return Loaded(None, tuple(remarks))

    def clear(self) -> None:
        """Remove all checkpoints: the run is over. Damaged ones that were set aside stay.

        Raises
        ------
        OSError, LiveredError
            When they cannot be removed.
        """
        folder = self._folder()
        try:
            self._remove_partials(folder)
            found = [path for path, _ in _numbered(folder) if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return
        for path in found:
            path.unlink(missing_ok=True)
        if found:
            sync(folder)

    def _folder(self) -> Path:
        state = self._state_folder if isinstance(self._state_folder, Path) else self._state_folder()
        return state / CHECKPOINTS_FOLDER

    def _read(self, path: Path, fingerprint: Mapping[str, str], allowed: Callable[[str], bool]) -> Checkpoint:
        head, rest = _head_of(_checked(_content(path, self._max_bytes)))
        others = differences(head, fingerprint)
        if others:
            verb = "is" if len(others) == 1 else "are"
            message = f"{_listed(others)} {verb} not what it was made with"
            raise _Unusable(message)
        try:
            checkpoint = decode(rest, allowed)
        except CodecDamaged as error:
            raise _Damaged(str(error)) from error
        if not isinstance(checkpoint, Checkpoint):
            message = "it holds something else"
            raise _Damaged(message)
        return checkpoint

    def _set_aside(self, path: Path) -> str:
        """Rename a damaged file, and say so."""
        aside = path.with_suffix(".damaged")
        try:
            path.replace(aside)
            self._remove_old(path.parent, ".damaged")
        except OSError as error:
            return f"; it cannot be set aside ({_words(error)})."
        return f"; it is kept as {aside.name}."

    @staticmethod
    def _remove_partials(folder: Path) -> None:
        """Remove what was left when a process was killed while it wrote."""
        for path in folder.iterdir():
            if _PARTIAL.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    path.unlink()

    @staticmethod
    def _remove_old(folder: Path, suffix: str) -> None:
        """Keep the newest; one that cannot be removed is in nobody's way."""
        paths = sorted(path for path, _ in _numbered(folder) if path.suffix == suffix)
        for path in paths[:-KEPT]:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _log.debug("%s cannot be removed: %s", path, error)


def _numbered(folder: Path) -> Iterator[tuple[Path, int]]:
    """Give the files that are checkpoints by their names, damaged ones too, with their numbers."""
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name) or _DAMAGED_NAME.fullmatch(path.name)
        if match is not None:
            yield path, int(match[1])


def _to_pieces(checkpoint: Checkpoint) -> list[Any]:
    try:
        pieces = encode(checkpoint)
    except NotStorable as error:
        # Plugins know what is accumulated by its name alone.
        raise NotStorable(error.type_name, error.path.removeprefix("state."), error.why) from None
    head = json.dumps(dict(checkpoint.fingerprint)).encode("ascii")
    pieces = [_LENGTH.pack(len(head)), head, *pieces]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return [f"livered checkpoint {CHECKPOINT_LAYOUT}\n".encode("ascii"), digest.digest(), *pieces]


def _content(path: Path, max_bytes: int) -> memoryview:
    """Read a regular file of a size that can be; nothing else is waited for."""
    with open_unwaiting(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            message = "it is no file"
            raise _Unusable(message)
        if found.st_uid != os.geteuid():
            message = "it belongs to somebody else"
            raise _Unusable(message)
        if found.st_size > max_bytes:
            message = f"it has {found.st_size:,} bytes, and max_bytes in [checkpoint] allows {max_bytes:,}"
            raise _Unusable(message)
        content = memoryview(bytearray(found.st_size))
        read = 0
        while read < len(content):
            count = file.readinto(content[read:])
            if not count:
                break
            read += count
        return content[:read]


def _checked(content: memoryview) -> memoryview:
    match = _FIRST_LINE.match(bytes(content[:_LONGEST_LINE]))
    if match is None:
        message = "it does not begin as a checkpoint does"
        raise _Damaged(message)
    version = int(match[1])
    if version != CHECKPOINT_LAYOUT:
        message = f"it has layout {version}, and this livered knows layout {CHECKPOINT_LAYOUT} only"
        raise _Unusable(message)
    begin = match.end() + _SHA_BYTES
    body = content[begin:]
    if hashlib.sha256(body).digest() != bytes(content[match.end() : begin]):
        message = "its checksum is wrong, so it was cut off or changed"
        raise _Damaged(message)
    return body


def _head_of(body: memoryview) -> tuple[dict[str, str], memoryview]:
    try:
        (length,) = _LENGTH.unpack_from(body)
        head = json.loads(bytes(body[_LENGTH.size : _LENGTH.size + length]).decode("ascii"))
    except (struct.error, ValueError, RecursionError, MemoryError, OverflowError) as error:
        message = f"its head cannot be read ({error})"
        raise _Damaged(message) from error
    if not isinstance(head, dict):
        message = "its head is none"
        raise _Damaged(message)
    return head, body[_LENGTH.size + length :]


def _listed(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _words(error: OSError | LiveredError) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error).rstrip(".") or type(error).__name__
