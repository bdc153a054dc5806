"""Where a fault is acted out: a beamline, engines in processes of their own, and what they leave to be judged."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from faults import plugins
from faults.beamline import Beamline
from faults.places import install_trap
from faults.scenario import Outcome
from livered_support import private_environment
from waiting import until

RUN = 7
"""The run that is judged."""
ENDS_IN = 30.0
CONFIG = """
backend = "native"
update_every = 0.2
[source]
retry_first = 0.05
retry_longest = 0.2
[checkpoint]
every = 0.1
[publish]
retry_first = 0.05
retry_longest = 0.2
"""
_LEFT_OUT = (
    "paused_events",
    "early_events",
    "vetoed_events",
    "partial_events",
    "error_pixel_events",
    "unmapped_events",
)


@attrs.define(eq=False)
class Engine:
    """One process of ``livered run``."""

    process: subprocess.Popen[bytes]
    screen: Path

    def kill(self) -> None:
        """End it as the kernel does, without asking."""
        self.process.kill()
        self.process.wait(ENDS_IN)

    def stop(self) -> int:
        """Ask it to stop; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDS_IN)

    def said(self) -> str:
        """What it has written to its screen."""
        return self.screen.read_text(errors="replace")


@attrs.frozen
class Final:
    """A final result, as the sink in the plugin noted it."""

    run: int
    events: int
    digest: str
    complete: bool


