"""One request to the stand-in for the facility's monitor, answered as neutrons/live_data_server answers it."""

from __future__ import annotations

import email.parser
import email.policy
import http.server
import re
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from livered_core.testing.monitor_server import MonitorServer

HTML: Final = 1
"""`Upload.data_type` of a page."""
JSON: Final = 0
"""`Upload.data_type` of a plot as JSON."""

_UPLOAD: Final = re.compile(r"/plots/(\w+)/(\d+)/upload_plot_data/", re.ASCII)
_READ: Final = re.compile(r"/plots/(\w+)/(\d+)/update/(html|json)/", re.ASCII)
_OWN_HOSTS: Final = ("127.0.0.1", "localhost")
_SESSION: Final = "sessionid=abc"
_LENGTH: Final = re.compile(r"\d{1,10}", re.ASCII)
_IDLE_S: Final = 60.0


@attrs.frozen
class Upload:
    """A page that was taken.

    Attributes
    ----------
    instrument
        As in the address, in lower case.
    run
        Run number.
    data_type
        `HTML` or `JSON`, as the client says or as the text begins.
    text
        The page.
    """

    instrument: str
    run: int
    data_type: int
    text: str


class MonitorRequest(http.server.BaseHTTPRequestHandler):
    """A request: what an answer of a test is given. Everything of `http.server.BaseHTTPRequestHandler` is there as well.

    Attributes
    ----------
    body
        What the client posted; empty for other requests.
    """

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    body: bytes = b""

    @property
    def monitor(self) -> MonitorServer:
        """The server that the request came to."""
        server: Any = self.server
        found: MonitorServer = server.monitor
        return found

    def respond(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Answer.

        Parameters
        ----------
        status
            Such as 200.
        headers
            Beside Date, Server and Content-Length, which every answer has.
        body
            What follows the headers.
        """
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def respond_as_usual(self) -> None:
        """Take the page, and answer, as the live data server does."""
        self.respond(*self._take())

    def drop(self) -> None:
        """Close the connection; without an answer when none was given."""
        self.close_connection = True

    def pause(self, seconds: float) -> None:
        """Wait for some seconds, or until the server ends."""
        self.monitor.ending.wait(seconds)

    def do_GET(self) -> None:
        """Show a page, as the live data server does that has no secret."""
        self.monitor.requests.append(("GET", self.path))
        path = self.path.partition("?")[0]
        read = _READ.fullmatch(path)
        if read is None:
            self.respond(401 if _UPLOAD.fullmatch(path) else 404)
            return
        page = self.monitor.pages.get((read[1].lower(), int(read[2])))
        if page is None or page.data_type != {"json": JSON, "html": HTML}[read[3]]:
            self.respond(404)
            return
        self.respond(200, {"Content-Type": "text/html"}, page.text.encode())

    def do_POST(self) -> None:
        """Take a page, or answer as the test says."""
        length = self.headers.get("Content-Length", "0")
        if not _LENGTH.fullmatch(length):
            self.respond(400)
            self.drop()
            return
        self.body = self.rfile.read(int(length))
        self.monitor.requests.append(("POST", self.path))
        answer = self.monitor.next_answer()
        if answer is None:
            self.respond_as_usual()
        else:
            answer(self)

    def _take(self) -> tuple[int, dict[str, str]]:
        """Look at address, login, file and type, in this order."""
        if self.headers.get("Host", "").rpartition(":")[0] not in _OWN_HOSTS:
            return 400, {}
        where = _UPLOAD.fullmatch(self.path)
        if where is None:
            return (301, {"Location": f"{self.path}/"}) if _UPLOAD.fullmatch(f"{self.path}/") else (404, {})
        fields = form_fields(self.headers.get("Content-Type", ""), self.body)
        login = (self.monitor.username.encode(), self.monitor.password.encode())
        known = (fields.get("username"), fields.get("password")) == login
        if not known and _SESSION not in self.headers.get("Cookie", ""):
            return 401, {}
        session = {"Set-Cookie": f"{_SESSION}; HttpOnly; Path=/"}
        if "file" not in fields:
            return 400, session
        try:
            text = fields["file"].decode()
            by_content = str(HTML if text.startswith("<div") else JSON).encode()
            data_type = int(fields.get("data_type", by_content))
        except ValueError:
            return 500, session
        upload = Upload(where[1].lower(), int(where[2]), data_type, text)
        self.monitor.pages[upload.instrument, upload.run] = upload
        self.monitor.uploads.append(upload)
        return 200, session

    def log_message(self, *_: Any) -> None:
        """Say nothing: what came is in `MonitorServer.requests`."""


def form_fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """Read the fields of a posted form.

    Parameters
    ----------
    content_type
        ``multipart/form-data`` with its boundary, or ``application/x-www-form-urlencoded``.
    body
        What was posted.

    Returns
    -------
    dict of str to bytes
        Name to content. ``file`` is there only when it is a file for Django, that is, when it has a file name.
    """
    if content_type.startswith("application/x-www-form-urlencoded"):
        pairs = urllib.parse.parse_qsl(body.decode())
        return {name: value.encode() for name, value in pairs if name != "file"}
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and not (name == "file" and part.get_filename() is None):
            fields[name] = content
    return fields
