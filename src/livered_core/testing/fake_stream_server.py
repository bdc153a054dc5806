"""A stream server that does exactly what a test tells it, on a real socket.

Each connection gets a script: packets, bytes and steps, one after the other. Ready-made steps are in
`livered_core.testing.stream_steps`, whole runs in `livered_core.testing.stream_packets`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from livered_core.adara import ClientHello
from livered_core.testing.stream_connection import PATIENCE_S, StreamConnection, StreamScript, StreamStep

if TYPE_CHECKING:
    from types import TracebackType


class StreamServer:
    """Plays one script for each connection, the last one for all that follow, each in a thread of its own.

    A context manager; see `stream_server`. Where a script ends, its connection stays open until the client closes
    it, the script has closed it, or the server ends.

    Attributes
    ----------
    port
        Port on 127.0.0.1, chosen by the system; 0 before the server has started.
    hellos
        What clients said first, in the order in which they said it.
    connections
        Number of connections so far.
    errors
        What scripts raised. That a client went away is no error.
    """

    def __init__(self, *scripts: StreamScript) -> None:
        if not scripts:
            message = (
                "A stream server needs a script: packets, bytes and steps, or a function of the connection."
            )
            raise ValueError(message)
        self._scripts: list[StreamStep] = [_as_step(script) for script in scripts]
        self.port = 0
        self.hellos: list[ClientHello] = []
        self.connections = 0
        self.errors: list[BaseException] = []
        self._listening: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, and serve in threads. Does nothing when it listens already.

        Raises
        ------
        OSError
            When the system has no port.
        RuntimeError
            When it was closed.
        """
        if self._listening is not None:
            return
        if self._ending.is_set():
            message = "This stream server is closed: make another one."
            raise RuntimeError(message)
        listening = socket.create_server(("127.0.0.1", 0))
        self._listening = listening
        self.port = listening.getsockname()[1]
        self._begin(f"stream server {self.port}", lambda: self._accept(listening))

    def close(self) -> None:
        """Close all connections and wait for the scripts to end. Does nothing when it is closed already.

        Raises
        ------
        BaseException
            The first thing that a script raised.
        RuntimeError
            When a script does not end within `PATIENCE_S`.
        """
        listening, self._listening = self._listening, None
        if listening is None:
            return
        self._ending.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        # The first thread accepts: after it nobody begins another one, or opens a connection.
        self._threads[0].join(PATIENCE_S)
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        limit = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        for connection in self._open:
            connection.close()
        if self.errors:
            raise self.errors[0]
        going_on = [thread.name for thread in self._threads if thread.is_alive()]
        if going_on:
            message = (
                f"A script of the stream server still runs {PATIENCE_S:g} s after its end ({going_on[0]}): "
                "let it wait with wait_for, pause or hold of its connection, which the end of the server ends."
            )
            raise RuntimeError(message)

    def __enter__(self) -> StreamServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            accepted.settimeout(PATIENCE_S)
            self._open.append(accepted)
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            connection = StreamConnection(accepted, ending=self._ending)
            self._begin(
                f"stream server {self.port}, connection {self.connections}",
                lambda connection=connection, script=script: self._serve(connection, script),  # type: ignore[misc]
            )

    def _serve(self, connection: StreamConnection, script: StreamStep) -> None:
        try:
            self.hellos.append(connection.read_hello())
            script(connection)
        except ConnectionError:
            # Clients go, and scripts need not know.
            return
        except BaseException as error:  # noqa: BLE001  (raised when the server is closed)
            # At the end the connections are closed below the scripts.
            if not (self._ending.is_set() and isinstance(error, OSError)):
                self.errors.append(error)


def _as_step(script: StreamScript) -> StreamStep:
    if callable(script):
        return script
    parts = tuple(script)
    return lambda connection: connection.play(parts)


@contextlib.contextmanager
def stream_server(*scripts: StreamScript) -> Iterator[StreamServer]:
    """Serve scripts on a free port of this machine, in place of a facility's stream management server.

    Parameters
    ----------
    scripts
        One for each connection, the last one for all that follow: packets, bytes and steps in their order, or a
        function of the connection.

    Yields
    ------
    StreamServer
        Its `address` is what a client is given.

    Raises
    ------
    BaseException
        At the end, the first thing that a script raised.

    Examples
    --------
    >>> from livered_core.adara import Heartbeat
    >>> beats = [Heartbeat(time_ns=1_790_000_000_000_000_000 + n) for n in range(3)]
    >>> with stream_server([*beats, StreamConnection.reset], [*beats, StreamConnection.hold]) as server:
    ...     server.address.startswith("127.0.0.1:")
    True
    """
    with StreamServer(*scripts) as server:
        yield server
