"""What plugins keep of the run in hand outside what is accumulated: saved with a checkpoint, and given back.

Two optional methods of a plugin, which are no hooks::

    save_state(self) -> Any
    restore_state(self, state) -> None
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from livered_core.errors import HookError
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import HookFailure

SAVE = "save_state"
RESTORE = "restore_state"


def keeps_state(plugin_class: type) -> bool:
    """Tell whether a plugin keeps something of the run in hand that is saved with a checkpoint."""
    return hasattr(plugin_class, SAVE) or hasattr(plugin_class, RESTORE)


def save_states(plugins: Sequence[LoadedPlugin]) -> dict[str, Any]:
    """Ask plugins for what they keep of the run in hand. Called on the reduction thread, between two chunks.

    Parameters
    ----------
    plugins
        In the order of their calls.

    Returns
    -------
    dict of str to Any
        Name of each plugin that has the methods, to what it gave.

    Raises
    ------
    HookError
        When a plugin fails, or has only one of the methods: there can be no checkpoint then.
    """
    states: dict[str, Any] = {}
    for plugin in plugins:
        if not keeps_state(type(plugin.instance)):
            continue
        try:
            save, _ = plugin.instance.save_state, plugin.instance.restore_state
            states[plugin.name] = save()
        except (Exception, SystemExit) as error:
            raise HookError(_failure(plugin, SAVE, error)) from error
    return states


def restore_states(plugins: Sequence[LoadedPlugin], states: Mapping[str, Any]) -> str:
    """Give plugins what they kept. Called on the reduction thread, after ``run_started`` and before the next chunk.

    Parameters
    ----------
    plugins
        In the order of their calls.
    states
        What `save_states` gave.

    Returns
    -------
    str
        Empty when all have taken it. Else a sentence that names the plugin which has not: the run must begin again
        then, with ``run_started`` of every plugin, since some may have taken theirs.
    """
    for plugin in plugins:
        if not keeps_state(type(plugin.instance)):
            continue
        if plugin.name not in states:
            return f"Plugin {plugin.name} {plugin.version} keeps something of the run, and it was not saved."
        try:
            plugin.instance.restore_state(states[plugin.name])
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's failure is that plugin's)
            return _failure(plugin, RESTORE, error).sentence
    return ""


def _failure(plugin: LoadedPlugin, method: str, error: BaseException) -> HookFailure:
    try:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:2000]
        trace = "".join(traceback.format_exception(error))[-50_000:]
    except Exception:  # noqa: BLE001  (an exception may fail even in saying what it is)
        text, trace = type(error).__name__, ""
    return HookFailure(
        plugin=plugin.name,
        version=plugin.version,
        hook=method,
        error=text,
        traceback=trace,
        chunk_sequence=None,
        consecutive=1,
    )
