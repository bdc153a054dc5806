from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from livered_core.testing import monitor_server
from livered_core.testing.monitor_answers import (
    drops,
    keeps_silent,
    replies,
    replies_as_usual,
    replies_slowly,
    resets,
)
from livered_core.testing.monitor_request import HTML, JSON, Upload, form_fields
from livered_core.testing.monitor_server import MonitorServer
from waiting import until

pytestmark = pytest.mark.usefixtures("no_leaks")

LOGIN = {"username": "live", "password": "s3cret-Pa55word"}
PAGE = ("page.html", b"<div>1</div>", "text/html")
SESSION = "sessionid=abc; HttpOnly; Path=/"


@pytest.fixture
def server() -> Iterator[MonitorServer]:
    with MonitorServer() as started:
        yield started


@pytest.fixture
def client(server: MonitorServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base, timeout=10.0) as made:
        yield made


def post(
    client: httpx.Client, path="/plots/NOM/7/upload_plot_data/", data=LOGIN, file=PAGE
) -> httpx.Response:
    client.cookies.clear()
    files = {} if file is None else {"file": file}
    return client.post(path, data=data, files=files)


class TestAsTheLiveDataServer:
    def test_a_page_is_taken_and_shown(self, server, client):
        answer = post(client)
        assert (answer.status_code, answer.content, answer.headers["set-cookie"]) == (200, b"", SESSION)
        assert server.uploads == [Upload("nom", 7, HTML, "<div>1</div>")]
        assert server.pages["nom", 7] is server.uploads[0]
        shown = client.get("/plots/nOm/7/update/html/", params={"key": "any"})
        assert (shown.status_code, shown.text) == (200, "<div>1</div>")
        assert client.get("/plots/nom/7/update/json/").status_code == 404
        assert client.get("/plots/nom/8/update/html/").status_code == 404
        assert server.requests[0] == ("POST", "/plots/NOM/7/upload_plot_data/")
        assert len(server.requests) == 4
        assert server.connections == 1

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"data": {**LOGIN, "password": "wrong"}}, 401),
            ({"data": {}}, 401),
            ({"path": "/plots/NOM/7/upload_plot_data"}, 301),
            ({"path": "/plots/NOM/seven/upload_plot_data/"}, 404),
            ({"path": "/plots/NOM/7/"}, 404),
            ({"file": None}, 400),
            ({"file": (None, b"<div></div>")}, 400),
            ({"file": ("p", b"\xff", "text/html")}, 500),
            ({"data": {**LOGIN, "data_type": "html"}}, 500),
        ],
        ids=[
            "password",
            "no-login",
            "no-slash",
            "run",
            "place",
            "no-file",
            "not-a-file",
            "not-utf-8",
            "type",
        ],
    )
    def test_what_is_wrong_is_refused(self, server, client, change, status):
        assert post(client, **change).status_code == status
        assert server.uploads == []
        assert len(server.requests) == 1

    def test_another_host_is_refused(self, client, server):
        assert client.post("/plots/NOM/7/upload_plot_data/", headers={"Host": "x:1"}).status_code == 400

    def test_the_address_of_an_upload_shows_nothing(self, client):
        assert client.get("/plots/NOM/7/upload_plot_data/").status_code == 401
        assert client.get("/plots/").status_code == 404

    def test_the_session_is_a_login(self, server, client):
        post(client)
        cookie = {"Cookie": "sessionid=abc"}
        answer = client.post("/plots/NOM/8/upload_plot_data/", files={"file": PAGE}, headers=cookie)
        assert answer.status_code == 200
        assert set(server.pages) == {("nom", 7), ("nom", 8)}

    def test_the_login_is_a_tests_own(self):
        with (
            MonitorServer(username="me", password="mine") as server,
            httpx.Client(base_url=server.base) as client,
        ):
            assert post(client).status_code == 401
            assert post(client, data={"username": "me", "password": "mine"}).status_code == 200

    @pytest.mark.parametrize(
        ("text", "field", "data_type"),
        [("<div>", None, HTML), ("{}", None, JSON), ("{}", "1", HTML), ("<div>", "0", JSON)],
        ids=["html", "json", "said-html", "said-json"],
    )
    def test_the_type_is_what_is_said_or_seen(self, server, client, text, field, data_type):
        data = LOGIN if field is None else {**LOGIN, "data_type": field}
        assert post(client, data=data, file=("x", text.encode(), "text/plain")).status_code == 200
        assert server.uploads[0].data_type == data_type

    def test_the_last_writer_wins(self, server, client):
        post(client)
        post(client, path="/plots/nom/7/upload_plot_data/", file=("x", b"<div>2", "text/html"))
        assert server.pages["nom", 7].text == "<div>2"
        assert [upload.text for upload in server.uploads] == ["<div>1</div>", "<div>2"]

    def test_any_text_comes_as_it_was(self, server, client):
        text = "<div>\r\n--boundary\n\n\tä\u2028</div>\r\n\r\n" + "x" * 100_000
        post(client, file=("x", text.encode(), "text/html"))
        assert server.pages["nom", 7].text == text


