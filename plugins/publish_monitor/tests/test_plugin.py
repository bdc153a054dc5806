from __future__ import annotations

import logging
import socket
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

from livered_core import (
    Result,
    RunInfo,
    SessionInfo,
    SinkLater,
    SinkRejected,
    SinkUnavailable,
    Update,
    hookimpl,
)
from livered_core.clocks import SystemClock
from livered_core.errors import HookError, PluginError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import HookFailure, Receipt
from livered_core.testing.monitor_answers import drops, keeps_silent, replies
from livered_core.testing.monitor_request import HTML
from livered_publish_monitor.plugin import PublishMonitorPlugin

from .conftest import PASSWORD, an_update

MakePlugin = Callable[..., PublishMonitorPlugin]
MakeUpdate = Callable[..., Update]


@pytest.fixture
def post(result: Result, run: RunInfo, make_update: MakeUpdate) -> Callable[..., Receipt | None]:
    def post(
        plugin: PublishMonitorPlugin,
        *,
        number: int = 7,
        start_ns: int = 0,
        same: bool = False,
        **update: Any,
    ) -> Receipt | None:
        nonlocal events
        events += not same
        here = attrs.evolve(run, number=number, start_ns=start_ns or run.start_ns)
        told = attrs.evolve(make_update(**update), n_events=events)
        return plugin.post_publish(attrs.evolve(result, run_number=number), here, told)

    events = 0

    return post


Post = Callable[..., "Receipt | None"]


