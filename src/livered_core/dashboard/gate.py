"""The token: read from a private file, asked for in a header, or exchanged for a cookie at a form."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from livered_core.dashboard.security import CONTENT_POLICY, header, refuse
from livered_core.errors import ConfigError
from livered_core.opening import open_unwaiting

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SHORTEST: Final = 16
"""Least characters of a token."""
FAILED_DELAY_S: Final = 1.0
"""A wrong token is answered after this time, seconds."""
MOST_WAITING: Final = 16
"""So many wrong ones wait for their answer at a time; others are sent away unread."""

_LONGEST_FILE: Final = 4096
_LONGEST_FORM: Final = 4096
_MAKE: Final = (
    "make one with: (umask 077; python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > {path})"
)

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:20vh auto;"
    "padding:0 1rem}input,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box;margin:.25rem 0 1rem}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_FORM: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>livered</title>'
    '<meta name="viewport" content="width=device-width,initial-scale=1">'
    f"<style>{_STYLE}</style></head><body><main><h1>livered</h1><!-- said -->"
    '<form method="post" action="/login"><label for="token">Token of this dashboard</label>'
    '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
    "<button>Show</button></form></main></body></html>"
)
_FORM_POLICY: Final = CONTENT_POLICY.replace("style-src 'self'", f"style-src 'self' 'sha256-{_STYLE_HASH}'")


def read_token(path: Path) -> str:
    """Read a token from a file that only its owner may read.

    Parameters
    ----------
    path
        The file; a credential that systemd hands over is one, too.

    Raises
    ------
    ConfigError
        When it cannot be read, is not private, or holds something else. The token is not in the sentence.
    """
    make = _MAKE.format(path=path)
    try:
        with open_unwaiting(path, follow=True) as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                message = f"The token file {path} is not an ordinary file: {make}."
                raise ConfigError(message)
            # systemd's credentials are root's, and its access list shows as the right of the group to read.
            others = 0o037 if seen.st_uid == 0 != os.getuid() else 0o077
            if seen.st_uid not in (os.getuid(), 0) or stat.S_IMODE(seen.st_mode) & others:
                message = f"The token file {path} can be read by others: chmod 600 it, as its owner."
                raise ConfigError(message)
            data = file.read(_LONGEST_FILE)
    except OSError as error:
        message = f"The token file {path} cannot be read ({error.strerror or error}): {make}."
        raise ConfigError(message) from None
    text = data.decode("latin-1").strip()
    if len(text) < SHORTEST or not all("!" <= character <= "~" for character in text):
        message = f"The token file {path} must hold {SHORTEST} or more letters, digits and signs without blanks: {make}."
        raise ConfigError(message)
    return text


class TokenGate:
    """Lets requests with the token through; others get a form, or a sentence.

    Parameters
    ----------
    app
        What answers those that have it.
    token
        The token.
    port
        Where the dashboard listens: cookies are not told apart by ports, so the port is in the cookie's name.
    sleep
        Waits for so many seconds; a wrong token is answered late.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        port: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        key = secrets.token_bytes(32)
        self._app = app
        self._key = key
        self._token = self._digest(token)
        # The cookie does not hold the token, and another process does not know it.
        self._cookie = hmac.new(key, b"cookie " + token.encode(), hashlib.sha256).hexdigest()
        self._name = f"livered-{port}"
        self._sleep = sleep
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["path"] == "/login":
            await self._login(scope, receive, send)
            return
        scheme, _, given = header(scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer":
            await self._bearer(given.strip(), scope, receive, send)
        elif hmac.compare_digest(self._cookie_of(scope).encode(), self._cookie.encode()):
            await self._app(scope, receive, send)
        elif scope["path"] == "/":
            await _redirect(send, b"/login")
        else:
            await _unauthorised(send)

    async def _bearer(self, given: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_crowded():
            await _later(send)
        elif self._is_token(given):
            await self._app(scope, receive, send)
        else:
            await self._wait()
            await _unauthorised(send)

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _form(send, 200, "")
        elif not _is_same_site(scope):
            await refuse(send, 403, "The token is only taken from this page's own form.")
        elif self._is_crowded():
            await _later(send)
        elif self._is_token(await _token_in(receive)):
            cookie = f"{self._name}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"
            await _redirect(send, b"/", ((b"set-cookie", cookie.encode()),))
        else:
            await self._wait()
            await _form(send, 401, '<p role="alert">That is not the token.</p>')

    def _digest(self, token: str) -> bytes:
        # Of equal length, so that the time of the comparison does not tell that of the token.
        return hmac.new(self._key, token.encode("utf-8", "replace"), hashlib.sha256).digest()

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(self._digest(given), self._token)

    def _is_crowded(self) -> bool:
        return self._waiting >= MOST_WAITING

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            await self._sleep(FAILED_DELAY_S)
        finally:
            self._waiting -= 1

    def _cookie_of(self, scope: Scope) -> str:
        try:
            morsel = SimpleCookie(header(scope, b"cookie")).get(self._name)
        except CookieError:
            return ""
        return morsel.value if morsel is not None else ""


def _is_same_site(scope: Scope) -> bool:
    """Say whether a form was sent from here; browsers say where it stood."""
    origin = header(scope, b"origin")
    if not origin or header(scope, b"sec-fetch-site") == "same-origin":
        return True
    return origin.partition("://")[2] == header(scope, b"host")


async def _token_in(receive: Receive) -> str:
    body, more = b"", True
    while more and len(body) <= _LONGEST_FORM:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    if len(body) > _LONGEST_FORM:
        return ""
    return parse_qs(body.decode("latin-1"), max_num_fields=4).get("token", [""])[0].strip() if body else ""


async def _form(send: Send, status: int, said: str) -> None:
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", _FORM_POLICY.encode()),
        # Without a referrer, browsers do not say either where a form stood that they send.
        (b"referrer-policy", b"same-origin"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send(
        {
            "type": "http.response.body",
            "body": _FORM.replace("<!-- said -->", said).encode(),
            "more_body": False,
        }
    )


async def _redirect(send: Send, to: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    all_headers = [(b"location", to), (b"content-length", b"0"), *headers]
    await send({"type": "http.response.start", "status": 303, "headers": all_headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _unauthorised(send: Send) -> None:
    sentence = (
        "This dashboard wants its token: open / in a browser, or send it as `Authorization: Bearer TOKEN`."
    )
    await refuse(send, 401, sentence, ((b"www-authenticate", b'Bearer realm="livered"'),))


async def _later(send: Send) -> None:
    sentence = "Too many wrong tokens at a time: try again in a few seconds."
    await refuse(send, 429, sentence, ((b"retry-after", b"2"),))
