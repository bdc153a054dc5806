"""Measure what the simulated beamline makes and sends, against plain sending of the same bytes over loopback.

    python benchmarks/simulator.py [--rate EVENTS] [--seconds S] [--clients N]

Made: how many simulated seconds of pulses the beamline makes in a second, drawn and recycled, without sending. Sent: a
beamline in a process of its own plays as fast as it can to clients that throw all away. Reduced: livered's client beside
it makes chunks of them. Plain: the same bytes from a thread that only sends, to one client. All figures of one run; only
their ratios can be compared between machines.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import threading
import time
from itertools import takewhile
from pathlib import Path

import attrs
from decode import into_chunks
from rows import Row, arguments, finish

from livered_core.adara import ClientHello, Framer, PacketType, StartRequest, count_events, encode
from livered_core.config.simulate import Recycle, SimulateConfig
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.process import start_simulator
from livered_core.simulator.storage import Storage
from livered_core.simulator.stream import emissions
from livered_core.sources.adara_connection import AdaraAddress

START_NS = 1_790_000_000_000_000_000
ROOM = 1 << 22


def instrument(folder: Path) -> Path:
    """Write an instrument definition: a ring of banks, 100,000 pixels."""
    banks = "".join(
        f'<component type="bank{n}" idlist="ids{n}"><location/></component>'
        f'<type name="bank{n}"><component type="pixel">'
        f'<locations r="2.0" t="{10 + n}" t-end="{10.9 + n}" n-elements="1000"/></component></type>'
        f'<idlist idname="ids{n}"><id start="{1000 * n}" end="{1000 * n + 999}"/></idlist>'
        for n in range(100)
    )
    path = folder / "ring.xml"
    path.write_text(
        '<instrument name="RING" valid-from="2000-01-01 00:00:00">'
        '<component type="moderator"><location z="-19.5"/></component><type name="moderator" is="Source"/>'
        '<component type="sample"><location/></component><type name="sample" is="SamplePos"/>'
        f'<type name="pixel" is="detector"/>{banks}</instrument>'
    )
    return path


def made(config: SimulateConfig, recycle: Recycle, seconds: float) -> float:
    """Return events per second that the beamline makes and keeps."""
    # Longer than can be made in the time.
    length = seconds * 10_000.0
    beamline = build_beamline(attrs.evolve(config, recycle=recycle, run_length=length), "RING")
    storage = Storage()
    began = time.perf_counter()
    last_ns = START_NS
    for emission in emissions(beamline, START_NS):
        if emission.begins_era:
            began = time.perf_counter()
        storage.write(emission)
        last_ns = emission.time_ns
        if time.perf_counter() - began > seconds:
            break
    storage.close()
    return config.rate * (last_ns - START_NS) * 1e-9 / (time.perf_counter() - began)


def receive(address: tuple[str, int], size: int, begin: threading.Barrier) -> None:
    with socket.create_connection(address) as connection:
        hello = ClientHello(time_ns=START_NS, start=StartRequest.start_of_run())
        begin.wait()
        connection.sendall(encode(hello))
        room, got = bytearray(ROOM), 0
        while got < size:
            got += connection.recv_into(room)


def sent(config: SimulateConfig, n_clients: int, size: int) -> float:
    """Return bytes per second that each client gets."""
    with start_simulator(config, "RING") as simulator:
        host, _, port = simulator.address.rpartition(":")
        begin = threading.Barrier(n_clients + 1)
        clients = [
            threading.Thread(target=receive, args=((host, int(port)), size, begin)) for _ in range(n_clients)
        ]
        for client in clients:
            client.start()
        begin.wait()
        began = time.perf_counter()
        for client in clients:
            client.join()
        return size / (time.perf_counter() - began)


def reduced(config: SimulateConfig, n_events: int) -> float:
    """Return events per second that livered's client makes into chunks."""
    with start_simulator(config, "RING") as simulator:
        return into_chunks(AdaraAddress.parse(simulator.address), n_events)


def plain(size: int) -> float:
    """Return bytes per second over loopback without a beamline."""
    block = memoryview(bytes(1 << 20))
    n_blocks = size // len(block) + 1
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def send() -> None:
            connection, _ = listening.accept()
            with connection:
                for _ in range(n_blocks):
                    connection.sendall(block)

        thread = threading.Thread(target=send)
        thread.start()
        began = time.perf_counter()
        with socket.create_connection(listening.getsockname()) as connection:
            room = bytearray(ROOM)
            while connection.recv_into(room):
                pass
        took = time.perf_counter() - began
        thread.join()
        return n_blocks * len(block) / took


def stream_size(config: SimulateConfig) -> tuple[int, int]:
    """Count the bytes and the events of the run."""
    n_bytes = n_events = 0
    framer = Framer()
    run = takewhile(lambda each: not each.idle, emissions(build_beamline(config, "RING"), START_NS))
    for emission in run:
        n_bytes += emission.n_bytes
        for raw in framer.feed(emission.data):
            n_events += count_events(raw)[0] if raw.type == PacketType.BANKED_EVENT else 0
    return n_bytes, n_events


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=float, default=1.8e6, help="events per simulated second")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement of what is made")
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure what is made and what is sent."""
    less = 4 if options.quick else 1
    rows: list[Row] = []

    def add(key: str, what: str, rate: float, plain: float | None = None, held: bool = False) -> None:
        beside = "" if plain is None else f"sending the same bytes ({plain / 1e6:.0f} million events/s)"
        ratio = None if plain is None else rate / plain
        rows.append(Row(f"simulator.{key}", what, rate / 1e6, "million events/s", beside, ratio, held=held))

    with tempfile.TemporaryDirectory() as folder:
        config = SimulateConfig(
            idf=instrument(Path(folder)),
            rate=options.rate,
            run_length=25.0 / less,
            speed=0.0,
            hold_for_client=True,
        )
        seconds = options.seconds / less
        add("drawn", "simulated beamline: pulses drawn", made(config, "never", seconds))
        add("recycled", "simulated beamline: pulses played again", made(config, "always", seconds))
        config = attrs.evolve(config, recycle="always")
        size, events = stream_size(config)
        client = one = many = base = 0.0
        for _ in range(2):
            base = max(base, plain(size) * events / size)
            client = max(client, reduced(config, events))
            one = max(one, sent(config, 1, size) * events / size)
            many = max(many, sent(config, options.clients, size) * events / size)
    add("one_client", "simulated beamline to one client", one, base)
    add("reduced", "the same, livered's client behind it on the same cores", client, base)
    all_of_them = options.clients * many
    add("clients", f"simulated beamline to {options.clients} clients, all together", all_of_them, base)
    return rows


if __name__ == "__main__":
    main()
