"""What takes up changes, made of the pieces of a session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from livered_core.clocks import Clock
from livered_core.config import Layer
from livered_core.engine.reload import Reloader
from livered_core.engine.reload_request import take_request
from livered_core.engine.setup import LoadedConfiguration, load_configuration
from livered_core.engine.watched_files import WatchedFiles, watched_files
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import SessionInfo


@attrs.frozen(eq=False)
class LoadAgain:
    """Loads a configuration, each time from the same places; see `load_configuration`.

    Attributes
    ----------
    instrument, config_file, flags, defaults, environ
        As of `load_configuration`. A relative path keeps its meaning, since livered does not change its folder.
    """

    instrument: str | None
    config_file: Path | None
    flags: Mapping[str, Any]
    defaults: Layer | None = None
    environ: Mapping[str, str] = attrs.field(factory=lambda: dict(os.environ))

    def __call__(self) -> LoadedConfiguration:
        """Load it.

        Raises
        ------
        ConfigError, PluginLoadError
            As `load_configuration`.
        """
        return load_configuration(
            self.instrument, self.config_file, self.flags, self.environ, defaults=self.defaults
        )

    def files(self, loaded: LoadedConfiguration) -> WatchedFiles:
        """Say where the files of a configuration are."""
        entries = [entry for entry, _ in loaded.plugins]
        return watched_files(loaded.config.instrument, self.config_file, self.environ, entries)


def make_reloader(
    hooks: Dispatcher,
    loaded: LoadedConfiguration,
    again: LoadAgain,
    info: SessionInfo,
    clock: Clock,
    folder: Path,
) -> Reloader:
    """Make what takes up changes in a session.

    Parameters
    ----------
    hooks, loaded, info, clock
        Of the session.
    again
        Loads the configuration as at the start.
    folder
        The run directory, in which requests are left. One that is there already was meant for somebody else.
    """
    take = partial(take_request, folder)
    take()
    return Reloader(hooks, loaded, again, again.files, info, clock, take_request=take)
