"""The index beside a recording: what began at which byte. One line of JSON for each entry, only ever appended.

It is written after the bytes that it speaks of, so after a kill it may know less than there is, and never more.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

SUFFIX: Final = ".index"
_FORMAT: Final = 1
_LONGEST_LINE: Final = 4096


class Mark(enum.Enum):
    """What an index entry marks."""

    CONNECTION = "connection"
    """The bytes of a new connection begin: a prologue, and perhaps data that came before."""
    FILE = "file"
    """A file begins; its name is in `text`."""
    RUN = "run"
    """A run status packet; number and status are in `text`."""
    TIME = "time"
    """A packet with a time 300 s or more after that of the last entry of this kind."""
    DAMAGE = "damage"
    """No packet begins where one should; `text` says what stands there."""


@attrs.frozen
class IndexEntry:
    """An entry.

    Attributes
    ----------
    mark
        What it marks.
    offset
        Byte of the whole recording, from 0.
    time_ns
        For a connection and a file the wall time, else that of the packet; nanoseconds UTC since the Unix epoch.
    text
        More, in words.
    """

    mark: Mark
    offset: int
    time_ns: int
    text: str = ""


def index_path(recording: Path) -> Path:
    """Return where the index of a recording is, by its first file."""
    return recording.with_name(recording.name + SUFFIX)


def format_entry(entry: IndexEntry) -> bytes:
    """Write an entry as a line."""
    fields = {
        "format": _FORMAT,
        "mark": entry.mark.value,
        "offset": entry.offset,
        "time_ns": entry.time_ns,
        "text": entry.text,
    }
    return json.dumps(fields).encode() + b"\n"


def read_index(path: Path) -> Iterator[IndexEntry]:
    """Read an index, one entry at a time; lines that are none, such as a last one cut off, are left out.

    Parameters
    ----------
    path
        From `index_path`; that there is none is no error.

    Raises
    ------
    OSError
        When it is there and cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while line := file.readline(_LONGEST_LINE):
            entry = _entry(line)
            if entry is not None:
                yield entry


def _entry(line: bytes) -> IndexEntry | None:
    try:
        fields: Any = json.loads(line)
        if not line.endswith(b"\n") or fields["format"] != _FORMAT:
            return None
        return IndexEntry(
            Mark(fields["mark"]), int(fields["offset"]), int(fields["time_ns"]), str(fields["text"])
        )
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
