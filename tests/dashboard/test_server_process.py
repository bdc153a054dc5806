"""The dashboard as a process: address, ports, signals, missing packages."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from dashboard_support import Events, RunFolder, running_dashboard
from livered_core.dashboard.neighbour import identity, is_ours, lacks_token, listen, owners
from livered_support import livered, private_environment, started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_open_streams(tmp_path, number):
    with running_dashboard(tmp_path) as (address, process):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        RunFolder(tmp_path / "run" / "livered", "NOM").status()
        with Events(address, "NOM") as events, Events(address, "NOM") as idle, httpx.Client() as client:
            events.until("status", lambda data: data["state"]["word"] == "live")
            idle.next()
            client.get(f"{address}/health")
            began = time.monotonic()
            process.send_signal(number)
            with pytest.raises(EOFError):
                events.until("never")
            rest = process.communicate(timeout=30)[0]
        assert time.monotonic() - began < 3.0
        assert process.returncode == 0
        assert rest == ""


def test_a_page_that_never_reads_does_not_hold_up_the_end(tmp_path):
    with running_dashboard(tmp_path) as (address, process), socket.socket() as slow:
        folder = RunFolder(tmp_path / "run" / "livered", "NOM")
        folder.status(failure="x" * 7_000_000)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = address.removeprefix("http://").split(":")
        slow.connect((host, int(port)))
        slow.sendall(f"GET /api/instruments/NOM/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        with Events(address, "NOM") as events:
            events.until("status", lambda data: data["state"]["word"] == "live")
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_a_port_that_is_taken_is_said_and_whose_it_is(tmp_path):
    with running_dashboard(tmp_path) as (address, _):
        port = address.rpartition(":")[2]
        result = livered(tmp_path, "dashboard", "--port", port)
        assert result.returncode == 2
        assert result.stderr.strip() == (
            f"livered: A dashboard of yours is there already, and shows the same: {address}/."
        )
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        result = livered(elsewhere, "dashboard", "--port", port)
        assert result.returncode == 2
        assert "Something else listens on 127.0.0.1 port" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_one_without_a_token_is_not_taken_for_one_with(tmp_path):
    token = tmp_path / "TOKEN"
    token.write_text("a-token-of-some-length")
    token.chmod(0o600)
    ours = identity(tmp_path / "run" / "livered")
    with running_dashboard(tmp_path) as (address, _):
        port = int(address.rpartition(":")[2])
        assert lacks_token("127.0.0.1", port, ours)
        result = livered(tmp_path, "dashboard", "--port", port, "--token-file", token)
        assert result.returncode == 2
        assert "everybody may see it without a token: end it first" in result.stderr
    with running_dashboard(tmp_path, "--token-file", token) as (address, _):
        port = int(address.rpartition(":")[2])
        assert not lacks_token("127.0.0.1", port, ours)
        result = livered(tmp_path, "dashboard", "--port", port, "--token-file", token)
        assert "A dashboard of yours is there already, and shows the same" in result.stderr
    assert not lacks_token("127.0.0.1", port, ours)


def test_whose_a_listener_is_is_asked_of_the_kernel_and_not_of_the_listener(tmp_path):
    ours = identity(tmp_path / "run" / "livered")
    with running_dashboard(tmp_path) as (address, _):
        port = int(address.rpartition(":")[2])
        assert is_ours("127.0.0.1", port, ours)
        assert not is_ours("127.0.0.1", port, identity(tmp_path))
        assert not is_ours("127.0.0.1", port, ours, net=tmp_path)
        row = f" 0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 4242 0 1"
        (tmp_path / "tcp").write_text(f"head\n{row}\n{row.replace(' 0A ', ' 01 ').replace('4242', '4243')}\n")
        assert owners(port, tmp_path) == {4242}
        assert not is_ours("127.0.0.1", port, ours, net=tmp_path)


def test_clients_that_hang_are_given_up_by_the_system():
    with (
        listen("127.0.0.1", 0, patience_s=7.0) as sock,
        socket.create_connection(sock.getsockname()) as client,
    ):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        client.close()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--host", "no-such-host.invalid"), "There is no address no-such-host.invalid"),
        (("--host", "192.0.2.1", "--token-file", "TOKEN"), "cannot listen on 192.0.2.1"),
        (("--instrument", "a/b"), "The instrument must be a short instrument name"),
        (("--token-file", "none"), "The token file none cannot be read"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path, arguments, part):
    token = tmp_path / "TOKEN"
    token.write_text("a-token-of-some-length")
    token.chmod(0o600)
    if "no-such-host.invalid" in arguments:
        arguments = (*arguments, "--token-file", "TOKEN")
    result = livered(tmp_path, "dashboard", "--port", 0, *arguments)
    assert result.returncode == 2
    assert part in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_runtime_folder_that_is_not_private_is_refused(tmp_path):
    environment = private_environment(tmp_path)
    (tmp_path / "run" / "livered").mkdir()
    (tmp_path / "run" / "livered").chmod(0o777)
    result = livered(tmp_path, "dashboard", "--port", 0, environment=environment)
    assert result.returncode == 2
    assert "can be written by others" in result.stderr


WITHOUT = """
import sys

HIDDEN = ("starlette", "uvicorn", "prometheus_client", "plotly")

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
sys.argv = ["livered", *sys.argv[1:]]
from livered_core.cli import main
main()
"""


def test_missing_packages_are_one_sentence_with_the_command(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, *arguments],
            env=private_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    result = run("dashboard", "--port", "0")
    assert result.returncode == 2
    assert result.stderr.strip() == (
        "livered: The dashboard needs packages that are not installed (starlette, uvicorn, prometheus_client, "
        "plotly): pip install 'livered-core[dashboard]'."
    )
    assert run("dashboard", "--help").returncode == 0


def test_help_imports_none_of_it(tmp_path):
    code = (
        "import sys; import livered_core, livered_core.cli.running, livered_core.cli.dashboard;"
        "print([n for n in ('starlette', 'uvicorn', 'prometheus_client', 'plotly', 'anyio') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"


def test_an_answer_that_cannot_be_written_does_not_end_it(tmp_path):
    """Its terminal may go away."""
    environment = private_environment(tmp_path)
    with started(tmp_path, "dashboard", "--port", 0, environment=environment) as process:
        address = process.stdout.readline().split()[-1]
        process.stdout.close()
        with socket.create_connection(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]))) as raw:
            raw.sendall(b"NONSENSE\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
        assert httpx.get(f"{address}health").status_code == 200
