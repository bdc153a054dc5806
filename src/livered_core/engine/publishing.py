"""What hands results to the sinks, made of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import Receipt
from livered_core.publish.books import Books
from livered_core.publish.delivery import Patience, Taken
from livered_core.publish.latest import Published
from livered_core.publish.outbox import Outbox
from livered_core.publish.output_budget import OutputBudget
from livered_core.publish.result_files import ResultFiles
from livered_core.publish.worker import PublishWorker


def publish_worker(
    config: Config,
    hooks: Dispatcher,
    results: ResultFiles,
    books: Books,
    clock: Clock,
    state_folder: Callable[[], Path] | None,
    stack: ExitStack,
) -> PublishWorker:
    """Make the publish worker of a session.

    Parameters
    ----------
    config, hooks, results, books, clock
        Of the session.
    state_folder
        Gives the folder in which final results wait; None where they can be made again, from a recording.
    stack
        Takes what must be closed after the worker.
    """
    publish = config.publish
    patience = Patience(Backoff(publish.retry_first, publish.retry_longest), publish.give_up_after * 3600.0)
    if state_folder is None:
        return PublishWorker(hooks, results.show, clock, patience, taken=books.runs.taken)
    outbox = Outbox(state_folder, config.limits.unsent_bytes)
    taken: Taken = books.runs.taken
    if config.limits.outputs_bytes:
        taken = _budgeted(books, state_folder, config.limits.outputs_bytes, stack)
    return PublishWorker(hooks, results.show, clock, patience, outbox=outbox, taken=taken)


def _budgeted(books: Books, state_folder: Callable[[], Path], most_bytes: int, stack: ExitStack) -> Taken:
    """Have the oldest reduced files removed where all together take more than they may."""
    outputs = OutputBudget(state_folder, most_bytes)
    outputs.start()
    stack.callback(outputs.close)

    def taken(sink: str, item: Published, receipt: Receipt) -> None:
        books.runs.taken(sink, item, receipt)
        outputs.taken(sink, item, receipt)

    return taken
