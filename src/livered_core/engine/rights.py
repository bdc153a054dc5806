"""What a session obeys and everybody on the machine could change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from livered_core.config.rights import open_to_everybody
from livered_core.engine.setup import LoadedConfiguration


def rights_warnings(loaded: LoadedConfiguration) -> list[str]:
    """Look at the files of the configuration, at the plugins' modules, and at the scripts that their settings name.

    Parameters
    ----------
    loaded
        The configuration.

    Returns
    -------
    list of str
        One sentence for each file; empty when all is well.
    """
    sentences = (open_to_everybody(path) for path in dict.fromkeys(_obeyed(loaded)))
    return list(dict.fromkeys(sentence for sentence in sentences if sentence))


def _obeyed(loaded: LoadedConfiguration) -> Iterator[Path]:
    for origin in loaded.merged.origins.values():
        # Others are words: "environment", "command line".
        if origin.endswith(".toml") and Path(origin).is_file():
            yield Path(origin)
    for _, cls in loaded.plugins:
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if file:
            yield Path(file)
    for settings in loaded.config.plugins.values():
        yield from _scripts(settings)


def _scripts(settings: Any) -> Iterator[Path]:
    if not attrs.has(type(settings)):
        return
    for value in attrs.asdict(settings, recurse=False).values():
        if isinstance(value, Path) and value.suffix == ".py":
            yield value