class TestForms:
    def test_without_a_boundary_there_are_no_fields(self):
        assert form_fields("multipart/form-data", b"x") == {}
        assert form_fields("", b"") == {}

    def test_a_form_without_files(self):
        body = urllib.parse.urlencode({"username": "ä", "file": "no file"}).encode()
        assert form_fields("application/x-www-form-urlencoded", body) == {"username": "ä".encode()}


class TestScriptedAnswers:
    def test_each_upload_has_its_answer_and_then_it_is_as_usual(self, server, client):
        server.answer_with(
            replies(503, retry_after=2.5),
            replies_as_usual,
            replies(413, headers={"X-Why": "long"}, body=b"no"),
        )
        first, second, third, fourth = [post(client) for _ in range(4)]
        assert (first.status_code, first.headers["retry-after"]) == (503, "2.5")
        assert second.status_code == fourth.status_code == 200
        assert (third.status_code, third.headers["x-why"], third.content) == (413, "long", b"no")
        assert "retry-after" not in third.headers
        assert len(server.uploads) == 2
        assert len(server.requests) == 4

    def test_what_is_said_last_counts(self, server, client):
        server.answer_with(replies(500), then=replies(503, retry_after="Sun, 22 Nov 2026 12:02:00 GMT"))
        answers = [post(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [500, 503, 503]
        assert answers[1].headers["retry-after"] == "Sun, 22 Nov 2026 12:02:00 GMT"
        server.answer_with()
        assert post(client).status_code == 200

    def test_a_slow_answer_is_the_usual_one(self, server, client):
        server.answer_with(replies_slowly(0.05), replies_slowly(0.05, replies(500)))
        began = time.monotonic()
        assert post(client).status_code == 200
        assert time.monotonic() - began >= 0.05
        assert post(client).status_code == 500

    @pytest.mark.parametrize(
        ("answer", "error"),
        [(drops, httpx.RemoteProtocolError), (resets, httpx.ReadError)],
        ids=["drops", "resets"],
    )
    def test_a_connection_may_end_without_an_answer(self, server, client, answer, error):
        server.answer_with(answer)
        with pytest.raises(error):
            post(client)
        assert post(client).status_code == 200
        assert len(server.uploads) == 1
        assert server.connections == 2

    def test_silence_lasts_until_the_client_goes(self, server):
        server.answer_with(keeps_silent)
        with httpx.Client(base_url=server.base, timeout=0.1) as hasty, pytest.raises(httpx.ReadTimeout):
            post(hasty)
        until(
            lambda: not [each for each in threading.enumerate() if f"{server.port}, connection" in each.name]
        )

    def test_an_answer_sees_what_was_posted(self, server, client):
        bodies = []
        server.answer_with(lambda request: (bodies.append(request.body), request.respond_as_usual()))
        assert post(client).status_code == 200
        assert b"<div>1</div>" in bodies[0]

    @pytest.mark.parametrize("error", [KeyError("wrong"), FileNotFoundError("wrong")], ids=["key", "file"])
    def test_what_an_answer_raises_comes_at_the_end(self, error):
        def fails(request):
            raise error

        with pytest.raises(type(error), match="wrong"), MonitorServer() as server:
            server.answer_with(fails)
            with httpx.Client(base_url=server.base) as client, pytest.raises(httpx.RemoteProtocolError):
                post(client)


class TestServer:
    @pytest.mark.parametrize(
        "answer", [keeps_silent, replies_slowly(1000.0)], ids=["keeps_silent", "replies_slowly"]
    )
    def test_the_end_of_the_server_ends_what_waits(self, answer):
        before = set(threading.enumerate())
        began = time.monotonic()
        with MonitorServer() as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
            server.answer_with(answer)
            raw.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: localhost:1\r\n\r\n")
            until(lambda: server.requests)
        assert time.monotonic() - began < 10.0
        assert server.errors == []
        assert set(threading.enumerate()) == before

    def test_connections_that_are_idle_are_closed(self):
        before = set(threading.enumerate())
        with MonitorServer() as server:
            idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10.0)
            idle.request("GET", "/")
            idle.getresponse().read()
        assert set(threading.enumerate()) == before
        assert idle.sock.recv(1) == b""
        idle.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))

    def test_an_answer_that_does_not_end_is_an_error(self, monkeypatch):
        gate, asked = threading.Event(), threading.Event()
        monkeypatch.setattr(monitor_server, "PATIENCE_S", 0.05)
        try:
            with (
                pytest.raises(RuntimeError, match="still goes on 0.05 s after its end .*connection 1"),
                MonitorServer() as server,
                socket.create_connection(("127.0.0.1", server.port)) as raw,
            ):
                server.answer_with(lambda _: (asked.set(), gate.wait()))
                raw.sendall(b"POST / HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
                until(asked.is_set)
        finally:
            gate.set()

    def test_it_is_for_one_time(self):
        server = MonitorServer()
        server.start()
        server.start()
        server.close()
        server.close()
        with pytest.raises(RuntimeError, match="is closed: make another one"):
            server.start()


class TestTls:
    @pytest.fixture
    def context(self, tmp_path: Path) -> ssl.SSLContext:
        if shutil.which("openssl") is None:
            pytest.skip("needs the openssl command to make a certificate")
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        command += ["-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", tmp_path / "key", "-out", tmp_path / "crt"]
        subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(tmp_path / "crt", tmp_path / "key")
        return made

    def test_pages_are_taken_over_tls(self, context, tmp_path):
        trust = ssl.create_default_context(cafile=str(tmp_path / "crt"))
        with MonitorServer(context) as server:
            assert server.url.startswith("https://127.0.0.1:")
            # One that never shakes hands does not keep the others waiting.
            with (
                socket.create_connection(("127.0.0.1", server.port)),
                httpx.Client(base_url=server.base, verify=trust, timeout=10.0) as client,
            ):
                assert post(client).status_code == 200
            with httpx.Client(timeout=10.0) as client, pytest.raises(httpx.ConnectError):
                client.get(server.base)
            with httpx.Client(timeout=10.0) as client, pytest.raises(httpx.TransportError):
                client.get(server.base.replace("https", "http"))
        assert server.errors == []
        assert len(server.uploads) == 1


@pytest.mark.parametrize(
    "headers",
    ["Content-Length: -5", "Content-Length: abc", "Content-Length: 0"],
    ids=["below 0", "text", "no host"],
)
def test_a_request_that_makes_no_sense_is_refused_and_is_no_error_of_the_server(headers):
    with MonitorServer() as server, socket.create_connection(("127.0.0.1", server.port), 5.0) as client:
        client.sendall(f"POST /plots/nom/1/upload_plot_data/ HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
