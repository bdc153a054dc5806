"""Server-sent events, read from real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from pathlib import Path

import httpx

from dashboard_support import Events, RunFolder, running_dashboard
from livered_core.clocks import SystemClock
from livered_core.dashboard.board import MOST_STREAMS, Board
from livered_core.dashboard.events import Stream, encode
from waiting import until


def words(instruments) -> set[str]:
    return {item["state"]["word"] for item in instruments}


def streams(client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(
        float(line.split()[1]) for line in lines if line.startswith("livered_dashboard_event_streams")
    )


def test_a_stream_begins_with_all_that_is_there(address, client, nom):
    nom.latest(7)
    nom.write("runs.json", {"format": 2, "version": 3, "runs": []})
    nom.write("history.json", {"format": 2, "time_ns": [1, 5]})
    nom.write("failures.json", {"format": 2, "version": 2, "total": 2, "failures": []})
    until(lambda: client.get(f"/api/instruments/{nom.name}/failures").status_code == 200)
    with Events(address, nom.name) as events:
        assert events.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.response.headers["cache-control"] == "no-store"
        assert events.next() == ("", "retry: 2000")
        found = dict(events.next() for _ in range(6))
    assert found["status"]["state"]["word"] == "live"
    assert nom.name in [item["name"] for item in found["instruments"]]
    assert found["latest"]["version"] == 7
    assert found["latest"]["run"]["number"] == 4711
    assert (found["runs"], found["failures"]) == ({"version": 3}, {"version": 2})
    assert found["history"] == {"time_ns": 5}


def test_what_changes_is_told(address, nom):
    with Events(address, nom.name) as events:
        events.until("status")
        nom.latest(1)
        told = events.until("latest")
        assert (told["version"], told["session"], told["final"]) == (1, "s1", False)
        nom.latest(2, update={"final": True})
        assert events.until("latest")["final"] is True
        nom.write("runs.json", {"format": 2, "version": 4, "runs": []})
        assert events.until("runs") == {"version": 4}
        nom.status(phase="paused")
        events.until("instruments", lambda data: {"paused"} <= words(data))
        assert events.until("status")["state"]["word"] == "paused"


def test_the_age_grows_once_a_second_while_nothing_is_written(address, nom):
    with Events(address, nom.name) as events:
        events.until("status")
        events.until("status")
        began = time.monotonic()
        ages = [events.until("status")["state"]["data_age_s"] for _ in range(2)]
        took_s = time.monotonic() - began
    assert 1.5 < took_s < 5.0
    assert ages == sorted(ages)
    assert ages[-1] - ages[0] > 0.8


def test_each_event_is_one_line_whatever_is_in_it(address, client, nom):
    nom.status(failure="a\nb\r\n\ndata: forged\u2028x", phase="failed")
    with Events(address, nom.name) as events:
        told = events.until("status", lambda data: data["state"]["word"] == "failed")
    assert told["status"]["failure"] == "a\nb\r\n\ndata: forged\u2028x"
    assert all(line.split(":")[0] in ("event", "data", "retry", "\n", "") for line in events.lines)


def test_a_page_may_wait_for_an_instrument_that_was_never_started(home, address, nom):
    later = RunFolder(home, f"LATE{nom.name}")
    with Events(address, later.name) as events:
        assert events.until("status")["state"]["word"] == "never started"
        later = RunFolder(home / "run" / "livered", later.name)
        later.status()
        events.until("instruments", lambda data: later.name in [item["name"] for item in data])
        assert events.until("status")["state"]["word"] == "live"


def test_fifty_pages_are_fed_and_forgotten(address, client, nom):
    before = streams(client)
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(Events(address, nom.name)) for _ in range(50)]
        for page in pages:
            page.until("status")
        assert streams(client) == before + 50
        nom.latest(3)
        assert {page.until("latest")["version"] for page in pages} == {3}
    until(lambda: streams(client) == before)


def test_a_head_request_ends(client, nom):
    before = streams(client)
    assert client.head(f"/api/instruments/{nom.name}/events").status_code == 200
    until(lambda: streams(client) == before)


def test_slow_pages_cost_nothing(tmp_path):
    """Pages that never read, while 48 MB are written for each: they wait for the newest only."""
    with running_dashboard(tmp_path) as (address, process), contextlib.ExitStack() as stack:
        folder = RunFolder(tmp_path / "run" / "livered", "NOM")
        folder.status()
        host, port = address.removeprefix("http://").split(":")
        reader = stack.enter_context(Events(address, "NOM"))
        reader.until("status", lambda data: data["state"]["word"] == "live")
        for _ in range(5):
            slow = stack.enter_context(socket.socket())
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((host, int(port)))
            slow.sendall(f"GET /api/instruments/NOM/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        client = stack.enter_context(httpx.Client(base_url=address))
        until(lambda: streams(client) == 6)
        before = resident(process.pid)
        for version in range(12):
            folder.status(version=version, failure="x" * 4_000_000)
            reader.until("status", lambda data: data["status"]["version"] == version)  # noqa: B023
        assert resident(process.pid) - before < 120_000_000


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_stream_keeps_the_newest_of_each_kind():
    async def scenario() -> bytes:
        stream = Stream()
        for version in range(1000):
            stream.offer("latest", encode("latest", version))
            stream.offer("runs", encode("runs", -version))
        first = await stream.take(1.0)
        assert await stream.take(0.0) == b""
        return first

    assert asyncio.run(scenario()) == b"event: latest\ndata: 999\n\nevent: runs\ndata: -999\n\n"


def test_there_are_not_too_many_streams():
    async def scenario() -> None:
        board = Board(lambda before: before, (), SystemClock())
        opened = [board.subscribe("NOM") for _ in range(MOST_STREAMS)]
        assert None not in opened
        assert board.subscribe("OTHER") is None
        board.unsubscribe("NOM", opened[0])
        board.unsubscribe("NOM", opened[0])
        assert board.subscribe("OTHER") is not None
        board.close()
        assert board.subscribe("NOM") is None
        assert all(stream.is_closed for stream in opened)

    asyncio.run(scenario())
