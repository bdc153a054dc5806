"""A beamline that a test writes packet by packet into a server that keeps history, as the facility's does."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import attrs
import numpy as np

from faults.ledger import Ledger, SentRun, fold
from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    Geometry,
    Heartbeat,
    Packet,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    encode,
    run_info_xml,
)
from livered_core.adara.wire import redated
from livered_core.clocks import SystemClock
from livered_core.config.faults import parse_fault
from livered_core.simulator.emission import Emission
from livered_core.simulator.server import Address, Server
from livered_core.simulator.storage import Storage

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
PERIOD = SECOND // 60
EVENTS = 100
CHARGE_PC = 2_000_000
_INDEX_EVERY = SECOND
"""Stream time between two places at which the server can begin to replay."""


@attrs.define(eq=False)
class Beamline:
    """Called from one thread. What was written is in `ledger`.

    Attributes
    ----------
    events
        In each pulse.
    pace
        Pulses that `play` sends in a second; 0 for all at once.
    """

    events: int = EVENTS
    pace: float = 0.0
    ledger: Ledger = attrs.field(factory=Ledger)
    number: int = 0
    time_ns: int = START
    _pulses: int = 0
    _run_start_ns: int = 0
    _storage: Storage = attrs.field(factory=lambda: Storage(index_interval_ns=_INDEX_EVERY))
    _server: Server | None = None
    _port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    # The server.

    def open(self) -> None:
        """Serve, at the same port as before if there was one."""
        self._server = Server(self._storage, SystemClock())
        self._port = self._server.start(Address(port=self._port)).port

    def forget(self) -> None:
        """Let the server lose its history and the connections, and come back with what comes from now on."""
        self.close()
        self._storage = Storage(index_interval_ns=_INDEX_EVERY)
        if self.number:
            said = self._status(RunStatusCode.STATE)
            self._write(said, self._info(), begins_era=True, state={"run": encode(said)})
        self.open()

    def wait_for_client(self) -> None:
        """Wait until somebody has been given a place in the stream."""
        assert self._server is not None
        assert self._server.has_client.wait(30.0)

    def close(self) -> None:
        """End the server; what is written meanwhile is lost with it."""
        self._storage.close()
        if self._server is not None:
            self._server.close()
            self._server = None

    # What is sent.

    def begin(self, number: int) -> None:
        self.number, self._run_start_ns = number, self.time_ns // SECOND * SECOND
        status = self._status(RunStatusCode.NEW_RUN)
        said = {"run": encode(self._status(RunStatusCode.STATE)), "info": encode(self._info())}
        geometry = Geometry(time_ns=self.time_ns, xml="<instrument/>")
        self._write(status, self._info(), geometry, begins_era=True, state=said)

    def play(self, n_pulses: int) -> None:
        """Send pulses, at `pace`."""
        pause = threading.Event()
        for index in range(n_pulses):
            self._write(self._pulse())
            # Slices of a hundredth of a second: the pace is that of the whole.
            if self.pace and index % max(1, round(self.pace / 100)) == 0:
                pause.wait(max(1, round(self.pace / 100)) / self.pace)

    def repeat(self, n_pulses: int, *, kinds: int = 64, block: int = 600) -> None:
        """Send pulses of a few kinds again and again, as fast as they can be written: for very many of them."""
        made = [self._pulse() for _ in range(kinds)]
        self.time_ns -= kinds * PERIOD
        packets = [encode(pulse) for pulse in made]
        counts = [fold(pulse.pixel_id, pulse.tof) for pulse in made]
        used = np.zeros(kinds, np.int64)
        run = self.ledger.runs.setdefault(self.number, SentRun())
        for begin in range(0, n_pulses, block):
            data = []
            for index in range(begin, min(begin + block, n_pulses)):
                self.time_ns += PERIOD
                data.append(redated(packets[index % kinds], self.time_ns))
                used[index % kinds] += 1
            self._storage.write(Emission(self.time_ns, b"".join(data)))
        for n, each in zip(used.tolist(), counts, strict=True):
            run.counts += n * each
        run.events += n_pulses * self.events
        run.good += n_pulses * self.events
        run.reduced_pulses += n_pulses
        run.charge_pc += n_pulses * CHARGE_PC

    def end(self) -> None:
        """End the run; between runs a server of the facility begins another file."""
        ended = self._status(RunStatusCode.END_RUN)
        self._write(ended)
        self.number = 0
        none = self._status(RunStatusCode.NO_RUN)
        self._write(none, begins_era=True, state={"run": encode(none)})

    def replace(self, number: int) -> None:
        """End the run by beginning another."""
        ended = self._status(RunStatusCode.END_RUN)
        self._write(ended)
        self.begin(number)

    def pause(self) -> None:
        self._annotate(AnnotationMarker.PAUSE)

    def resume(self) -> None:
        self._annotate(AnnotationMarker.RESUME)

    def jump(self, seconds: float) -> None:
        """Let the clock of the beamline leap."""
        self.time_ns += round(seconds * SECOND)

    def fault(self, text: str) -> None:
        """Do something to all connections that are open when they get here: `livered_core.config.faults`."""
        self._storage.write(Emission(self.time_ns, b"", fault=parse_fault(text)))

    def heartbeat(self) -> None:
        self._write(Heartbeat(time_ns=self.time_ns))

    def emit(self, emissions: Iterable[Emission]) -> None:
        """Send what a simulated beamline sends, at as many emissions a second as `pace` says."""
        pause = threading.Event()
        for index, emission in enumerate(emissions):
            self.ledger.feed(emission.data)
            self._storage.write(emission)
            if self.pace and index % max(1, round(self.pace / 100)) == 0:
                pause.wait(max(1, round(self.pace / 100)) / self.pace)

    def _write(
        self, *packets: Packet, begins_era: bool = False, state: dict[str, bytes] | None = None
    ) -> None:
        data = b"".join(map(encode, packets))
        self.ledger.feed(data)
        self._storage.write(Emission(self.time_ns, data, state=state or {}, begins_era=begins_era))

    def _annotate(self, marker: AnnotationMarker) -> None:
        self._write(Annotation(time_ns=self.time_ns, marker=marker))

    def _status(self, code: RunStatusCode) -> RunStatus:
        return RunStatus(
            time_ns=self.time_ns,
            run_number=self.number if code is not RunStatusCode.NO_RUN else 0,
            run_start_ns=self._run_start_ns if code is not RunStatusCode.NO_RUN else 0,
            status=code,
        )

    def _info(self) -> RunInfoPacket:
        details = RunDetails(
            run_number=self.number, title=f"powder {self.number}", proposal_id="IPTS-1", instrument="TST"
        )
        return RunInfoPacket(time_ns=self.time_ns, xml=run_info_xml(details))

    def _pulse(self) -> BankedEvents:
        self._pulses += 1
        self.time_ns += PERIOD
        draw = np.random.Generator(np.random.PCG64([self.number, self._pulses]))
        n = self.events
        return BankedEvents(
            time_ns=self.time_ns,
            proton_charge_pc=CHARGE_PC,
            flags=0,
            source_id=np.zeros(1, np.uint32),
            intrapulse_time=np.zeros(1, np.uint32),
            tof_offset=np.zeros(1, np.uint32),
            tof_corrected=np.ones(1, np.bool_),
            n_banks=np.ones(1, np.int64),
            bank_id=np.ones(1, np.uint32),
            bank_offset=np.array([0, n], np.int64),
            pixel_id=draw.integers(0, 1000, n, dtype=np.uint32),
            tof=draw.integers(0, 166_667, n, dtype=np.uint32),
        )
