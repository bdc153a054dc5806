"""What keeps Dask and its workers from writing over the screen."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_LOGGERS = ("distributed", "bokeh", "tornado", "tornado.application")


def quiet_dask() -> None:
    """Import Dask distributed, and let what it has to say go into livered's log.

    Raises
    ------
    ImportError
        Where it is not installed.
    """
    import distributed  # noqa: F401

    for name in _LOGGERS:
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.ERROR)
    # They say with tracebacks what livered says in a sentence: a worker is lost, the scheduler is gone.
    for name in ("nanny", "client", "core", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)


@contextmanager
def without_sigint() -> Iterator[None]:
    """Let no process that is started here, or from a thread that is, get SIGINT.

    At a terminal it comes to all processes, and livered ends its workers itself. They have it blocked as their parent's
    thread has, also those that take the place of others later.
    """
    # Once it runs, it leaves the signals of the threads that start processes alone.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
