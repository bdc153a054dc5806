"""Server-sent events: a stream for each page, of which the newest of each kind is kept and nothing more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

RETRY_MS: Final = 2000
"""Time after which a browser connects again, milliseconds."""
PING_EVERY_S: Final = 15.0
"""Seconds between two comments that keep the connection alive."""
HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


def encode(kind: str, data: object) -> bytes:
    """Write an event; its data are one line of JSON in ASCII."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")


class Stream:
    """What one client has not been sent yet: the newest event of each kind. Used on one event loop only."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._changed = asyncio.Event()
        self.is_closed = False

    def offer(self, kind: str, event: bytes) -> None:
        """Take an event in place of one of its kind that still waits."""
        self._waiting[kind] = event
        self._changed.set()

    def close(self) -> None:
        """Let `take` return what is left and then nothing."""
        self.is_closed = True
        self._changed.set()

    async def take(self, timeout: float) -> bytes:
        """Wait for events and return all that wait; empty after `timeout` seconds, and when closed."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except asyncio.TimeoutError:
            return b""
        if not self.is_closed:
            self._changed.clear()
        waiting, self._waiting = self._waiting, {}
        return b"".join(waiting.values())


class EventResponse:
    """An ASGI application that sends a stream until it is closed or the client goes.

    A client that takes nothing is waited for; the system gives it up (see `livered_core.dashboard.neighbour.listen`).

    Parameters
    ----------
    stream
        The stream.
    done
        Called at the end, however it comes.
    """

    def __init__(self, stream: Stream, done: Callable[[], None]) -> None:
        self._stream = stream
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        leaving = asyncio.create_task(_leave(receive, self._stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            if scope["method"] != "HEAD":
                await self._send(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._done()
            leaving.cancel()

    async def _send(self, send: Send) -> None:
        await _body(send, f"retry: {RETRY_MS}\n\n".encode())
        while not self._stream.is_closed:
            events = await self._stream.take(PING_EVERY_S)
            if not self._stream.is_closed:
                await _body(send, events or b": still here\n\n")


async def _body(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _leave(receive: Receive, stream: Stream) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.close()
