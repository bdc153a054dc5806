"""What keeps Dask and its workers from writing over the screen."""

from __future__ import annotations

import importlib.metadata
import logging
import signal
import sys
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
    with _standard_metadata():
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
def _standard_metadata() -> Iterator[None]:
    """Give Dask the standard library's metadata of packages, also on Pythons before 3.12.

    importlib_metadata, which it asks for there, puts itself in the place of the standard library's for the whole process,
    and then one malformed entry point of any package ends every search for plugins.
    """
    name = "importlib_metadata"
    is_there = name in sys.modules
    sys.modules.setdefault(name, importlib.metadata)
    try:
        yield
    finally:
        if not is_there:
            del sys.modules[name]


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
