"""The plugins that run, one row for each: who it is, how it does, and what its hooks have done.

The same rows are in ``status.json``, in ``livered plugins``, on the dashboard and in the log.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from livered_core.clocks import Clock
from livered_core.engine.plugin_words import FAILS, LEFT_OUT, MOST_ROWS, REFUSED, RUNS, took
from livered_core.engine.setup import LoadedConfiguration
from livered_core.hooks.calls import CallStatistics
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.inspection import HOOKS, implemented_hooks
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.spec import TRANSFORMS
from livered_core.model.text import one_line
from livered_core.model.utc import format_utc

HANGS_AFTER_S: Final = 5.0
"""A call that takes longer is said to go on."""
_LONGEST: Final = 300
_LONGEST_FILE: Final = 1000


@attrs.frozen
class HookRow:
    """What a hook of a plugin has done in this session.

    Attributes
    ----------
    hook
        Its name.
    role
        ``"owner"``, ``"wrapper"``, or ``"left out"`` where the configuration names another owner.
    calls, failures
        Numbers of calls and of calls that failed, over reloads.
    mean_s, last_s, longest_s
        Seconds of a call, of those that have come back; None before the first. A wrapper's include what it wraps.
    last_error
        Text of the newest failure, also of one that is over; empty without one.
    failures_in_a_row
        How many of the newest calls failed; 0 where the newest one worked.
    running_s
        For how long a call has not come back, seconds; None where none is under way.
    """

    hook: str
    role: str
    calls: int = 0
    failures: int = 0
    mean_s: float | None = None
    last_s: float | None = None
    longest_s: float | None = None
    last_error: str = ""
    failures_in_a_row: int = 0
    running_s: float | None = None


@attrs.frozen
class PluginRow:
    """A plugin that runs.

    Attributes
    ----------
    name, version, distribution
        Who it is; the name is that of its table in the configuration.
    class_name
        Its class: ``module:Class``.
    file
        Path of the file that the class is in; empty where it is in none.
    kind
        What it is for, see `kind_of`.
    data_models
        Kinds of data that it works with.
    since_ns
        Since when this instance runs, nanoseconds UTC.
    state
        ``"runs"``, ``"fails"`` while the newest call of one of its hooks failed, ``"refused"`` while what is on disk
        was refused and what ran before goes on.
    reason
        What there is to know about it, sentences.
    hooks
        In the order in which they are called in a run.
    """

    name: str
    version: str
    distribution: str
    class_name: str
    file: str
    kind: str
    data_models: tuple[str, ...]
    since_ns: int
    state: str
    reason: str
    hooks: tuple[HookRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        plain = attrs.asdict(self)
        plain["class"] = plain.pop("class_name")
        plain["data_models"] = list(self.data_models)
        return plain


class PluginBook:
    """Makes the rows of the plugins that run. Safe from any thread.

    Parameters
    ----------
    hooks
        The session's.
    loaded
        Gives the configuration in force.
    clock
        The clocks.
    """

    def __init__(self, hooks: Dispatcher, loaded: Callable[[], LoadedConfiguration], clock: Clock) -> None:
        self._hooks = hooks
        self._loaded = loaded
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[str, tuple[object, int]] = {}

    def rows(self, reload: Mapping[str, Any] | None = None) -> tuple[PluginRow, ...]:
        """Return a row for each plugin, in the order of their calls.

        Parameters
        ----------
        reload
            What became of changes, as `livered_core.engine.reload.Reloader.status` has it.
        """
        loaded, plugins = self._loaded(), self._hooks.plugins
        running = {(call.plugin, call.hook): call.since_s for call in reversed(self._hooks.running())}
        book = _Book(self._hooks.statistics(), running, loaded.config.hooks.owner, self._clock.monotonic())
        instrument = "" if loaded.instrument is None else loaded.instrument.name
        refusal = str(reload["sentence"]) if reload and reload.get("state") == REFUSED else ""
        since = self._since_when(plugins)
        return tuple(
            _row(plugin, book, since[plugin.name], refusal, is_instrument=plugin.name == instrument)
            for plugin in plugins
        )

    def _since_when(self, plugins: tuple[LoadedPlugin, ...]) -> dict[str, int]:
        """Note which instances are there for the first time."""
        with self._lock:
            now_ns = self._clock.now_ns()
            kept = {plugin.name: self._since.get(plugin.name) for plugin in plugins}
            self._since = {
                plugin.name: before
                if (before := kept[plugin.name]) is not None and before[0] is plugin.instance
                else (plugin.instance, now_ns)
                for plugin in plugins
            }
            return {name: since_ns for name, (_, since_ns) in self._since.items()}


def kind_of(roles: Mapping[str, str], *, is_instrument: bool = False) -> str:
    """Say in a few words what a plugin is for.

    Parameters
    ----------
    roles
        Its hooks, to ``"owner"`` or ``"wrapper"``.
    is_instrument
        Whether it owns an instrument.

    Returns
    -------
    str
        ``instrument``, ``reduction`` (it owns a transform), ``wrapper``, ``sink``, each that fits, with commas;
        ``observer`` where none does.
    """
    owned = [hook for hook in TRANSFORMS if roles.get(hook) == "owner"]
    kinds = {
        "instrument": is_instrument,
        "reduction": bool(owned) and not is_instrument,
        "wrapper": "wrapper" in roles.values(),
        "sink": "post_publish" in roles,
    }
    return ", ".join(kind for kind, fits in kinds.items() if fits) or "observer"


def class_name(plugin_class: type) -> str:
    """Name a class by its module and its name there."""
    return f"{plugin_class.__module__}:{plugin_class.__qualname__}"


def file_of_class(plugin_class: type) -> str:
    """Return the path of the file that a class is in; empty where that is not known."""
    return str(getattr(sys.modules.get(plugin_class.__module__), "__file__", None) or "")


def rows_as_dicts(rows: tuple[PluginRow, ...]) -> list[dict[str, Any]]:
    """Return rows for JSON, at most `MOST_ROWS`."""
    return [row.as_dict() for row in rows[:MOST_ROWS]]


@attrs.frozen(eq=False)
class _Book:
    """What is known of all calls."""

    statistics: Mapping[tuple[str, str], CallStatistics]
    running: Mapping[tuple[str, str], float]
    owners: Mapping[str, str]
    now_s: float

    def row(self, plugin: str, hook: str, role: str) -> HookRow:
        if role == "owner" and self.owners.get(hook, plugin) != plugin and hook in TRANSFORMS:
            role = LEFT_OUT
        found = self.statistics.get((plugin, hook), CallStatistics())
        since_s = self.running.get((plugin, hook))
        return HookRow(
            hook=hook,
            role=role,
            calls=found.calls,
            failures=found.failures,
            mean_s=found.total_s / found.calls if found.calls else None,
            last_s=found.last_s if found.calls else None,
            longest_s=found.longest_s if found.calls else None,
            last_error=_short(found.last_error),
            failures_in_a_row=found.failures_in_a_row,
            running_s=None if since_s is None else max(0.0, self.now_s - since_s),
        )


def _row(plugin: LoadedPlugin, book: _Book, since_ns: int, refusal: str, *, is_instrument: bool) -> PluginRow:
    cls = type(plugin.instance)
    roles: Mapping[str, str] = implemented_hooks(cls)
    hooks = tuple(book.row(plugin.name, hook, roles[hook]) for hook in HOOKS if hook in roles)
    refused = _about(plugin.name, refusal)
    failing = any(hook.failures_in_a_row for hook in hooks)
    return PluginRow(
        name=_short(plugin.name),
        version=_short(plugin.version),
        distribution=_short(plugin.distribution),
        class_name=_short(class_name(cls)),
        file=one_line(file_of_class(cls))[:_LONGEST_FILE],
        kind=kind_of(roles, is_instrument=is_instrument),
        data_models=tuple(_short(str(model)) for model in plugin.data_models),
        since_ns=since_ns,
        state=FAILS if failing else REFUSED if refused else RUNS,
        reason=" ".join(_reasons(hooks, book.owners, since_ns, refused)),
        hooks=hooks,
    )


def _reasons(hooks: tuple[HookRow, ...], owners: Mapping[str, str], since_ns: int, refused: str) -> list[str]:
    """Say what there is to know: what fails stands first."""
    said = []
    for row in hooks:
        if row.failures_in_a_row:
            newest = (
                "the newest" if row.failures_in_a_row == 1 else f"the newest {row.failures_in_a_row} in a row"
            )
            said.append(f"{row.hook}: {_of_calls(row)} failed, {newest}: {_sentence(row.last_error)}")
    said += [f"What is on disk is not taken up: {_sentence(_short(refused))}"] if refused else []
    for row in hooks:
        if row.failures and not row.failures_in_a_row:
            said.append(f"{row.hook}: {_of_calls(row)} failed earlier. The last: {_sentence(row.last_error)}")
        if row.running_s is not None and row.running_s > HANGS_AFTER_S:
            said.append(f"{row.hook} has not come back for {took(row.running_s)}.")
        if row.role == LEFT_OUT:
            said.append(f"{row.hook} is not called: hooks.owner names {_short(owners[row.hook])}.")
    return [*said, f"Runs since {format_utc(since_ns)}."]


def _about(plugin: str, refusal: str) -> str:
    """Take from why a change was refused what is said of a plugin; empty where nothing is."""
    if f"lugin {plugin} " not in refusal and f"plugins.{plugin}" not in refusal:
        return ""
    _, _, told = refusal.partition("failed in reload: ")
    told = (told or refusal).removesuffix("What ran before still runs.").strip()
    _, mark, after = told.partition(f"Plugin {plugin} (")
    if not mark:
        return told
    return f"{mark}{after.partition('. Plugin ')[0]}"


def _of_calls(row: HookRow) -> str:
    return f"{row.failures} of {row.calls} calls"


def _sentence(text: str) -> str:
    return text if text.endswith(("...", "?", "!")) else f"{text.rstrip('.')}."


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
