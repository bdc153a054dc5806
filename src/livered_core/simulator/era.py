"""The bytes of a run, or of the time between two: spans of an unnamed file and of what is elsewhere."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.config.faults import Fault
from livered_core.simulator.emission import OpenFile, Part, Shared, begin_of, source_of

_MOST_BUFFERS: Final = 256


@attrs.frozen
class Mark:
    """An index entry: the state at an offset."""

    time_ns: int
    offset: int
    state: tuple[bytes, ...]


@attrs.define(eq=False)
class PlacedFault:
    """A fault at an offset, and how many readers there had been when it first happened."""

    offset: int
    fault: Fault
    spares_from: int | None = None


class Ranges:
    """Ranges of bytes, ascending; neighbours are joined."""

    def __init__(self) -> None:
        self._begins = array("q")
        self._ends = array("q")

    def add(self, begin: int, length: int) -> None:
        """Add a range that begins where the last one ends, or behind."""
        if self._ends and self._ends[-1] == begin:
            self._ends[-1] += length
        elif length:
            # The end comes last: it is what readers look at.
            self._begins.append(begin)
            self._ends.append(begin + length)

    def next_after(self, offset: int) -> tuple[int, int] | None:
        """Return the first range that ends behind an offset."""
        index = bisect_right(self._ends, offset)
        return (self._begins[index], self._ends[index]) if index < len(self._ends) else None


class Era:
    """Spans of an unnamed file and of what is elsewhere. The file is deleted when nobody refers to the era."""

    def __init__(self, folder: Path | None, prologue: bytes = b"") -> None:
        self.fd, path = tempfile.mkstemp(prefix="livered-simulator-", dir=folder)
        Path(path).unlink()
        weakref.finalize(self, os.close, self.fd)
        self.prologue = prologue
        self.marks: list[Mark] = []
        self.faults: list[PlacedFault] = []
        self.pauses = Ranges()
        self.following: Era | None = None
        self._file_size = 0
        # For each span: offset at which it ends, source (0 is the file), and where in the source it begins.
        self._ends = array("q")
        self._sources = array("i")
        self._begins = array("q")
        self._elsewhere: list[Shared | OpenFile] = []
        self._number_of: dict[int, int] = {}

    @property
    def size(self) -> int:
        """Bytes that readers may read."""
        return self._ends[-1] if self._ends else 0

    def keep(self, parts: Sequence[Part]) -> None:
        """Write what is to be kept behind the end of the file, where no reader looks yet."""
        kept = [memoryview(part) for part in parts if isinstance(part, bytes) and part]
        offset = self._file_size
        while kept:
            written = os.pwritev(self.fd, kept[:_MOST_BUFFERS], offset)
            offset += written
            while kept and written >= len(kept[0]):
                written -= len(kept.pop(0))
            if written:
                kept[0] = kept[0][written:]

    def extend(self, parts: Sequence[Part]) -> None:
        """Let readers see parts that have been kept."""
        for part in parts:
            if not len(part):
                continue
            end = self.size + len(part)
            if isinstance(part, bytes):
                source, begin = 0, self._file_size
                self._file_size += len(part)
            else:
                source, begin = self._number(source_of(part)), begin_of(part)
            if self._continues(source, begin):
                self._ends[-1] = end
            else:
                # The end comes last: it is what readers look at.
                self._sources.append(source)
                self._begins.append(begin)
                self._ends.append(end)

    def _continues(self, source: int, begin: int) -> bool:
        if not self._ends or self._sources[-1] != source:
            return False
        length = self._ends[-1] - (self._ends[-2] if len(self._ends) > 1 else 0)
        return self._begins[-1] + length == begin

    def _number(self, source: Shared | OpenFile) -> int:
        number = self._number_of.get(id(source))
        if number is None:
            self._elsewhere.append(source)
            number = self._number_of[id(source)] = len(self._elsewhere)
        return number

    def buffers(self, offset: int, size: int) -> list[bytes | memoryview]:
        """Return the bytes from `offset` on, at most `size` of them, as few as one; not all spans at once."""
        index = bisect_right(self._ends, offset)
        pieces: list[tuple[int, int, int]] = []
        while size > 0 and index < len(self._ends) and len(pieces) < _MOST_BUFFERS:
            span_begin = self._ends[index - 1] if index else 0
            length = min(size, self._ends[index] - offset)
            pieces.append((self._sources[index], self._begins[index] + offset - span_begin, length))
            size -= length
            offset += length
            index += 1
        return self._read(pieces)

    def _read(self, pieces: list[tuple[int, int, int]]) -> list[bytes | memoryview]:
        """Read pieces (source, begin, length); those in the file follow upon each other there."""
        in_file = [(begin, begin + length) for source, begin, length in pieces if source == 0]
        kept, first = memoryview(b""), 0
        if in_file:
            first = in_file[0][0]
            kept = memoryview(os.pread(self.fd, in_file[-1][1] - first, first))
        return [
            kept[begin - first : begin - first + length]
            if source == 0
            else self._elsewhere[source - 1].read(begin, length)
            for source, begin, length in pieces
        ]
