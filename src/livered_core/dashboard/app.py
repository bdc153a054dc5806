"""What the dashboard answers: constant files, what is in run directories, streams of events, figures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from livered_core.dashboard.board import Board
from livered_core.dashboard.content import Compressor, Content, answer, problem, static_content, tag
from livered_core.dashboard.directories import is_folder_name, is_wanted, read_run
from livered_core.dashboard.downloads import find, linked, send_file
from livered_core.dashboard.events import EventResponse
from livered_core.dashboard.gate import TokenGate
from livered_core.dashboard.metrics import CONTENT_TYPE, exposition
from livered_core.dashboard.security import Guard, Hosts

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

STATIC: Final = Path(__file__).parent / "static"
"""The page."""
_LONGEST_NUMBER: Final = 18


@attrs.frozen
class Access:
    """Who may see the dashboard.

    Attributes
    ----------
    hosts
        Names by which it may be called.
    token
        The token; None when everybody on this machine may see it.
    port
        Where it listens.
    identity
        Tells a dashboard of the same folder.
    """

    hosts: Hosts
    token: str | None
    port: int
    identity: str


def make_app(board: Board, root: Path, instruments: Sequence[str], access: Access) -> ASGIApp:
    """Make the application.

    Parameters
    ----------
    board
        What is known.
    root
        Folder of all run directories.
    instruments
        Only those of these; empty for all.
    access
        Who may see it.
    """
    pages = _Pages(board, root, tuple(instruments))
    name = "/api/instruments/{name}"
    routes = [
        Route("/", pages.index),
        Route("/static/{name:path}", pages.static),
        Route("/plotly.js", pages.plotly),
        Route("/health", pages.health),
        Route("/metrics", pages.metrics),
        Route("/api/instruments", pages.instruments),
        Route(f"{name}/status", pages.status),
        Route(f"{name}/events", _Events(board, tuple(instruments))),
        Route(f"{name}/latest", pages.latest),
        Route(f"{name}/history", pages.history),
        Route(f"{name}/failures", pages.failures),
        Route(f"{name}/runs", pages.runs),
        Route(f"{name}/runs/{{number}}", pages.run),
        Route(f"{name}/runs/{{number}}/files/{{index}}/{{file}}", pages.file),
    ]
    app: ASGIApp = Starlette(routes=routes, exception_handlers={404: _not_found})
    if access.token is not None:
        app = TokenGate(app, access.token, access.port)
    extra = ((b"x-livered-dashboard", access.identity.encode()),)
    return Guard(app, access.hosts, extra, takes_login=access.token is not None)


class _Pages:
    """The answers; each method is one."""

    def __init__(self, board: Board, root: Path, instruments: tuple[str, ...]) -> None:
        self._board = board
        self._root = root
        self._instruments = instruments
        self._compressor = Compressor()
        self._version = version("livered-core")
        self._plotly: Content | None = None
        # Threads for folders of results: where a disk hangs, the page goes on.
        self._disks = ThreadPoolExecutor(4, "livered-disks")

    async def index(self, request: Request) -> Response:
        return await self._static(request, "index.html")

    async def static(self, request: Request) -> Response:
        return await self._static(request, request.path_params["name"])

    async def plotly(self, request: Request) -> Response:
        if self._plotly is None:
            self._plotly = await asyncio.to_thread(_plotly)
        return await answer(request, "plotly", self._plotly, self._compressor)

    async def health(self, request: Request) -> Response:
        states = {name: view.state.word for name, view in self._board.views.items()}
        told = {"livered": self._version, "ok": not self._board.problem, "instruments": states}
        if self._board.problem:
            return JSONResponse({**told, "error": self._board.problem}, status_code=503)
        return JSONResponse(told)

    async def metrics(self, request: Request) -> Response:
        text = exposition(self._board.views.values(), self._version, self._board.n_streams)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    async def instruments(self, request: Request) -> Response:
        return JSONResponse(
            {
                "livered_version": self._version,
                "instruments": self._board.listed(),
                "problem": self._board.problem,
            }
        )

    async def status(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._board.views:
            return _no_instrument(name)
        return JSONResponse(self._board.view(name).status_message())

    async def latest(self, request: Request) -> Response:
        return await self._bytes(request, "latest.json", "There is no result yet.")

    async def history(self, request: Request) -> Response:
        return await self._bytes(request, "history.json", "There is no history yet.")

    async def failures(self, request: Request) -> Response:
        return await self._bytes(request, "failures.json", "No failures have been noted.")

    async def runs(self, request: Request) -> Response:
        name = request.path_params["name"]
        view = self._board.views.get(name)
        stored = view.folder.files.get("runs.json") if view is not None else None
        if stored is None or stored.problem:
            return await self._bytes(request, "runs.json", "No runs have been seen yet.")
        prefix = f"/api/instruments/{name}/runs"
        table = await asyncio.get_running_loop().run_in_executor(self._disks, linked, stored.head, prefix)
        data = json.dumps(table).encode()
        return await answer(request, f"{name}/runs", Content(data, tag(data)), self._compressor)

    async def run(self, request: Request) -> Response:
        name, number = request.path_params["name"], _number(request.path_params["number"])
        if name not in self._board.views:
            return _no_instrument(name)
        stored = None
        if number is not None:
            stored = await asyncio.to_thread(read_run, self._root, name, number)
        if stored is None:
            return problem(
                404, f"No result of run {number if number is not None else '?'} of {name} is kept."
            )
        if stored.problem:
            return problem(503, stored.problem)
        content = Content(stored.data, stored.etag)
        return await answer(request, f"{name}/runs/{number}", content, self._compressor)

    async def file(self, request: Request) -> Response:
        view = self._board.views.get(request.path_params["name"])
        stored = view.folder.files.get("runs.json") if view is not None else None
        number, index = _number(request.path_params["number"]), _number(request.path_params["index"])
        path = None
        if stored is not None and number is not None and index is not None:
            path = find(stored.head, number, index, request.path_params["file"])
        if path is None:
            return problem(404, "No receipt of that run names such a file.")
        return await send_file(path, self._disks)

    async def _static(self, request: Request, name: str) -> Response:
        content = await asyncio.to_thread(static_content, STATIC, name)
        if content is None:
            return problem(404, "There is no such page.")
        return await answer(request, f"static/{name}", content, self._compressor)

    async def _bytes(self, request: Request, file: str, missing: str) -> Response:
        name = request.path_params["name"]
        view = self._board.views.get(name)
        if view is None:
            return _no_instrument(name)
        stored = view.folder.files.get(file)
        if stored is None:
            return problem(404, missing)
        if stored.problem:
            return problem(503, stored.problem)
        content = Content(stored.data, stored.etag)
        return await answer(request, f"{name}/{file}", content, self._compressor)


class _Events:
    """The streams of events: an ASGI application, because it must see that the client goes."""

    def __init__(self, board: Board, instruments: tuple[str, ...]) -> None:
        self._board = board
        self._instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["name"]
        # A page may wait for an instrument that has not been started.
        if not is_folder_name(name) or not is_wanted(name, self._instruments):
            await _no_instrument(name)(scope, receive, send)
            return
        stream = self._board.subscribe(name)
        if stream is None:
            crowded = problem(503, "Too many pages are open: close some.")
            crowded.headers["Retry-After"] = "5"
            await crowded(scope, receive, send)
            return
        await EventResponse(stream, lambda: self._board.unsubscribe(name, stream))(scope, receive, send)


def _plotly() -> Content:
    """Read plotly.js; its package holds it, so that nothing comes from the network."""
    from importlib.util import find_spec

    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    data = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return Content(data, tag(data), "text/javascript", "private, max-age=86400", level=6)


def _number(text: str) -> int | None:
    """Read a number from an address; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _no_instrument(name: str) -> Response:
    if not is_folder_name(name):
        return problem(404, "There is no such instrument.")
    return problem(404, f"livered has not run for {name} here, or it is not shown.")


async def _not_found(request: Request, error: Exception) -> Response:
    return problem(404, "There is no such page.")
