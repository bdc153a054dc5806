"""A session's checkpoints: which one it goes on from, and when a new one is made.

The run in hand is kept between two chunks, together with its place in the stream and with what plugins keep of it
beside what is accumulated. A session that finds such a checkpoint, made with the same code and settings, goes on from
it as if nothing had been; else the run is replayed from its start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.chunking.position import StreamPosition
from livered_core.clocks import Clock
from livered_core.config import CheckpointConfig
from livered_core.engine.checkpoint_writer import CheckpointStatus, CheckpointWriter
from livered_core.engine.fingerprint import CORE_CODE, allowed_modules
from livered_core.errors import LiveredError
from livered_core.hooks.plugin_state import restore_states, save_states
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import RunEndReason
from livered_core.model.utc import format_utc
from livered_core.publish.published_runs import PublishedRuns, RunKey, run_key
from livered_core.reduction.checkpoint import Checkpoint
from livered_core.reduction.checkpoint_store import CheckpointStore
from livered_core.reduction.pipeline import Pipeline
from livered_core.reduction.run_state import RunState

_log = logging.getLogger(__name__)

LOAD_WITHIN_S: Final = 30.0
"""Seconds that the disk has to give what an earlier session left."""
WRITE_WITHIN_S: Final = 10.0
"""Seconds that the disk has for the last checkpoint of a session."""


@attrs.frozen(eq=False)
class Left:
    """What earlier sessions left.

    Attributes
    ----------
    checkpoint
        The newest that can be gone on from; None without one.
    published
        Runs whose final result has been published.
    """

    checkpoint: Checkpoint | None = None
    published: frozenset[RunKey] = frozenset()


class Checkpointing:
    """Makes the checkpoints of a session and finds those of the one before.

    `reached`, `run_ends`, `session_ends` and `resume` are for the reduction thread, `load` and `close` for the main
    thread, `status` for any.

    Parameters
    ----------
    folder
        Gives the state folder of the instrument; its errors say why it cannot be used.
    config
        The table ``[checkpoint]``.
    fingerprint
        What the accumulated data depend on beside the stream.
    plugins
        Gives the session's plugins as they are.
    clock
        The clocks.
    """

    def __init__(
        self,
        folder: Callable[[], Path],
        config: CheckpointConfig,
        fingerprint: Callable[[], Mapping[str, str]],
        plugins: Callable[[], Sequence[LoadedPlugin]],
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._config = config
        self._fingerprint = fingerprint
        self._plugins = plugins
        self._clock = clock
        self._sequence = 0
        self._left = Left()
        self._said = ""
        self._made_with: Mapping[str, str] = {}
        self._writer: CheckpointWriter | None = None

    @property
    def published(self) -> frozenset[RunKey]:
        """Runs whose final result has been published by earlier sessions; known after `load`."""
        return self._left.published

    def status(self) -> CheckpointStatus | None:
        """Return how keeping goes; None where nothing is kept."""
        return None if self._writer is None else self._writer.status()

    def load(self, *, use: bool = True) -> None:
        """Read what earlier sessions left, and begin to keep. A disk that does not answer is not waited for.

        Parameters
        ----------
        use
            Whether a checkpoint may be gone on from.
        """
        found: list[Left] = []
        store: list[CheckpointStore] = []
        thread = threading.Thread(
            target=self._read, args=(store, found, use), name="livered-checkpoint", daemon=True
        )
        thread.start()
        thread.join(LOAD_WITHIN_S)
        if thread.is_alive():
            _log.error(
                "The disk with the checkpoints has not answered for %g s: the run in hand is replayed from its start, "
                "and nothing is kept of it. See to the file system of the state folder.",
                LOAD_WITHIN_S,
            )
            return
        self._left = found[0] if found else Left()
        if store and self._config.enabled:
            self._writer = CheckpointWriter(store[0], self._clock, self._config.every)

    def _read(self, store: list[CheckpointStore], found: list[Left], use: bool) -> None:
        try:
            folder = self._folder()
            store.append(CheckpointStore(folder, self._config.max_bytes))
            self._made_with = dict(self._fingerprint())
            published = PublishedRuns(folder / "published.json").load()
            checkpoint = self._find(store[0], published) if self._config.enabled and use else None
            found.append(Left(checkpoint, published))
        except (OSError, LiveredError) as error:
            _log.error(
                "Nothing of earlier sessions can be read (%s): the run in hand is replayed from its start.",
                error,
            )

    def _find(self, store: CheckpointStore, published: frozenset[RunKey]) -> Checkpoint | None:
        plugins = self._plugins()
        ours = allowed_modules(plugins)
        loaded = store.load(self._made_with, lambda module: module.partition(".")[0] in ours)
        for remark in loaded.remarks:
            _log.warning("%s", remark)
        if loaded.remarks and loaded.checkpoint is None:
            _log.warning(
                "The run in hand is replayed from its start. One that has ended meanwhile cannot be: its newest result "
                "stays, and is not complete."
            )
        found = loaded.checkpoint
        if found is not None and found.ended is None and run_key(found.state.run) in published:
            return None
        return found

    def resume(self, pipeline: Pipeline) -> StreamPosition | None:
        """Let the pipeline go on from the checkpoint that was found.

        Returns
        -------
        StreamPosition or None
            From where the source must go on; None where it begins as configured.
        """
        checkpoint, self._left = self._left.checkpoint, attrs.evolve(self._left, checkpoint=None)
        if checkpoint is None:
            return None
        state, run = checkpoint.state, checkpoint.state.run
        if checkpoint.ended is not None and run_key(run) in self._left.published:
            pipeline.carry_on(state)
            return None

        def restore() -> str:
            return restore_states(self._plugins(), checkpoint.plugins)

        ended = checkpoint.ended is not None
        why = pipeline.resume(state, checkpoint.position, restore, ended=ended)
        if why and ended:
            _log.error("Run %d is over, and its final result cannot be made any more: %s", run.number, why)
            return None
        if why:
            _log.warning(
                "Run %d cannot go on from its checkpoint and is replayed from its start: %s", run.number, why
            )
            return None
        _log.info(
            "Run %d goes on from its checkpoint of %s, with %d events in %d chunks up to %s.",
            run.number,
            format_utc(checkpoint.made_ns),
            state.n_events,
            state.n_chunks,
            format_utc(state.last_pulse_ns),
        )
        if checkpoint.ended is not None:
            pipeline.run_ended(checkpoint.ended)
            return None
        position: StreamPosition = checkpoint.position
        return position

    def reached(self, state: RunState, position: StreamPosition) -> None:
        """Keep a run between two chunks, if it is time for that."""
        writer = self._writer
        if writer is None:
            return
        writer.saw(state)
        if writer.due(self._clock.monotonic()):
            self._keep(state, position, None)

    def run_ends(self, state: RunState, position: StreamPosition, reason: RunEndReason) -> None:
        """Keep a run that is over, whose final result is yet to be made."""
        self._keep(state, position, reason)

    def session_ends(self, state: RunState, position: StreamPosition) -> None:
        """Keep a run as the session leaves it."""
        self._keep(state, position, None)

    def _keep(self, state: RunState, position: StreamPosition, ended: RunEndReason | None) -> None:
        writer = self._writer
        if writer is None:
            return
        checkpoint = self._made(state, position, ended)
        if checkpoint is not None:
            writer.offer(checkpoint)

    def _made(
        self, state: RunState, position: StreamPosition, ended: RunEndReason | None
    ) -> Checkpoint | None:
        try:
            kept: Mapping[str, Any] = save_states(self._plugins())
        except LiveredError as error:
            if str(error) != self._said:
                self._said = str(error)
                _log.error("Run %d cannot be kept for a restart: %s", state.run.number, error)
            return None
        self._sequence += 1
        return Checkpoint(
            state=state,
            position=position,
            plugins=kept,
            fingerprint=self._made_with,
            made_ns=self._clock.now_ns(),
            ended=ended,
            sequence=self._sequence,
        )

    def plugins_changed(self) -> None:
        """Take note that other code or settings of plugins reduce from now on. Called on the reduction thread."""
        # livered's own code is that of the start, whatever lies on the disk.
        self._made_with = {**self._fingerprint(), CORE_CODE: self._made_with.get(CORE_CODE, "")}

    def abandon(self) -> None:
        """Keep nothing more: somebody else has the folder. Safe from any thread."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()

    def close(self) -> None:
        """Wait until the last checkpoint is on the disk, and end."""
        if self._writer is not None and not self._writer.close(None, WRITE_WITHIN_S):
            _log.error(
                "The last checkpoint is not on the disk: the next start goes on from the one before, or replays the run."
            )
