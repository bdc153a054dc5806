"""What a recording is: a stream that came once, and can be read again as the bytes that came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import attrs

BLOCK_SIZE: Final = 1 << 22
"""Bytes that are read at a time."""


@attrs.frozen
class Block:
    """A piece of a recording's stream.

    Attributes
    ----------
    data
        ADARA bytes; packets may be split between one block and the next. Good for as long as anything refers to
        it.
    position
        Progress: how much of the recording has been read with this block, in units of `Recording.size`.
    opens_connection
        Whether the bytes of a new connection begin here: with a prologue, and perhaps with data that came
        before. A reader begins to cut packets anew.
    given_up
        Whether the recorder could not tell packets apart any more from here on, and made a new connection, over
        which the data came again. The last packet before is not to be believed either.
    """

    data: bytes | memoryview = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    position: int
    opens_connection: bool = False
    given_up: bool = False


class Recording(Protocol):
    """A recording, wherever it comes from.

    It may be read from several threads, each with its own iteration of `blocks`.
    """

    @property
    def name(self) -> str:
        """What to call it, for people; not escaped."""

    @property
    def size(self) -> int:
        """How much there is, in units of the recording's own: bytes of files, or pulses."""

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Block]:
        """Read all of it in order; holds no more than a few blocks in memory.

        Parameters
        ----------
        block_size
            Most bytes of a block.

        Raises
        ------
        ConfigError
            When a file that was there cannot be read any more, or holds something else than was thought.
        """
