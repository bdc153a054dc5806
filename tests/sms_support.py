"""A stream server that does exactly what a test tells it, on a real socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import attrs

from livered_core.adara import ClientHello, Framer, Packet, decode, encode

WAIT = 20.0


@attrs.define(eq=False)
class Client:
    """The server's side of one connection."""

    connection: socket.socket
    hello: ClientHello | None = None

    def read_hello(self) -> ClientHello:
        framer = Framer()
        while True:
            for raw in framer.feed(self.connection.recv(1024)):
                packet = decode(raw)
                assert isinstance(packet, ClientHello)
                self.hello = packet
                return packet

    def send(self, *packets: Packet) -> None:
        self.connection.sendall(b"".join(encode(packet) for packet in packets))

    def send_bytes(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def close(self) -> None:
        self.connection.close()

    def hold(self) -> None:
        """Keep the connection until the client closes it."""
        with contextlib.suppress(OSError):
            while self.connection.recv(1024):
                pass


Script = Callable[[Client], None]


@attrs.define(eq=False)
class ScriptedServer:
    """Plays one script for each connection, the last one for all that follow."""

    scripts: list[Script]
    port: int = 0
    hellos: list[ClientHello] = attrs.field(factory=list)
    errors: list[BaseException] = attrs.field(factory=list)
    connections: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def scripted_server(*scripts: Script) -> Iterator[ScriptedServer]:
    """Serve scripts on a free port; what goes wrong in one is raised at the end."""
    server = ScriptedServer(list(scripts))
    listening = socket.create_server(("127.0.0.1", 0))
    server.port = listening.getsockname()[1]
    open_now: list[socket.socket] = []
    ending = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.settimeout(WAIT)
            open_now.append(connection)
            client = Client(connection)
            script = server.scripts[min(server.connections, len(server.scripts) - 1)]
            server.connections += 1
            try:
                server.hellos.append(client.read_hello())
                script(client)
            except ConnectionError:
                pass
            except BaseException as error:
                # At the end the connections are closed below the scripts.
                if not (ending.is_set() and isinstance(error, OSError)):
                    server.errors.append(error)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ending.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        thread.join(WAIT)
        assert not thread.is_alive()
        if server.errors:
            raise server.errors[0]
