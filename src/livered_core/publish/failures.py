"""``failures.json``: the newest failures of plugins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from livered_core.clocks import Clock
from livered_core.model import HookFailure, RunInfo
from livered_core.publish.as_json import FORMAT, to_json
from livered_core.publish.run_directory import RunDirectory

MOST_FAILURES: Final = 50
"""Failures in the list."""
LONGEST_TRACEBACK: Final = 20_000
"""Characters of a traceback that are shown; its end says most."""
LONGEST_ERROR: Final = 2_000
"""Characters of an error's text that are shown."""
_SAME: Final = ("session", "run", "plugin", "version", "hook", "error", "chunk_sequence")


class Failures:
    """The newest failures. All methods may be called from any thread; none of them touches a file.

    Parameters
    ----------
    session
        `id` of the session.
    clock
        For the times of failures.
    earlier
        Failures of earlier sessions, newest first.
    total, version
        To count on from.
    """

    def __init__(
        self,
        session: str,
        clock: Clock,
        earlier: Sequence[Mapping[str, Any]] = (),
        total: int = 0,
        version: int = 0,
    ) -> None:
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        self._newest_first = [dict(failure) for failure in earlier]
        self._total = total
        self._version = version

    @classmethod
    def continued(cls, folder: RunDirectory, session: str, clock: Clock) -> Failures:
        """Go on with the list that the session before left; see `RunDirectory.read`."""
        found = folder.read("failures.json", _understand)
        return cls(session, clock) if found is None else cls(session, clock, *found)

    @property
    def version(self) -> int:
        """Grows with each failure."""
        with self._lock:
            return self._version

    def failed(self, failure: HookFailure, run: RunInfo | None) -> None:
        """Note a failure; one that is the newest once more takes its place."""
        entry = {
            "time_ns": self._clock.now_ns(),
            "session": self._session,
            "run": run.number if run is not None else None,
            "plugin": failure.plugin,
            "version": failure.version,
            "hook": failure.hook,
            "error": _beginning(failure.error),
            "traceback": _end(failure.traceback),
            "chunk_sequence": failure.chunk_sequence,
            "consecutive": failure.consecutive,
            "sentence": _beginning(failure.sentence),
        }
        with self._lock:
            again = [
                before
                for before in self._newest_first
                if before["consecutive"] == failure.consecutive - 1
                and all(before[key] == entry[key] for key in _SAME)
            ]
            for before in again:
                self._newest_first.remove(before)
            self._newest_first = [entry, *self._newest_first][:MOST_FAILURES]
            self._total += 1
            self._version += 1

    def as_json(self) -> Iterator[str]:
        """Write ``failures.json`` in parts, as the list is now."""
        with self._lock:
            head = {"format": FORMAT, "version": self._version, "total": self._total}
            failures = list(self._newest_first)
        yield f'{to_json(head)[:-1]}, "failures": ['
        yield ",\n".join(to_json(failure) for failure in failures)
        yield "]}\n"


def _beginning(text: str) -> str:
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}..."


def _end(text: str) -> str:
    left_out = len(text) - LONGEST_TRACEBACK
    return text if left_out <= 0 else f"... ({left_out} characters before)\n{text[left_out:]}"


@attrs.frozen
class _Entry:
    """Says what an entry that is read again must look like."""

    time_ns: int = attrs.field(validator=attrs.validators.instance_of(int))
    session: str = attrs.field(validator=attrs.validators.instance_of(str))
    run: int | None = attrs.field(validator=attrs.validators.instance_of((int, type(None))))
    plugin: str = attrs.field(validator=attrs.validators.instance_of(str))
    version: str = attrs.field(validator=attrs.validators.instance_of(str))
    hook: str = attrs.field(validator=attrs.validators.instance_of(str))
    error: str = attrs.field(validator=attrs.validators.instance_of(str))
    traceback: str = attrs.field(validator=attrs.validators.instance_of(str))
    chunk_sequence: int | None = attrs.field(validator=attrs.validators.instance_of((int, type(None))))
    consecutive: int = attrs.field(validator=attrs.validators.instance_of(int))
    sentence: str = attrs.field(validator=attrs.validators.instance_of(str))


def _understand(document: Any) -> tuple[list[dict[str, Any]], int, int]:
    counts = (document["total"], document["version"])
    if document["format"] != FORMAT or not all(isinstance(count, int) for count in counts):
        message = "another format"
        raise ValueError(message)
    return [attrs.asdict(_Entry(**failure)) for failure in document["failures"]], *counts
