"""Connections that cannot be held open for nothing: whoever may connect needs no token for that."""

from __future__ import annotations

import asyncio
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S: Final = 10.0
"""A request that is not whole after this time is not waited for, seconds."""
MOST_CONNECTIONS: Final = 512
"""Connections at a time."""


class Connection(H11Protocol):
    """Gives up a client that does not finish a request.

    Where there are too many, the one that has waited longest without a whole request makes room for the next; when
    all are being answered, the next one is sent away.
    """

    patience_s: float = REQUEST_S
    most: int = MOST_CONNECTIONS
    _due: asyncio.TimerHandle | None = None
    _began_s: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client, if need be in place of another."""
        if len(self.connections) >= self.most:
            waiting = [
                other for other in self.connections if isinstance(other, Connection) and other.is_waiting
            ]
            longest = min(waiting, key=lambda other: other._began_s, default=None)
            if longest is not None:
                longest.transport.abort()
                self.connections.discard(longest)
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a client go."""
        self._wait_no_more()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait()

    @property
    def is_waiting(self) -> bool:
        """Whether the client has not sent a whole request."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _wait(self) -> None:
        self._wait_no_more()
        self._began_s = self.loop.time()
        self._due = self.loop.call_later(self.patience_s, self._give_up)

    def _wait_no_more(self) -> None:
        if self._due is not None:
            self._due.cancel()

    def _give_up(self) -> None:
        if self.is_waiting:
            self.transport.abort()
