"""Answers of the stand-in for the facility's monitor: what a server says on a bad day."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import TypeAlias

from livered_core.testing.monitor_request import MonitorRequest

MonitorAnswer: TypeAlias = Callable[[MonitorRequest], None]
"""Answers an upload; called in the thread of the connection."""


def replies_as_usual(request: MonitorRequest) -> None:
    """Take the page as the live data server does.

    Parameters
    ----------
    request
        What is answered; the server says it.
    """
    request.respond_as_usual()


def replies(
    status: int,
    *,
    retry_after: float | str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> MonitorAnswer:
    """MonitorAnswer with a status, and take nothing.

    Parameters
    ----------
    status
        Such as 401 for a wrong login, 413 for a page that is too large, 503 for a server that is busy.
    retry_after
        Header ``Retry-After``: seconds, or a text such as a date; none when None.
    headers
        Other headers.
    body
        What follows them.
    """
    given = dict(headers or {})
    if retry_after is not None:
        given["Retry-After"] = retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
    return lambda request: request.respond(status, given, body)


def replies_slowly(seconds: float, then: MonitorAnswer = replies_as_usual) -> MonitorAnswer:
    """MonitorAnswer after some seconds.

    Parameters
    ----------
    seconds
        Until the answer.
    then
        The answer.
    """

    def answer(request: MonitorRequest) -> None:
        request.pause(seconds)
        then(request)

    return answer


def keeps_silent(request: MonitorRequest) -> None:
    """Never answer; wait until the client goes, or the server ends.

    Parameters
    ----------
    request
        What is answered; the server says it.
    """
    request.connection.settimeout(None)
    request.rfile.read(1)
    request.drop()


def drops(request: MonitorRequest) -> None:
    """Close the connection without an answer.

    Parameters
    ----------
    request
        What is answered; the server says it.
    """
    request.drop()


def resets(request: MonitorRequest) -> None:
    """Close the connection with a TCP reset.

    Parameters
    ----------
    request
        What is answered; the server says it.
    """
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
    request.drop()
