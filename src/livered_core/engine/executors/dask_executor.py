"""Workers of Dask distributed, own ones on this machine or those of a scheduler that runs already.

On each worker an actor of Dask holds a `Reducer`. Blocks and answers go between this process and the worker directly;
the scheduler only says which workers there are. Who waits for a block, and sends it again, is the pool.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from typing import Any, Final

import attrs

from livered_core.clocks import SystemClock
from livered_core.config import EngineConfig
from livered_core.engine.executors.base import Client, ExecutorLost, ExecutorStatus
from livered_core.engine.executors.cluster import (
    CLOSE_WITHIN_S,
    call_on,
    connect,
    import_distributed,
    local_cluster,
    security_of,
)
from livered_core.engine.executors.order import Order
from livered_core.engine.executors.pool import BlockPool, PoolCounts, WorkerLost
from livered_core.engine.executors.reducer import Reducer
from livered_core.hooks.elsewhere import Answer
from livered_core.model import Chunk, RunInfo

_log = logging.getLogger(__name__)

ANSWERS_WITHIN_S: Final = 30.0
"""Seconds that a scheduler has to answer, and workers of livered's own to start."""
_LOOK_EVERY_S: Final = 0.5
_LOOKS_LEFT: Final = 10
"""After so many looks a worker that was taken for lost, and is still there, gets blocks again."""


@attrs.define(eq=False)
class _DaskWorker:
    """A worker with its actor."""

    _client: Any
    name: str
    actor: Any
    is_there: bool = True
    looks_left: int = 0

    def leave(self) -> None:
        """Take note that it is lost."""
        self.is_there = False

    def send(self, order: Order, chunk: Chunk, run: RunInfo) -> Future[Answer]:
        """Send a block; the future is of the client's event loop."""
        return asyncio.run_coroutine_threadsafe(
            _process(self._client, self.name, self.actor.key, (order, chunk, run)),
            self._client.loop.asyncio_loop,
        )


async def _process(client: Any, address: str, key: str, arguments: tuple[Any, ...]) -> Answer:
    """Have a worker's actor process a block, as `distributed.Actor` does, and tell a lost worker from all else."""
    from distributed.protocol import to_serialize

    try:
        answer = await client.rpc(address).actor_execute(
            function="process", actor=key, args=[to_serialize(each) for each in arguments], kwargs={}
        )
    except (OSError, KeyError) as error:
        # A KeyError: it is another worker's life, which knows nothing of the actor.
        message = f"{address} has ended or cannot be reached ({type(error).__name__}: {error})"
        raise WorkerLost(message) from error
    if answer["status"] != "OK":
        raise answer["exception"]
    result: Answer = answer["result"]
    return result


class DaskCrew:
    """The workers of a scheduler. For the reduction thread; `n_workers` may be read from any.

    Parameters
    ----------
    client
        Of the scheduler.
    where
        Its address.
    """

    def __init__(self, client: Any, where: str) -> None:
        self._client = client
        self._clock = SystemClock()
        self.where = where
        self._workers: dict[str, _DaskWorker] = {}
        self._beginning: dict[str, Any] = {}
        self._useless: set[str] = set()
        self._looked_s = -_LOOK_EVERY_S
        self.n_workers = 0
        """How many are ready."""

    def workers(self) -> Sequence[_DaskWorker]:
        """Return the workers that are ready.

        Raises
        ------
        ExecutorLost
            When the scheduler is gone.
        """
        now_s = self._clock.monotonic()
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._look()
        return [worker for worker in self._workers.values() if worker.is_there]

    def wait(self, within_s: float) -> None:
        """Wait until all workers that the scheduler knows are ready."""
        end_s = self._clock.monotonic() + within_s
        self._look()
        for future in list(self._beginning.values()):
            try:
                future.result(timeout=max(0.1, end_s - self._clock.monotonic()))
            except Exception as error:  # noqa: BLE001  (the next look says what became of it)
                _log.debug("A worker is not ready: %s", error)
        self._look()

    def close(self) -> None:
        """End the plugins on the workers, and let go of them."""
        ends = [
            asyncio.run_coroutine_threadsafe(_close(self._client, worker), self._client.loop.asyncio_loop)
            for worker in self._workers.values()
            if worker.is_there
        ]
        # All of them together: some may hang in a call.
        end_s = self._clock.monotonic() + CLOSE_WITHIN_S
        for end in ends:
            try:
                end.result(max(0.0, end_s - self._clock.monotonic()))
            except Exception as error:  # noqa: BLE001  (they end with the process that they are in)
                end.cancel()
                _log.debug("The plugins on a worker cannot be ended: %s", error)
        self._workers.clear()
        self._beginning.clear()
        self.n_workers = 0

    def _look(self) -> None:
        """See which workers there are, and prepare those that have come."""
        addresses = self._addresses()
        for name, worker in list(self._workers.items()):
            if name not in addresses:
                worker.leave()
                del self._workers[name]
            elif not worker.is_there:
                # The scheduler has not noticed, or only the connection was lost: then it begins anew.
                worker.looks_left += 1
                if worker.looks_left > _LOOKS_LEFT:
                    del self._workers[name]
        for name in list(self._beginning):
            if name not in addresses:
                del self._beginning[name]
        # One with the same address later is another.
        self._useless.intersection_update(addresses)
        for name in sorted(set(addresses) - set(self._workers) - set(self._beginning) - self._useless):
            key = f"livered-{secrets.token_hex(8)}"
            self._beginning[name] = call_on(self._client, name, Reducer, actor=True, key=key)
        for name, future in list(self._beginning.items()):
            if future.done():
                del self._beginning[name]
                self._begun(name, future)
        self.n_workers = sum(worker.is_there for worker in self._workers.values())

    def _addresses(self) -> Mapping[str, int]:
        client = self._client
        try:
            if client.status not in ("running", "newly-created"):
                message = f"it is {client.status}"
                raise OSError(message)
            found: Mapping[str, int] = client.sync(client.scheduler.ncores, callback_timeout=ANSWERS_WITHIN_S)
        except (OSError, TimeoutError, asyncio.TimeoutError, CancelledError) as error:
            message = f"Dask's scheduler at {self.where} is gone ({type(error).__name__}: {error}): start it, then livered."
            raise ExecutorLost(message) from error
        return found

    def _begun(self, name: str, future: Any) -> None:
        if future.status == "finished":
            self._workers[name] = _DaskWorker(self._client, name, future)
            return
        if future.status == "error":
            self._useless.add(name)
            _log.error(
                "Dask's worker %s cannot process chunks (%s): install there what is installed where livered runs.",
                name,
                future.exception(),
            )


