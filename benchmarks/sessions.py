"""Real sessions for the benchmarks: a folder with all that they need, and the processes. Not a measurement by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import focus
import numpy as np
import numpy.typing as npt
from banks_alone import N_PIXELS
from nomad import START_NS, made_up_chunk

import livered_nom
from livered_core import Chunk, InstrumentDefinition, RunInfo, SessionInfo, Update
from livered_core.config.simulate import SimulateConfig
from livered_core.diffraction import Calibration, write_calibration
from livered_core.publish.nexus import nexus_bytes
from livered_core.simulator.process import Order, SimulatorProcess, start_simulator, write_order

HERE = Path(__file__).resolve().parent
DEFINITION = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
DESIGN_RATE = 2.5e7
"""Events a second for which NOMAD's stream is designed."""
MASKED = 0.03
PATIENCE_S = 150.0

NOM = """
[plugins.nom]
calibration = "{calibration}"
prompt_pulse_width_us = 40.0
leave_out_vetoed = true
[plugins.nom.references]
vanadium = "{folder}/vanadium.nxs"
container = "{folder}/container.nxs"
container_scale = 0.1
correct_rod = true
[plugins.nom.total_scattering]
composition = "C"
engine = "own"
lorch = true
fourier_cutoff = 1.0
number_density = 0.176
"""
BANKS = """
[plugins.banks]
calibration = "{calibration}"
"""


