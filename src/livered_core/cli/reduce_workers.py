"""The workers that the files of a batch share: started when the first file needs them, ended with the batch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from livered_core.config import EngineConfig
from livered_core.engine.executors import Executor, ExecutorStatus, open_executor
from livered_core.engine.executors.base import Client
from livered_core.reduction.underway import Blocks


class SharedExecutor:
    """An executor that is started when the first session has chunks for it; one of which nothing came costs nothing.

    Parameters
    ----------
    config
        The table ``[engine]``, with another executor than ``"single"``.
    stack
        Ends it.
    tell
        Takes a sentence for the screen when it has been started.
    """

    def __init__(self, config: EngineConfig, stack: ExitStack, tell: Callable[[str], None]) -> None:
        self._config = config
        self._stack = stack
        self._tell = tell
        self._executor: Executor | None = None

    def blocks(self, client: Client) -> Blocks:
        """Make what has the chunks of a session processed.

        Raises
        ------
        LiveredError
            When it cannot be started.
        """
        executor = self._executor
        if executor is None:
            executor = self._stack.enter_context(open_executor(self._config))
            assert executor is not None
            self._executor = executor
            status = executor.status()
            self._tell(f"{_workers(status.workers)} at {status.where}.")
        return executor.blocks(client)

    def status(self) -> ExecutorStatus:
        """Return a snapshot; safe from any thread."""
        executor = self._executor
        if executor is None:
            return ExecutorStatus(name=self._config.executor, where="")
        return executor.status()

    def close(self) -> None:
        """Do nothing: it ends with the batch."""

    def words(self) -> str:
        """Say how the workers do, for the screen; empty before they are there."""
        if self._executor is None:
            return ""
        status = self.status()
        again = f", {status.sent_again} chunks sent again" if status.sent_again else ""
        return f"{_workers(status.workers)}{again}"


def _workers(number: int) -> str:
    return f"{number} worker{'' if number == 1 else 's'}"
