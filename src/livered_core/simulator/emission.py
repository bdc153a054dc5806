"""What the beamline sends at one moment: pieces of the stream, in memory or in files, and what is known from then on."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from livered_core.config.faults import Fault


@attrs.frozen(eq=False)
class Shared:
    """Bytes in memory that never change, referred to by any number of emissions."""

    data: memoryview = attrs.field(converter=memoryview, repr=lambda data: f"<{len(data)} bytes>")

    def __len__(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> memoryview:
        """Return bytes of it, without a copy."""
        return self.data[offset : offset + size]


@attrs.frozen(eq=False)
class OpenFile:
    """A file that never changes, of which emissions refer to ranges. It is closed when nobody refers to it."""

    path: Path
    fd: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "fd", os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        weakref.finalize(self, os.close, self.fd)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of it; OSError when it does not hold them any more."""
        data = os.pread(self.fd, size, offset)
        if len(data) < size:
            raise OSError(errno.EIO, f"{self.path} has become shorter")
        return data


@attrs.frozen
class FileRange:
    """Bytes of an open file."""

    file: OpenFile
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Part = bytes | Shared | FileRange
"""A piece of the stream: bytes to be kept, or where they are."""


def _parts(data: bytes | Sequence[Part]) -> tuple[Part, ...]:
    return (data,) if isinstance(data, bytes) else tuple(data)


@attrs.frozen
class Emission:
    """Something that the beamline sends at one moment.

    Attributes
    ----------
    time_ns
        When, in the stream's own time: nanoseconds UTC since the Unix epoch.
    parts
        Whole packets, in pieces.
    state
        Packets that describe the state from now on, by name: a client that joins later gets the newest of each
        name, in the order in which the names came up; of a name without bytes nothing. They are sent to nobody by
        themselves.
    begins_era
        A new era begins with these data; earlier state is forgotten.
    begins_file
        A file of the server's begins with these data, with its own prologue: replaying can begin here.
    paused
        The data come while the run is paused, and readers may leave them out.
    prologue
        Sent before the data of the era that begins to those who begin there; nothing when the data hold it.
    idle
        The last run is over: nothing is left to play, and playing faster would only fill the disk.
    fault
        What happens to each connection when it has been sent all that comes before.
    """

    time_ns: int
    parts: tuple[Part, ...] = attrs.field(
        converter=_parts, repr=lambda parts: f"<{sum(map(len, parts))} bytes>"
    )
    state: Mapping[str, bytes] = attrs.field(factory=dict, repr=lambda state: f"<{len(state)} packets>")
    begins_era: bool = False
    begins_file: bool = False
    paused: bool = False
    prologue: bytes = b""
    idle: bool = False
    fault: Fault | None = None

    @property
    def n_bytes(self) -> int:
        """How much is sent."""
        return sum(map(len, self.parts))

    @property
    def data(self) -> bytes:
        """A copy of the bytes."""
        return b"".join(
            part if isinstance(part, bytes) else bytes(source_of(part).read(begin_of(part), len(part)))
            for part in self.parts
        )


def source_of(part: Shared | FileRange) -> Shared | OpenFile:
    """Return what a piece is cut from."""
    return part if isinstance(part, Shared) else part.file


def begin_of(part: Shared | FileRange) -> int:
    """Return the byte of its source at which a piece begins."""
    return 0 if isinstance(part, Shared) else part.offset
