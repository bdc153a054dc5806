"""``latest.json`` and ``runs/NUMBER.json``: the newest result, and the newest of each of the runs before."""

from __future__ import annotations

import logging
import threading
from collections import deque

from livered_core.model import RunInfo
from livered_core.publish.as_json import ResultEncoder
from livered_core.publish.latest import Published
from livered_core.publish.run_directory import RunDirectory, run_file
from livered_core.publish.run_list import ENGINE_DIED, MOST_KEPT, RunList, run_of

_log = logging.getLogger(__name__)
LATEST = "latest.json"


class ResultFiles:
    """Writes the results of a session into the run directory.

    ``latest.json`` gets a second name under ``runs/`` when no newer result of its run will come, so that nothing is
    written twice.

    Parameters
    ----------
    folder
        The run directory.
    runs
        The list of runs, which is told what is kept.
    """

    def __init__(self, folder: RunDirectory, runs: RunList) -> None:
        self._folder = folder
        self._runs = runs
        self._encoder = ResultEncoder()
        self._lock = threading.Lock()
        self._finals: deque[Published] = deque(maxlen=MOST_KEPT)
        self._writing = threading.Lock()
        self._shown: Published | None = None
        self._shown_is_kept = False
        self._show_failed = False
        self._keep_failed = False
        self._keep_what_a_dead_engine_left()

    def offer(self, item: Published) -> None:
        """Take note of a result, and return at once. Called by the reduction thread before the publish thread has it.

        A final result is shown even when a newer one comes before the publish thread has got to it.
        """
        if item.update.final:
            with self._lock:
                self._finals.append(item)

    def show(self, item: Published) -> None:
        """Replace ``latest.json``. Called by the publish thread.

        Raises
        ------
        OSError
            When the folder cannot be written, once: it is silent then until writing has gone well again.
        """
        with self._writing:
            with self._lock:
                finals = []
                while self._finals and self._finals[0].version <= item.version:
                    finals.append(self._finals.popleft())
            failure: OSError | None = None
            for result in (*(final for final in finals if final is not item), item):
                try:
                    self._show(result)
                    failure, self._show_failed = None, False
                except OSError as error:
                    failure = error
            if failure is not None and not self._show_failed:
                self._show_failed = True
                raise failure

    def close(self) -> None:
        """Keep the result that is shown. Called when the publish thread has ended, or hangs: then nothing is done."""
        if self._writing.acquire(blocking=False):
            try:
                self._keep_shown()
            finally:
                self._writing.release()

    def _show(self, item: Published) -> None:
        if self._shown is not None and not _same_run(self._shown.run, item.run):
            self._keep_shown()
        self._folder.replace(LATEST, self._encoder.parts(item))
        self._shown, self._shown_is_kept = item, False
        if item.update.final:
            self._keep_shown()

    def _keep_shown(self) -> None:
        if self._shown is not None and not self._shown_is_kept:
            self._keep(self._shown.run)
            self._shown_is_kept = True

    def _keep(self, run: RunInfo) -> None:
        """Keep ``latest.json`` as the result of a run; that this fails is said once."""
        try:
            self._folder.keep(LATEST, run_file(run.number))
            staying = self._runs.kept(run)
            for number in self._folder.kept_runs() - staying:
                self._folder.remove_run(number)
            self._keep_failed = False
        except OSError as error:
            if not self._keep_failed:
                _log.warning(
                    "The result of run %d cannot be kept in %s (%s), nor perhaps those after it: "
                    "make room or mend its permissions.",
                    run.number,
                    self._folder.path,
                    error.strerror or error,
                )
            self._keep_failed = True

    def _keep_what_a_dead_engine_left(self) -> None:
        run = self._folder.read(LATEST, run_of)
        entry = None if run is None else self._runs.entry(run.number)
        if run is not None and entry is not None and entry.end == ENGINE_DIED and entry.is_of(run):
            self._keep(run)


def _same_run(one: RunInfo, other: RunInfo) -> bool:
    return (one.number, one.start_ns) == (other.number, other.start_ns)
