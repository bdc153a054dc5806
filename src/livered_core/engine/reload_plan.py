"""What a changed configuration, or changed code, means for a running session: which plugins change, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from livered_core.config import Config, dotted, plain
from livered_core.engine.reload_refusal import Refused
from livered_core.engine.setup import LoadedConfiguration, plugin_problems
from livered_core.errors import ConfigError
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.registry import LoadedPlugin, PluginEntry, instantiate, session_problems
from livered_core.hooks.spec import OUTWARD, TRANSFORMS

_TAKEN_UP: Final = ("plugins", "reload", "hooks.owner", "hooks.max_consecutive_failures")
_MOST_NAMED: Final = 8


@attrs.frozen(eq=False)
class Plan:
    """The plugins that a change makes.

    Attributes
    ----------
    loaded
        The changed configuration.
    plugins
        All, in the order of their calls; those that stay are the same objects.
    new, old
        Those that are new among them, and those whose place they take or that are gone.
    changes_data
        Whether a plugin that makes or accumulates data, or its owner, is another.
    next_start
        Keys of the configuration that count from the next start.
    """

    loaded: LoadedConfiguration
    plugins: tuple[LoadedPlugin, ...]
    new: tuple[LoadedPlugin, ...]
    old: tuple[LoadedPlugin, ...]
    changes_data: bool
    next_start: tuple[str, ...]

    @property
    def owners(self) -> Mapping[str, str]:
        """Configured owners of transforms."""
        return self.loaded.config.hooks.owner

    @property
    def changes_nothing(self) -> bool:
        """Whether what runs stays as it is."""
        return not self.new and not self.old and not self.changes_data

    def sentence(self, *, swapped: bool, replay: bool) -> str:
        """Say what was done.

        Parameters
        ----------
        swapped
            Whether plugins were replaced.
        replay
            Whether the run comes again from its start.
        """
        names = [f"{plugin.name} {plugin.version}".strip() for plugin in self.new]
        there = {plugin.name for plugin in self.plugins}
        names += [f"without {plugin.name}" for plugin in self.old if plugin.name not in there]
        did = f"Reloaded: {', '.join(names) or 'the owners of hooks'}."
        parts = (
            did if swapped else "Nothing that runs has changed.",
            "The run comes again from its start." if replay else "",
            next_start_sentence(self.next_start),
        )
        return " ".join(part for part in parts if part)

    def for_trial(self) -> list[LoadedPlugin]:
        """Make instances to try the change on: of the plugins that make data, which are the same again afterwards."""
        return [
            instantiate(entry, cls, self.loaded.config.plugins.get(entry.name))
            for entry, cls in self.loaded.plugins
            if _has_any(cls, TRANSFORMS)
        ]


def make_plan(
    before: LoadedConfiguration,
    after: LoadedConfiguration,
    running: Sequence[LoadedPlugin],
    started_with: Config,
    backend: str,
) -> Plan:
    """Find out what changes, and make the plugins that are new.

    Parameters
    ----------
    before, after
        The configuration in force, and the changed one.
    running
        The plugins of the session.
    started_with
        What the session was started with.
    backend
        ``"native"`` or ``"mantid"``.

    Raises
    ------
    Refused
        When the session cannot go on with it.
    ConfigError, PluginLoadError
        When a plugin cannot be set up, or says that something is wrong.
    """
    if after.config.instrument != before.config.instrument:
        raise Refused(
            f"the instrument is now {after.config.instrument} and was {before.config.instrument}: that needs a new start."
        )
    _see_that_sinks_stay(running, after)
    by_name = {plugin.name: plugin for plugin in running}
    plugins = [
        _kept_or_made(entry, cls, by_name.get(entry.name), before, after) for entry, cls in after.plugins
    ]
    owners = after.config.hooks.owner
    problems = session_problems(plugins, owners, backend)
    new = [plugin for plugin in plugins if plugin is not by_name.get(plugin.name)]
    for plugin in new:
        problems += plugin_problems(plugin)
    if problems:
        raise ConfigError(problems)
    old = [plugin for plugin in running if plugin not in plugins]
    makes_data = any(_has_any(type(plugin.instance), TRANSFORMS) for plugin in (*new, *old))
    return Plan(
        loaded=after,
        plugins=tuple(plugins),
        new=tuple(new),
        old=tuple(old),
        changes_data=makes_data or dict(owners) != dict(before.config.hooks.owner),
        next_start=tuple(_counting_from_next_start(started_with, after.config)),
    )


def next_start_sentence(keys: Sequence[str]) -> str:
    """Say of keys that they count from the next start; empty where there are none."""
    if not keys:
        return ""
    named = ", ".join(keys[:_MOST_NAMED])
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    one = len(keys) == 1
    return f"{named}{more} count{'s' if one else ''} from the next start: livered service restart."


def _see_that_sinks_stay(running: Sequence[LoadedPlugin], after: LoadedConfiguration) -> None:
    """Raise where a sink comes or goes: each has a thread, a queue and results on disk from the start to the end."""
    are = {plugin.name for plugin in running if _has_any(type(plugin.instance), OUTWARD)}
    will_be = {entry.name for entry, cls in after.plugins if _has_any(cls, OUTWARD)}
    sentences = [
        *(f"the sink {name} was not there at the start" for name in sorted(will_be - are)),
        *(f"the sink {name} is gone" for name in sorted(are - will_be)),
    ]
    if sentences:
        raise Refused(
            f"{' and '.join(sentences)}: sinks come and go with a new start, livered service restart."
        )


def _kept_or_made(
    entry: PluginEntry,
    cls: type,
    running: LoadedPlugin | None,
    before: LoadedConfiguration,
    after: LoadedConfiguration,
) -> LoadedPlugin:
    settings = after.config.plugins.get(entry.name)
    if (
        running is not None
        and type(running.instance) is cls
        and running.version == entry.version
        and _same(before.config.plugins.get(entry.name), settings)
    ):
        return running
    return instantiate(entry, cls, settings)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(plain(one) == plain(other))


def _has_any(cls: type, hooks: Sequence[str]) -> bool:
    return not set(hooks).isdisjoint(implemented_hooks(cls))


def _counting_from_next_start(started_with: Config, config: Config) -> Iterator[str]:
    before, after = _flat(plain(started_with)), _flat(plain(config))
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key) and not _is_taken_up(key):
            yield key


def _is_taken_up(key: str) -> bool:
    return any(key == known or key.startswith(f"{known}.") for known in _TAKEN_UP)


def _flat(values: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(values, Mapping) or not values:
        return {dotted(path): values}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, (*path, str(key)))
    return flat
