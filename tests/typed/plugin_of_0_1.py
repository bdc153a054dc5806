"""A plugin as it is written for livered 0.1, with all types: mypy checks it, and a test runs it.

It stands for all plugins that are out there. What has to be changed here, their authors have to change, too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import (
    SKIP,
    BegunAnew,
    Chunk,
    Curve,
    EventBatch,
    HookFailure,
    Image,
    Instrument,
    InstrumentDefinition,
    LiveredError,
    Receipt,
    Result,
    RunEndReason,
    RunInfo,
    SessionInfo,
    SinkLater,
    SinkRejected,
    SinkUnavailable,
    SlowLog,
    Update,
    hookimpl,
)
from livered_core import diffraction as diff
from livered_core.geometry import difc, read_instrument

if TYPE_CHECKING:
    from typing_extensions import assert_type

EDGES = diff.linear_edges(0.5, 2.5, 100)


@attrs.frozen
class Settings:
    """The table of the plugin."""

    d_max: float = attrs.field(default=2.5, metadata={"help": "largest d-spacing", "unit": "Angstrom"})
    log: str = attrs.field(default="", metadata={"help": "slow log that is shown", "unit": ""})


@attrs.define(eq=False)
class Diffractometer:
    """An instrument's plugin that implements every hook."""

    settings_class = Settings
    data_models = ("native",)

    settings: Settings
    heard: list[str] = attrs.field(factory=list)
    tables: dict[str, diff.FocusTable] = attrs.field(factory=dict)
    temperature: float = 0.0

    def check(self) -> list[str]:
        """Say what keeps it from running."""
        return [] if self.settings.d_max > 0 else ["d_max: must be positive."]

    def save_state(self) -> dict[str, float]:
        """Give what is kept of the run."""
        return {"temperature": self.temperature}

    def restore_state(self, state: dict[str, float]) -> None:
        """Take it back."""
        self.temperature = state["temperature"]

    @hookimpl
    def session_started(self, session: SessionInfo) -> None:
        """Begin."""
        self.heard.append(f"session {session.instrument} {session.live}")

    @hookimpl
    def run_started(self, run: RunInfo) -> None:
        """Forget the run before."""
        self.temperature = 0.0
        self.heard.append(f"run {run.number} {run.start_ns} {run.sample.get('formula', '')}")

    @hookimpl
    def process_chunk(self, chunk: Chunk, run: RunInfo) -> Any:
        """Focus."""
        if not chunk.n_pulses:
            return SKIP
        definition = chunk.instrument
        if definition is None:
            message = f"Run {run.number} brings no instrument definition: ask for it at the beamline."
            raise LiveredError(message)
        log: SlowLog | None = chunk.logs.get(self.settings.log)
        if log is not None:
            self.temperature = float(np.asarray(log.value)[-1])
        return diff.focus(chunk.events, self._table(definition))

    def _table(self, definition: InstrumentDefinition) -> diff.FocusTable:
        if definition.sha256 not in self.tables:
            instrument: Instrument = read_instrument(definition)
            known = diff.calibration_from_geometry(instrument)
            self.tables = {
                definition.sha256: diff.focus_table(known, diff.group_all(instrument), EDGES[None])
            }
        return self.tables[definition.sha256]

    @hookimpl
    def accumulate(
        self, accumulated: diff.FocusedHistogram | None, processed: diff.FocusedHistogram, chunk: Chunk
    ) -> diff.FocusedHistogram | BegunAnew:
        """Add."""
        if accumulated is not None and chunk.is_total:
            return BegunAnew(processed, "The data hold the whole run.")
        return processed if accumulated is None else accumulated + processed

    @hookimpl
    def post_process(self, accumulated: diff.FocusedHistogram, run: RunInfo, update: Update) -> Result:
        """Make a curve and an image."""
        y = accumulated.counts[0].astype(float)
        curve = Curve(
            "all",
            EDGES,
            y,
            np.sqrt(y),
            "Angstrom",
            "counts",
            "d-spacing",
            metadata={"temperature": self.temperature},
        )
        image = Image("counts", EDGES, [0.0, 1.0], y[None], "Angstrom", "dimensionless", "counts")
        return Result(run.number, run.title, (curve,), (image,), {"final": update.final})

    @hookimpl
    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Put away."""
        self.heard.append(f"end {run.number} {reason is RunEndReason.ENDED}")

    @hookimpl
    def on_error(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Hear of it."""
        self.heard.append(f"{failure.plugin} {failure.hook} {run.number if run else 0}")

    @hookimpl
    def session_ended(self) -> None:
        """Close."""
        self.heard.append("good night")


class EveryOther:
    """A wrapper."""

    @hookimpl(wrapper=True)
    def process_chunk(self, chunk: Chunk) -> Generator[None, Any, Any]:
        """Leave out each second chunk."""
        processed = yield
        return processed if chunk.sequence % 2 else SKIP


@attrs.frozen
class SinkSettings:
    """The table of the sink."""

    database: Path = attrs.field(metadata={"help": "SQLite file", "unit": ""})


@attrs.define(eq=False)
class Sink:
    """A sink."""

    settings_class = SinkSettings

    settings: SinkSettings

    @hookimpl
    def post_publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        """Write a row."""
        if not update.final:
            raise SinkLater(30.0)
        if not result.curves:
            message = f"Run {run.number} has no curve."
            raise SinkRejected(message)
        try:
            with closing(sqlite3.connect(self.settings.database)) as database, database:
                database.execute("CREATE TABLE IF NOT EXISTS runs (number PRIMARY KEY, events)")
                database.execute("REPLACE INTO runs VALUES (?, ?)", (run.number, update.n_events))
        except sqlite3.OperationalError as error:
            message = f"{self.settings.database} cannot be written: {error}."
            raise SinkUnavailable(message) from error
        size = self.settings.database.stat().st_size
        return Receipt(where=str(self.settings.database), when_ns=time.time_ns(), size=size)


if TYPE_CHECKING:

    def types_of(chunk: Chunk, result: Result, instrument: Instrument) -> None:
        """Hold what mypy infers of the public names."""
        assert_type(chunk.events, EventBatch)
        assert_type(chunk.events.tof_us, npt.NDArray[np.float64])
        assert_type(chunk.events.pixel_id, npt.NDArray[np.uint32])
        assert_type(chunk.proton_charge_pc, float)
        assert_type(result.curves[0].y, npt.NDArray[np.float64])
        assert_type(instrument.two_theta, npt.NDArray[np.float64])
        assert_type(difc(instrument), npt.NDArray[np.float64])
