"""From the blocks of a recording to its packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from livered_core.adara import Framer, RawPacket, Skipped
from livered_core.recording.base import Recording


@attrs.frozen
class ConnectionOpened:
    """The packets of a new connection follow: a prologue, and perhaps pulses that came before."""


def packets_of(
    recording: Recording, progress: Callable[[int], None] | None = None
) -> Iterator[RawPacket | Skipped | ConnectionOpened]:
    """Cut a recording into packets, looking for the next ones behind a damaged place.

    Parameters
    ----------
    recording
        From `open_recording`.
    progress
        Called with how much has been read, in units of the recording's size.

    Yields
    ------
    RawPacket or Skipped or ConnectionOpened
        In order. A packet's payload is good until the next one is asked for. Offsets count the ADARA bytes of
        the whole recording.

    Raises
    ------
    ConfigError
        When the recording cannot be read any more.
    """
    framer = Framer(resynchronise=True)
    begin = 0
    for block in recording.blocks():
        if block.opens_connection:
            yield from _placed(framer.drain(), begin)
            begin += framer.offset
            framer = Framer(resynchronise=True)
            yield ConnectionOpened()
        data = memoryview(block.data)
        while data:
            room = framer.writable()
            piece = data[: len(room)]
            room[: len(piece)] = piece
            data = data[len(piece) :]
            yield from _placed(framer.take(len(piece)), begin)
        if progress is not None:
            progress(block.position)
    yield from _placed(framer.drain(), begin)


def _placed(cut: list[RawPacket | Skipped], begin: int) -> Iterator[RawPacket | Skipped]:
    """Count the offsets of what was left out from the beginning of the recording."""
    for each in cut:
        yield attrs.evolve(each, offset=begin + each.offset) if isinstance(each, Skipped) else each
