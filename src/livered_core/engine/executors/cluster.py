"""The way to workers of Dask: those of a scheduler that runs already, or own ones on this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from livered_core.config import EngineConfig
from livered_core.engine.executors.base import ExecutorLost
from livered_core.engine.executors.quiet import quiet_dask, without_sigint
from livered_core.errors import BackendUnavailable, ConfigError

CLOSE_WITHIN_S: Final = 5.0
"""Seconds that the other side has to take note of an end."""


def import_distributed() -> Any:
    """Import Dask distributed, so that it writes nothing over the screen.

    Raises
    ------
    BackendUnavailable
        When it is not installed.
    """
    try:
        quiet_dask()
        import distributed
    except ImportError as error:
        message = (
            f'engine.executor = "dask" needs Dask distributed, which cannot be imported ({error}): '
            "pip install 'livered-core[dask]'"
        )
        raise BackendUnavailable(message) from error
    return distributed


def connect(distributed: Any, where: str, security: Any, within_s: float, stack: ExitStack) -> Any:
    """Return a client of a scheduler.

    Parameters
    ----------
    distributed
        The package.
    where
        The scheduler's address.
    security
        From `security_of`.
    within_s
        Seconds that the scheduler has to answer.
    stack
        Ends the client.

    Raises
    ------
    ExecutorLost
        When the scheduler does not answer.
    """
    try:
        client = distributed.Client(
            where, security=security, timeout=within_s, set_as_default=False, direct_to_workers=True
        )
    except (OSError, TimeoutError, asyncio.TimeoutError) as error:
        message = f"Dask's scheduler at {where} does not answer within {within_s:.0f} s ({error}): start it."
        raise ExecutorLost(message) from error
    stack.callback(client.close, timeout=CLOSE_WITHIN_S)
    return client


class _Call:
    """What becomes a call when it is unpickled."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def call_on(client: Any, worker: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Have a worker call a function of livered, and return the future.

    A worker of Dask ends when it gets what it cannot unpickle. Sent in this way, a function that it does not have is
    the failure of the call.

    Parameters
    ----------
    client
        From `connect`.
    worker
        Its address.
    function, arguments
        What is called, and with what.
    options
        Of ``Client.submit``.
    """
    return client.submit(
        pickle.loads,
        pickle.dumps(_Call(function, arguments), protocol=5),
        workers=[worker],
        allow_other_workers=False,
        pure=False,
        **options,
    )


def security_of(config: EngineConfig, distributed: Any) -> Any:
    """Return what Dask is to know of certificates; None without TLS.

    Raises
    ------
    ConfigError
        When the files for TLS cannot be used.
    """
    if not config.has_tls:
        return None
    missing = [str(path) for path in (config.tls_ca, config.tls_cert, config.tls_key) if not _is_file(path)]
    if missing:
        raise ConfigError([f"engine: {path} is not a file that can be read." for path in missing])
    return distributed.Security(
        tls_ca_file=str(config.tls_ca),
        tls_client_cert=str(config.tls_cert),
        tls_client_key=str(config.tls_key),
        tls_scheduler_cert=str(config.tls_cert),
        tls_scheduler_key=str(config.tls_key),
        tls_worker_cert=str(config.tls_cert),
        tls_worker_key=str(config.tls_key),
        require_encryption=True,
    )


def _is_file(path: Path | None) -> bool:
    return path is not None and path.is_file() and os.access(path, os.R_OK)


def own_workers(config: EngineConfig) -> int:
    """Return how many workers livered starts where it has workers of its own."""
    return config.workers or len(os.sched_getaffinity(0))


def local_cluster(config: EngineConfig, distributed: Any, security: Any, stack: ExitStack) -> Any:
    """Start workers on this machine: no other machine reaches them, and no other person, who has no certificate.

    Parameters
    ----------
    config
        The table ``[engine]``.
    distributed
        The package.
    security
        From `security_of`.
    stack
        Ends the workers, and removes their folder.
    """
    if security is None and not config.allow_unencrypted:
        security = distributed.Security.temporary()
    folder = stack.enter_context(
        tempfile.TemporaryDirectory(prefix="livered-workers-", ignore_cleanup_errors=True)
    )
    with without_sigint():
        return stack.enter_context(
            distributed.LocalCluster(
                n_workers=own_workers(config),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://" if security is not None else "tcp://",
                security=security,
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                local_directory=folder,
                silence_logs=logging.ERROR,
            )
        )
