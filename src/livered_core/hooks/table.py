"""A table of plugins and their hooks, in the order of their calls; another table takes its place as a whole."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import attrs
import pluggy

from livered_core.errors import DataModelError
from livered_core.hooks.calls import Calls
from livered_core.hooks.defaults import DefaultTransforms
from livered_core.hooks.inspection import implemented_hooks
from livered_core.hooks.markers import PROJECT
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.spec import TRANSFORMS, LiveredHooks

CONTAINED: Final = (Exception, SystemExit)
"""What of a plugin's does not end a session."""
DEFAULTS: Final = LoadedPlugin("livered defaults", "", "livered-core", DefaultTransforms())
"""The plugin that comes last."""


@attrs.define(eq=False)
class Trail:
    """What one call of a transform is called with, who answered and who raised."""

    arguments: Mapping[str, Any] = attrs.field(factory=dict)
    answered: LoadedPlugin | None = None
    answer: Any = None
    raised: BaseException | None = None
    culprit: LoadedPlugin | None = None

    def note_answer(self, plugin: LoadedPlugin, answer: Any) -> None:
        """Remember who gave the answer; a wrapper that hands an answer on did not give it."""
        if self.answered is None or answer is not self.answer:
            self.answered, self.answer = plugin, answer


class _Transforms:
    """What pluggy gets to see of a plugin: its transforms, watched."""

    def __init__(self, hooks: Mapping[str, Callable[..., Any]]) -> None:
        self.__dict__.update(hooks)


class Table:
    """Plugins and their hooks.

    Parameters
    ----------
    plugins
        In the order of their calls.
    owners
        Configured owner of a transform: other plugins' implementations of it are left out, wrappers stay.
    calls
        Counts and times the calls.
    """

    def __init__(self, plugins: Sequence[LoadedPlugin], owners: Mapping[str, str], calls: Calls) -> None:
        self.plugins = tuple(plugins)
        self._calls = calls
        self._by_name = {plugin.name: plugin for plugin in self.plugins}
        self._trail = Trail()
        self._hooks: dict[str, dict[str, Callable[..., Any]]] = {}
        self._idle = threading.Condition()
        self._in_use = 0
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(LiveredHooks)
        # pluggy calls the plugin that was registered last first.
        for plugin in (DEFAULTS, *reversed(self.plugins)):
            roles = implemented_hooks(type(plugin.instance))
            transforms = {
                hook: self._watched(plugin, hook, role == "wrapper")
                for hook, role in roles.items()
                if hook in TRANSFORMS
                and (role == "wrapper" or owners.get(hook, plugin.name) == plugin.name or plugin is DEFAULTS)
            }
            self._hooks[plugin.name] = {h: getattr(plugin.instance, h) for h in roles if h not in TRANSFORMS}
            self._manager.register(_Transforms(transforms), name=plugin.name)

    @property
    def sinks(self) -> tuple[str, ...]:
        """Names of the plugins that implement post_publish, in the order of their calls."""
        return tuple(plugin.name for plugin in self.plugins if "post_publish" in self._hooks[plugin.name])

    def hook(self, plugin: LoadedPlugin, name: str) -> Callable[..., Any] | None:
        """Return a plugin's lifecycle or outward hook; None where it has none."""
        return self._hooks[plugin.name].get(name)

    def sink(self, name: str) -> tuple[LoadedPlugin, Callable[..., Any]]:
        """Return a sink and its post_publish."""
        return self._by_name[name], self._hooks[name]["post_publish"]

    def owner(self, hook: str) -> LoadedPlugin:
        """Return who is to blame where nobody else is known: a transform's owner, else the first plugin that wraps it."""
        roles = [(p, implemented_hooks(type(p.instance)).get(hook)) for p in self.plugins]
        having = [p for p, role in roles if role == "owner"] + [p for p, role in roles if role == "wrapper"]
        return having[0] if having else DEFAULTS

    def is_owned(self, hook: str) -> bool:
        """Tell whether a plugin owns a transform: without one, livered's default is what is wanted."""
        return any(implemented_hooks(type(p.instance)).get(hook) == "owner" for p in self.plugins)

    def transform(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call a transform; `trail` tells who answered or raised."""
        self._trail = Trail(arguments)
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        finally:
            # The chunk and what was accumulated before are not held until the next call.
            self._trail.arguments = {}

    def answered_elsewhere(self, name: str, answer: Any) -> None:
        """Take note of who answered a transform in another process, as if it had been called here."""
        self._trail = Trail()
        self._trail.note_answer(self._by_name.get(name, DEFAULTS), answer)
        self._trail.answer = None

    @property
    def trail(self) -> Trail:
        """Of the newest call of a transform."""
        return self._trail

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold the table while a hook of it is called on another thread than the reduction's."""
        with self._idle:
            self._in_use += 1
        try:
            yield
        finally:
            with self._idle:
                self._in_use -= 1
                self._idle.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nobody holds the table; false when somebody still does after `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._in_use, timeout)

    def _watched(self, plugin: LoadedPlugin, hook: str, is_wrapper: bool) -> Callable[..., Any]:
        """Wrap a transform so that calls are timed and whoever raised or answered is known."""
        function = getattr(plugin.instance, hook)

        def blame(error: BaseException) -> BaseException:
            if self._trail.raised is not error and isinstance(error, CONTAINED):
                self._trail.raised, self._trail.culprit = error, plugin
            return error

        @functools.wraps(function)
        def owner(*args: Any) -> Any:
            call = self._calls.begin(plugin, hook)
            answer, raised = None, None
            try:
                answer = function(*args)
            except BaseException as error:
                raised = blame(error)
                raise
            finally:
                self._calls.finish(call, self._trail.arguments, answer, raised)
                raised = None  # it holds this frame, and with it the chunk
            if answer is not None:
                self._trail.note_answer(plugin, answer)
            return answer

        @functools.wraps(function)
        def wrapper(*args: Any) -> Generator[None, Any, Any]:
            call = self._calls.begin(plugin, hook)
            answer, raised = None, None
            try:
                generator = function(*args)
                _to_its_yield(generator)
                try:
                    outcome = yield
                except BaseException as error:  # noqa: BLE001  (the wrapper's to catch or to pass on)
                    answer = _finish(generator, error)
                else:
                    answer = _finish(generator, outcome)
            except BaseException as error:
                raised = blame(error)
                raise
            finally:
                self._calls.finish(call, self._trail.arguments, answer, raised)
                raised = None  # it holds this frame, and with it the chunk
            self._trail.note_answer(plugin, answer)
            return answer

        return wrapper if is_wrapper else owner


def _to_its_yield(generator: Generator[None, Any, Any]) -> None:
    """Run a wrapper from its beginning to its yield."""
    try:
        next(generator)
    except StopIteration:
        message = "A wrapper must yield once and returned before: `answer = yield` first, then return what is to count."
        raise DataModelError(message) from None


def _finish(generator: Generator[None, Any, Any], outcome: Any) -> Any:
    """Run a wrapper from its yield to its end."""
    try:
        generator.throw(outcome) if isinstance(outcome, BaseException) else generator.send(outcome)
    except StopIteration as stop:
        return stop.value
    generator.close()
    message = "A wrapper must yield once and yielded again."
    raise DataModelError(message)
