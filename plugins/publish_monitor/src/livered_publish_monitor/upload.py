"""Posts to a live data server over a connection that is kept open.

Protocol: neutrons/live_data_server, ``upload_plot_data``. A multipart form with ``username``, ``password``,
``data_type`` (1 for HTML) and ``file``; answers 200 with an empty body, 400 without a file, 401 for a wrong
login, 404, 500.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import httpx

from livered_core import SinkUnavailable
from livered_publish_monitor.answers import Answer, answer_of, host_of
from livered_publish_monitor.credentials import Credentials
from livered_publish_monitor.trust import Stamps, Trust

HTML = "1"
"""Value of the form field ``data_type``."""

_MAX_ANSWER = 65536
_KEEP_OPEN_S = 120.0


class _Watchdog:
    """Ends one exchange after `timeout` seconds by shutting its socket down.

    The client's own timeouts are for each read and write: a server that sends a byte now and then would pass
    them for ever.
    """

    def __init__(self, timeout: float) -> None:
        self.expired = threading.Event()
        self._timer = threading.Timer(timeout, self._expire)
        self._timer.daemon = True
        self._socket: socket.socket | None = None

    def watch(self, connection: socket.socket | None) -> None:
        """Say which socket the exchange uses."""
        self._socket = connection
        if self.expired.is_set():
            self._hang_up()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._timer.start()
        try:
            yield
        finally:
            self._timer.cancel()

    def _expire(self) -> None:
        self.expired.set()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The plain method: SSLSocket.shutdown drops TLS state that the other thread is using.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@attrs.define(eq=False)
class LiveDataServer:
    """A client of one live data server. `post` is for one thread at a time, `close` for any.

    Attributes
    ----------
    timeout
        Longest time for one exchange, seconds.
    trust
        For TLS. Its files are read again when they have been replaced.
    """

    timeout: float
    trust: Trust = attrs.field(factory=Trust)
    _client: httpx.Client | None = attrs.field(default=None, init=False, repr=False)
    _stamps: Stamps = attrs.field(default=(), init=False)
    _login: Credentials | None = attrs.field(default=None, init=False, repr=False)
    _socket: socket.socket | None = attrs.field(default=None, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    def post(self, url: str, credentials: Credentials, html: bytes | None) -> Answer:
        """Post a page, or without one only the login.

        Parameters
        ----------
        url
            Upload address. Redirects are not followed: the login is for this address alone.
        credentials
            The login.
        html
            UTF-8 text that begins with ``<div``; None to try the login without publishing anything.

        Raises
        ------
        SinkUnavailable
            When there is no answer: network, TLS, time, or certificates that cannot be read.
        """
        watchdog = _Watchdog(self.timeout)
        watchdog.watch(self._socket)
        # Said outside the except block: the client's own traceback holds the form with the password.
        try:
            with watchdog.running():
                return self._exchange(url, credentials, html, watchdog)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, OSError) as error:
            reason = _reason(error)
        if self._closed:
            reason = "the session has ended"
        elif watchdog.expired.is_set() or reason == "timeout":
            reason = f"no whole answer within {self.timeout:g} s"
        message = f"The live data server at {host_of(url)} cannot be reached ({reason}): check the network and the server."
        raise SinkUnavailable(message)

    def close(self) -> None:
        """Close the connection for good; an exchange under way fails."""
        self._closed = True
        if self._client is not None:
            self._client.close()

    def _exchange(
        self, url: str, credentials: Credentials, html: bytes | None, watchdog: _Watchdog
    ) -> Answer:
        def trace(name: str, info: Mapping[str, Any]) -> None:
            if name.endswith(("connect_tcp.complete", "start_tls.complete")):
                found = info["return_value"].get_extra_info("socket")
                self._socket = found if isinstance(found, socket.socket) else None
                watchdog.watch(self._socket)

        client = self._open(secure=url.startswith("https:"))
        if credentials != self._login:
            # The server looks at the cookie of a session before it looks at the login.
            client.cookies.clear()
            self._login = credentials
        request: dict[str, Any] = {"data": credentials.form()}
        if html is not None:
            request["data"]["data_type"] = HTML
            request["files"] = {"file": ("plot.html", html, "text/html; charset=utf-8")}
        with client.stream("POST", url, extensions={"trace": trace}, **request) as response:
            body = b""
            for part in response.iter_raw():
                body += part
                if len(body) > _MAX_ANSWER:
                    break
            return answer_of(response.status_code, response.headers, body)

    def _open(self, *, secure: bool) -> httpx.Client:
        if self._closed:
            message = "The live data server is not used any more: the session has ended."
            raise SinkUnavailable(message)
        stamps = self.trust.stamps() if secure else ()
        if self._client is not None and stamps != self._stamps:
            self._client.close()
            self._client = None
        if self._client is None:
            self._stamps = stamps
            self._client = httpx.Client(
                verify=self.trust.context(),
                timeout=self.timeout,
                follow_redirects=False,
                limits=httpx.Limits(
                    max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP_OPEN_S
                ),
                # A proxy from the environment would see the password of a plain http post.
                trust_env=secure,
            )
        return self._client


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, httpx.RemoteProtocolError) and not str(error).startswith("Server disconnected"):
        # The client quotes the answer, in which a server may repeat what it was sent.
        return "its answer is no HTTP"
    return " ".join(str(error).split())[:200] or type(error).__name__
