"""From bytes to what they say: framing, decoding and the state of the stream in one.

Events go from the framer's buffer into columns in one step; packets that come with every pulse and say nothing
that is wanted are not decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from livered_core.adara import Framer, PacketType, RawPacket, Skipped, decode, most_events, read_pulse
from livered_core.chunking.event_blocks import BLOCK_EVENTS, EventBlocks
from livered_core.chunking.items import StreamItem
from livered_core.chunking.stream_state import StreamState
from livered_core.errors import ProtocolError

_PULSES: Final = frozenset(
    {(PacketType.BANKED_EVENT, 0), (PacketType.BANKED_EVENT, 1), (PacketType.BANKED_EVENT_STATE, 0)}
)
_RTDL: Final = frozenset({(PacketType.RTDL, 0), (PacketType.RTDL, 1)})


class Intake:
    """Takes the bytes of one connection after the other; belongs to the reader's thread.

    Call `connection_opened`, then again and again: write into `writable`, and exhaust what `take` gives.

    Parameters
    ----------
    state
        Follows the runs.
    block_events
        Events that lie side by side in memory; a chunk of many ends with them.
    """

    def __init__(self, state: StreamState, block_events: int = BLOCK_EVENTS) -> None:
        self.state = state
        self._blocks = EventBlocks(block_events)
        self._framer = Framer()
        self._tolerant = False
        self._given_up = False

    def connection_opened(self, *, tolerant: bool = False) -> None:
        """Begin with the bytes of a new connection, or of a file.

        A packet that the last one left unfinished is dropped and its bytes are counted as skipped.

        Parameters
        ----------
        tolerant
            Whether what is damaged is left out, counted and said, instead of raised: right where the same bytes
            would come again. What is left out of a run makes it incomplete.
        """
        self._tolerant = tolerant
        self._given_up = False
        self.state.counts.skipped_bytes += self._framer.pending
        self._framer = Framer(resynchronise=tolerant)
        self.state.connection_opened()

    @property
    def offset(self) -> int:
        """Bytes of this connection that have been dealt with."""
        return self._framer.offset

    def writable(self) -> memoryview:
        """Return the room for the next bytes."""
        return self._framer.writable()

    def take(self, n: int) -> Iterator[StreamItem]:
        """Say what the next bytes mean; a packet waits here until the next one has begun.

        Parameters
        ----------
        n
            How many bytes stand in `writable`.

        Yields
        ------
        StreamItem
            In the order in which the reduction must see them.

        Raises
        ------
        ProtocolError
            When the stream is damaged, unless tolerant.
        """
        yield from self._meanings(self._framer.take(n))
        if not self._tolerant:
            # The framer gives out what came before a damaged place first, and says so when asked again.
            yield from self._meanings(self._framer.take(0))

    def release(self) -> Iterator[StreamItem]:
        """Say what a packet means that nothing follows, because nothing came for a while or the stream ended.

        Nothing does once damage was raised: between the damage and what waits here there was more.
        """
        if self._given_up:
            return
        yield from self._meanings(self._framer.release())

    def finish(self) -> Iterator[StreamItem]:
        """Say that no more bytes of this connection or file come.

        Yields
        ------
        StreamItem
            Those of the last packet, and what a packet cut off means.

        Raises
        ------
        ProtocolError
            When the stream ended within a packet, unless tolerant.
        """
        yield from self._meanings(self._framer.drain())
        if not self._tolerant:
            self._framer.finish()

    def _meanings(self, cut: list[RawPacket | Skipped]) -> Iterator[StreamItem]:
        for each in cut:
            if isinstance(each, Skipped):
                self.state.counts.skipped_bytes += each.length
                yield from self.state.data_lost(
                    f"{each.length} bytes of the stream, from byte {each.offset} on, are left out: "
                    f"where a packet should begin stands {each.what}.",
                    "bytes",
                )
                continue
            try:
                yield from self._meaning(each)
            except ProtocolError as error:
                if not self._tolerant:
                    self._given_up = True
                    raise
                self.state.counts.unreadable_packets += 1
                yield from self.state.data_lost(f"{error} It is left out.", "packets")

    def _meaning(self, raw: RawPacket) -> Iterator[StreamItem]:
        kind = (raw.type, raw.version)
        state = self.state
        if kind in _PULSES:
            block, start = self._blocks.room(most_events(raw))
            pulse = read_pulse(
                raw, block.pixel_id[start:], block.tof[start:], add_tof_offset=state.selection.add_tof_offset
            )
            state.counts.packets += 1
            taken = state.counts.reduced_pulses
            yield from state.pulse(pulse, block, start)
            if state.counts.reduced_pulses > taken:
                self._blocks.keep(len(pulse.tof))
        elif kind in _RTDL:
            state.counts.packets += 1
            yield from state.rtdl(raw.time_ns)
        else:
            yield from state.feed(decode(raw))
