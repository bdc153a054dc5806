"""Answers that are bytes: conditional, and compressed once for all clients."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import re
from collections import OrderedDict
from pathlib import Path
from typing import Final

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_SMALLEST: Final = 1024
_QUICK: Final = 1
"""Level of compression: higher ones take four times as long for a result and save a tenth."""
_KEPT_BYTES: Final = 64 << 20
_STATIC_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


@attrs.frozen(eq=False)
class Content:
    """Bytes with a version.

    Attributes
    ----------
    data
        The bytes.
    etag
        Their version, as HTTP wants it.
    media_type
        What they are.
    cache
        How long a browser may keep them: a value of ``Cache-Control``.
    level
        How hard they are compressed, 1 to 9.
    """

    data: bytes
    etag: str
    media_type: str = "application/json"
    cache: str = "no-store"
    level: int = _QUICK


class Compressor:
    """Compresses each version once, in a thread, whoever asks for it first; keeps the newest up to a limit."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], asyncio.Future[bytes]] = OrderedDict()

    async def compressed(self, key: str, content: Content) -> bytes:
        """Return the bytes as gzip.

        Parameters
        ----------
        key
            What they are the newest version of: an older one is forgotten.
        content
            The bytes.
        """
        place = (key, content.etag)
        future = self._kept.get(place)
        if future is None:
            for old in [old for old in self._kept if old[0] == key]:
                del self._kept[old]
            future = asyncio.ensure_future(
                asyncio.to_thread(gzip.compress, content.data, content.level, mtime=0)
            )
            self._kept[place] = future
        self._kept.move_to_end(place)
        # Shielded: it is not of one client only, who may leave.
        data = await asyncio.shield(future)
        self._forget()
        return data

    def _forget(self) -> None:
        size = 0
        for place in reversed(list(self._kept)):
            future = self._kept[place]
            size += len(future.result()) if future.done() and not future.cancelled() else 0
            if size > _KEPT_BYTES:
                del self._kept[place]


async def answer(request: Request, key: str, content: Content, compressor: Compressor) -> Response:
    """Answer with bytes, or that the client has them."""
    headers = {"ETag": content.etag, "Cache-Control": content.cache, "Vary": "Accept-Encoding"}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if content.etag in known:
        return Response(status_code=304, headers=headers)
    data = content.data
    if len(data) >= _SMALLEST and _takes_gzip(request):
        data = await compressor.compressed(key, content)
        headers["Content-Encoding"] = "gzip"
    return Response(data, headers=headers, media_type=content.media_type)


def problem(status: int, sentence: str) -> Response:
    """Answer with a sentence."""
    return JSONResponse({"error": sentence}, status_code=status)


def static_content(folder: Path, name: str) -> Content | None:
    """Read a file of the page; None when there is none of that name."""
    parts = name.split("/")
    if len(parts) > 3 or not all(_STATIC_PART.fullmatch(part) for part in parts):
        return None
    path = folder.joinpath(*parts)
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return Content(data, tag(data), media_type, "no-cache")


def tag(data: bytes) -> str:
    """Give a version of bytes by what they are."""
    return f'W/"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'


def _takes_gzip(request: Request) -> bool:
    for item in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = item.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
