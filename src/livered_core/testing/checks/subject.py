"""What is checked: a plugin's class, its settings, and data to see it at work on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import attrs

from livered_core.errors import HookError
from livered_core.hooks.inspection import Role, implemented_hooks
from livered_core.hooks.registry import LoadedPlugin, PluginEntry, data_models, settings_class
from livered_core.hooks.spec import OUTWARD, TRANSFORMS
from livered_core.model import Chunk, Result, RunInfo, Update
from livered_core.reduction.run_state import RunState
from livered_core.testing.checks.copies import copy_chunk
from livered_core.testing.checks.finding import CannotTell, failing, not_applicable, not_tried
from livered_core.testing.checks.session import Session

BUDGET_NS: Final = 1000.0
"""Time that `process_chunk` and `accumulate` may take for an event, unless said otherwise, nanoseconds."""


@attrs.frozen(eq=False)
class Budget:
    """What reducing an event may cost.

    Attributes
    ----------
    ns_per_event
        Time of `process_chunk` and `accumulate` together, nanoseconds.
    bytes_per_event
        Memory that is taken at most while a chunk is reduced, bytes.
    kept_per_event
        Bytes by which what is accumulated may grow with each event.
    import_s
        Time in which the plugin's module is imported, seconds, without livered's own.
    """

    ns_per_event: float = BUDGET_NS
    bytes_per_event: float = 1000.0
    kept_per_event: float = 1.0
    import_s: float = 2.0


@attrs.frozen(eq=False)
class Baseline:
    """The run, reduced as it would be live.

    Attributes
    ----------
    state
        With what is accumulated.
    update
        What `post_process` is told.
    result
        What it made; None where nobody made one.
    """

    state: RunState
    update: Update
    result: Result | None


@attrs.define(eq=False, slots=False)
class Subject:
    """A plugin that is checked.

    Attributes
    ----------
    plugin_class
        Its class.
    name
        Its name in the configuration.
    entry
        As its distribution declares it; None where only the class is known.
    settings
        An instance of its settings class; None without settings, and where they are not known.
    unknown_settings
        Why the settings are not known; empty where they are, or where there are none.
    run, given
        A run, and at least three chunks of it (native model).
    budget
        What reducing an event may cost.
    publish
        Whether results may be handed to it, if it is a sink.
    output_dir
        Folder for files that is there for the checks alone.
    """

    plugin_class: type
    name: str
    entry: PluginEntry | None
    settings: Any
    unknown_settings: str
    run: RunInfo
    given: Sequence[Chunk]
    budget: Budget = attrs.field(factory=Budget)
    publish: bool = True
    output_dir: str = ""

    @property
    def chunks(self) -> list[Chunk]:
        """The chunks, each time copied: what a plugin does to them is seen by nobody else."""
        return [copy_chunk(chunk) for chunk in self.given]

    @cached_property
    def hooks(self) -> dict[str, Role]:
        """The hooks that the class implements, and whether it owns or wraps them."""
        return implemented_hooks(self.plugin_class)

    @property
    def transforms(self) -> tuple[str, ...]:
        """The transforms that it owns or wraps."""
        return tuple(hook for hook in TRANSFORMS if hook in self.hooks)

    @property
    def is_sink(self) -> bool:
        """Whether results are handed to it."""
        return any(hook in self.hooks for hook in OUTWARD)

    @property
    def settings_class(self) -> type | None:
        """The class of its settings; None where it has none."""
        return settings_class(self.plugin_class)

    @property
    def data_models(self) -> tuple[str, ...]:
        """What data it says that it can work with."""
        return data_models(self.plugin_class)

    def require_native(self) -> None:
        """See that it has transforms, settings, and works on livered's own events.

        Raises
        ------
        CannotTell
            When it does not.
        """
        if not self.transforms:
            raise CannotTell(not_applicable("it owns and wraps no transform."))
        if "native" not in self.data_models:
            raise CannotTell(
                not_applicable("it does not work on livered's own events, which the checks are made of.")
            )

    def loaded(self) -> LoadedPlugin:
        """Make an instance.

        Raises
        ------
        CannotTell
            When its settings are not known.
        """
        if self.unknown_settings:
            raise CannotTell(
                not_tried(self.unknown_settings, "Give them in a file with --config, or as `settings`.")
            )
        instance = (
            self.plugin_class() if self.settings_class is None else self.plugin_class(settings=self.settings)
        )
        version = "" if self.entry is None else self.entry.version
        distribution = "" if self.entry is None else self.entry.distribution
        return LoadedPlugin(self.name, version, distribution, instance, self.data_models)

    def session(self) -> Session:
        """Return a session with an instance of its own, to be used in a ``with``."""
        return Session(self.loaded(), self.run.instrument, output_dir=self.output_dir)

    @cached_property
    def baseline(self) -> Baseline:
        """The run, reduced once, chunk after chunk, by an instance of its own.

        Raises
        ------
        CannotTell
            When the plugin does not get through it: the check ``native data`` and ``results`` say why.
        """
        self.require_native()
        with self.session() as session:
            try:
                state = session.reduce(self.chunks, self.run)
            except HookError as error:
                raise CannotTell(
                    not_tried(f"it does not get through the data ({failing(error)}).")
                ) from error
            if state.accumulated is None:
                raise CannotTell(
                    not_tried(
                        f"it leaves out all {state.skipped_chunks} chunks (SKIP).",
                        "Give settings with which it takes some of the data.",
                    )
                )
            update = state.update(final=False, now_ns=state.last_pulse_ns)
            try:
                result = session.result(state, update)
            except HookError as error:
                raise CannotTell(not_tried(f"it makes no result of the data ({failing(error)}).")) from error
        return Baseline(state, update, result)
