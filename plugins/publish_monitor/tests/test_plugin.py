from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from livered_core import Result, RunInfo, SessionInfo, SinkRejected, SinkUnavailable, Update
from livered_core.errors import PluginError
from livered_core.model import Receipt
from livered_publish_monitor.plugin import PublishMonitorPlugin

PASSWORD = "s3cret-Pa55word"

MakePlugin = Callable[..., PublishMonitorPlugin]
MakeUpdate = Callable[..., Update]


@pytest.fixture
def post(result: Result, run: RunInfo, make_update: MakeUpdate) -> Callable[..., Receipt | None]:
    def post(plugin: PublishMonitorPlugin, *, number: int = 7, **update: Any) -> Receipt | None:
        here = attrs.evolve(run, number=number)
        return plugin.post_publish(attrs.evolve(result, run_number=number), here, make_update(**update))

    return post


Post = Callable[..., "Receipt | None"]


def everything_said(error: BaseException) -> str:
    """What a log with local variables would hold."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_a_result_is_posted_and_a_receipt_given(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    receipt = post(make_plugin(server.url))
    kind, page = server.pages["nom", 7]
    assert kind == 1
    assert page.startswith("<div")
    assert "diamond" in page
    assert receipt == Receipt(
        where=f"http://127.0.0.1:{server.server_port}/plots/nom/7/upload_plot_data/",
        when_ns=clock.ns,
        size=len(page.encode()),
    )


def test_the_connection_is_used_again(server: Any, make_plugin: MakePlugin, post: Post, clock: Any) -> None:
    plugin = make_plugin(server.url)
    for sequence in (1, 2, 3):
        clock.seconds += 30
        assert post(plugin, sequence=sequence) is not None
    assert len(server.requests) == 3
    assert server.connections == 1


def test_the_page_names_the_session_s_versions(server: Any, make_plugin: MakePlugin, post: Post) -> None:
    plugin = make_plugin(server.url)
    plugin.session_started(SessionInfo("NOM", "native", "file", "/out", 1, "8.8.8", {"nom": "7.7.7"}))
    post(plugin)
    assert "livered-core 8.8.8, nom 7.7.7" in server.pages["nom", 7][1]


def test_results_that_come_too_soon_are_left_out_and_final_ones_never(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    plugin = make_plugin(server.url, min_interval=10.0)
    assert post(plugin, sequence=1) is not None
    clock.seconds += 9.9
    assert post(plugin, sequence=2) is None
    clock.seconds += 0.2
    assert post(plugin, sequence=3) is not None
    assert post(plugin, sequence=4, final=True) is not None
    assert "final" in server.pages["nom", 7][1]
    assert len(server.requests) == 3


def test_the_next_run_does_not_wait_for_the_one_before(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    plugin = make_plugin(server.url, min_interval=1000.0)
    post(plugin, number=7)
    assert post(plugin, number=8) is not None
    assert set(server.pages) == {("nom", 7), ("nom", 8)}


def test_nothing_of_a_run_is_posted_after_its_final_result(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    plugin = make_plugin(server.url)
    post(plugin, final=True)
    clock.seconds += 1000
    assert post(plugin, sequence=9) is None
    assert len(server.requests) == 1


def test_final_results_can_be_left_to_the_reduction_that_follows(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    plugin = make_plugin(server.url, final=False)
    assert post(plugin) is not None
    assert post(plugin, final=True) is None
    assert len(server.requests) == 1


def test_a_failed_post_does_not_hold_up_the_next(server: Any, make_plugin: MakePlugin, post: Post) -> None:
    plugin = make_plugin(server.url, min_interval=1000.0)
    server.forced = lambda handler: handler.answer(503)
    with pytest.raises(SinkUnavailable):
        post(plugin)
    server.forced = None
    assert post(plugin) is not None


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, SinkRejected, "check url"),
        (403, SinkRejected, "forbids"),
        (404, SinkRejected, "correct url"),
        (413, SinkRejected, "max_points"),
        (429, SinkUnavailable, "429"),
        (500, SinkUnavailable, "500"),
        (503, SinkUnavailable, "503"),
    ],
)
def test_an_answer_other_than_200_is_told_in_a_sentence(
    server: Any, make_plugin: MakePlugin, post: Post, status: int, error: type[PluginError], says: str
) -> None:
    server.forced = lambda handler: handler.answer(status, body=b"<h1>no</h1>")
    with pytest.raises(error, match=says) as caught:
        post(make_plugin(server.url))
    assert "\n" not in str(caught.value)


def test_a_wrong_login_is_refused_until_the_file_is_corrected(
    server: Any, make_plugin: MakePlugin, post: Post, write_credentials: Callable[..., Path]
) -> None:
    path = write_credentials(password="wrong")
    plugin = make_plugin(server.url, credentials_file=path)
    with pytest.raises(SinkRejected, match=r"correct username and password in .*monitor\.toml"):
        post(plugin)
    write_credentials()
    assert post(plugin) is not None


def test_an_address_that_the_server_does_not_have_is_told(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    with pytest.raises(SinkRejected, match="has no /plot/7"):
        post(make_plugin(f"http://127.0.0.1:{server.server_port}/plot/{{run}}"))


def test_a_page_with_status_200_is_not_taken_for_success(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    server.forced = lambda handler: handler.answer(200, body=b"\n<html>please log in</html>")
    with pytest.raises(SinkRejected, match="login page"):
        post(make_plugin(server.url))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server: Any, make_plugin: MakePlugin, post: Post, status: int) -> None:
    target = f"http://localhost:{server.server_port}/plots/nom/7/upload_plot_data/"
    server.forced = lambda handler: handler.answer(status, {"Location": target})
    with pytest.raises(SinkRejected, match="redirects"):
        post(make_plugin(server.url))
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_told(make_plugin: MakePlugin, post: Post) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        port = reserved.getsockname()[1]
        with pytest.raises(SinkUnavailable, match=rf"127\.0\.0\.1:{port} cannot be reached .*refused"):
            post(make_plugin(f"http://127.0.0.1:{port}/{{run}}"))


def test_what_is_no_http_is_told(make_plugin: MakePlugin, post: Post) -> None:
    def greet(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-x\r\n")
        connection.shutdown(socket.SHUT_WR)

    with raw_server(greet) as port, pytest.raises(SinkUnavailable, match="cannot be reached"):
        post(make_plugin(f"http://127.0.0.1:{port}/{{run}}"))


def test_a_silent_server_is_given_up_in_time(make_plugin: MakePlugin, post: Post) -> None:
    with raw_server(lambda _: None) as port:
        plugin = make_plugin(f"http://127.0.0.1:{port}/{{run}}", timeout=0.2)
        with pytest.raises(SinkUnavailable, match=r"no whole answer within 0\.2 s"):
            post(plugin)


def test_a_server_that_drips_is_given_up_in_time(make_plugin: MakePlugin, post: Post) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(600):
            connection.sendall(b"x")
            time.sleep(0.02)  # the server's pace, well within the client's read timeout

    with raw_server(drip) as port:
        plugin = make_plugin(f"http://127.0.0.1:{port}/{{run}}", timeout=0.4)
        began = time.monotonic()
        with pytest.raises(SinkUnavailable, match="no whole answer"):
            post(plugin)
        assert time.monotonic() - began < 5


def test_an_endless_answer_is_not_read_to_its_end(server: Any, make_plugin: MakePlugin, post: Post) -> None:
    sent = 0

    def endless(handler: Any) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        while sent < 50_000_000:
            handler.wfile.write(b"x" * 65536)
            sent += 65536

    server.forced = endless
    post(make_plugin(server.url))
    assert sent < 50_000_000


def test_the_end_of_the_session_ends_a_post_under_way(make_plugin: MakePlugin, post: Post) -> None:
    asked = threading.Event()
    with raw_server(lambda _: asked.set()) as port:
        plugin = make_plugin(f"http://127.0.0.1:{port}/{{run}}", timeout=0.5)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                post(plugin)
            except PluginError as error:
                failure.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert asked.wait(5)
        plugin.session_ended()
        thread.join(5)
        assert not thread.is_alive()
    assert [str(error) for error in failure] == [
        f"The live data server at 127.0.0.1:{port} cannot be reached (the session has ended): "
        "check the network and the server."
    ]
    with pytest.raises(SinkUnavailable, match="session has ended"):
        post(plugin)


def test_a_proxy_of_the_environment_does_not_see_a_plain_post(
    server: Any, make_plugin: MakePlugin, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert post(make_plugin(server.url)) is not None


def test_an_instrument_without_a_place_on_the_server_is_refused(
    server: Any, make_plugin: MakePlugin, result: Result, make_update: MakeUpdate
) -> None:
    with pytest.raises(SinkRejected, match="instrument name"):
        make_plugin(server.url).post_publish(result, RunInfo(7, "../x"), make_update())
    assert server.requests == []


def test_the_password_is_nowhere(
    server: Any,
    make_plugin: MakePlugin,
    post: Post,
    write_credentials: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    plugin = make_plugin(server.url, timeout=0.5)
    said.append(repr(post(plugin, final=True)))

    def hang_up(handler: Any) -> None:
        handler.close_connection = True

    def hang(handler: Any) -> None:
        handler.rfile.read(1)

    answers: list[Callable[[Any], None]] = [hang_up, hang]
    answers += [lambda handler, status=status: handler.answer(status) for status in (400, 401, 404, 500, 302)]
    for answer in answers:
        server.forced = answer
        with pytest.raises(PluginError) as caught:
            post(plugin, final=True)
        said.append(everything_said(caught.value))
    write_credentials(mode=0o644)
    with pytest.raises(PluginError) as caught:
        post(plugin, final=True)
    said.append(everything_said(caught.value))
    write_credentials()
    no_ca = make_plugin(server.url, ca_file=Path("none.pem"))
    with pytest.raises(PluginError) as caught:
        post(no_ca, final=True)
    said.append(everything_said(caught.value))
    said += [
        repr(plugin),
        str(plugin),
        repr(plugin.settings),
        repr(plugin.check()),
        repr(plugin.check_connection()),
    ]
    plugin.session_ended()
    with pytest.raises(PluginError) as caught:
        post(plugin, final=True)
    said.append(everything_said(caught.value))
    written = capfd.readouterr()
    everything = "\n".join([*said, caplog.text, written.out, written.err])
    assert "HTTP/1.1" in everything  # the client's own log was seen
    assert PASSWORD not in everything
    assert all(PASSWORD not in page for _, page in server.pages.values())


def test_check_tries_the_login_and_publishes_nothing(
    server: Any, make_plugin: MakePlugin, write_credentials: Callable[..., Path]
) -> None:
    plugin = make_plugin(server.url)
    assert plugin.check_connection() == []
    assert server.pages == {}
    assert len(server.requests) == 1
    write_credentials(password="wrong")
    [problem] = plugin.check_connection()
    assert "refused the login" in problem
    write_credentials(mode=0o666)
    [problem] = plugin.check_connection()
    assert "chmod 600" in problem


def test_check_reads_the_login_and_asks_nobody(
    server: Any, make_plugin: MakePlugin, write_credentials: Callable[..., Path]
) -> None:
    plugin = make_plugin(server.url)
    write_credentials(password="wrong")
    assert plugin.check() == []
    write_credentials(mode=0o666)
    [problem] = plugin.check()
    assert "chmod 600" in problem
    assert server.requests == []


def test_check_tells_what_is_no_live_data_server(server: Any, make_plugin: MakePlugin) -> None:
    plugin = make_plugin(server.url)
    server.forced = lambda handler: handler.answer(200)
    [problem] = plugin.check_connection()
    assert "no live data server" in problem
    server.forced = lambda handler: handler.answer(500)
    [problem] = plugin.check_connection()
    assert "500" in problem


def test_check_tells_of_certificates_that_cannot_be_read(
    server: Any, make_plugin: MakePlugin, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for path in (junk, tmp_path / "none.pem"):
        [problem] = make_plugin(server.url, ca_file=path).check_connection()
        assert "ca_file" in problem


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that no authority knows, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60
    )
    both = folder / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both


@pytest.fixture
def tls_server(certificate: Path, start_server: Callable[[ssl.SSLContext], Any]) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return start_server(context)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls_server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    with pytest.raises(SinkUnavailable, match=r"(?i)certificate.verify.failed"):
        post(make_plugin(tls_server.url))
    assert tls_server.requests == []


def test_a_certificate_of_the_configured_authority_is_trusted(
    tls_server: Any, make_plugin: MakePlugin, post: Post, certificate: Path
) -> None:
    receipt = post(make_plugin(tls_server.url, ca_file=certificate))
    assert receipt is not None
    assert receipt.where.startswith("https://")
    assert tls_server.pages["nom", 7][0] == 1


def test_the_certificate_must_be_for_the_host(
    tls_server: Any, make_plugin: MakePlugin, post: Post, certificate: Path
) -> None:
    with pytest.raises(SinkUnavailable, match=r"(?i)certificate"):
        post(make_plugin(tls_server.url.replace("127.0.0.1", "localhost"), ca_file=certificate))
    assert tls_server.requests == []


class raw_server:  # noqa: N801
    """Accept one connection, read a request's beginning, answer by a function, hang up at the end."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._answer = answer
        self._done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with self._listener.accept()[0] as connection:
            connection.recv(65536)
            try:
                self._answer(connection)
            except OSError:
                return
            self._done.wait(10)


def test_the_module_imports_plotly_only_when_it_draws() -> None:
    code = (
        "import sys, livered_publish_monitor.plugin\n"
        "print([name for name in ('plotly', 'h5py', 'numba') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
