"""What the log says of plugins: what runs, what another takes the place of, and what each has done in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from livered_core.engine.plugin_rows import HookRow, PluginRow
from livered_core.engine.plugin_words import LEFT_OUT, took


@attrs.define(eq=False)
class PluginStory:
    """Finds out what is worth a line in the log; belongs to one thread."""

    _rows: dict[str, PluginRow] = attrs.field(factory=dict, init=False)

    def update(self, rows: Sequence[PluginRow]) -> list[tuple[str, str]]:
        """Take up the rows as they are.

        Parameters
        ----------
        rows
            Of all plugins that run.

        Returns
        -------
        list of (str, str)
            Name of a plugin, and what to say of it: of those that run for the first time, in another instance than
            before, or no more.
        """
        before, self._rows = self._rows, {row.name: row for row in rows}
        said = [
            (name, f"{_who(row)} runs no more: {'; '.join(_deeds(row)) or 'it was never called'}.")
            for name, row in before.items()
            if name not in self._rows
        ]
        for row in rows:
            old = before.get(row.name)
            if old is None or _identity(old) != _identity(row):
                said.append((row.name, _begins(row, _instead(old, row))))
        return said

    def endings(self) -> list[tuple[str, str]]:
        """Say of each plugin what it has done: its name, and a sentence."""
        return [
            (row.name, f"{_who(row)} in this session: {'; '.join(_deeds(row)) or 'it was never called'}.")
            for row in self._rows.values()
        ]


def _identity(row: PluginRow) -> tuple[object, ...]:
    return row.version, row.distribution, row.class_name, row.file, row.since_ns


def _who(row: PluginRow) -> str:
    return f"Plugin {row.name} {row.version}"


def _instead(old: PluginRow | None, row: PluginRow) -> str:
    if old is None:
        return ""
    return ", loaded anew" if old.version == row.version else f", in the place of {old.version}"


def _begins(row: PluginRow, instead: str) -> str:
    hooks = ", ".join(
        hook.hook if hook.role == "owner" else f"{hook.hook} ({hook.role})" for hook in row.hooks
    )
    models = " and ".join(row.data_models)
    return f"{_who(row)} ({row.distribution}, {row.kind}, {models} data) runs{instead}: {hooks}; {row.file or row.class_name}."


def _deeds(row: PluginRow) -> Iterator[str]:
    for hook in row.hooks:
        if hook.calls or hook.running_s is not None:
            yield _deed(hook)
        elif hook.role == LEFT_OUT:
            yield f"{hook.hook} was left to another"


def _deed(hook: HookRow) -> str:
    said = f"{hook.hook} {hook.calls} call{'s' if hook.calls != 1 else ''}"
    if hook.mean_s is not None and hook.longest_s is not None:
        said += f", mean {took(hook.mean_s)}, longest {took(hook.longest_s)}"
    if hook.failures:
        said += f", {hook.failures} FAILED ({hook.last_error})"
    if hook.running_s is not None:
        said += f", one has not come back for {took(hook.running_s)}"
    return said
