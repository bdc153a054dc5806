"""A stand-in for the facility's monitor, the live data server: it takes pages as that does, or answers as a test says.

The addresses, fields and answers are those of github.com/neutrons/live_data_server. Ready-made answers are in
`livered_core.testing.monitor_answers`.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import attrs

from livered_core.testing.monitor_request import MonitorRequest

if TYPE_CHECKING:
    from types import TracebackType

    from livered_core.testing.monitor_answers import MonitorAnswer
    from livered_core.testing.monitor_request import Upload

PATIENCE_S: Final = 20.0
"""How long the server waits for its threads when it is closed; seconds."""

_LOOK_EVERY_S: Final = 0.01


class MonitorServer:
    """A live data server on 127.0.0.1, over HTTP or HTTPS, each connection in a thread of its own.

    A context manager. All attributes may be read from any thread.

    Parameters
    ----------
    tls
        Context of a TLS server, with its certificate loaded; plain HTTP when None.
    username, password
        The login that is taken.

    Attributes
    ----------
    port
        Chosen by the system; 0 before the server has started.
    uploads
        All pages that were taken, in their order.
    pages
        The newest page in each place: instrument in lower case and run number, to upload.
    requests
        Method and path of each request, in their order, refused ones included.
    connections
        Number of connections so far.
    errors
        What answers of a test raised. That a client went away is no error.

    Examples
    --------
    >>> from livered_core.testing.monitor_answers import replies
    >>> with MonitorServer() as server:
    ...     server.answer_with(replies(503, retry_after=2))
    ...     server.url.endswith("/plots/{instrument}/{run}/upload_plot_data/")
    True
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        username: str = "live",
        password: str = "s3cret-Pa55word",  # noqa: S107  (of no server that there is)
    ) -> None:
        self.username = username
        self.password = password
        self.port = 0
        self.uploads: list[Upload] = []
        self.pages: dict[tuple[str, int], Upload] = {}
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self.errors: list[BaseException] = []
        self.ending = threading.Event()
        """Set when the server ends: an answer that takes long looks at it now and then."""
        self._tls = tls
        self._scripted: deque[MonitorAnswer] = deque()
        self._then: MonitorAnswer | None = None
        self._lock = threading.Lock()
        self._listening: _Listening | None = None

    @property
    def base(self) -> str:
        """The server's address, without a slash at the end."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where pages are posted to: a template with ``{instrument}`` and ``{run}``."""
        return f"{self.base}/plots/{{instrument}}/{{run}}/upload_plot_data/"

    def answer_with(self, *answers: MonitorAnswer, then: MonitorAnswer | None = None) -> None:
        """Say how the uploads that follow are answered, in place of what was said before.

        Parameters
        ----------
        answers
            One for each upload.
        then
            For all uploads after these; as the live data server answers when None.
        """
        with self._lock:
            self._scripted = deque(answers)
            self._then = then

    def next_answer(self) -> MonitorAnswer | None:
        """Take the answer of the next upload; None for the usual one. For requests."""
        with self._lock:
            return self._scripted.popleft() if self._scripted else self._then

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
        if self.ending.is_set():
            message = "This monitor server is closed: make another one."
            raise RuntimeError(message)
        self._listening = _Listening(self, self._tls)
        self.port = self._listening.server_address[1]
        self._listening.begin()

    def close(self) -> None:
        """Close all connections and wait for their threads. Does nothing when it is closed already.

        Raises
        ------
        BaseException
            The first thing that an answer raised.
        RuntimeError
            When an answer does not end within `PATIENCE_S`.
        """
        listening, self._listening = self._listening, None
        if listening is None:
            return
        self.ending.set()
        going_on = listening.end()
        if self.errors:
            raise self.errors[0]
        if going_on:
            message = (
                f"An answer of the monitor server still goes on {PATIENCE_S:g} s after its end ({going_on[0]}): "
                "let it wait with pause of its request, which the end of the server ends."
            )
            raise RuntimeError(message)

    def __enter__(self) -> MonitorServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@attrs.define(eq=False)
class _Open:
    """A connection and its thread."""

    connection: socket.socket
    thread: threading.Thread


class _Listening(socketserver.TCPServer):
    """The listening socket and its threads."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, server: MonitorServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), MonitorRequest)
        self.monitor = server
        self._tls = tls
        self._open: list[_Open] = []
        self._accepts = threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": _LOOK_EVERY_S},
            name=f"monitor server {self.server_address[1]}",
            daemon=True,
        )

    def begin(self) -> None:
        self._accepts.start()

    def end(self) -> list[str]:
        """Close everything; return the names of the threads that did not end."""
        self.shutdown()
        self._accepts.join(PATIENCE_S)
        self.server_close()
        limit = time.monotonic() + PATIENCE_S
        for each in self._open:
            with contextlib.suppress(OSError):
                each.connection.shutdown(socket.SHUT_RDWR)
        for each in self._open:
            each.thread.join(max(0.0, limit - time.monotonic()))
        return [each.thread.name for each in self._open if each.thread.is_alive()]

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = self.socket.accept()
        if self._tls is None:
            return accepted, address
        # The handshake is the business of the connection's thread: a client may be slow at it.
        return self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open = [each for each in self._open if each.thread.is_alive()]
        self.monitor.connections += 1
        thread = threading.Thread(
            target=self._serve,
            args=(request, client_address),
            name=f"monitor server {self.server_address[1]}, connection {self.monitor.connections}",
            daemon=True,
        )
        self._open.append(_Open(request, thread))
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            # Clients go, some of them while they shake hands.
            return
        except BaseException as error:  # noqa: BLE001  (raised when the server is closed)
            # At the end the connections are closed below the answers.
            if not (self.monitor.ending.is_set() and isinstance(error, OSError)):
                self.monitor.errors.append(error)
        finally:
            self.shutdown_request(request)
