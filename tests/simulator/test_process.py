from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.adara import BankedEvents, RunStatus, RunStatusCode, StartRequest
from livered_core.config.simulate import SimulateConfig
from livered_core.errors import ConfigError
from livered_core.simulator.process import Order, read_order, start_simulator, write_order

TIMEOUT = 30.0


def test_an_order_survives_the_pipe(config: SimulateConfig):
    order = Order(config, "TNY", "127.0.0.1", 31415)
    line = write_order(order)
    assert line.count("\n") == 1
    assert read_order(line) == order
    assert read_order(write_order(Order(SimulateConfig(), "NOM"))).config.idf is None


@given(
    st.one_of(
        st.text(max_size=50),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["config", "instrument", "x"]), inner)
            ),
        ).map(json.dumps),
    )
)
def test_anything_else_is_a_sentence(line: str):
    try:
        read_order(line)
    except ConfigError as error:
        assert "one line of JSON" in str(error)


def test_it_plays_in_a_process_of_its_own_and_stops(config: SimulateConfig, connect: Callable):
    with start_simulator(config, "TNY", timeout=TIMEOUT) as simulator:
        host, _, port = simulator.address.rpartition(":")
        client = connect((host, int(port)), StartRequest.start_of_run())

        def is_end(packet: object) -> bool:
            return isinstance(packet, RunStatus) and packet.status is RunStatusCode.END_RUN

        packets = client.read_until(is_end)
        assert sum(isinstance(packet, BankedEvents) for packet in packets) == 120
        assert simulator.is_running
        assert simulator.stop() == 0
        assert not simulator.is_running
        assert simulator.stop() == 0
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=5.0)


def test_its_log_comes_here(config: SimulateConfig, connect: Callable, caplog: pytest.LogCaptureFixture):
    with (
        caplog.at_level(logging.INFO, "livered_core.simulator"),
        start_simulator(config, "TNY", timeout=TIMEOUT) as simulator,
    ):
        host, _, port = simulator.address.rpartition(":")
        client = connect((host, int(port)))
        client.connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        client.connection.shutdown(socket.SHUT_WR)
        while client.connection.recv(100):
            pass
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "is closed" in warnings[0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"idf": Path("missing.xml")}, r"simulate\.idf: missing\.xml cannot be read"),
        ({"idf": None}, r"needs an instrument definition"),
        ({"calibration": Path("missing.h5")}, r"simulate\.calibration"),
    ],
)
def test_what_is_wrong_comes_back_as_its_sentence(config: SimulateConfig, wrong: dict, says: str):
    with pytest.raises(ConfigError, match=says) as caught:
        start_simulator(attrs.evolve(config, **wrong), "TNY", timeout=TIMEOUT)
    assert "Traceback" not in str(caught.value)


def test_a_port_in_use_comes_back_as_a_sentence(config: SimulateConfig):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1"),
    ):
        start_simulator(config, "TNY", port=taken.getsockname()[1], timeout=TIMEOUT)


def child() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "livered_core.simulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_it_dies_with_its_parent(config: SimulateConfig):
    """A parent that is killed cannot stop anything: the end of the pipe does."""
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from livered_core.simulator.process import read_order, start_simulator\n"
            "order = read_order(sys.stdin.readline())\n"
            "simulator = start_simulator(order.config, order.instrument)\n"
            "print(simulator.pid, simulator.address, flush=True)\n"
            "sys.stdin.read()\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent:
        parent.stdin.write(write_order(Order(config, "TNY")).encode())
        parent.stdin.flush()
        pid, address = parent.stdout.readline().decode().split()
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
            os.kill(int(pid), 0)
            parent.kill()
            parent.wait(TIMEOUT)
            # The child closes our connection when it ends; a child that lives on lets this time out.
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100) == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(config: SimulateConfig, number: signal.Signals):
    with child() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(write_order(Order(config, "TNY")).encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["port"] > 0
        process.send_signal(number)
        assert process.wait(TIMEOUT) == 0
        assert b"Traceback" not in process.stderr.read()


def test_without_an_order_it_says_so_in_one_line_and_exits_with_2():
    with child() as process:
        answer, log = process.communicate(b"nonsense\n", timeout=TIMEOUT)
        assert process.returncode == 2
    assert "one line of JSON" in json.loads(answer)["error"]
    assert log == b""
