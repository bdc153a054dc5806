"""Which runs have been published to their end: a small record that survives restarts.

A server that is asked for the run in hand may replay one that is over. Its final result was sent already, and
is not sent again.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from livered_core.atomic import atomic_path
from livered_core.model import RunInfo

_log = logging.getLogger(__name__)

RunKey = tuple[int, int]
"""Number and start of a run, nanoseconds UTC: simulated and repeated runs share numbers, not starts."""

MOST_RUNS: Final = 1000
"""Runs that are remembered; the oldest are forgotten first."""
_FORMAT: Final = 1


def run_key(run: RunInfo) -> RunKey | None:
    """Return what tells a run from any other; None where its start is not known, and so nothing does."""
    return (run.number, run.start_ns) if run.start_ns > 0 else None


class PublishedRuns:
    """The record, in one file.

    Parameters
    ----------
    path
        The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[RunKey, None] = {}

    def load(self) -> frozenset[RunKey]:
        """Read the record. One that cannot be understood is said, and begun anew.

        Raises
        ------
        OSError
            When it is there and cannot be read.
        """
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return frozenset()
        try:
            record = json.loads(text)
            if record["format"] != _FORMAT:
                raise ValueError(record["format"])
            self._runs = {(int(number), int(start_ns)): None for number, start_ns in record["runs"]}
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            _log.warning(
                "%s is not a record of published runs (%s: %s): it is begun anew, and a run that is replayed may be "
                "sent a second time.",
                self._path,
                type(error).__name__,
                error,
            )
        return frozenset(self._runs)

    def add(self, run: RunInfo) -> None:
        """Remember a run, and wait until that is on the disk.

        Raises
        ------
        OSError
            When the record cannot be written.
        """
        key = run_key(run)
        if key is None:
            return
        self._runs.pop(key, None)
        self._runs[key] = None
        for oldest in list(self._runs)[:-MOST_RUNS]:
            del self._runs[oldest]
        text = json.dumps({"format": _FORMAT, "runs": [list(key) for key in self._runs]})
        with atomic_path(self._path) as temporary:
            temporary.chmod(0o600)
            temporary.write_text(text)
