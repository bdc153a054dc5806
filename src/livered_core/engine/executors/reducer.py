"""What runs on a worker: plugins made as in the session, and process_chunk of one chunk after another.

Nothing here knows of Dask: a `Reducer` lives in another process, and is called on one thread there.
"""

from __future__ import annotations

import importlib
import logging
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from livered_core.clocks import SystemClock
from livered_core.engine.executors.code import code_as_imported, require_code, require_version
from livered_core.engine.executors.order import Content, Order, PluginOrder
from livered_core.engine.fingerprint import CORE_PACKAGE
from livered_core.errors import HookError, LiveredError, PluginLoadError
from livered_core.hooks.calls import FinishedCall, trace_of, words_of
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.elsewhere import HOOK, Answer, Said
from livered_core.hooks.plugin_state import restore_states
from livered_core.hooks.registry import LoadedPlugin
from livered_core.model import Chunk, HookFailure, RunEndReason, RunInfo

_MOST_SAID: Final = 100
"""Lines for the log that go with one answer."""
_NOT_MADE: Final = "The plugins could not be made on this worker."
_NOT_SAID: Final = ("distributed", "dask", "tornado", "asyncio", "livered_core.hooks.dispatch")
"""Loggers whose lines stay; failures of hooks are told by themselves."""


class _Unfit(PluginLoadError):  # noqa: N818  (reads as what it is)
    """No chunk of the run can be processed here."""


class Reducer:
    """Processes chunks for a session in another process.

    One run is prepared at a time. All methods are for one thread.
    """

    def __init__(self) -> None:
        self._session = ""
        self._key = ""
        self._content: Content | None = None
        self._hooks: Dispatcher | None = None
        self._run: RunInfo | None = None
        self._not_made = ""
        self._refused = ""
        self._calls: list[FinishedCall] = []
        self._contained: list[HookFailure] = []
        code_as_imported(CORE_PACKAGE)

    def process(self, order: Order, chunk: Chunk, run: RunInfo) -> Answer:
        """Process a chunk. Raises nothing: a failure is in the answer.

        Parameters
        ----------
        order
            Whose chunk it is.
        chunk, run
            What process_chunk is called with.
        """
        said: list[Said] = []
        with _listening(said):
            answer = self._answer(order, chunk, run)
        calls, self._calls = tuple(self._calls), []
        contained, self._contained = tuple(self._contained), []
        return attrs.evolve(answer, calls=calls, contained=contained, said=tuple(said))

    def close(self) -> None:
        """End the plugins that are there."""
        self._forget_session()

    # What the dispatcher tells its witness.

    def run_started(self, run: RunInfo) -> None:
        """Take note of nothing."""

    def run_ended(self, run: RunInfo, reason: RunEndReason) -> None:
        """Take note of nothing."""

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Keep a failure that was contained for the next answer."""
        self._contained.append(failure)

    def _answer(self, order: Order, chunk: Chunk, run: RunInfo) -> Answer:
        """Return what came of a chunk, and who gave it, or why there is nothing."""
        try:
            hooks = self._ready(order)
            processed = hooks.process_chunk(chunk, run)
            _require_sendable(processed)
        except HookError as error:
            return Answer(failure=error.failure)
        except BaseException as error:  # noqa: BLE001  (whatever a plugin raises must not end the worker)
            text = str(error) if isinstance(error, LiveredError) else words_of(error)
            failure = order.blame(text, chunk, trace_of(error))
            return Answer(failure=failure, refused=isinstance(error, _Unfit))
        return Answer(processed, hooks.answered_by)

    def _ready(self, order: Order) -> Dispatcher:
        """Return the plugins, told of the session and the run."""
        if order.key != self._key:
            self._prepare(order)
        if self._not_made or self._refused or self._hooks is None:
            raise _Unfit(self._not_made or self._refused or _NOT_MADE)
        return self._hooks

    def _prepare(self, order: Order) -> None:
        try:
            content: Content = pickle.loads(order.content)  # noqa: S301  (from who may run code here anyway)
        except Exception as error:
            # Before livered's versions can be compared.
            message = f"What livered sends cannot be read on a worker ({words_of(error)}): install there what is installed where livered runs."
            raise _Unfit(message) from error
        if order.session != self._session:
            self._forget_session()
            self._session = order.session
            self._make(content)
        else:
            self._forget_run()
        self._content, self._key = content, order.key
        hooks = self._hooks
        if hooks is None:
            return
        self._run = content.run
        hooks.run_started(content.run)
        states = {
            plugin.name: pickle.loads(plugin.state)  # noqa: S301
            for plugin in content.plugins
            if plugin.state is not None
        }
        self._refused = restore_states(hooks.plugins, states)

    def _make(self, content: Content) -> None:
        """Make the plugins, in the order of their calls."""
        self._not_made = _NOT_MADE
        try:
            require_version(content.version)
            require_code(content.code)
            plugins = [_made(plugin) for plugin in content.plugins]
        except LiveredError as error:
            self._not_made = str(error)
            return
        self._not_made = ""
        self._hooks = Dispatcher(plugins, content.owners, SystemClock(), self, self._calls_back)
        self._hooks.session_started(content.info)

    def _calls_back(self, call: FinishedCall) -> None:
        if call.hook == HOOK:
            self._calls.append(call)

    def _forget_run(self) -> None:
        hooks, run = self._hooks, self._run
        self._run = None
        self._key = self._refused = ""
        if hooks is not None and run is not None:
            hooks.run_ended(run, RunEndReason.ENDED)

    def _forget_session(self) -> None:
        self._forget_run()
        hooks, content = self._hooks, self._content
        self._hooks = self._content = None
        self._session = ""
        if hooks is not None and content is not None:
            hooks.session_ended(content.info)


def _made(order: PluginOrder) -> LoadedPlugin:
    """Make a plugin.

    Raises
    ------
    PluginLoadError
        When that cannot be.
    """
    try:
        found: Any = importlib.import_module(order.module)
        for name in order.class_name.split("."):
            found = getattr(found, name)
        settings = None if order.settings is None else pickle.loads(order.settings)  # noqa: S301
        instance = found() if order.settings is None else found(settings=settings)
    except (Exception, SystemExit) as error:
        message = (
            f"Plugin {order.name} ({order.distribution} {order.version}) cannot be made on a worker "
            f"({words_of(error)}): its class must be importable there as {order.module}:{order.class_name}."
        )
        raise PluginLoadError(message) from error
    return LoadedPlugin(order.name, order.version, order.distribution, instance, order.data_models)


def _require_sendable(processed: Any) -> None:
    """See that an answer can be sent back; arrays are not copied for that.

    Raises
    ------
    PluginLoadError
        When it cannot.
    """
    try:
        pickle.dumps(processed, protocol=5, buffer_callback=lambda _: None)
    except Exception as error:
        message = (
            f"What process_chunk returned (a {type(processed).__name__}) cannot be sent from a worker "
            f"({words_of(error)}): return what can be pickled."
        )
        raise PluginLoadError(message) from error


class _Ear(logging.Handler):
    """Keeps lines for the log of the session."""

    def __init__(self, said: list[Said]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if len(self._said) < _MOST_SAID and not record.name.startswith(_NOT_SAID):
            self._said.append(Said(record.name, record.levelno, record.getMessage()))


@contextmanager
def _listening(said: list[Said]) -> Iterator[None]:
    ear = _Ear(said)
    logging.getLogger().addHandler(ear)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(ear)
