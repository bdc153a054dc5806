"""Files that the list of runs names: linked when they are there, and sent when exactly that one is asked for."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import attrs
from starlette.responses import Response, StreamingResponse

from livered_core.dashboard.content import problem

_BLOCK: Final = 1 << 18
_SANDBOX: Final = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
"""For reports: they bring their own scripts, which then belong to no site and reach nothing."""
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@attrs.frozen
class Named:
    """A file that a receipt names.

    Attributes
    ----------
    index
        Its place among all files of the run.
    path
        Where it is.
    """

    index: int
    path: Path


def files_of(run: Mapping[str, Any]) -> Iterator[tuple[str, Named]]:
    """Give the files of a run, each with the name of its sink."""
    receipts = run.get("receipts")
    index = 0
    for sink, receipt in receipts.items() if isinstance(receipts, Mapping) else ():
        files = receipt.get("files") if isinstance(receipt, Mapping) else None
        for path in files if isinstance(files, list) else ():
            if isinstance(path, str) and _is_path(path):
                yield sink, Named(index, Path(path))
            index += 1


def linked(table: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Put links to the files that are there in place of their paths.

    Parameters
    ----------
    table
        What ``runs.json`` says. It is not changed.
    prefix
        Address of the runs.
    """
    runs = table.get("runs")
    return {
        **table,
        "runs": [_linked_run(run, prefix) for run in runs if isinstance(run, Mapping)]
        if isinstance(runs, list)
        else [],
    }


def find(table: Mapping[str, Any], number: int, index: int, name: str) -> Path | None:
    """Find the file that is asked for; None unless a receipt of that run names exactly that one.

    Reports link to files beside them: a name may also be that of another file of the run in the same folder.
    """
    runs = table.get("runs")
    for run in runs if isinstance(runs, list) else ():
        if isinstance(run, Mapping) and run.get("number") == number:
            files = [file for _, file in files_of(run)]
            folder = next((file.path.parent for file in files if file.index == index), None)
            return next(
                (file.path for file in files if file.path.name == name and file.path.parent == folder), None
            )
    return None


async def send_file(path: Path, threads: Executor) -> Response:
    """Answer with a file as it is now, read in `threads`."""
    try:
        file, size = await asyncio.get_running_loop().run_in_executor(threads, _open, path)
    except OSError as error:
        return problem(404, f"{path.name} cannot be sent: {error.strerror or error}.")
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_page = path.suffix.lower() in (".html", ".htm")
    how = "inline" if is_page else "attachment"
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(path.name, safe='')}",
        "Content-Security-Policy": _SANDBOX if is_page else "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
        # Browsers refuse a sandboxed page with any other.
        "Cross-Origin-Opener-Policy": "unsafe-none",
    }
    if not is_page:
        media_type = "text/plain" if media_type.startswith("text/") else "application/octet-stream"
    return StreamingResponse(_blocks(file, size, threads), headers=headers, media_type=media_type)


def _linked_run(run: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    receipts = run.get("receipts")
    if not isinstance(receipts, Mapping):
        return dict(run)
    links: dict[str, list[dict[str, Any]]] = {}
    for sink, file in files_of(run):
        size = _size(file.path)
        if size is not None:
            href = f"{prefix}/{run.get('number')}/files/{file.index}/{quote(file.path.name, safe='')}"
            links.setdefault(sink, []).append({"name": file.path.name, "href": href, "size": size})
    return {
        **run,
        "receipts": {
            sink: {**receipt, "files": links.get(sink, [])} if isinstance(receipt, Mapping) else receipt
            for sink, receipt in receipts.items()
        },
    }


def _is_path(text: str) -> bool:
    # Half a surrogate pair stands in no address.
    return text.startswith("/") and "\0" not in text and text.isprintable()


def _size(path: Path) -> int | None:
    try:
        seen = path.lstat()
    except OSError:
        return None
    return seen.st_size if stat.S_ISREG(seen.st_mode) else None


def _open(path: Path) -> tuple[IO[bytes], int]:
    descriptor = os.open(path, _FLAGS)
    seen = os.fstat(descriptor)
    if not stat.S_ISREG(seen.st_mode):
        os.close(descriptor)
        raise FileNotFoundError(2, "it is not an ordinary file")
    return os.fdopen(descriptor, "rb", buffering=0), seen.st_size


async def _blocks(file: IO[bytes], size: int, threads: Executor) -> AsyncIterator[bytes]:
    """Read a file of which the size has been said: one that grows meanwhile is sent as long as it was."""
    left, loop = size, asyncio.get_running_loop()
    try:
        while left:
            block = await loop.run_in_executor(threads, file.read, min(left, _BLOCK))
            if not block:
                return
            left -= len(block)
            yield block
    finally:
        file.close()
