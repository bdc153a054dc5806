"""What is heard while a plugin is tried: calls of hooks, warnings, and lines of the log."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from livered_core.hooks.calls import FinishedCall
from livered_core.model.text import one_line
from livered_core.testing.trial_parts import Heard

_CONTAINED: Final = "livered_core.hooks.dispatch"
"""Its errors are failures of hooks, which are told of by themselves."""
_SESSION: Final = "livered_core.engine.session"
"""Its errors say what ended the session, which is told of as well."""


class Ear:
    """Hears calls, warnings and the log. Its methods may be called from any thread.

    Parameters
    ----------
    package
        Top-level package of the plugin that is tried.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._folders = _folders(package)
        self._lock = threading.Lock()
        self._calls: list[FinishedCall] = []
        self._heard: dict[tuple[str, str, bool], int] = {}

    def call(self, call: FinishedCall) -> None:
        """Take note of a call."""
        with self._lock:
            self._calls.append(call)

    def calls(self) -> tuple[FinishedCall, ...]:
        """Return the calls in the order of their beginnings."""
        with self._lock:
            return tuple(sorted(self._calls, key=lambda call: call.began_s))

    def heard(self) -> tuple[Heard, ...]:
        """Return what was heard, each once, the plugin's own first."""
        with self._lock:
            heard = [Heard(where, text, count, own) for (where, text, own), count in self._heard.items()]
        return tuple(sorted(heard, key=lambda each: not each.own))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the warnings and the log of this process; nothing of them reaches the screen meanwhile."""
        handler = _Handler(self)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.showwarning = self._warned  # type: ignore[assignment]
                yield
        finally:
            root.removeHandler(handler)

    def record(self, record: logging.LogRecord) -> None:
        """Take note of a line of the log."""
        if record.levelno >= logging.ERROR and record.name in (_CONTAINED, _SESSION):
            return
        own = record.name.partition(".")[0] == self._package
        self._note(record.name, record.getMessage(), own=own)

    def _warned(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
    ) -> None:
        own = any(Path(filename).is_relative_to(folder) for folder in self._folders)
        self._note(f"{filename}:{lineno}", f"{category.__name__}: {message}", own=own)

    def _note(self, where: str, text: str, *, own: bool) -> None:
        key = (one_line(where), one_line(text.partition("\n")[0]), own)
        with self._lock:
            self._heard[key] = self._heard.get(key, 0) + 1


class _Handler(logging.Handler):
    def __init__(self, ear: Ear) -> None:
        super().__init__(logging.WARNING)
        self._ear = ear

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._ear.record(record)
        except Exception:  # noqa: BLE001  (arguments of any type, from plugins too, write themselves here)
            self.handleError(record)


def _folders(package: str) -> Sequence[Path]:
    """Give the places of a package; of a module, its file."""
    spec = find_spec(package)
    if spec is None:
        return ()
    if spec.submodule_search_locations:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin else ()
