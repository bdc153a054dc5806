"""What ``status.json`` says of the plugins of an engine, in words: nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from livered_core.cli.status_facts import safe
from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.engine.plugin_words import MOST_ROWS, RUNS, took

_TEXTS: Final = ("name", "version", "distribution", "class", "file", "kind", "state", "reason")
_HOOK_TEXTS: Final = ("hook", "role", "last_error")
_HOOK_COUNTS: Final = ("calls", "failures", "failures_in_a_row")
_HOOK_TIMES: Final = ("mean_s", "last_s", "longest_s", "running_s")
_MOST_HOOKS: Final = 20


def rows_in(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the rows of the plugins in a status.

    Parameters
    ----------
    status
        What is in ``status.json``. One of a livered that wrote no rows has the names and versions of its plugins.

    Returns
    -------
    list of dict
        With the keys of `livered_core.engine.plugin_rows.PluginRow.as_dict`; every text on one line, and bounded.
    """
    listed = status.get("plugins")
    if not isinstance(listed, list):
        session = table_of(status, "session")
        started_ns = time_of(session, "started_ns")
        listed = [
            {"name": name, "version": version, "state": RUNS, "since_ns": started_ns}
            for name, version in table_of(session, "plugins").items()
        ]
    return [_row(row) for row in listed[:MOST_ROWS] if isinstance(row, Mapping)]


def hook_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Say of each hook of a row what it has done: one line each.

    Parameters
    ----------
    row
        Of `rows_in`.
    """
    for hook in row["hooks"]:
        role = "" if hook["role"] == "owner" else f" ({hook['role']})"
        yield f"{hook['hook']}{role}: {_deeds(hook)}"


def _deeds(hook: Mapping[str, Any]) -> str:
    said = [
        f"{hook['calls']:,} call{'s' if hook['calls'] != 1 else ''}" if hook["calls"] else "not called yet"
    ]
    said += [
        f"{word} {took(hook[key])}"
        for key, word in (("mean_s", "mean"), ("last_s", "last"), ("longest_s", "longest"))
        if hook[key] is not None
    ]
    if hook["running_s"] is not None:
        said.append(f"one under way for {took(hook['running_s'])}")
    text = ", ".join(said)
    if hook["failures"]:
        again = f", the newest {hook['failures_in_a_row']} in a row" if hook["failures_in_a_row"] > 1 else ""
        text += f"; {hook['failures']:,} FAILED{again}, the last: {hook['last_error']}"
    return text


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    models, hooks = row.get("data_models"), row.get("hooks")
    return {
        **{key: safe(row.get(key) or "") for key in _TEXTS},
        "data_models": [safe(model) for model in models[:_MOST_HOOKS]] if isinstance(models, list) else [],
        "since_ns": time_of(row, "since_ns"),
        "hooks": [
            _hook(hook)
            for hook in (hooks[:_MOST_HOOKS] if isinstance(hooks, list) else [])
            if isinstance(hook, Mapping)
        ],
    }


def _hook(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: safe(hook.get(key) or "") for key in _HOOK_TEXTS},
        **{key: int(number_of(hook, key) or 0) for key in _HOOK_COUNTS},
        **{key: number_of(hook, key) for key in _HOOK_TIMES},
    }
