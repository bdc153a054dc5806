"""A plugin that does nothing with a chunk, for the cost of sending one. Not a measurement by itself."""

from __future__ import annotations

from typing import ClassVar

from livered_core import Chunk, hookimpl


class Nothing:
    """Says how many events came."""

    process_elsewhere: ClassVar[bool] = True

    @hookimpl
    def process_chunk(self, chunk: Chunk) -> int:
        return chunk.n_events
