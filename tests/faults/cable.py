"""The network between a server and its clients: it can be cut, plugged in again, and go deaf."""

from __future__ import annotations

import contextlib
import socket
import threading

import attrs


@attrs.define(eq=False)
class Cable:
    """Forwards bytes from a port of its own to another one; everything is for the test's thread.

    Attributes
    ----------
    target
        Port on this machine to forward to.
    port
        Of its own; it stays the same when the cable is plugged in again.
    """

    target: int
    port: int = 0
    connections: int = 0
    _listening: socket.socket | None = None
    _open: list[socket.socket] = attrs.field(factory=list)
    _deaf: threading.Event = attrs.field(factory=threading.Event)
    _heard: threading.Event = attrs.field(factory=threading.Event)
    _threads: list[threading.Thread] = attrs.field(factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def plug(self) -> None:
        """Let connections through."""
        self._heard.set()
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        self._run(self._accept, self._listening)

    def cut(self) -> None:
        """Break all connections, and refuse those that come."""
        if self._listening is not None:
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None
        self._heard.set()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()
        self._threads.clear()
        self._open.clear()

    def swallow(self) -> None:
        """Let nothing through any more on what is open; connections stay, and nobody is told."""
        self._heard.clear()

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            # A connection that is new after the silence is heard.
            self._heard.set()
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            self._open += [near, far]
            self._run(self._forward, near, far)
            self._run(self._forward, far, near)

    def _forward(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(1 << 18):
                self._heard.wait()
                there.sendall(data)
        with contextlib.suppress(OSError):
            there.shutdown(socket.SHUT_WR)
