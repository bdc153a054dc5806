"""Beamlines for the benchmarks of sessions, each a process of its own. Not a measurement by itself.

    python benchmarks/beamlines.py sender|ongoing

The first line of standard input says what is played, as for ``python -m livered_core.simulator``; standard output has
answers, one line of JSON each. They end with their standard input.

``sender``: pulses that are ready in memory, with fresh times, by plain sendmsg; nothing is kept and nothing waits. Each
further line says how much the next client gets: ``{"seconds": 5}`` or ``{"pulses": 100}``, with ``"pulses_per_second"`` at
a pace; the answer says what it was.

``ongoing``: a run that has gone on for as long as the next line says (``{"minutes": 5}``) and goes on; any number of clients.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs

from livered_core.adara import Framer, PacketType, RunStatus, RunStatusCode, count_events, encode
from livered_core.clocks import SystemClock
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.emission import Emission, Shared
from livered_core.simulator.play import play
from livered_core.simulator.process import Order, read_order
from livered_core.simulator.server import Address, Server
from livered_core.simulator.storage import Storage
from livered_core.simulator.stream import emissions, make_templates

LONGEST_S = 40_000.0
"""A run that nobody waits for the end of."""
LOOKED_AT = 400
"""Pulses in which each of those that are sent again and again has come up."""
NS = 1_000_000_000
START_NS = 1_700_000_000 * NS


def answer(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def pieces(emission: Emission) -> list[bytes | memoryview]:
    """Return what is sent, without a copy."""
    return [part.data if isinstance(part, Shared) else part for part in emission.parts]  # type: ignore[misc]


class EventCount:
    """Counts the events of emissions; what many have in common is looked at once."""

    def __init__(self) -> None:
        self._of_shared: dict[int, int] = {}

    def of(self, emission: Emission) -> int:
        shared = next((part for part in emission.parts if isinstance(part, Shared)), None)
        if shared is None:
            return 0
        if id(shared) not in self._of_shared:
            packets = Framer().feed(emission.data)
            self._of_shared[id(shared)] = sum(
                count_events(raw)[0] for raw in packets if raw.type == PacketType.BANKED_EVENT
            )
        return self._of_shared[id(shared)]


def events_of_run(config: SimulateConfig, instrument: str) -> tuple[int, int]:
    """Count the events and the bytes of a whole run of a beamline that sends pulses again and again."""
    count, n_events, n_bytes = EventCount(), 0, 0
    for emission in emissions(build_beamline(config, instrument), START_NS):
        if emission.idle:
            break
        n_events += count.of(emission)
        n_bytes += emission.n_bytes
    return n_events, n_bytes


def sender(order: Order, lines: Iterator[str]) -> None:
    config = attrs.evolve(order.config, run_length=LONGEST_S, recycle="always")
    beamline = build_beamline(config, order.instrument)
    templates, count = make_templates(beamline), EventCount()
    for emission in itertools.islice(emissions(beamline, START_NS, templates), LOOKED_AT):
        count.of(emission)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answer(port=listening.getsockname()[1])
        for line in lines:
            wanted = json.loads(line)
            start_ns = time.time_ns() - round(LONGEST_S) * NS
            stream = emissions(beamline, start_ns, templates)
            n_pulses = wanted.get("pulses", 10**9)
            connection, _ = listening.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.recv(64)
                began, cpu = time.monotonic(), time.process_time()
                until = began + wanted.get("seconds", 1e9)
                sent = dict.fromkeys(("events", "bytes", "pulses"), 0)
                try:
                    for number, emission in enumerate(itertools.islice(stream, n_pulses)):
                        if "pulses_per_second" in wanted:
                            wait = began + number / wanted["pulses_per_second"] - time.monotonic()
                            time.sleep(max(0.0, wait))
                        send(connection, pieces(emission))
                        sent["events"] += count.of(emission)
                        sent["bytes"] += emission.n_bytes
                        sent["pulses"] += 1
                        if time.monotonic() > until:
                            break
                    end = RunStatus(
                        time_ns=emission.time_ns,
                        run_number=config.run_number,
                        run_start_ns=start_ns,
                        status=RunStatusCode.END_RUN,
                    )
                    connection.sendall(encode(end))
                    took, cpu = time.monotonic() - began, time.process_time() - cpu
                    answer(**sent, seconds=took, cpu=cpu)
                    while connection.recv(4096):
                        pass
                except OSError:
                    # The client has gone.
                    answer(**sent, seconds=time.monotonic() - began, cpu=time.process_time() - cpu)


def send(connection: socket.socket, buffers: list[bytes | memoryview]) -> None:
    left = [memoryview(buffer) for buffer in buffers]
    while left:
        n = connection.sendmsg(left)
        while left and n >= len(left[0]):
            n -= len(left.pop(0))
        if n:
            left[0] = left[0][n:]


def ongoing(order: Order, lines: Iterator[str]) -> None:
    clock, stop = SystemClock(), threading.Event()
    minutes = json.loads(next(lines))["minutes"]
    config = attrs.evolve(order.config, run_length=LONGEST_S, recycle="always")
    beamline = build_beamline(config, order.instrument)
    templates = make_templates(beamline)
    stream = emissions(beamline, time.time_ns() - round(minutes * 60 * NS), templates)
    storage = Storage()
    server = Server(storage, clock)
    try:
        # What there has been is there at once; then it goes on at its pace.
        play(
            itertools.takewhile(lambda each: each.time_ns < time.time_ns(), stream), 0.0, storage, stop, clock
        )
        address = server.start(Address())
        answer(port=address.port)
        threading.Thread(target=stop_with_input, args=(lines, stop), daemon=True).start()
        play(stream, 1.0, storage, stop, clock)
    finally:
        storage.close()
        server.close()


def stop_with_input(lines: Iterator[str], stop: threading.Event) -> None:
    for _ in lines:
        pass
    stop.set()


def main() -> None:
    lines = iter(sys.stdin.readline, "")
    order = read_order(next(lines))
    if sys.argv[1] == "ongoing":
        ongoing(order, lines)
        return
    work = threading.Thread(target=sender, args=(order, queued(lines)), daemon=True)
    work.start()
    work.join()
    os._exit(0)


def queued(lines: Iterator[str]) -> Iterator[str]:
    """Give lines, and end the process at once when there are no more, whatever is being sent."""
    waiting: list[str] = []
    there = threading.Condition()

    def read() -> None:
        for line in lines:
            with there:
                waiting.append(line)
                there.notify()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        with there:
            there.wait_for(lambda: waiting)
            line = waiting.pop(0)
        yield line


if __name__ == "__main__":
    main()
