"""Blocks on workers: handed out, sent again when a worker is lost with them, and taken in order.

A block is a chunk that is processed elsewhere. It is kept here until its answer is taken, so that it can be sent again,
and each block gives one answer, whatever becomes of the workers.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from typing import Any, Final, Protocol

import attrs

from livered_core.clocks import Clock
from livered_core.engine.executors.order import Order
from livered_core.errors import LiveredError
from livered_core.hooks.elsewhere import Answer
from livered_core.model import Chunk, HookFailure, RunInfo
from livered_core.reduction.underway import Processed

_log = logging.getLogger(__name__)

MOST_LOSSES: Final = 3
"""A block that so many workers were lost with is not sent again."""
PER_WORKER: Final = 2
"""Blocks that a worker has at most: one that it processes, and one that is on the way meanwhile."""
_POLL_S: Final = 0.1


class WorkerLost(LiveredError):  # noqa: N818  (reads as what happened)
    """A worker has ended, or cannot be reached, with what was sent to it."""


class Worker(Protocol):
    """Who processes blocks. Called on the reduction thread."""

    @property
    def name(self) -> str:
        """For people, and different for each."""

    @property
    def is_there(self) -> bool:
        """False when it is known to be lost."""

    def leave(self) -> None:
        """Take note that it is lost: it gets nothing more."""

    def send(self, order: Order, chunk: Chunk, run: RunInfo) -> Future[Answer]:
        """Have it process a block; returns at once. The future raises `WorkerLost` when the worker is."""


class Crew(Protocol):
    """The workers that there are."""

    @property
    def where(self) -> str:
        """Where they are, for people."""

    def workers(self) -> Sequence[Worker]:
        """Return them; called often, on the reduction thread.

        Raises
        ------
        LiveredError
            When there will not be any more.
        """


@attrs.define(eq=False)
class _Block:
    """A block until its answer is taken."""

    order: Order
    chunk: Chunk
    run: RunInfo
    worker: Worker | None = None
    future: Future[Answer] | None = None
    answer: Answer | None = None
    lost_with: list[str] = attrs.field(factory=list)

    @property
    def is_out(self) -> bool:
        return self.future is not None and self.answer is None

    @property
    def load(self) -> int:
        # One that a worker was lost with is alone with the next: it must take no other with it.
        return PER_WORKER if self.lost_with else 1


@attrs.frozen
class PoolCounts:
    """How a pool does.

    Attributes
    ----------
    in_flight
        Blocks whose answer has not been taken.
    sent_again
        Times that a block was sent again, since its worker was lost.
    given_up
        Blocks that too many workers were lost with.
    no_workers
        Whether blocks wait because there is no worker.
    turns
        How often somebody has looked at the blocks while waiting for one.
    """

    in_flight: int = 0
    sent_again: int = 0
    given_up: int = 0
    no_workers: bool = False
    turns: int = 0


class BlockPool:
    """The blocks of a session. For the reduction thread; `counts` may be read from any.

    Parameters
    ----------
    crew
        The workers.
    make_order
        Makes what goes with the blocks of a run that begins, or that goes on with other plugins.
    most
        Blocks that are out at most; 0 for two for each worker.
    clock
        For how long is waited after the session was asked to stop.
    stopping
        Says whether it was.
    patience_s
        How long is waited then, seconds.
    pause
        Waits until one of these has come back, or for a moment.
    """

    def __init__(
        self,
        crew: Crew,
        make_order: Callable[[RunInfo], Order],
        most: int,
        clock: Clock,
        stopping: Callable[[], bool],
        patience_s: float,
        pause: Callable[[Sequence[Future[Answer]]], None] | None = None,
    ) -> None:
        self._crew = crew
        self._make_order = make_order
        self._most = most
        self._clock = clock
        self._stopping = stopping
        self._patience_s = patience_s
        self._pause = pause or self._pause_here
        self._stop_seen_s: float | None = None
        self._order: Order | None = None
        self._blocks: deque[_Block] = deque()
        # Workers that have refused a block of the run in hand, and whether one has not.
        self._refusing: set[str] = set()
        self._some_are_fit = False
        self._nothing = threading.Event()
        self.counts = PoolCounts()
        """How it does; another object each time."""

    @property
    def is_full(self) -> bool:
        """Whether as many blocks are out as may be."""
        most = self._most or PER_WORKER * max(1, len(self._workers()))
        return len(self._blocks) >= most

    def begin(self, run: RunInfo) -> None:
        """Forget all blocks, and make ready for those of a run."""
        self.forget()
        self._refusing.clear()
        self._some_are_fit = False
        self._order = self._make_order(run)

    def send(self, chunk: Chunk, run: RunInfo) -> None:
        """Have a chunk processed.

        Raises
        ------
        LiveredError
            When there will not be any worker any more.
        """
        order = self._order
        if order is None:
            message = "A chunk came before its run: the pipeline must call begin first."
            raise RuntimeError(message)
        answer = None if order.failure is None else Answer(failure=_on(order.failure, chunk))
        self._blocks.append(_Block(order, chunk, run, answer=answer))
        self._look()

    def take(self, *, wait: bool) -> Processed | None:
        """Return the oldest block that is out when it has been processed; None else, and when waiting is given up.

        Raises
        ------
        LiveredError
            When there will not be any worker any more.
        """
        if not self._blocks:
            return None
        self._look()
        block = self._blocks[0]
        while wait and block.answer is None and not self._is_waited_enough():
            self._wait()
            self._look()
        if block.answer is None:
            return None
        self._blocks.popleft()
        self._count()
        return Processed(block.chunk, block.run, block.answer)

    def forget(self) -> tuple[Chunk, ...]:
        """Forget all blocks that are out; their answers come to nobody."""
        chunks = tuple(block.chunk for block in self._blocks)
        for block in self._blocks:
            if block.future is not None:
                block.future.cancel()
        self._blocks.clear()
        self._count()
        return chunks

    def _is_waited_enough(self) -> bool:
        if not self._stopping():
            self._stop_seen_s = None
            return False
        now_s = self._clock.monotonic()
        if self._stop_seen_s is None:
            self._stop_seen_s = now_s
        return now_s - self._stop_seen_s >= self._patience_s

    def _wait(self) -> None:
        futures = [block.future for block in self._blocks if block.is_out and block.future is not None]
        self._pause(futures)
        # Of one that is gone it is known sooner there than by what was sent to it.
        self._crew.workers()
        self._count(turns=self.counts.turns + 1)

    def _pause_here(self, futures: Sequence[Future[Answer]]) -> None:
        if futures:
            wait_for(futures, _POLL_S, FIRST_COMPLETED)
        else:
            self._clock.wait(self._nothing, _POLL_S)

    def _look(self) -> None:
        """Take what has come back, and hand out what is not with a worker."""
        for block in self._blocks:
            if block.is_out:
                self._collect(block)
        if any(block.future is None and block.answer is None for block in self._blocks):
            self._hand_out()
        self._count()

    def _collect(self, block: _Block) -> None:
        future, worker = block.future, block.worker
        if future is None or worker is None:
            return
        if not future.done():
            if worker.is_there:
                return
            future.cancel()
            why = f"{worker.name} is gone"
        else:
            try:
                self._answered(block, worker, future.result())
            except (WorkerLost, CancelledError) as error:
                why = str(error) or f"what was sent to {worker.name} was cancelled"
            except Exception as error:  # noqa: BLE001  (whatever it is, it is this block's)
                block.answer = Answer(
                    failure=block.order.blame(f"{type(error).__name__}: {error}", block.chunk)
                )
                return
            else:
                return
        worker.leave()
        self._lose(block, worker.name, why)

    def _answered(self, block: _Block, worker: Worker, answer: Answer) -> None:
        if not answer.refused:
            self._some_are_fit = True
            block.answer = answer
            return
        if worker.name not in self._refusing and answer.failure is not None:
            _log.error("Worker %s gets no chunks of this run: %s", worker.name, answer.failure.error)
        self._refusing.add(worker.name)
        if self._some_are_fit or any(each.name not in self._refusing for each in self._crew.workers()):
            block.future = block.worker = None
        else:
            # All of them: it is a fault of what is installed, and ends the session after a few chunks.
            block.answer = answer

    def _workers(self) -> Sequence[Worker]:
        """Return who may get blocks: those that refuse only as long as nobody has done without."""
        workers = self._crew.workers()
        fit = [worker for worker in workers if worker.name not in self._refusing]
        return fit if fit or self._some_are_fit else workers

    def _lose(self, block: _Block, name: str, why: str) -> None:
        block.lost_with.append(name)
        block.future = block.worker = None
        if len(block.lost_with) >= MOST_LOSSES:
            workers = ", ".join(block.lost_with)
            sentence = (
                f"{len(block.lost_with)} workers were lost with it, one after another ({workers}; the last: {why}): "
                "it is not sent again. What process_chunk does with it may end a process, or want too much memory."
            )
            block.answer = Answer(failure=block.order.blame(sentence, block.chunk))
            self._count(given_up=self.counts.given_up + 1)
            return
        _log.warning("A worker is lost with chunk %d, which is sent again: %s", block.chunk.sequence, why)
        self._count(sent_again=self.counts.sent_again + 1)

    def _hand_out(self) -> None:
        """Send the blocks that are with nobody, the oldest first, to the workers that have least to do."""
        workers = self._workers()
        self._say_whether_there_are(workers)
        load: dict[str, int] = {worker.name: 0 for worker in workers}
        for block in self._blocks:
            if block.is_out and block.worker is not None:
                load[block.worker.name] = load.get(block.worker.name, 0) + block.load
        for block in self._blocks:
            if block.future is not None or block.answer is not None:
                continue
            free = [worker for worker in workers if load[worker.name] + block.load <= PER_WORKER]
            if not free:
                continue
            worker = min(free, key=lambda each: load[each.name])
            load[worker.name] += block.load
            block.worker, block.future = worker, worker.send(block.order, block.chunk, block.run)

    def _say_whether_there_are(self, workers: Sequence[Worker]) -> None:
        none = not workers
        if none and not self.counts.no_workers:
            _log.warning("There is no worker at %s: the reduction waits until one comes.", self._crew.where)
        elif not none and self.counts.no_workers:
            _log.info("There are workers at %s again: the reduction goes on.", self._crew.where)
        self._count(no_workers=none)

    def _count(self, **changes: Any) -> None:
        self.counts = attrs.evolve(self.counts, in_flight=len(self._blocks), **changes)


def _on(failure: HookFailure, chunk: Chunk) -> HookFailure:
    return attrs.evolve(failure, chunk_sequence=chunk.sequence)