@attrs.define(eq=False)
class Stage:
    """Belongs to one test.

    Attributes
    ----------
    folder
        Home folder and working directory of the engines.
    beamline
        Writes the truth.
    where
        Address that the engines are told.
    config
        Text of their configuration.
    instrument
        That they are told.
    more
        Environment variables.
    prefix, seen
        What is put before the command, and where its files are seen from here; see `faults.places`.
    judged
        Number of the run that is judged.
    counts
        Counts of the stream to judge by, in place of those of the last status.
    kept
        Files of the run directory as they were, when they cannot be read any more.
    reference
        Curves of an undisturbed run, in place of what was sent.
    notes
        For the table.
    """

    folder: Path
    beamline: Beamline
    where: str = ""
    instrument: str = plugins.INSTRUMENT
    config: str = CONFIG
    more: dict[str, str] = attrs.field(factory=dict)
    prefix: tuple[str, ...] = ()
    seen: Callable[[Path], Path] = lambda path: path
    engines: list[Engine] = attrs.field(factory=list)
    before_s: float | None = None
    recovery_s: float | None = None
    judged: int = RUN
    counts: dict[str, int] = attrs.field(factory=dict)
    notes: str = ""
    kept: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    reference: Any = None

    # Engines.

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def run_directory(self) -> Path:
        return self.folder / "run" / "livered" / self.instrument

    @property
    def state_directory(self) -> Path:
        return self.folder / ".local" / "state" / "livered" / self.instrument

    def plugin(self, *, version: str = "1.0", **wrong: str) -> None:
        """Install the plugin, with what is wrong with it: see `faults.plugins.source`."""
        plugins.install(self.site, plugins.source(**wrong), version)

    def install_trap(self) -> None:
        """Let an engine be killed as it touches a checkpoint, when it is told ``trap-os.rename`` or another."""
        install_trap(self.site)

    def checkpoints(self) -> list[Path]:
        """Give the files of checkpoints, the newest last."""
        return sorted(self.seen(self.state_directory / "checkpoints").glob("*.checkpoint"))

    def tell(self, what: str, *, yes: bool = True) -> None:
        """Let the plugin do what it was made to do when it is told, or do it no longer."""
        if yes:
            (self.folder / what).touch()
        else:
            (self.folder / what).unlink(missing_ok=True)

    def start(self, *arguments: str, **environment: str) -> Engine:
        """Start an engine."""
        if not self.site.exists():
            self.plugin()
        (self.folder / "livered.toml").write_text(self.config)
        paths = [str(self.site), os.environ.get("PYTHONPATH", "")]
        more = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TST_FOLDER": str(self.folder)}
        command = [
            *self.prefix,
            *(sys.executable, "-u", "-m", "livered_core", "run", "--plain"),
            *("--instrument", self.instrument, "--config", "livered.toml"),
            *("--address", self.where or self.beamline.address, *arguments),
        ]
        screen = self.folder / f"screen-{len(self.engines)}.txt"
        with screen.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=private_environment(self.folder, **{**more, **self.more, **environment}),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        engine = Engine(process, screen)
        self.engines.append(engine)
        return engine

    def close(self) -> None:
        for engine in self.engines:
            if engine.process.poll() is None:
                engine.process.kill()
            engine.process.wait(ENDS_IN)

    def stop(self) -> None:
        """Ask those that still run to stop: their last status is that of the end."""
        for engine in self.engines:
            if engine.process.poll() is None:
                assert engine.stop() == 0, engine.said()

    # What the engines say.

    def read(self, name: str) -> dict[str, Any]:
        """Read a file of the run directory; empty when it is not there."""
        if name in self.kept:
            return self.kept[name]
        try:
            found: dict[str, Any] = json.loads(self.seen(self.run_directory / name).read_text())
        except FileNotFoundError:
            return {}
        return found

    def status(self) -> dict[str, Any]:
        return self.read("status.json")

    def log(self) -> str:
        return self.seen(self.folder / "livereduce.log").read_text(errors="replace")

    def events(self) -> int:
        """Events of the judged run in the newest result that is shown."""
        latest = self.read("latest.json")
        return latest["update"]["n_events"] if latest.get("run", {}).get("number") == self.judged else 0

    def until(self, condition: Callable[[], object]) -> None:
        """Wait; when it is in vain, what the engines said is part of the failure."""

        def holds() -> object:
            if condition():
                return True
            assert not ended(), "every engine has ended"
            return False

        def ended() -> bool:
            # Once more: an engine may have ended just after it did what is waited for.
            return all(engine.process.poll() is not None for engine in self.engines) and not condition()

        try:
            until(holds)
        except AssertionError as error:
            said = "\n".join(f"--- {engine.screen.name}\n{engine.said()[-4000:]}" for engine in self.engines)
            raise AssertionError(f"{error}\n{json.dumps(self.status())[:3000]}\n{said}") from None

    def under_way(self, n_pulses: int) -> Beamline:
        """Start an engine and the judged run, and wait until its first pulses are shown."""
        self.start()
        self.beamline.begin(RUN)
        self.beamline.play(n_pulses)
        self.until_reduced(n_pulses)
        return self.beamline

    def until_reduced(self, n_pulses: int) -> None:
        """Wait until so many pulses of the judged run are shown."""
        self.until(lambda: self.events() >= n_pulses * self.beamline.events)

    def until_ended(self, number: int | None = None) -> None:
        """Wait for the final result of a run."""
        name = f"runs/{self.judged if number is None else number}.json"
        self.until(lambda: self.read(name).get("update", {}).get("final"))

    def recovered(self) -> None:
        """Note that what was waited for is there."""
        self.recovery_s = time.monotonic() - (self.before_s or 0.0)

    def fault_begins(self) -> None:
        """Note when it happened."""
        self.before_s = time.monotonic()

    def until_recovered(self, more_than: int | None = None) -> None:
        """Wait for a result with more events than there were, and note how long it took since the fault."""
        least = self.events() if more_than is None else more_than
        self.until(lambda: self.events() > least)
        self.recovered()

    # Judging.

    def keep(self) -> None:
        """Remember what the run directory says, for when it cannot be read any more."""
        for name in (f"runs/{self.judged}.json", "status.json", "latest.json"):
            self.kept[name] = self.read(name)

    def finals(self) -> list[Final]:
        """Read what the sink in the plugin was given: the final results, in order."""
        try:
            lines = (self.folder / "finals.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Final(*json.loads(line)) for line in lines]

    def require_finals(self) -> None:
        """Assert that each final result is exactly that of what was sent."""
        for final in self.finals():
            sent = self.beamline.ledger.runs[final.run]
            assert final.events == sent.good, final
            assert final.digest == hashlib.sha256(sent.counts.tobytes()).hexdigest(), final
            assert final.complete, final

    def outcome(self) -> Outcome:
        """Compare what the last result of the judged run says with what was sent."""
        sent = self.beamline.ledger.runs[self.judged]
        last = self.read(f"runs/{self.judged}.json") or self.read("latest.json")
        assert last["run"]["number"] == self.judged, last["run"]
        update = last["update"]
        counts = self.counts or self.status()["source"]["counts"]
        if self.reference is None:
            (curve,) = last["curves"]
            found = np.array(curve["y"])
            assert found.sum() == update["n_events"]
            exact = np.array_equal(found, sent.counts)
        else:
            exact = last["curves"] == self.reference
        exact = exact and update["n_pulses"] == sent.reduced_pulses
        exact = exact and update["proton_charge_pc"] == sent.charge_pc
        left_out = update["skipped_events"] + update["dropped_events"]
        left_out += sum(counts[name] for name in _LEFT_OUT)
        return Outcome(
            sent=sent.events,
            reduced=update["n_events"],
            left_out=left_out,
            missing=tuple(update["missing"]),
            complete=update["complete"],
            exact=bool(exact),
            recovery_s=self.recovery_s,
            notes=self.notes,
        )
