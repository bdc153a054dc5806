"""Who may ask, and what an answer may do: names of hosts, methods, headers, and the token."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")

_EMPTY_STYLE: Final = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Hash of no text: plotly.js makes an empty style sheet and fills it by script. It also sets ``style`` attributes."""

CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {_EMPTY_STYLE}",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
"""What the page may load: nothing that is not from here."""

SECURITY_HEADERS: Final = {
    b"content-security-policy": CONTENT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    b"cache-control": b"no-store",
}
"""Headers of each answer that does not set them itself."""


@attrs.frozen
class Hosts:
    """Names by which the dashboard may be called, so that no other page's name can be made to lead here.

    Attributes
    ----------
    names
        In small letters, without ports and final dots.
    loopback_only
        Whether it listens on this machine's loopback address only.
    """

    names: frozenset[str]
    loopback_only: bool

    def allow(self, header: str, local_address: str) -> bool:
        """Say whether a ``Host`` header is allowed.

        Parameters
        ----------
        header
            Its value.
        local_address
            Number of this machine at which the connection arrived.
        """
        name = host_name(header)
        if name in self.names or is_loopback(name):
            return True
        return not self.loopback_only and bool(name) and name == local_address.partition("%")[0]


def host_name(header: str) -> str:
    """Take the name out of a ``Host`` header: small letters, no port, no brackets, no final dot."""
    text = header.strip().lower()
    if text.startswith("["):
        name, bracket, _ = text[1:].partition("]")
        return name if bracket else ""
    return text.partition(":")[0].removesuffix(".")


def is_loopback(host: str) -> bool:
    """Say whether a name or number of a host is that of the machine itself."""
    if host.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(bind: str, machine: Sequence[str], more: Collection[str]) -> Hosts:
    """Collect the names that are allowed.

    Parameters
    ----------
    bind
        Address that is listened on.
    machine
        Names of this machine.
    more
        Names that a person allows.
    """
    loopback_only = is_loopback(bind)
    names = {*LOOPBACK_NAMES, *more, bind, *machine}
    return Hosts(frozenset(name.lower().removesuffix(".") for name in names if name), loopback_only)


def header(scope: Scope, name: bytes) -> str:
    """Give the value of a request's header; empty without."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


class Guard:
    """Refuses requests that no one should send, and puts the headers on all answers.

    Parameters
    ----------
    app
        What answers the others.
    hosts
        Names by which it may be called.
    extra
        More headers for each answer.
    takes_login
        Whether there is a form to which a token is sent.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Hosts,
        extra: Sequence[tuple[bytes, bytes]] = (),
        *,
        takes_login: bool = False,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._extra = extra
        self._takes_login = takes_login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                headers += [item for item in SECURITY_HEADERS.items() if item[0] not in given]
                headers += self._extra
                message = {**message, "headers": headers}
            await send(message)

        server: Any = scope.get("server") or ("",)
        host = header(scope, b"host")
        if not self._hosts.allow(host, str(server[0])):
            sentence = (
                f"This dashboard does not answer to the name {host_name(host)[:100]!r}: "
                "start it with --allow-host and that name, or open it by its address."
            )
            await refuse(send_guarded, 421, sentence)
        elif scope["method"] not in ("GET", "HEAD") and not self._is_login(scope):
            await refuse(
                send_guarded, 405, "This page only shows things: ask with GET.", ((b"allow", b"GET, HEAD"),)
            )
        else:
            await self._app(scope, receive, send_guarded)

    def _is_login(self, scope: Scope) -> bool:
        return self._takes_login and (scope["method"], scope["path"]) == ("POST", "/login")


async def refuse(send: Send, status: int, sentence: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Answer with a sentence."""
    body = json.dumps({"error": sentence}).encode()
    all_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
