"""TLS: whom the plugin trusts, and how it shows who it is."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livered_core import Receipt, Result, RunInfo, SinkUnavailable
from livered_core.testing.monitor_request import HTML
from livered_publish_monitor.plugin import PublishMonitorPlugin
from livered_publish_monitor.trust import Trust

from .conftest import an_update

MakePlugin = Callable[..., PublishMonitorPlugin]
Post = Callable[..., "Receipt | None"]


@pytest.fixture
def post(result: Result, run: RunInfo) -> Post:
    def post(plugin: PublishMonitorPlugin, *, final: bool = False) -> Receipt | None:
        return plugin.post_publish(result, run, an_update(final=final))

    return post


def make_certificate(folder: Path, name: str, *, passphrase: str = "") -> Path:
    """A certificate for 127.0.0.1 that no authority knows, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
    subprocess.run(
        [*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60
    )
    both = folder / f"{name}.pem"
    both.write_text(key.read_text() + certificate.read_text())
    for path in (key, both):
        path.chmod(0o600)
    return both


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), "server")


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
    assert tls_server.pages["nom", 7].data_type == HTML


def test_the_certificate_must_be_for_the_host(
    tls_server: Any, make_plugin: MakePlugin, post: Post, certificate: Path
) -> None:
    with pytest.raises(SinkUnavailable, match=r"(?i)certificate"):
        post(make_plugin(tls_server.url.replace("127.0.0.1", "localhost"), ca_file=certificate))
    assert tls_server.requests == []


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("client"), "client")


class TestAClientsCertificate:
    """A server may want to see one."""

    @pytest.fixture
    def strict(self, certificate: Path, own: Path, start_server: Callable[[ssl.SSLContext], Any]) -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.load_verify_locations(own.with_suffix(".crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        return start_server(context)

    def test_with_it_the_post_is_taken(
        self, strict: Any, make_plugin: MakePlugin, post: Post, certificate: Path, own: Path
    ) -> None:
        apart = {"certificate_file": own.with_suffix(".crt"), "key_file": own.with_suffix(".key")}
        for files in (apart, {"certificate_file": own}):
            plugin = make_plugin(strict.url, ca_file=certificate, **files)
            assert plugin.check() == []
            assert plugin.check_connection() == []
            assert post(plugin) is not None

    def test_without_it_nothing_is_sent(
        self, strict: Any, make_plugin: MakePlugin, post: Post, certificate: Path
    ) -> None:
        with pytest.raises(SinkUnavailable, match="cannot be reached"):
            post(make_plugin(strict.url, ca_file=certificate))
        assert strict.requests == []

    def test_a_key_that_is_open_to_others_is_refused(
        self, server: Any, make_plugin: MakePlugin, post: Post, own: Path, tmp_path: Path
    ) -> None:
        key = tmp_path / "open.key"
        shutil.copy(own.with_suffix(".key"), key)
        key.chmod(0o640)
        plugin = make_plugin(server.url, certificate_file=own.with_suffix(".crt"), key_file=key)
        for problem in (*plugin.check(), *plugin.check_connection()):
            assert f"The key file {key} is open to others (mode 0640): chmod 600" in problem
        with pytest.raises(SinkUnavailable, match="open to others"):
            post(plugin)
        assert server.requests == []

    def test_what_cannot_be_used_is_said(self, own: Path, certificate: Path, tmp_path: Path) -> None:
        locked = make_certificate(tmp_path, "locked", passphrase="secret words")
        crt = own.with_suffix(".crt")
        junk = tmp_path / "junk.pem"
        junk.write_text("nothing")
        junk.chmod(0o600)
        for trust, says in (
            (Trust(None, crt, certificate), "cannot be used with the key"),
            (Trust(None, locked), "the key is encrypted"),
            (Trust(None, junk), "cannot be used"),
            (Trust(None, tmp_path / "none.pem"), "create it"),
            (Trust(None, tmp_path / "none.pem", own.with_suffix(".key")), "No such file"),
        ):
            with pytest.raises(SinkUnavailable, match=says):
                trust.context()

    def test_a_renewed_certificate_is_used(
        self, strict: Any, make_plugin: MakePlugin, post: Post, certificate: Path, own: Path, tmp_path: Path
    ) -> None:
        used = tmp_path / "used.pem"
        shutil.copy(make_certificate(tmp_path, "old"), used)
        used.chmod(0o600)
        plugin = make_plugin(strict.url, ca_file=certificate, certificate_file=used)
        with pytest.raises(SinkUnavailable):
            post(plugin)
        shutil.copy(own, tmp_path / "new.pem")
        (tmp_path / "new.pem").chmod(0o600)
        (tmp_path / "new.pem").replace(used)
        assert post(plugin) is not None
