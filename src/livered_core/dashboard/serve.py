"""The process of the dashboard: from settings to a server that ends when it is asked to."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs

from livered_core.clocks import SystemClock
from livered_core.config import format_address, run_directory
from livered_core.dashboard.directories import look
from livered_core.dashboard.neighbour import identity, is_ours, lacks_token, listen, reachable
from livered_core.dashboard.security import allowed_hosts, is_loopback
from livered_core.errors import EXIT_OK, ConfigError

MISSING: Final = (
    "The dashboard needs packages that are not installed ({names}): pip install 'livered-core[dashboard]'."
)
OPEN_ALREADY: Final = (
    "A dashboard of yours is at {where} already, and everybody may see it without a token: end it first."
)
_PACKAGES: Final = ("starlette", "uvicorn", "prometheus_client", "plotly")
_END_S: Final = 1
"""What does not end by itself within this time is ended, seconds."""
_BACKSTOP_S: Final = 2

_log = logging.getLogger(__name__)


@attrs.frozen
class DashboardSettings:
    """What a dashboard is to do.

    Attributes
    ----------
    host, port
        Where it listens; port 0 is any free one.
    token
        What a reader must know; None for no token.
    instruments
        Only these; empty for all.
    allow_hosts
        More names by which it may be called.
    """

    host: str
    port: int
    token: str | None = attrs.field(default=None, repr=False)
    instruments: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()


def require_packages() -> None:
    """See that the packages of the extra are there.

    Raises
    ------
    ConfigError
        When one is missing.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(MISSING.format(names=", ".join(missing)))


def folder_of_all(environ: Mapping[str, str]) -> Path:
    """Give the folder of all run directories of this person; it need not be there.

    Raises
    ------
    ConfigError
        When it is not one to be trusted.
    """
    return run_directory("any", environ, create=False).parent


def access_problem(host: str, *, has_token: bool) -> str:
    """Say why a dashboard may not listen there; empty when it may."""
    if has_token or is_loopback(host):
        return ""
    return (
        f"Other machines could see the dashboard at {host}: give it a token (--token-file, or token_file in "
        "[dashboard]), or let it listen on 127.0.0.1 and reach it through ssh -L."
    )


def serve(settings: DashboardSettings, announce: Callable[[str], None]) -> None:
    """Serve until a signal asks for the end.

    Parameters
    ----------
    settings
        What to do.
    announce
        Called with the address when clients can connect.

    Raises
    ------
    ConfigError
        When packages are missing, the address cannot be used, or other machines could see it without a token.
    """
    require_packages()
    root = folder_of_all(os.environ)
    problem = access_problem(settings.host, has_token=settings.token is not None)
    if problem:
        raise ConfigError(problem)
    sock = _listen(settings, root)
    try:
        asyncio.run(_serve(settings, root, sock, announce))
    finally:
        sock.close()


async def _serve(
    settings: DashboardSettings, root: Path, sock: socket.socket, announce: Callable[[str], None]
) -> None:
    import uvicorn

    from livered_core.dashboard.app import Access, make_app
    from livered_core.dashboard.board import Board
    from livered_core.dashboard.connections import Connection

    class Server(uvicorn.Server):
        """Leaves signals to us: uvicorn's way ends the process by the signal in place of status 0."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    port = sock.getsockname()[1]
    board = Board(partial(look, root, settings.instruments), settings.instruments, SystemClock())
    hosts = allowed_hosts(settings.host, _machine_names(settings.host), settings.allow_hosts)
    app = make_app(board, root, settings.instruments, Access(hosts, settings.token, port, identity(root)))
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        # Warnings are about requests: anybody who may connect could fill the log with them.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_END_S,
    )
    server = Server(config)

    def end() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True
        board.close()
        # Threads that wait for a disk would be waited for.
        backstop = threading.Timer(_END_S + _BACKSTOP_S, os._exit, (EXIT_OK,))
        backstop.daemon = True
        backstop.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end)
    await board.look_once()
    looking = asyncio.create_task(board.run())
    announce(f"http://{format_address(shown_host(settings.host), port)}/")
    await server.serve(sockets=[sock])
    board.close()
    await looking


def _listen(settings: DashboardSettings, root: Path) -> socket.socket:
    where = f"{settings.host} port {settings.port}"
    try:
        return listen(settings.host, settings.port)
    except socket.gaierror as error:
        message = f"There is no address {settings.host} to listen on ({error.strerror}): look at --host."
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            message = f"The dashboard cannot listen on {where} ({error.strerror}): look at --host and --port."
        elif settings.token is not None and lacks_token(settings.host, settings.port, identity(root)):
            message = OPEN_ALREADY.format(where=where)
        elif is_ours(settings.host, settings.port, identity(root)):
            message = (
                "A dashboard of yours is there already, and shows the same: "
                f"http://{format_address(shown_host(settings.host), settings.port)}/."
            )
        else:
            message = f"Something else listens on {where} already: choose another port."
    raise ConfigError(message)


def shown_host(host: str) -> str:
    """Give the host to open in a browser."""
    return socket.gethostname() if reachable(host) != host else host


def _machine_names(host: str) -> tuple[str, ...]:
    """Give the names of this machine; where only it can connect, no name server is asked."""
    name = socket.gethostname()
    return (name,) if is_loopback(host) else (name, socket.getfqdn())
