"""The sink against a chat on this machine."""

import json
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from livered_sink_chat import SinkChat

from livered_core import Curve, HookError, Result, hookimpl
from livered_core.testing import PluginHarness, make_run, make_update, one_event_chunk


class Owner:
    """Makes results for the sink."""

    @hookimpl
    def post_process(self, run):
        return Result(run.number, "", [Curve("a", [0.0], [1.0], [1.0], "us", "counts")])


@contextmanager
def chat(*answers, tls=None):
    """A chat that answers so, and what it got."""
    got, left = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(left.pop(0) if left else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/hooks/secret", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def harness(tmp_path):
    def make(url, **more):
        (tmp_path / "webhook").write_text(url + "\n")
        settings = {"webhook_file": str(tmp_path / "webhook")}
        return PluginHarness(SinkChat, settings, beside=[Owner], run=make_run(7, instrument="TOY"), **more)

    return make


def test_a_run_is_announced_once_when_it_is_over(harness):
    with chat() as (url, got), harness(url) as toy:
        toy.feed(one_event_chunk())
        toy.update()
        assert (got, toy.receipts) == ([], ())
        toy.end_run()
        ((path, headers, said),) = got
        assert path == "/hooks/secret"
        assert said == {"text": "TOY 7: 1 events. Complete."}
        assert headers["Content-Type"] == "application/json"
        (receipt,) = toy.receipts
        assert (receipt.where, receipt.size) == ("the chat", int(headers["Content-Length"]))


def test_what_is_missing_is_said(harness):
    with chat() as (url, got), harness(url) as toy:
        toy.start_run()
        toy.instance.post_publish(make_run(7), make_update(final=True, missing=("1 chunk was lost.",)))
        assert "events. 1 chunk was lost." in got[0][2]["text"]


def test_what_is_tried_again_has_the_same_key(harness):
    with chat(500, 200) as (url, got), harness(url, check=False) as toy:
        toy.reduce(one_event_chunk())
        sink, run, update = toy.instance, make_run(7, instrument="TOY"), toy.updates[-1]
        assert "The chat answers 500" in toy.failures[0].error
        assert sink.post_publish(run, update) is not None
        assert [headers["Idempotency-Key"] for _, headers, _ in got] == ["TOY 7", "TOY 7"]


@pytest.mark.parametrize("status", [301, 404, 500])
def test_a_failure_does_not_tell_the_address(harness, status):
    with chat(status) as (url, _), harness(url) as toy, pytest.raises(HookError) as caught:
        toy.reduce(one_event_chunk())
    assert f"The chat answers {status}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_chat_that_nobody_vouches_for_gets_nothing(harness, tmp_path):
    certificate = tmp_path / "chat.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=chat"
    )
    command += " -addext subjectAltName=IP:127.0.0.1 -keyout chat.pem -out chat.crt"
    subprocess.run(command.split(), check=True, capture_output=True, cwd=tmp_path, timeout=60)
    certificate.write_text(certificate.read_text() + (tmp_path / "chat.crt").read_text())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with (
        chat(tls=tls) as (url, got),
        harness(url) as toy,
        pytest.raises(HookError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        toy.reduce(one_event_chunk())
    assert got == []
