"""SNSLiveEventDataListener: a client of the facility's server, on a thread that Python did not make."""

from __future__ import annotations

import _thread
import socket
import threading
import time
from typing import Any, Final

from livered_core.adara import ClientHello, PacketType, StartRequest, banked, encode
from mantid._knobs import knobs
from mantid._live._adara_buffer import Buffer, instrument_of
from mantid._live._listener import BEGIN_RUN, END_RUN, NO_RUN, RUNNING, Listener, NotYet
from mantid._live._sns_packets import PacketHandler, required_logs
from mantid._live._sns_parser import Parser
from mantid.kernel import Logger

_log = Logger("SNSLiveEventDataListener")
_POLL: Final = 0.01
_RECEIVED: Final = 1 << 20


class SNSLiveEventDataListener(Listener):
    """Reads the stream and gathers events; stops reading at the edges of runs."""

    supports_history = True

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._handed_over = threading.Event()
        self._handed_over.set()
        self._error: Exception | None = None
        self._seconds = 0
        self.lock = threading.RLock()
        self.buffer = Buffer()
        self.status = NO_RUN
        self.number = 0
        self.paused_reading = False
        self.run_paused = False
        self.initialized = False
        self.instrument_xml = self.instrument_name = ""
        self.data_start_ns = 0
        self.deferred: Any = None
        self.names: dict[tuple[int, int], str] = {}
        self._packets = PacketHandler(self)

    def connect(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if host == "0.0.0.0":
            host, port = "localhost", "31415"
        # What decodes events takes a second to import.
        banked.compiled()
        self._socket = socket.create_connection((host, int(port)))
        self._socket.settimeout(None)

    def start(self, seconds_since_1990: int) -> None:
        self._seconds = seconds_since_1990
        _thread.start_new_thread(self._read, ())

    def close(self) -> None:
        """Wait for the thread: as long as it waits for the network."""
        if self._socket is None:
            return
        self._stop.set()
        self._ended.wait()
        self._socket.close()
        self._socket = None

    # The network thread.
    def _read(self) -> None:
        try:
            self._read_until_stopped()
        except Exception as error:
            _log.fatal(f"Caught a runtime exception.\nException message: {error}.\nThread will exit.")
            self._error = RuntimeError(str(error))
        finally:
            self._ended.set()

    def _read_until_stopped(self) -> None:
        connection = self._socket
        assert connection is not None
        hello = ClientHello(time_ns=time.time_ns(), start=StartRequest(self._seconds), flags=0, version=0)
        connection.sendall(encode(hello))
        connection.settimeout(knobs.receive_timeout)
        parser = Parser()
        while not self._stop.is_set():
            if self.paused_reading:
                self._stop.wait(10 * _POLL)
                continue
            data = b""
            try:
                data = connection.recv(_RECEIVED)
            except TimeoutError:
                _log.warning("Timeout reading from the network.  Is SMS still sending?")
            except OSError as error:
                message = f"Parser::read(): {error.strerror or error}"
                raise RuntimeError(message) from error
            parser.append(data)
            parsed = 0
            for raw in parser.packets():
                parsed += 1
                if raw.type == PacketType.RUN_STATUS:
                    self._handed_over.wait(knobs.gap)
                if self._packets.take(raw):
                    break
            if not parsed:
                self._stop.wait(_POLL)

    def initialize_if_possible(self) -> None:
        """Finish the workspace when run status, geometry, beamline and required logs have come; holds the lock."""
        if self.initialized or not (self.instrument_xml and self.instrument_name and self.data_start_ns):
            return
        logs = self.buffer.run.properties
        wanted = required_logs(self.instrument_xml)
        if not all(name in logs and logs[name].size() for name in wanted):
            return
        values = tuple((name, float(logs[name].lastValue())) for name in wanted if _is_number(logs[name]))
        self.buffer.describe(instrument_of(self.instrument_name, self.instrument_xml, values))
        scan = self.buffer.run.series("scan_index")
        if not scan.size():
            scan.add_unix(self.data_start_ns, 0)
        self.initialized = True

    # The thread of the algorithm.
    def extract_data(self) -> Any:
        self._raise_error()
        until = time.monotonic() + knobs.block
        while not self.initialized and time.monotonic() < until:
            time.sleep(min(0.1, knobs.block / 10))
        if not self.initialized:
            message = "The workspace has not yet been initialized."
            raise NotYet(message)
        with self.lock:
            self._handed_over.clear()
            return self.buffer.take()

    def run_status(self) -> int:
        self._raise_error()
        with self.lock:
            status = self.status
            if status in (BEGIN_RUN, END_RUN):
                self.initialized = False
                self.instrument_xml = self.instrument_name = ""
                self.names.clear()
                self.buffer = Buffer()
                if status == END_RUN:
                    self.data_start_ns = 0
                    self.status = NO_RUN
                else:
                    self._packets.set_run_details(self.deferred)
                    self.deferred = None
                    self.status = RUNNING
            self.paused_reading = False
            self._handed_over.set()
            return status

    def run_number(self) -> int:
        return self.number

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


def _is_number(log: Any) -> bool:
    return getattr(log, "dtype", None) in (int, float)
