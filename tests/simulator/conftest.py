from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livered_core.adara import ClientHello, Framer, StartRequest, decode, encode
from livered_core.config.simulate import SimulateConfig

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name="TINY"
            valid-from="2000-01-01 00:00:00" valid-to="2100-01-31 23:59:59" last-modified="2026-01-01 00:00:00">
  <defaults>
    <length unit="metre"/><angle unit="degree"/>
    <reference-frame><along-beam axis="z"/><pointing-up axis="y"/><handedness val="right"/></reference-frame>
  </defaults>
  <component type="moderator"><location z="-19.5"/></component>
  <type name="moderator" is="Source"/>
  <component type="sample-position"><location/></component>
  <type name="sample-position" is="SamplePos"/>
  <component type="monitors" idlist="monitors"><location/></component>
  <type name="monitors"><component type="monitor"><location z="-0.9" name="monitor1"/></component></type>
  <type name="monitor" is="monitor"/>
  <idlist idname="monitors"><id val="-1"/></idlist>
  <type name="pixel" is="detector">
    <cylinder id="shape"><centre-of-bottom-base x="0" y="0" z="0"/><axis x="0" y="1" z="0"/>
    <radius val="0.005"/><height val="0.01"/></cylinder>
  </type>
"""

PIXELS_PER_BANK = 4


def idf_text(angles: tuple[float, ...]) -> str:
    """A bank of four pixels, a hair apart, at each scattering angle (degrees) and 2 m from the sample."""
    text = HEAD
    for number, angle in enumerate(angles):
        first = number * PIXELS_PER_BANK
        text += (
            f'  <component type="bank{number + 1}" idlist="ids{number + 1}"><location/></component>\n'
            f'  <type name="bank{number + 1}"><component type="pixel">'
            + "".join(f'<location r="2.0" t="{angle}" p="{10 * pixel}"/>' for pixel in range(PIXELS_PER_BANK))
            + "</component></type>\n"
            f'  <idlist idname="ids{number + 1}"><id start="{first}" end="{first + PIXELS_PER_BANK - 1}"/></idlist>\n'
        )
    return text + "</instrument>\n"


@pytest.fixture(scope="session")
def angles() -> tuple[float, ...]:
    return (15.0, 31.0, 67.0, 122.0, 154.0)


@pytest.fixture(scope="session")
def idf(tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, ...]) -> Path:
    path = tmp_path_factory.mktemp("idf") / "tiny.xml"
    path.write_text(idf_text(angles))
    return path


@pytest.fixture(scope="session")
def config(idf: Path) -> SimulateConfig:
    """Two short runs, as fast as possible, once the first client is there."""
    return SimulateConfig(
        idf=idf,
        title="Tiny <&> powder",
        proposal="IPTS-7",
        run_number=41,
        n_runs=2,
        run_length=2.0,
        gap=0.5,
        rate=3000.0,
        seed=5,
        speed=0.0,
        hold_for_client=True,
    )


class HeldClock:
    """Time that goes on only when somebody waits, and at most to `limit` seconds; then waiting really waits."""

    def __init__(self, limit: float = float("inf"), now_ns: int = 1_800_000_000 * 10**9) -> None:
        self._changed = threading.Condition()
        self._limit = limit
        self._seconds = 0.0
        self._now_ns = now_ns
        self.reached = threading.Event()

    def now_ns(self) -> int:
        with self._changed:
            return self._now_ns + round(self._seconds * 1e9)

    def monotonic(self) -> float:
        with self._changed:
            return self._seconds

    def wait(self, event: threading.Event, timeout: float) -> bool:
        while not event.is_set():
            with self._changed:
                if self._seconds + timeout <= self._limit:
                    self._seconds += timeout
                    return event.is_set()
                self.reached.set()
                self._changed.wait(0.02)
        return True

    def let_go_on_to(self, limit: float) -> None:
        with self._changed:
            self._limit = limit
            self.reached.clear()
            self._changed.notify_all()


@pytest.fixture
def held_clock() -> Callable[..., HeldClock]:
    return HeldClock


class Client:
    """A client for tests: says hello, keeps the bytes, gives out the packets one after the other."""

    def __init__(self, address: tuple[str, int], start: StartRequest | None) -> None:
        self.connection = socket.create_connection(address, timeout=30.0)
        self.framer = Framer()
        self.received = bytearray()
        self.packets: deque = deque()
        if start is not None:
            self.connection.sendall(encode(ClientHello(time_ns=1_800_000_000 * 10**9, start=start)))

    def _receive(self) -> None:
        data = self.connection.recv(1 << 16)
        assert data, "the server closed the connection"
        self.received += data
        self.packets.extend(decode(raw) for raw in self.framer.feed(data))

    def has_its_place(self) -> None:
        """Wait until the first packet is here: then the server has found this client's place in the stream."""
        while not self.packets:
            self._receive()

    def read(self) -> object:
        self.has_its_place()
        return self.packets.popleft()

    def read_until(self, is_last: Callable[[object], bool]) -> list:
        found = [self.read()]
        while not is_last(found[-1]):
            found.append(self.read())
        return found

    def read_bytes(self, count: int) -> bytes:
        while len(self.received) < count:
            self._receive()
        return bytes(self.received[:count])

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(address: tuple[str, int], start: StartRequest | None = None) -> Client:
        clients.append(Client(address, start))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