async def _close(client: Any, worker: _DaskWorker) -> None:
    await client.rpc(worker.name).actor_execute(function="close", actor=worker.actor.key, args=[], kwargs={})


class DaskExecutor:
    """Processes chunks on workers of Dask.

    `blocks` and `close` are for one thread at a time, `status` for any.

    Parameters
    ----------
    config
        The table ``[engine]``.
    crew
        The workers.
    stack
        Ends what is to end with it.
    """

    def __init__(self, config: EngineConfig, crew: DaskCrew, stack: ExitStack) -> None:
        self._config = config
        self._crew = crew
        self._stack = stack
        self._pool: BlockPool | None = None
        # Of the sessions before.
        self._before = PoolCounts()

    @classmethod
    def open(cls, config: EngineConfig) -> DaskExecutor:
        """Start workers, or connect to a scheduler.

        Raises
        ------
        BackendUnavailable
            When Dask distributed is not installed.
        ExecutorLost
            When the scheduler does not answer, or no worker of its own starts.
        ConfigError
            When the files for TLS cannot be used.
        """
        distributed = import_distributed()
        with ExitStack() as stack:
            security = security_of(config, distributed)
            where = config.scheduler_url
            if not where:
                cluster = local_cluster(config, distributed, security, stack)
                where, security = cluster.scheduler_address, cluster.security
            client = connect(distributed, where, security, ANSWERS_WITHIN_S, stack)
            crew = DaskCrew(client, where)
            stack.callback(crew.close)
            crew.wait(ANSWERS_WITHIN_S)
            return cls(config, crew, stack.pop_all())

    def blocks(self, client: Client) -> BlockPool:
        """Make what has the chunks of a session processed; those of the session before are forgotten."""
        if self._pool is not None:
            self._pool.forget()
            counts = self._pool.counts
            self._before = attrs.evolve(
                self._before,
                sent_again=self._before.sent_again + counts.sent_again,
                given_up=self._before.given_up + counts.given_up,
            )
        self._pool = BlockPool(
            self._crew,
            client.make_order,
            self._config.blocks_in_flight,
            client.clock,
            client.stopping,
            client.patience_s,
        )
        return self._pool

    def status(self) -> ExecutorStatus:
        """Return a snapshot; safe from any thread."""
        pool = self._pool
        counts = PoolCounts() if pool is None else pool.counts
        return ExecutorStatus(
            name="dask",
            where=self._crew.where,
            workers=self._crew.n_workers,
            in_flight=counts.in_flight,
            sent_again=self._before.sent_again + counts.sent_again,
            given_up=self._before.given_up + counts.given_up,
            no_workers=counts.no_workers,
            turns=counts.turns,
        )

    def close(self) -> None:
        """End it, and the workers that are its own."""
        self._stack.close()
