"""Who may ask: names of hosts, methods, headers, the token."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import socket

import httpx
import pytest

from dashboard_support import Events, RunFolder, running_dashboard
from livered_core.dashboard.gate import MOST_WAITING, TokenGate, read_token
from livered_core.dashboard.security import allowed_hosts, host_name
from livered_core.errors import ConfigError
from livered_support import livered, private_environment

TOKEN = "correct-horse-battery-staple"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


@pytest.mark.parametrize(
    "path", ["/", "/static/none", "/api/instruments", "/health", "/metrics", "/plotly.js", "/nothing"]
)
def test_each_answer_has_the_headers(client, path):
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = dict(part.partition(" ")[::2] for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe" not in policy["script-src"] + policy["style-src"]
    assert "permissions-policy" in answer.headers
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/instruments", "/health", "/metrics"])
def test_figures_are_not_stored(client, path):
    assert client.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
@pytest.mark.parametrize("path", ["/", "/api/instruments", "/login"])
def test_only_reading_is_allowed(client, method, path):
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_head_request_has_no_body(client):
    answer = client.head("/api/instruments")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8712", "localhost."]
)
def test_the_names_of_this_machine_are_answered(client, host):
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a b", "[::1", "::"],
)
def test_other_names_are_not(address, host):
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    connection.putrequest("GET", "/health", skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (400, 421)
    assert b"instruments" not in answer.read()
    connection.close()


def test_a_name_may_be_allowed(tmp_path):
    with running_dashboard(tmp_path, "--allow-host", "Page.example.org") as (address, _):
        headers = {"Host": "page.example.org:443"}
        assert httpx.get(f"{address}/health", headers=headers).status_code == 200
        headers = {"Host": "other.example.org"}
        assert httpx.get(f"{address}/health", headers=headers).status_code == 421


def test_the_names_of_a_page_for_other_machines():
    hosts = allowed_hosts("0.0.0.0", ("nomad-1", "Nomad-1.example.org."), ())
    assert hosts.allow("nomad-1:8712", "10.1.2.3")
    assert hosts.allow("nomad-1.example.org", "10.1.2.3")
    assert hosts.allow("10.1.2.3:8712", "10.1.2.3")
    assert hosts.allow("localhost", "127.0.0.1")
    assert not hosts.allow("10.9.9.9:8712", "10.1.2.3")
    assert not hosts.allow("", "")
    only_here = allowed_hosts("127.0.0.1", ("nomad-1",), ())
    assert not only_here.allow("10.1.2.3", "10.1.2.3")
    assert host_name("[FE80::1]:8712") == "fe80::1"


# The token


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """Address of a dashboard that wants a token, and its process."""
    folder = tmp_path_factory.mktemp("locked")
    RunFolder(private_run(folder) / "livered", "NOM").status()
    file = token_file(folder, TOKEN)
    with running_dashboard(folder, "--token-file", file) as (address, process):
        yield address
        process.terminate()
        # Nothing of all this has been logged.
        assert process.communicate(timeout=30)[0] == ""
        assert process.returncode == 0


def private_run(folder):
    from pathlib import Path

    return Path(private_environment(folder)["XDG_RUNTIME_DIR"])


def token_file(folder, token: str, mode: int = 0o600):
    file = folder / "dashboard.token"
    file.write_text(token + "\n")
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    "path",
    [
        "/static/app.css",
        "/plotly.js",
        "/api/instruments",
        "/api/instruments/NOM/events",
        "/health",
        "/metrics",
    ],
)
def test_nothing_is_shown_without_the_token(locked, path):
    answer = httpx.get(locked + path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "NOM" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_token_is_taken_from_the_header(locked):
    answer = httpx.get(f"{locked}/api/instruments", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.json()["instruments"][0]["name"] == "NOM"
    for wrong in ("Bearer ü", f"Basic {TOKEN}", TOKEN):
        headers = {"Authorization": wrong.encode("latin-1")}
        assert httpx.get(f"{locked}/api/instruments", headers=headers).status_code == 401, wrong


def test_the_token_is_not_taken_from_an_address(locked):
    assert httpx.get(f"{locked}/api/instruments?token={TOKEN}").status_code == 401


def test_a_browser_gets_a_form_and_then_a_cookie(locked):
    with httpx.Client(base_url=locked, follow_redirects=True) as browser:
        form = browser.get("/")
        assert form.url.path == "/login"
        assert '<form method="post" action="/login">' in form.text
        # With "no-referrer" a browser would send "Origin: null" with the form, which is refused.
        assert form.headers["referrer-policy"] == "same-origin"
        wrong = browser.post("/login", data={"token": "not-the-token-at-all"})
        assert wrong.status_code == 401
        assert "That is not the token." in wrong.text
        assert not browser.cookies
        right = browser.post("/login", data={"token": TOKEN}, headers={"Origin": locked})
        assert right.url.path == "/"
        assert TOKEN not in str(right.history[0].headers)
        assert browser.get("/api/instruments").status_code == 200
    cookie = right.history[0].headers["set-cookie"]
    assert re.fullmatch(r"livered-\d+=[0-9a-f]{64}; HttpOnly; SameSite=Strict; Path=/", cookie)
    with Events(locked, "NOM", Cookie=cookie.partition(";")[0]) as events:
        assert events.until("status")["state"]["word"] == "live"


@pytest.mark.parametrize("value", ["", "0" * 64, TOKEN, '"', "ü", "a=b;;=;"])
def test_another_cookie_does_not_do(locked, value):
    name = f"livered-{locked.rpartition(':')[2]}"
    headers = {"Cookie": f"{name}={value}".encode("latin-1")}
    assert httpx.get(f"{locked}/api/instruments", headers=headers).status_code == 401


def test_a_form_of_another_site_is_not_taken(locked):
    answer = httpx.post(f"{locked}/login", data={"token": TOKEN}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_what_is_no_form_is_a_wrong_token(locked):
    body = b"token=a&" * 1000
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert httpx.post(f"{locked}/login", content=body, headers=headers).status_code == 401


def test_other_methods_are_refused_with_a_token_too(locked):
    assert httpx.put(f"{locked}/login").status_code == 405
    assert httpx.post(f"{locked}/api/instruments").status_code == 405


def test_wrong_tokens_wait_and_too_many_are_sent_away():
    """The right one is answered all the while, once there is room; nobody else waits."""

    async def scenario() -> None:
        slept: list[float] = []
        release = asyncio.Event()

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await release.wait()

        async def app(scope, receive, send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})

        gate = TokenGate(app, TOKEN, 1, sleep)

        async def ask(token: str) -> int:
            sent = []

            async def send(message) -> None:
                sent.append(message)

            headers = [(b"authorization", f"Bearer {token}".encode())]
            await gate({"path": "/", "method": "GET", "headers": headers}, None, send)
            return sent[0]["status"]

        waiting = [asyncio.create_task(ask("wrong")) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        assert slept == [1.0] * MOST_WAITING
        assert not any(task.done() for task in waiting)
        assert await asyncio.wait_for(ask("wrong"), 10) == 429
        release.set()
        assert set(await asyncio.gather(*waiting)) == {401}
        assert await ask(TOKEN) == 200

    asyncio.run(scenario())


def test_a_form_that_does_not_end_is_not_read_to_its_end():
    async def scenario() -> None:
        received = 0

        async def receive():
            nonlocal received
            received += 1
            assert received < 10
            return {"type": "http.request", "body": b"x" * 1024, "more_body": True}

        async def send(message) -> None:
            assert message.get("status", 401) == 401

        async def sleep(seconds: float) -> None:
            assert seconds == 1.0

        await TokenGate(None, TOKEN, 1, sleep)(
            {"path": "/login", "method": "POST", "headers": []}, receive, send
        )

    asyncio.run(scenario())


def test_a_token_file_is_private_and_holds_a_token(tmp_path):
    assert read_token(token_file(tmp_path, TOKEN)) == TOKEN
    for mode in (0o640, 0o604, 0o620):
        with pytest.raises(ConfigError, match="can be read by others: chmod 600"):
            read_token(token_file(tmp_path, TOKEN, mode))
    for bad in ("", "short", "two words that are long enough", "ünïcödé-ünïcödé-ünïcödé"):
        with pytest.raises(ConfigError, match="must hold 16 or more") as caught:
            read_token(token_file(tmp_path, bad))
        assert not bad or bad not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read .No such file"):
        read_token(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be read .Is a directory"):
        read_token(tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(ConfigError, match="not an ordinary file"):
        read_token(fifo)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_need_a_token(tmp_path, host):
    result = livered(tmp_path, "dashboard", "--port", 0, "--host", host)
    assert result.returncode == 2
    assert "give it a token (--token-file" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_with_a_token_it_listens_for_other_machines(tmp_path):
    file = token_file(tmp_path, TOKEN)
    arguments = ("--host", "0.0.0.0", "--token-file", file)
    with running_dashboard(tmp_path, *arguments) as (address, _):
        port = address.rpartition(":")[2]
        assert address == f"http://{socket.gethostname()}:{port}"
        here = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.get(f"{here}/health", headers=headers).status_code == 200
        named = {**headers, "Host": f"{socket.gethostname()}:{port}"}
        assert httpx.get(f"{here}/health", headers=named).status_code == 200
        assert httpx.get(f"{here}/health").status_code == 401