@attrs.frozen
class Bench:
    """A temporary folder with calibration, references and what else a session needs.

    Attributes
    ----------
    folder
        It.
    calibration
        The calibration file.
    said
        What the calibration is, for people.
    """

    folder: Path
    calibration: Path
    said: str

    def environment(self, name: str = "home", **more: str) -> dict[str, str]:
        """Return an environment in which livered sees nothing of this machine's configuration; `name` makes it another."""
        home = self.folder / name
        (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LIVERED_", "XDG_"))}
        path = [str(HERE), str(self.folder / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **kept,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join(path),
            **more,
        }

    def config(self, name: str, *, banks: bool = False, update_every: float = 2.0, more: str = "") -> Path:
        """Write a configuration: NOM with every option on, or the banks alone."""
        path = self.folder / f"{name}.toml"
        tables = (BANKS if banks else NOM).format(calibration=self.calibration, folder=self.folder)
        path.write_text(
            f'update_every = {update_every}\noutput_dir = "{self.folder}/output-{name}"\n{more}{tables}',
            encoding="utf-8",
        )
        return path

    def played(self, **more: Any) -> SimulateConfig:
        """Return what a beamline plays: pulses at the design rate, again and again, some of them vetoed."""
        what: dict[str, Any] = {
            "idf": DEFINITION,
            "calibration": self.calibration,
            "rate": DESIGN_RATE,
            "recycle": "always",
            "vetoed": 0.001,
            "hold_for_client": True,
        }
        return SimulateConfig(**{**what, **more})


@contextmanager
def bench(options: Any) -> Iterator[Bench]:
    """Make the folder, and see that nothing stays behind, also when the program is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="livered-bench-") as text:
        folder = Path(text)
        given = getattr(options, "calibration", None)
        if given is None:
            path, said = folder / "made_up.h5", "made up, DIFA and TZERO in every pixel, 3 % masked"
            write_calibration(path, made_up_calibration())
        else:
            path, said = Path(given).resolve(), Path(given).name
        write_references(folder, path)
        declare_banks(folder / "plugins")
        yield Bench(folder, path, said)


def made_up_calibration() -> Calibration:
    """Give the calibration of `focus`, with some pixels masked."""
    rng = np.random.default_rng(1)
    calibration = focus.made_up_calibration(rng)
    return attrs.evolve(calibration, use=rng.random(N_PIXELS) >= MASKED)


def write_references(folder: Path, calibration: Path) -> None:
    """Reduce a made-up vanadium and a made-up container, as files of livered."""
    from livered_nom.plugin import NomPlugin
    from livered_nom.settings import NomSettings

    definition = InstrumentDefinition("NOM", DEFINITION.read_text(encoding="utf-8"))
    run = RunInfo(number=1, instrument="NOM", title="made up", start_ns=START_NS)
    plugin = NomPlugin(NomSettings(calibration=calibration))
    plugin.session_started(SessionInfo("NOM", "native", "", "", 0, "", {}, live=False))
    plugin.run_started(run)
    chunk = made_up_chunk(definition, 2_000_000)
    update = update_of(chunk)
    result = plugin.post_process(plugin.process_chunk(chunk), run, update)
    for name in ("vanadium", "container"):
        (folder / f"{name}.nxs").write_bytes(nexus_bytes(result, run, update, {}, 0))


def update_of(chunk: Chunk) -> Update:
    return Update(
        sequence=1,
        final=True,
        n_chunks=1,
        n_pulses=1,
        n_events=chunk.n_events,
        proton_charge_pc=3.6e9,
        first_pulse_ns=START_NS,
        last_pulse_ns=START_NS,
        skipped_chunks=0,
        skipped_events=0,
        dropped_chunks=0,
        dropped_events=0,
        complete=True,
        missing=(),
        lag_ns=0,
    )


def declare_banks(folder: Path) -> None:
    """Install the plugin of `banks_alone` for the processes of a benchmark."""
    info = folder / "banks_alone-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: banks-alone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[livered.instruments]\nBANKS = banks_alone:Banks\n")


class Watched:
    """A process of livered that says what it does; made by `livered`."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int, screen: Path, exec_at: float) -> None:
        self.process = process
        self.exec_at = exec_at
        """When it was started, seconds of the monotonic clock."""
        self.lines: list[dict[str, Any]] = []
        self._screen = screen
        self._there = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe: int) -> None:
        with os.fdopen(pipe) as lines:
            for line in lines:
                # Killed in the middle of a line, it leaves a part of one.
                if line.endswith("\n"):
                    with self._there:
                        self.lines.append(json.loads(line))
                        self._there.notify_all()
        with self._there:
            self._over = True
            self._there.notify_all()

    def wait_for(
        self, wanted: Callable[[dict[str, Any]], bool], timeout: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait for the first line of a kind.

        Raises
        ------
        RuntimeError
            When the process ends, or the time, without one.
        """
        seen, until = 0, time.monotonic() + timeout
        with self._there:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                left = until - time.monotonic()
                if self._over or left <= 0:
                    break
                self._there.wait(left)
        why = "ended" if self._over else f"said nothing of that for {timeout:g} s"
        raise RuntimeError(f"livered {why}; its screen:\n{self._screen.read_text()[-3000:]}")

    def wait(self, timeout: float = PATIENCE_S) -> None:
        """Wait for its end."""
        self.process.wait(timeout)
        self._reader.join(timeout)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process.poll() is None:
            self.process.terminate()
        self.wait()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.wait()

    def all(self, what: str, **more: Any) -> list[dict[str, Any]]:
        """Return the lines of a kind so far."""
        with self._there:
            return [
                each
                for each in self.lines
                if each["is"] == what and all(each[key] == value for key, value in more.items())
            ]


@contextmanager
def livered(
    bench: Bench, *arguments: object, environment: Mapping[str, str] | None = None
) -> Iterator[Watched]:
    """Run ``livered`` with arguments, watched; it is killed if it still runs at the end."""
    theirs_in, ours = os.pipe()
    screen = bench.folder / "screen.txt"
    with screen.open("wb") as output:
        exec_at = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, str(HERE / "watched.py"), str(ours), *map(str, arguments)],
            cwd=bench.folder,
            env=dict(environment or bench.environment()),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[ours],
        )
    os.close(ours)
    watched = Watched(process, theirs_in, screen, exec_at)
    try:
        yield watched
    finally:
        if process.poll() is None:
            process.kill()
        watched.wait()
        assert process.stdin is not None
        process.stdin.close()


def run_arguments(config: Path, port: int | str, *, banks: bool = False) -> list[object]:
    """Return the arguments of ``livered`` for one run."""
    address = f"127.0.0.1:{port}" if isinstance(port, int) else port
    instrument = "BANKS" if banks else "NOM"
    return [
        "run",
        "--instrument",
        instrument,
        "--config",
        config,
        "--address",
        address,
        "--stop-after-run",
        "--plain",
    ]


class Beamline:
    """A process of `beamlines`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = 0

    def tell(self, **what: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("The beamline of the benchmark has ended.")
        return dict(json.loads(line))

    def thrown_away(self, pulses: int, size: int) -> float:
        """Receive so many pulses, of so many bytes together, and throw them away: seconds."""
        self.tell(pulses=pulses)
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"hello")
            room, got, began = bytearray(1 << 22), 0, time.monotonic()
            while got < size:
                n = connection.recv_into(room)
                if not n:
                    break
                got += n
            took = time.monotonic() - began
        self.answer()
        return took


@contextmanager
def beamline(
    kind: str, config: SimulateConfig, instrument: str, *more: Mapping[str, Any]
) -> Iterator[Beamline]:
    """Run a beamline of `beamlines`; it has ended at the end."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "beamlines.py"), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    made = Beamline(process)
    with process:
        try:
            assert process.stdin is not None
            process.stdin.write(write_order(Order(config, instrument)))
            process.stdin.flush()
            for each in more:
                made.tell(**each)
            made.port = made.answer()["port"]
            yield made
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def simulator(config: SimulateConfig, instrument: str) -> Iterator[SimulatorProcess]:
    """Run the simulated beamline of the project."""
    with start_simulator(config, instrument) as process:
        yield process


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has used, in the kernel and outside."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantile(values: npt.ArrayLike, share: float) -> float:
    return float(np.quantile(np.asarray(values), share))
