"""An executor: workers that process chunks for one session after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import attrs

from livered_core.clocks import Clock
from livered_core.config import EngineConfig
from livered_core.engine.executors.order import Order
from livered_core.errors import LiveredError
from livered_core.model import RunInfo
from livered_core.reduction.underway import Blocks


class ExecutorLost(LiveredError):  # noqa: N818  (reads as what happened)
    """There is no way any more to have anything processed elsewhere: the process ends with exit code 1."""


@attrs.frozen
class ExecutorStatus:
    """How an executor does.

    Attributes
    ----------
    name
        As in the configuration, ``"dask"``.
    where
        Address of the scheduler.
    workers
        How many workers are ready.
    in_flight
        Chunks that are out, or whose answer has not been merged yet.
    sent_again
        Times that a chunk was sent again, since its worker was lost.
    given_up
        Chunks that were dropped, since too many workers were lost with them.
    no_workers
        Whether the reduction waits because there is no worker.
    turns
        How often the reduction has looked while it waits for a chunk; for who watches whether it gets on.
    """

    name: str
    where: str
    workers: int = 0
    in_flight: int = 0
    sent_again: int = 0
    given_up: int = 0
    no_workers: bool = False
    turns: int = 0


@attrs.frozen(eq=False)
class Client:
    """What an executor needs of a session.

    Attributes
    ----------
    make_order
        Makes what goes with the blocks of a run; on the reduction thread.
    clock
        The clocks.
    stopping
        Says whether the session was asked to stop.
    patience_s
        How long blocks are waited for then, seconds.
    """

    make_order: Callable[[RunInfo], Order]
    clock: Clock
    stopping: Callable[[], bool]
    patience_s: float


class Executor(Protocol):
    """Processes chunks for sessions, one session at a time."""

    def blocks(self, client: Client) -> Blocks:
        """Make what has the chunks of a session processed; those of the session before are forgotten."""

    def status(self) -> ExecutorStatus:
        """Return a snapshot; safe from any thread."""

    def close(self) -> None:
        """End it, and the workers that are its own."""


@contextmanager
def open_executor(config: EngineConfig) -> Iterator[Executor | None]:
    """Make the configured executor, and close it at the end.

    Parameters
    ----------
    config
        The table ``[engine]``.

    Yields
    ------
    Executor or None
        None where chunks are processed in this process.

    Raises
    ------
    BackendUnavailable
        When Dask distributed is not installed.
    ExecutorLost
        When the scheduler does not answer.
    """
    if config.executor == "single":
        yield None
        return
    from livered_core.engine.executors.dask_executor import DaskExecutor

    executor = DaskExecutor.open(config)
    try:
        yield executor
    finally:
        executor.close()
