"""A live data server on loopback, and results to post."""

from __future__ import annotations

import email.parser
import email.policy
import http.server
import re
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livered_core import Curve, Result, RunInfo, Update
from livered_publish_monitor.plugin import PublishMonitorPlugin
from livered_publish_monitor.settings import MonitorSettings

USERNAME = "live"
PASSWORD = "s3cret-Pa55word"
SECOND = 1_000_000_000
NOON = 1_795_348_800 * SECOND


UPLOAD = re.compile(r"/plots/(\w+)/(\d+)/upload_plot_data/", re.ASCII)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LiveServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(("GET", self.path))
        path = self.path.partition("?")[0]
        read = re.fullmatch(r"/plots/(\w+)/(\d+)/update/(html|json)/", path, re.ASCII)
        if read is None:
            self.answer(401 if UPLOAD.fullmatch(path) else 404)
            return
        kind, text = self.server.pages.get((read[1].lower(), int(read[2])), (-1, ""))
        if kind != ("json", "html").index(read[3]):
            self.answer(404)
            return
        self.answer(200, {"Content-Type": "text/html"}, text.encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(("POST", self.path))
        forced = self.server.forced
        if forced is not None:
            forced(self)
            return
        self.answer(*self.upload(body))

    def upload(self, body: bytes) -> tuple[int, dict[str, str]]:
        """Do as neutrons/live_data_server does: address, login, file, type, in this order."""
        if self.headers["Host"].rpartition(":")[0] not in ("127.0.0.1", "localhost"):
            return 400, {}
        page = UPLOAD.fullmatch(self.path)
        if page is None:
            return (301, {"Location": f"{self.path}/"}) if UPLOAD.fullmatch(f"{self.path}/") else (404, {})
        fields = parse_form(self.headers["Content-Type"], body)
        known = (fields.get("username"), fields.get("password")) == (USERNAME.encode(), PASSWORD.encode())
        if not known and "sessionid=abc" not in self.headers.get("Cookie", ""):
            return 401, {}
        session = {"Set-Cookie": "sessionid=abc; HttpOnly; Path=/"}
        if "file" not in fields:
            return 400, session
        try:
            text = fields["file"].decode()
            kind = int(fields.get("data_type", b"1" if text.startswith("<div") else b"0"))
        except ValueError:
            return 500, session
        self.server.pages[page[1].lower(), int(page[2])] = (kind, text)
        self.server.taken.append((int(page[2]), text))
        return 200, session

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def parse_form(content_type: str, body: bytes) -> dict[str, bytes]:
    if content_type.startswith("application/x-www-form-urlencoded"):
        fields = {key: value.encode() for key, value in urllib.parse.parse_qsl(body.decode())}
        return {key: value for key, value in fields.items() if key != "file"}
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if name == "file" and part.get_filename() is None:
            continue  # Django puts only parts with a file name among the files
        fields[str(name)] = part.get_payload(decode=True)
    return fields


class LiveServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[tuple[str, int], tuple[int, str]] = {}
        self.taken: list[tuple[int, str]] = []
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self.forced: Callable[[Handler], None] | None = None
        self.scheme = "http"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/plots/{{instrument}}/{{run}}/upload_plot_data/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class FakeClock:
    def __init__(self) -> None:
        self.ns = NOON
        self.seconds = 1000.0

    def now_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.seconds += timeout
        return event.is_set()


@pytest.fixture
def server() -> Iterator[LiveServer]:
    live = LiveServer()
    yield live
    live.stop()


@pytest.fixture
def start_server() -> Iterator[Callable[[ssl.SSLContext | None], LiveServer]]:
    servers: list[LiveServer] = []

    def start(context: ssl.SSLContext | None) -> LiveServer:
        servers.append(LiveServer(context))
        return servers[-1]

    yield start
    for live in servers:
        live.stop()


@pytest.fixture
def write_credentials(tmp_path: Path) -> Callable[..., Path]:
    def write(password: str = PASSWORD, mode: int = 0o600) -> Path:
        path = tmp_path / "monitor.toml"
        path.unlink(missing_ok=True)
        path.write_text(f'username = "{USERNAME}"\npassword = "{password}"\n')
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_plugin(
    write_credentials: Callable[..., Path], clock: FakeClock
) -> Iterator[Callable[..., PublishMonitorPlugin]]:
    made: list[PublishMonitorPlugin] = []

    def make(url: str, **settings: Any) -> PublishMonitorPlugin:
        if "credentials_file" not in settings:
            settings["credentials_file"] = write_credentials()
        made.append(PublishMonitorPlugin(settings=MonitorSettings(url=url, **settings), clock=clock))
        return made[-1]

    yield make
    for plugin in made:
        plugin.session_ended()


@pytest.fixture
def result() -> Result:
    x = np.geomspace(0.3, 3.0, 51)
    y = np.linspace(0.0, 5.0, 50)
    return Result(7, "diamond powder", (Curve("bank 2", x, y, np.sqrt(y), "angstrom", "counts/uC"),))


@pytest.fixture
def run() -> RunInfo:
    return RunInfo(7, "NOM", "IPTS-1", "diamond", NOON - 600 * SECOND)


def an_update(sequence: int = 1, *, final: bool = False, missing: tuple[str, ...] = ()) -> Update:
    return Update(
        sequence=sequence,
        final=final,
        n_chunks=sequence,
        n_pulses=36000,
        n_events=1234567,
        proton_charge_pc=7.2e9,
        first_pulse_ns=NOON - 600 * SECOND,
        last_pulse_ns=NOON - 5 * SECOND,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=len(missing),
        dropped_events=0,
        complete=not missing,
        missing=missing,
        lag_ns=5 * SECOND,
    )


@pytest.fixture
def make_update() -> Callable[..., Update]:
    return an_update
