"""Clients that connect and do not ask: they neither fill the place of others nor the log."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from dashboard_support import RunFolder, running_dashboard
from livered_support import private_environment

pytest.importorskip("uvicorn")

from uvicorn import Config
from uvicorn.server import ServerState

from livered_core.dashboard.connections import MOST_CONNECTIONS, Connection

ASKED = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIMIT_S = 20


async def answers(scope, receive, send) -> None:
    """Answer at once; what is under /slow waits for its client to go."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    if scope["path"] == "/slow":
        while (await receive())["type"] != "http.disconnect":
            pass
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def listening(patience_s: float, most: int):
    class Small(Connection):
        pass

    Small.patience_s, Small.most = patience_s, most
    config, state = Config(answers, log_config=None, lifespan="off"), ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: Small(config, state, {}), "127.0.0.1", 0)
    writers = []

    async def connect(sends: bytes = b"") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writers.append(writer)
        writer.write(sends)
        return reader

    async with server:
        yield connect
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        while state.connections:
            await asyncio.sleep(0)


async def is_given_up(reader: asyncio.StreamReader) -> bool:
    """Read to the end; whether the other side broke it off without an answer."""
    try:
        return await asyncio.wait_for(reader.read(), LIMIT_S) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HTTP/1.1\r\nHost: local", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_request_that_does_not_come_is_not_waited_for(begun):
    async def scenario() -> None:
        async with listening(0.2, 10) as connect:
            reader = await connect(begun)
            if b"POST" in begun:  # It was answered without its body, and then given up.
                assert (await asyncio.wait_for(reader.readline(), LIMIT_S)).startswith(b"HTTP/1.1 204")
                await asyncio.wait_for(reader.read(), LIMIT_S)
            else:
                assert await is_given_up(reader)

    asyncio.run(scenario())


def test_an_answer_that_takes_long_is_not_broken_off():
    async def scenario() -> None:
        async with listening(0.1, 10) as connect:
            slow = await connect(ASKED.replace(b" / ", b" /slow "))
            assert (await asyncio.wait_for(slow.readline(), LIMIT_S)).startswith(b"HTTP/1.1 204")
            assert await is_given_up(await connect())
            assert not slow.at_eof()
            assert slow.exception() is None

    asyncio.run(scenario())


def test_where_there_are_too_many_who_has_not_asked_makes_room():
    async def scenario() -> None:
        async with listening(LIMIT_S, 3) as connect:
            slow = await connect(ASKED.replace(b" / ", b" /slow "))
            await slow.readline()
            idle = [await connect() for _ in range(2)]
            asking = await connect(ASKED)
            assert (await asyncio.wait_for(asking.readline(), LIMIT_S)).startswith(b"HTTP/1.1 204")
            assert await is_given_up(idle[0])
            assert slow.exception() is None
            assert not slow.at_eof()

    asyncio.run(scenario())


def test_where_all_are_being_answered_the_next_is_sent_away():
    async def scenario() -> None:
        async with listening(LIMIT_S, 2) as connect:
            slow = [await connect(ASKED.replace(b" / ", b" /slow ")) for _ in range(2)]
            for reader in slow:
                await reader.readline()
            assert await is_given_up(await connect(ASKED))
            assert not any(reader.at_eof() for reader in slow)

    asyncio.run(scenario())


def test_hundreds_of_idle_clients_neither_stop_the_page_nor_fill_the_log(tmp_path):
    environment = private_environment(tmp_path)
    RunFolder(Path(environment["XDG_RUNTIME_DIR"]) / "livered", "NOM").status()
    with running_dashboard(tmp_path) as (address, process):
        port = int(address.rpartition(":")[2])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_CONNECTIONS + 20)]
        idle[-1].sendall(b"nonsense\r\n\r\n")
        assert idle[-1].recv(100).startswith(b"HTTP/1.1 400")
        idle[0].settimeout(LIMIT_S)
        with suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""
        assert httpx.get(f"{address}/health").json()["instruments"] == {"NOM": "live"}
        for connection in idle:
            connection.close()
        process.terminate()
        assert process.communicate(timeout=30)[0] == ""
