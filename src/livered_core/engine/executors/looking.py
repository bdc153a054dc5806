"""What ``livered check`` says of the workers that chunks would be processed on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any, Final

from livered_core.clocks import SystemClock
from livered_core.config import Config
from livered_core.engine.executors.cluster import (
    call_on,
    connect,
    import_distributed,
    own_workers,
    security_of,
)
from livered_core.engine.executors.code import code_as_imported, require_code, require_version
from livered_core.engine.executors.order import code_of
from livered_core.engine.fingerprint import CORE_PACKAGE
from livered_core.errors import LiveredError
from livered_core.hooks.elsewhere import elsewhere_problems, processing_plugins
from livered_core.hooks.registry import LoadedPlugin

_ANSWERS_WITHIN_S: Final = 5.0
_LOOKED_WITHIN_S: Final = 30.0
"""Seconds in which all workers must have imported the plugins."""


def look_at_workers(
    config: Config, plugins: Sequence[LoadedPlugin], backend: str, *, reach: bool
) -> tuple[str, list[str]]:
    """Say where chunks would be processed, and what keeps them from it.

    Parameters
    ----------
    config
        The configuration; its executor is not ``"single"``.
    plugins
        In the order of their calls.
    backend
        ``"native"`` or ``"mantid"``.
    reach
        Whether to ask a scheduler, and its workers what they have installed.

    Returns
    -------
    tuple
        What to tell, and one sentence for each problem.

    Raises
    ------
    LiveredError
        When Dask is missing, or the scheduler does not answer.
    """
    problems = elsewhere_problems(plugins, config.hooks.owner, backend)
    distributed = import_distributed()
    dask = f"Dask distributed {distributed.__version__}"
    security = security_of(config.engine, distributed)
    where = config.engine.scheduler_url
    if not where:
        n = own_workers(config.engine)
        return f"{dask}, {n} worker{'' if n == 1 else 's'} of livered's own on this machine", problems
    if not reach:
        return f"{dask}, those of the scheduler at {where}, not tried", problems
    processing = processing_plugins(plugins, config.hooks.owner)
    code = {CORE_PACKAGE: code_as_imported(CORE_PACKAGE), **code_of(processing)}
    clock = SystemClock()
    with ExitStack() as stack:
        client = connect(distributed, where, security, _ANSWERS_WITHIN_S, stack)
        threads: Mapping[str, int] = client.nthreads()
        asked = {
            worker: call_on(client, worker, _what_is_wrong, version("livered-core"), code)
            for worker in threads
        }
        end_s = clock.monotonic() + _LOOKED_WITHIN_S
        found = {
            worker: _found(answer, max(0.1, end_s - clock.monotonic())) for worker, answer in asked.items()
        }
    if not threads:
        problems.append(
            f"engine: the scheduler at {where} has no worker: livered would wait for one; start some with: "
            f"dask worker {where} --nthreads 1"
        )
    for worker, wrong in sorted(found.items()):
        if wrong:
            problems.append(f"engine: Dask's worker {worker} would get no chunks: {wrong}")
    return f"{dask}, {_counted(threads, found)} of the scheduler at {where}", problems


def _what_is_wrong(livered: str, code: Mapping[str, str]) -> str:
    """Say why a worker cannot process chunks; runs on it."""
    try:
        require_version(livered)
        require_code(code)
    except LiveredError as error:
        return str(error)
    return ""


def _found(answer: Any, within_s: float) -> str:
    """Return what a worker said is wrong there."""
    try:
        wrong: str = answer.result(timeout=within_s)
    except (TimeoutError, asyncio.TimeoutError):
        return f"it does not answer within {_LOOKED_WITHIN_S:.0f} s."
    except Exception as error:  # noqa: BLE001  (what it cannot import is not known)
        return f"{type(error).__name__}: {error}; install there what is installed where livered runs."
    return wrong


def _counted(threads: Mapping[str, int], found: Mapping[str, str]) -> str:
    right = sum(1 for wrong in found.values() if not wrong)
    n = len(threads)
    words = f"{n} worker{'' if n == 1 else 's'}, {right} with the code that is here,"
    several = sum(1 for number in threads.values() if number > 1)
    if several:
        words = f"{words[:-1]}, {several} with several threads, of which chunks use one,"
    return words
