"""A beamline that a test leads: pulses of now, until the test says that something else happens."""

from __future__ import annotations

import os
import queue
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import numpy as np

from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    BankedEvents,
    Device,
    DeviceDescriptor,
    Geometry,
    Packet,
    ProcessVariable,
    RunDetails,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    VariableDouble,
    VariableString,
    device_descriptor_xml,
    run_info_xml,
)
from livered_support import private_environment
from sms_support import Client, ScriptedServer, scripted_server

INSTRUMENT = "TST"
PERIOD_S = 0.05
EVENTS_PER_PULSE = 1000
N_BINS = 400

PLUGIN = f"""
    import os
    from pathlib import Path

    import numpy as np
    from livered_core import Curve, Image, Result, hookimpl

    BREAK = Path(os.environ["TST_BREAK"])
    EDGES = np.geomspace(0.5, 4.0, {N_BINS} + 1)


    class Instrument:
        @hookimpl
        def process_chunk(self, chunk, run):
            if BREAK.exists():
                raise ValueError("a detector is upside down: <img src=x onerror=alert(1)> " + run.title)
            d = 0.5 + chunk.events.tof / 5000.0
            bank = chunk.events.pixel_id % 2
            return np.stack([np.histogram(d[bank == b], EDGES)[0] for b in (0, 1)])

        @hookimpl
        def post_process(self, accumulated, run, update):
            curves = [
                Curve(f"bank {{b + 1}}", EDGES, y, np.sqrt(y), "Angstrom", "counts", "d-spacing", "intensity")
                for b, y in enumerate(accumulated)
            ]
            q = np.linspace(0.5, 25.0, 200)
            s = 1.0 + np.sin(q) / q
            curves.append(Curve(f"S(Q) of {{run.title}}", q, s, 0.01 + 0 * q, "1/Angstrom", "dimensionless", "Q", f"S of {{run.title}}"))
            z = np.outer(np.arange(1, 9), np.arange(1, 21)) * float(accumulated.sum())
            image = Image(f"view of {{run.title}}", np.linspace(0.5, 4, 21), np.linspace(0, 180, 9), z, "Angstrom", "deg", "counts")
            return Result(run.number, f"two banks of {{run.title}}", curves, [image], {{"note": run.title}})
"""


def install_instrument(site: Path) -> Path:
    """Put the distribution of instrument TST into a folder for PYTHONPATH."""
    info = site / "livered_tst_pages-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: livered-tst-pages\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[livered.instruments]\n{INSTRUMENT} = tst_pages:Instrument\n")
    (site / "tst_pages.py").write_text(textwrap.dedent(PLUGIN))
    return site


def engine_environment(folder: Path, **more: str) -> dict[str, str]:
    """Make an environment in which ``livered run -i TST`` works; a file ``folder/break`` breaks its plugin."""
    site = folder / "site"
    if not site.exists():
        install_instrument(site)
    return private_environment(
        folder,
        PYTHONPATH=os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])),
        TST_BREAK=str(folder / "break"),
        LIVERED_UPDATE_EVERY="0.3",
        LIVERED_PLUGINS__FILES__FORMATS='["text"]',
        **more,
    )


@attrs.define(eq=False)
class LedBeamline:
    """What is sent, and how a test changes it; everything that it is told is sent in order.

    Attributes
    ----------
    number, title
        The run that goes on; number 0 between runs.
    beam
        Whether pulses have charge and events.
    """

    number: int = 0
    title: str = ""
    beam: bool = True
    server: ScriptedServer | None = None
    _start_ns: int = 0
    _orders: queue.SimpleQueue[tuple[Packet, ...]] = attrs.field(factory=queue.SimpleQueue)
    _random: np.random.Generator = attrs.field(factory=lambda: np.random.default_rng(1))

    @property
    def address(self) -> str:
        assert self.server is not None
        return self.server.address

    def begin_run(self, number: int, title: str) -> None:
        self.number, self.title, self._start_ns = number, title, time.time_ns() // 10**9 * 10**9
        self._orders.put((self._status(RunStatusCode.NEW_RUN), self._info()))

    def end_run(self) -> None:
        ended = self._status(RunStatusCode.END_RUN)
        self.number = 0
        self._orders.put((ended,))

    def pause(self) -> None:
        self._annotate(AnnotationMarker.PAUSE)

    def resume(self) -> None:
        self._annotate(AnnotationMarker.RESUME)

    def play(self, client: Client) -> None:
        """Be the script of a `ScriptedServer`."""
        client.send(Geometry(time_ns=time.time_ns(), xml="<instrument/>"), *self._logs())
        if self.number:
            client.send(self._status(RunStatusCode.STATE), self._info())
        while True:
            try:
                client.send(*self._orders.get(timeout=PERIOD_S))
            except queue.Empty:
                client.send(self._pulse())

    def _annotate(self, marker: AnnotationMarker) -> None:
        self._orders.put((Annotation(time_ns=time.time_ns(), marker=marker),))

    def _status(self, code: RunStatusCode) -> RunStatus:
        return RunStatus(
            time_ns=time.time_ns(), run_number=self.number, run_start_ns=self._start_ns, status=code
        )

    def _info(self) -> RunInfoPacket:
        details = RunDetails(
            run_number=self.number, title=self.title, proposal_id="IPTS-1", instrument=INSTRUMENT
        )
        return RunInfoPacket(time_ns=time.time_ns(), xml=run_info_xml(details))

    def _logs(self) -> tuple[Packet, ...]:
        now_ns = time.time_ns()
        variables = {
            1: ProcessVariable("SampleTemp", "double", "K"),
            2: ProcessVariable("Comment", "string"),
        }
        device = DeviceDescriptor(
            time_ns=now_ns, device_id=1, xml=device_descriptor_xml(Device("Sample", variables))
        )
        text = VariableString(time_ns=now_ns, device_id=1, variable_id=2, value=self.title)
        return (device, VariableDouble(time_ns=now_ns, device_id=1, variable_id=1, value=295.25), text)

    def _pulse(self) -> BankedEvents:
        n = EVENTS_PER_PULSE if self.beam else 0
        peaks = self._random.choice([2000.0, 5000.0, 9000.0], n)
        return BankedEvents(
            time_ns=time.time_ns(),
            proton_charge_pc=2_000_000 if self.beam else 0,
            flags=0,
            source_id=np.zeros(1, np.uint32),
            intrapulse_time=np.zeros(1, np.uint32),
            tof_offset=np.zeros(1, np.uint32),
            tof_corrected=np.ones(1, np.bool_),
            n_banks=np.ones(1, np.int64),
            bank_id=np.ones(1, np.uint32),
            bank_offset=np.array([0, n], np.int64),
            pixel_id=self._random.integers(1, 1000, n).astype(np.uint32),
            tof=(peaks + self._random.normal(0, 200, n)).astype(np.uint32),
        )


@contextmanager
def led_beamline(number: int = 0, title: str = "") -> Iterator[LedBeamline]:
    """Serve a beamline in which a run goes on, or none."""
    beamline = LedBeamline()
    if number:
        beamline.number, beamline.title, beamline._start_ns = number, title, time.time_ns() // 10**9 * 10**9
    with scripted_server(beamline.play) as server:
        beamline.server = server
        yield beamline
