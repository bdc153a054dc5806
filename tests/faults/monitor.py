"""A live data server that takes what is posted, or does not."""

from __future__ import annotations

import http.server
import re
import socket
import threading

import attrs

_PAGE = re.compile(rb"/plots/\w+/(\d+)/upload_plot_data/")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        found = _PAGE.search(self.path.encode())
        status = self.server.status if found else 404
        if status == 200 and found:
            self.server.taken.append(int(found[1]))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    status = 200
    taken: list[int]

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@attrs.define(eq=False)
class Monitor:
    """For the test's thread.

    Attributes
    ----------
    port
        Where it is when it is up.
    taken
        Numbers of the runs of which a page was taken, in order.
    """

    port: int = 0
    taken: list[int] = attrs.field(factory=list)
    _server: _Server | None = None
    _deaf: socket.socket | None = None

    def __attrs_post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/plots/{{instrument}}/{{run}}/upload_plot_data/"

    def up(self, status: int = 200) -> None:
        """Answer what is posted with a status."""
        self.down()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.status, self._server.taken = status, self.taken
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def deaf(self) -> None:
        """Accept connections and never answer."""
        self.down()
        self._deaf = socket.create_server(("127.0.0.1", self.port))

    def down(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None
