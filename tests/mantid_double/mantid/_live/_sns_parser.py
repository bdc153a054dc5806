"""Cuts the stream into packets, with the limits and complaints of Mantid's parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from livered_core.adara import RawPacket, unix_ns
from livered_core.adara.wire import HEADER

_LARGEST: Final = 8 * 1024 * 1024


class Parser:
    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begin = 0
        self._drop = 0

    def append(self, data: bytes) -> None:
        del self._buffer[: self._begin]
        self._begin = 0
        self._buffer += data

    def packets(self) -> Iterator[RawPacket]:
        """Give out whole packets; those that are not asked for stay. Too large ones are dropped without a word."""
        while True:
            if self._drop:
                dropped = min(self._drop, len(self._buffer) - self._begin)
                self._begin += dropped
                self._drop -= dropped
            if self._drop or len(self._buffer) - self._begin < HEADER.size:
                return
            length, form, seconds, nanoseconds = HEADER.unpack_from(self._buffer, self._begin)
            if length % 4:
                message = "Payload length not multiple of 4"
                raise RuntimeError(message)
            if length > _LARGEST:
                self._drop = HEADER.size + length
                continue
            payload = self._begin + HEADER.size
            if len(self._buffer) < payload + length:
                return
            self._begin = payload + length
            time_ns = unix_ns(seconds, nanoseconds)
            yield RawPacket(form >> 8, form & 0xFF, time_ns, bytes(self._buffer[payload : payload + length]))
