"""Posts to a live data server over a connection that is kept open.

Protocol: neutrons/live_data_server, ``upload_plot_data``. A multipart form with ``username``, ``password``,
``data_type`` (1 for HTML) and ``file``; answers 200 with an empty body, 400 without a file, 401 for a wrong
login, 404, 500.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx

from livered_core import SinkRejected, SinkUnavailable
from livered_publish_monitor.credentials import Credentials

HTML = "1"
"""Value of the form field ``data_type``."""

_MAX_ANSWER = 65536
_TRY_LATER = frozenset((408, 425, 429))
_KEEP_OPEN_S = 120.0


@attrs.frozen
class Answer:
    """What a server said.

    Attributes
    ----------
    status
        HTTP status code.
    location
        Where a redirect points to; empty otherwise.
    is_page
        True when a page came back: the live data server sends nothing.
    """

    status: int
    location: str
    is_page: bool


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
    ca_file
        Certificates to trust in place of the usual ones; None for those.
    """

    timeout: float
    ca_file: Path | None = None
    _client: httpx.Client | None = attrs.field(default=None, init=False, repr=False)
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
        message = f"The live data server at {_host(url)} cannot be reached ({reason}): check the network and the server."
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
            return Answer(
                status=response.status_code,
                location=response.headers.get("location", "") if response.is_redirect else "",
                is_page=body.lstrip().startswith(b"<"),
            )

    def _open(self, *, secure: bool) -> httpx.Client:
        if self._closed:
            message = "The live data server is not used any more: the session has ended."
            raise SinkUnavailable(message)
        if self._client is None:
            self._client = httpx.Client(
                verify=_trusted(self.ca_file),
                timeout=self.timeout,
                follow_redirects=False,
                limits=httpx.Limits(
                    max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP_OPEN_S
                ),
                # A proxy from the environment would see the password of a plain http post.
                trust_env=secure,
            )
        return self._client


def raise_unless_taken(answer: Answer, url: str, credentials_file: Path) -> None:
    """Do nothing if a post was taken, else say why not.

    Parameters
    ----------
    answer
        What the server said.
    url
        Where it was asked.
    credentials_file
        Where the login came from.

    Raises
    ------
    SinkRejected
        When the same post would be refused again.
    SinkUnavailable
        When the server is in trouble or asks to come back later.
    """
    status = answer.status
    if status >= 500 or status in _TRY_LATER:
        message = f"The live data server at {_host(url)} answered {status}: it is in trouble or busy."
        raise SinkUnavailable(message)
    if 200 <= status < 300 and not answer.is_page:
        return
    if status == 401:
        why = f"refused the login: correct username and password in {credentials_file}."
    elif status == 403:
        why = "forbids the post (403): ask its operators, or check url in [plugins.publish_monitor]."
    elif status == 404:
        why = f"has no {urlsplit(url).path} (404): correct url in [plugins.publish_monitor]."
    elif status == 413:
        why = "finds the page too large (413): lower max_points in [plugins.publish_monitor]."
    elif answer.location:
        why = f"redirects ({status}) to {answer.location[:200]!r}, which is not followed with a login: correct url."
    elif answer.is_page and status < 300:
        why = "answered with a page instead of taking the plot: check url, a proxy or login page may be in between."
    else:
        why = f"does not take the plot ({status}): check url in [plugins.publish_monitor]."
    message = f"The live data server at {_host(url)} {why}"
    raise SinkRejected(message)


def _trusted(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or "no certificates in it"
    message = f"The certificates in {ca_file} cannot be read ({reason}): name a PEM file as ca_file."
    raise SinkUnavailable(message)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    return " ".join(str(error).split())[:200] or type(error).__name__
