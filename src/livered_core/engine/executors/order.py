"""What goes with a block: who processes it, for which session and run."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from livered_core.engine.executors.code import code_as_imported
from livered_core.engine.fingerprint import CORE_PACKAGE, code_digest, packages_of
from livered_core.errors import HookError
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.elsewhere import HOOK, processing_plugins
from livered_core.hooks.plugin_state import save_states
from livered_core.hooks.registry import LoadedPlugin, settings_class
from livered_core.hooks.table import DEFAULTS
from livered_core.model import Chunk, HookFailure, RunInfo, SessionInfo


@attrs.frozen(eq=False)
class PluginOrder:
    """How a plugin is made in another process.

    Attributes
    ----------
    name, version, distribution, data_models
        As of `LoadedPlugin`.
    module, class_name
        Where its class is.
    packages
        The top-level packages that its code is in.
    settings
        Its settings, pickled; None for a plugin without.
    state
        What it keeps of the run, pickled; None where it keeps nothing.
    """

    name: str
    version: str
    distribution: str
    data_models: tuple[str, ...]
    module: str
    class_name: str
    packages: tuple[str, ...]
    settings: bytes | None
    state: bytes | None


@attrs.frozen(eq=False)
class Order:
    """What goes with each block of a run.

    Attributes
    ----------
    session
        Random text of the session with the number of its reloads: plugins are made anew for another one.
    key
        As `session`, and different for each beginning of a run.
    owner, owner_version
        The plugin to blame where no other is known.
    content
        A pickled `Content`.
    failure
        Why nothing can be processed; None where it can.
    """

    session: str
    key: str
    owner: str
    owner_version: str
    content: bytes = attrs.field(repr=False)
    failure: HookFailure | None = None

    def blame(self, error: str, chunk: Chunk, traceback: str = "") -> HookFailure:
        """Describe why a chunk could not be processed, where no other plugin than the owner can be blamed."""
        return HookFailure(
            plugin=self.owner,
            version=self.owner_version,
            hook=HOOK,
            error=error,
            traceback=traceback,
            chunk_sequence=chunk.sequence,
            consecutive=1,
        )


@attrs.frozen(eq=False)
class Content:
    """What is unpacked once for each run.

    Attributes
    ----------
    info
        The session, as plugins elsewhere are told of it.
    run
        The run, as it began.
    plugins
        In the order of their calls.
    owners
        Configured owner of a transform.
    code
        Digest of the code of each package, as livered runs it.
    version
        Of livered-core.
    """

    info: SessionInfo
    run: RunInfo
    plugins: tuple[PluginOrder, ...]
    owners: Mapping[str, str]
    code: Mapping[str, str]
    version: str


class OrderMaker:
    """Makes the orders of a session, on the reduction thread.

    Parameters
    ----------
    session_id
        Random text of the session.
    hooks
        The session's.
    owners
        Gives the configured owners of transforms.
    settings
        Gives the settings of plugins, by name.
    info
        Gives the session.
    same_machine
        Whether workers run what is installed here, so that livered itself is looked at less closely.
    """

    def __init__(
        self,
        session_id: str,
        hooks: Dispatcher,
        owners: Callable[[], Mapping[str, str]],
        settings: Callable[[], Mapping[str, Any]],
        info: Callable[[], SessionInfo],
        *,
        same_machine: bool = True,
    ) -> None:
        self._session_id = session_id
        self._hooks = hooks
        self._owners = owners
        self._settings = settings
        self._info = info
        self._numbers = itertools.count(1)
        self._reloads = 0
        self._plugins: tuple[LoadedPlugin, ...] = ()
        # As of the start: whatever lies on the disk later, livered's own code is this.
        self._core = {} if same_machine else {CORE_PACKAGE: code_as_imported(CORE_PACKAGE)}
        self._code: Mapping[str, str] = {}

    def __call__(self, run: RunInfo) -> Order:
        """Make the order for a run of which the session's plugins have been told."""
        owners = self._owners()
        plugins = processing_plugins(self._hooks.plugins, owners)
        if plugins != self._plugins or not self._reloads:
            self._plugins = plugins
            self._reloads += 1
            self._code = {**self._core, **code_of(plugins)}
        owner = plugins[0] if plugins else DEFAULTS
        failure, content = None, b""
        try:
            states = save_states(plugins)
        except HookError as error:
            failure = error.failure
        else:
            try:
                content = self._content(run, plugins, owners, states)
            except Exception as error:  # noqa: BLE001  (pickling calls code of plugins)
                failure = HookFailure(
                    plugin=owner.name,
                    version=owner.version,
                    hook=HOOK,
                    error=f"Its settings or what it keeps of the run cannot be sent to workers: {error}",
                    traceback="",
                    chunk_sequence=None,
                    consecutive=1,
                )
        session = f"{self._session_id}-{self._reloads}"
        return Order(
            session=session,
            key=f"{session}-{next(self._numbers)}",
            owner=owner.name,
            owner_version=owner.version,
            content=content,
            failure=failure,
        )

    def _content(
        self,
        run: RunInfo,
        plugins: Sequence[LoadedPlugin],
        owners: Mapping[str, str],
        states: Mapping[str, Any],
    ) -> bytes:
        settings = self._settings()
        info = self._info()
        elsewhere = attrs.evolve(info, stopping=_goes_on, elsewhere=True)
        content = Content(
            info=elsewhere,
            run=run,
            plugins=tuple(_plugin_order(plugin, settings, states) for plugin in plugins),
            owners={HOOK: owners[HOOK]} if HOOK in owners else {},
            code=self._code,
            version=info.livered_version,
        )
        return pickle.dumps(content, protocol=5)


def _goes_on() -> bool:
    return False


def code_of(plugins: Sequence[LoadedPlugin]) -> dict[str, str]:
    """Return the digest of the code of each package of plugins that process chunks."""
    packages = {package for plugin in plugins for package in packages_of(type(plugin.instance))}
    return {package: code_digest(package) for package in sorted(packages)}


def _plugin_order(
    plugin: LoadedPlugin, settings: Mapping[str, Any], states: Mapping[str, Any]
) -> PluginOrder:
    cls = type(plugin.instance)
    own = None
    if settings_class(cls) is not None:
        own = pickle.dumps(settings.get(plugin.name), protocol=5)
    return PluginOrder(
        name=plugin.name,
        version=plugin.version,
        distribution=plugin.distribution,
        data_models=plugin.data_models,
        module=cls.__module__,
        class_name=cls.__qualname__,
        packages=tuple(packages_of(cls)),
        settings=own,
        state=pickle.dumps(states[plugin.name], protocol=5) if plugin.name in states else None,
    )