def everything_said(error: BaseException) -> str:
    """What a log with local variables would hold."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_a_result_is_posted_and_a_receipt_given(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    receipt = post(make_plugin(server.url))
    assert server.pages["nom", 7].data_type == HTML
    page = server.pages["nom", 7].text
    assert page.startswith("<div")
    assert "diamond" in page
    assert receipt == Receipt(
        where=f"http://127.0.0.1:{server.port}/plots/nom/7/upload_plot_data/",
        when_ns=clock.now_ns(),
        size=len(page.encode()),
    )


def test_the_connection_is_used_again(server: Any, make_plugin: MakePlugin, post: Post, clock: Any) -> None:
    plugin = make_plugin(server.url)
    for sequence in (1, 2, 3):
        clock.advance(30)
        assert post(plugin, sequence=sequence) is not None
    assert len(server.requests) == 3
    assert server.connections == 1


def test_the_page_names_the_session_s_versions(server: Any, make_plugin: MakePlugin, post: Post) -> None:
    plugin = make_plugin(server.url)
    plugin.session_started(SessionInfo("NOM", "native", "file", "/out", 1, "8.8.8", {"nom": "7.7.7"}))
    post(plugin)
    assert "livered-core 8.8.8, nom 7.7.7" in server.pages["nom", 7].text


def test_results_that_come_too_soon_are_put_off_and_final_ones_never(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    plugin = make_plugin(server.url, min_interval=10.0)
    assert post(plugin, sequence=1) is not None
    clock.advance(9.5)
    with pytest.raises(SinkLater) as caught:
        post(plugin, sequence=2)
    assert caught.value.seconds == pytest.approx(0.5)
    clock.advance(0.6)
    assert post(plugin, sequence=3) is not None
    assert post(plugin, sequence=4, final=True) is not None
    assert "final" in server.pages["nom", 7].text
    assert len(server.requests) == 3


def test_a_result_that_shows_what_the_last_one_showed_is_not_sent(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    plugin = make_plugin(server.url)
    assert post(plugin, sequence=1) is not None
    clock.advance(60)
    assert post(plugin, sequence=2, same=True) is None
    assert post(plugin, sequence=3, missing=("One chunk.",), same=True) is not None
    clock.advance(60)
    assert post(plugin, sequence=4, final=True, same=True) is not None
    assert len(server.requests) == 3


def test_what_failed_is_sent_although_it_is_the_same(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    plugin = make_plugin(server.url)
    server.answer_with(then=replies(500))
    with pytest.raises(SinkUnavailable):
        post(plugin)
    server.answer_with()
    assert post(plugin, same=True) is not None


def test_the_next_run_does_not_wait_for_the_one_before(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    plugin = make_plugin(server.url, min_interval=1000.0)
    post(plugin, number=7)
    assert post(plugin, number=8) is not None
    assert set(server.pages) == {("nom", 7), ("nom", 8)}


@pytest.mark.parametrize("final", [False, True])
def test_nothing_of_a_run_is_posted_after_its_final_result(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any, final: bool
) -> None:
    plugin = make_plugin(server.url)
    post(plugin, final=True)
    post(plugin, number=8, final=True)
    clock.advance(1000)
    assert post(plugin, sequence=9, final=final) is None
    assert len(server.requests) == 2


def test_a_run_that_comes_again_under_its_number_is_another(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    """A simulation that begins anew counts from 1 again."""
    plugin = make_plugin(server.url)
    assert post(plugin, final=True) is not None
    assert post(plugin, start_ns=1795950000000000000, final=True) is not None
    assert len(server.requests) == 2


def test_final_results_can_be_left_to_the_reduction_that_follows(
    server: Any, make_plugin: MakePlugin, post: Post, clock: Any
) -> None:
    plugin = make_plugin(server.url, final=False)
    assert post(plugin) is not None
    assert post(plugin, final=True) is None
    clock.advance(1000)
    assert post(plugin) is None
    assert len(server.requests) == 1


def test_a_failed_post_does_not_hold_up_the_next(server: Any, make_plugin: MakePlugin, post: Post) -> None:
    plugin = make_plugin(server.url, min_interval=1000.0)
    server.answer_with(then=replies(503))
    with pytest.raises(SinkUnavailable):
        post(plugin)
    server.answer_with()
    assert post(plugin) is not None


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, SinkRejected, "does not take the page"),
        (403, SinkUnavailable, "forbids"),
        (404, SinkUnavailable, "correct url"),
        (405, SinkUnavailable, "check url"),
        (413, SinkRejected, "max_bytes"),
        (418, SinkRejected, "418"),
        (429, SinkUnavailable, "429"),
        (500, SinkUnavailable, "500"),
        (503, SinkUnavailable, "503"),
    ],
)
def test_an_answer_other_than_200_is_told_in_a_sentence(
    server: Any, make_plugin: MakePlugin, post: Post, status: int, error: type[PluginError], says: str
) -> None:
    server.answer_with(then=replies(status, body=b"<h1>no</h1>"))
    with pytest.raises(error, match=says) as caught:
        post(make_plugin(server.url))
    assert "\n" not in str(caught.value)


class TestRefusals:
    """What is refused is said once, and not asked again blindly."""

    def test_a_wrong_login_is_asked_again_when_the_file_is_corrected(
        self,
        server: Any,
        make_plugin: MakePlugin,
        post: Post,
        clock: Any,
        write_credentials: Callable[..., Path],
    ) -> None:
        path = write_credentials(password="wrong")
        plugin = make_plugin(server.url, credentials_file=path)
        with pytest.raises(SinkUnavailable, match=r"correct username and password in .*monitor\.toml"):
            post(plugin, final=True)
        write_credentials(password="wrong")  # another file of the same content
        for final in (True, False):
            clock.advance(100)
            with pytest.raises(SinkLater) as caught:
                post(plugin, final=final)
            assert caught.value.seconds == 30
        assert len(server.requests) == 1
        write_credentials()
        assert post(plugin, final=True) is not None

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_login_is_asked_again_after_an_hour(
        self, server: Any, make_plugin: MakePlugin, post: Post, clock: Any, status: int
    ) -> None:
        plugin = make_plugin(server.url)
        server.answer_with(then=replies(status))
        with pytest.raises(SinkUnavailable):
            post(plugin)
        clock.advance(3590)
        with pytest.raises(SinkLater) as caught:
            post(plugin)
        assert caught.value.seconds == pytest.approx(10)
        server.answer_with()
        clock.advance(11)
        assert post(plugin) is not None
        assert len(server.requests) == 2

    def test_a_refused_page_is_not_sent_again_and_others_wait_longer_each_time(
        self, server: Any, make_plugin: MakePlugin, post: Post, clock: Any
    ) -> None:
        plugin = make_plugin(server.url)
        server.answer_with(then=replies(400))
        for pause in (60, 120, 240):
            with pytest.raises(SinkRejected):
                post(plugin)
            clock.advance(pause - 1)
            with pytest.raises(SinkLater):
                post(plugin)
            clock.advance(2)
            n_asked = len(server.requests)
        with pytest.raises(SinkRejected):
            post(plugin)
        assert len(server.requests) == n_asked + 1
        clock.advance(10_000)
        with pytest.raises(SinkLater):
            post(plugin, same=True)
        assert len(server.requests) == n_asked + 1
        server.answer_with()
        assert post(plugin) is not None
        server.answer_with(then=replies(400))
        clock.advance(100)
        with pytest.raises(SinkRejected):
            post(plugin)
        clock.advance(61)
        with pytest.raises(SinkRejected):
            post(plugin)

    def test_a_final_result_does_not_wait_for_a_page_that_was_refused(
        self, server: Any, make_plugin: MakePlugin, post: Post
    ) -> None:
        plugin = make_plugin(server.url)
        server.answer_with(then=replies(400))
        with pytest.raises(SinkRejected):
            post(plugin)
        server.answer_with()
        assert post(plugin, final=True) is not None

    def test_where_nothing_takes_plots_final_results_wait_too(
        self, server: Any, make_plugin: MakePlugin, post: Post, clock: Any
    ) -> None:
        plugin = make_plugin(server.url)
        server.answer_with(then=replies(404))
        with pytest.raises(SinkUnavailable):
            post(plugin, final=True)
        with pytest.raises(SinkLater):
            post(plugin, final=True, same=True)
        server.answer_with()
        clock.advance(61)
        assert post(plugin, final=True, same=True) is not None

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("120", 120),
            ("999999999999", 3600),
            ("Sun, 22 Nov 2026 12:02:00 GMT", 120),
            ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
            ("-5", 0),
            ("soon", 0),
            ("", 0),
        ],
    )
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_server_that_asks_to_be_left_alone_is(
        self,
        server: Any,
        make_plugin: MakePlugin,
        post: Post,
        clock: Any,
        header: str,
        seconds: int,
        status: int,
    ) -> None:
        plugin = make_plugin(server.url)
        server.answer_with(then=replies(status, retry_after=header))
        with pytest.raises(SinkUnavailable, match=str(status)):
            post(plugin, final=True)
        server.answer_with()
        if seconds:
            clock.advance(seconds - 1)
            with pytest.raises(SinkLater):
                post(plugin, final=True)
            clock.advance(2)
        assert post(plugin, final=True) is not None
        assert len(server.requests) == 2

    def test_a_page_that_cannot_be_small_enough_is_refused(
        self, server: Any, make_plugin: MakePlugin, run: RunInfo, result: Result, make_update: MakeUpdate
    ) -> None:
        curves = [attrs.evolve(result.curves[0], label=f"bank {number}") for number in range(99)]
        plugin = make_plugin(server.url, max_bytes=20_000)
        with pytest.raises(SinkRejected, match=r"more than max_bytes \(20000\): name fewer curves"):
            plugin.post_publish(attrs.evolve(result, curves=curves), run, make_update())
        assert server.requests == []

    def test_another_login_begins_another_session(
        self, server: Any, make_plugin: MakePlugin, post: Post, write_credentials: Callable[..., Path]
    ) -> None:
        plugin = make_plugin(server.url, min_interval=0.0)
        assert post(plugin) is not None
        write_credentials(password="wrong")
        # The server would take the cookie of the session for any login.
        with pytest.raises(SinkUnavailable, match="refused the login"):
            post(plugin)


def test_an_address_that_the_server_does_not_have_is_told(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    with pytest.raises(SinkUnavailable, match="has no /plot/7"):
        post(make_plugin(f"http://127.0.0.1:{server.port}/plot/{{run}}"))


def test_a_page_with_status_200_is_not_taken_for_success(
    server: Any, make_plugin: MakePlugin, post: Post
) -> None:
    server.answer_with(then=replies(200, body=b"\n<html>please log in</html>"))
    with pytest.raises(SinkUnavailable, match="login page"):
        post(make_plugin(server.url))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server: Any, make_plugin: MakePlugin, post: Post, status: int) -> None:
    target = f"http://localhost:{server.port}/plots/nom/7/upload_plot_data/"
    server.answer_with(then=replies(status, headers={"Location": target}))
    with pytest.raises(SinkUnavailable, match="redirects"):
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

    server.answer_with(then=endless)
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


class TestThePassword:
    """It is nowhere but in the post."""

    def answers(self) -> dict[str, Callable[[Any], None]]:
        def echo(handler: Any) -> None:
            handler.respond(400, body=f"password={PASSWORD}".encode())

        def echo_in_place(handler: Any) -> None:
            handler.respond(302, {"Location": "https://elsewhere.example/"})

        statuses = {str(status): replies(status) for status in (400, 401, 403, 404, 413, 429, 500, 503)}
        return {
            "hang up": drops,
            "hang": keeps_silent,
            "echo": echo,
            "redirect": echo_in_place,
            "page": replies(200, body=b"<html>"),
            **statuses,
        }

    def test_a_server_that_repeats_it_brings_it_into_no_failure(
        self, server: Any, make_plugin: MakePlugin, post: Post
    ) -> None:
        def no_http(handler: Any) -> None:
            handler.wfile.write(f"password={PASSWORD}\r\n\r\n".encode())
            handler.close_connection = True

        target = f"https://elsewhere.example/login?password={PASSWORD}#{PASSWORD}"
        redirect = replies(302, headers={"Location": target})
        for answer, says in ((no_http, "no HTTP"), (redirect, r"redirects \(302\) to 'https://elsewhere")):
            server.answer_with(then=answer)
            with pytest.raises(SinkUnavailable, match=says) as caught:
                post(make_plugin(server.url))
            # Without the frame of this test, which knows it.
            error = caught.value.with_traceback(caught.tb.tb_next)
            assert PASSWORD not in everything_said(error)

    def test_it_is_in_no_failure_report_log_or_representation(  # noqa: PLR0917
        self,
        server: Any,
        make_plugin: MakePlugin,
        result: Result,
        run: RunInfo,
        write_credentials: Callable[..., Path],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        n_reports = 0

        class Witness:
            @hookimpl
            def on_error(self, failure: HookFailure) -> None:
                nonlocal n_reports
                n_reports += 1
                assert "Traceback" in failure.traceback
                harmless(repr(failure), failure.traceback, failure.sentence)

        def harmless(*texts: str) -> None:
            for text in texts:
                assert PASSWORD not in text

        def fails(**settings: Any) -> None:
            plugin = make_plugin(server.url, timeout=0.3, **settings)
            loaded = [LoadedPlugin("monitor", "1", "d", plugin), LoadedPlugin("witness", "1", "d", Witness())]
            hooks = Dispatcher(loaded, {}, SystemClock())
            with pytest.raises(HookError) as caught:
                hooks.post_publish("monitor", result, run, an_update(final=True))
            hooks.report(caught.value.failure, run)
            harmless(everything_said(caught.value), repr(hooks.statistics()))
            harmless(repr(plugin), str(plugin), repr(plugin.settings))
            harmless(*plugin.check(), *plugin.check_connection())
            plugin.session_ended()
            with pytest.raises(PluginError) as ended:
                plugin.post_publish(result, attrs.evolve(run, number=8), an_update())
            harmless(everything_said(ended.value))

        answers = self.answers()
        for answer in answers.values():
            server.answer_with(then=answer)
            fails()
        server.answer_with()
        fails(credentials_file=write_credentials(mode=0o644))
        broken = tmp_path / "broken.toml"
        for content in (f'username = "live"\npassword = {PASSWORD}', f'{{"publisher_password": "{PASSWORD}"'):
            broken.write_text(content)
            broken.chmod(0o600)
            fails(credentials_file=broken)
        login = write_credentials()
        fails(credentials_file=login, ca_file=Path("none.pem"))
        fails(credentials_file=login, certificate_file=login)
        assert n_reports == len(answers) + 5

        # With a login that is taken too.
        harmless(repr(make_plugin(server.url).post_publish(result, run, an_update())))
        harmless(*(page.text for page in server.pages.values()))
        written = capfd.readouterr()
        assert "HTTP/1.1" in caplog.text  # the client's own log was seen
        harmless(caplog.text, written.out, written.err)


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
    server.answer_with(then=replies(200))
    [problem] = plugin.check_connection()
    assert "no live data server" in problem
    server.answer_with(then=replies(500))
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


def test_neither_the_module_nor_drawing_imports_what_is_slow() -> None:
    code = (
        "import sys, livered_publish_monitor.plugin, livered_publish_monitor.render\n"
        "print([name for name in ('plotly', 'h5py', 'numba') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
