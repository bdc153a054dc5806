"""process_chunk in another process: which plugins may, and what comes back.

A plugin says with a class attribute that its process_chunk may run elsewhere, in an instance that sees only some of
the chunks::

    process_elsewhere: ClassVar[bool] = True

and may have an optional method, which is no hook, that tells the instance in the session of each such chunk::

    processed_elsewhere(self, chunk) -> None
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from livered_core.hooks.calls import FinishedCall
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import HookFailure

MAY: Final = "process_elsewhere"
TELL: Final = "processed_elsewhere"
HOOK: Final = "process_chunk"


@attrs.frozen
class Said:
    """A line for the log, from another process.

    Attributes
    ----------
    logger
        Name of the logger.
    level
        Severity, as `logging` has it.
    text
        What is said.
    """

    logger: str
    level: int
    text: str


@attrs.frozen(eq=False)
class Answer:
    """What came of process_chunk in another process.

    Attributes
    ----------
    processed
        What it returned, or SKIP; None where it failed.
    answered_by
        Name of the plugin that gave the answer.
    failure
        Why there is none; None where it worked.
    calls
        The calls that were made for it.
    contained
        Failures of lifecycle hooks there, which do not keep a chunk from being processed.
    said
        What was logged there.
    refused
        Whether whoever was to process it cannot process any chunk of the run, and another may.
    """

    processed: Any = None
    answered_by: str = ""
    failure: HookFailure | None = None
    calls: tuple[FinishedCall, ...] = ()
    contained: tuple[HookFailure, ...] = ()
    said: tuple[Said, ...] = ()
    refused: bool = False


def may_run_elsewhere(plugin_class: type) -> bool:
    """Tell whether a plugin says that its process_chunk may run in another process."""
    return getattr(plugin_class, MAY, False) is True


def processing_plugins(
    plugins: Sequence[LoadedPlugin], owners: Mapping[str, str]
) -> tuple[LoadedPlugin, ...]:
    """Return the plugins whose process_chunk counts, as owner or as wrapper.

    Parameters
    ----------
    plugins
        In the order of their calls.
    owners
        Configured owner of a transform.
    """
    chosen = owners.get(HOOK)
    found = []
    for plugin in plugins:
        role = implemented_hooks(type(plugin.instance)).get(HOOK)
        if role == "wrapper" or (role == "owner" and chosen in (None, plugin.name)):
            found.append(plugin)
    return tuple(found)


def elsewhere_problems(plugins: Sequence[LoadedPlugin], owners: Mapping[str, str], backend: str) -> list[str]:
    """Find out what keeps chunks from being processed elsewhere.

    Parameters
    ----------
    plugins
        In the order of their calls.
    owners
        Configured owner of a transform.
    backend
        ``"native"`` or ``"mantid"``.

    Returns
    -------
    list of str
        One sentence for each problem; empty when all is well.
    """
    if backend != "native":
        return [
            f'engine.executor = "dask" needs the native backend and the backend is {backend}: Mantid\'s workspaces cannot '
            'be sent to workers; set backend = "native", or executor = "single".'
        ]
    return [
        f"Plugin {plugin.name} ({plugin.distribution} {plugin.version}) does not say that its process_chunk may run in "
        f'another process, which engine.executor = "dask" needs: set executor = "single", or, where it may, '
        f"write {MAY} = True into its class."
        for plugin in processing_plugins(plugins, owners)
        if not may_run_elsewhere(type(plugin.instance))
    ]
