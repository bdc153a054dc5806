"""Looking at what a simulated beamline sends."""

from __future__ import annotations

from livered_core.adara import Framer, Packet, decode


def packets_of(data: bytes) -> list[Packet]:
    """Decode a stream of whole packets."""
    framer = Framer()
    packets = [decode(raw) for raw in framer.feed(data)]
    assert framer.pending == 0
    return packets
