"""The plugin ``scripts``: scripts that were written for Mantid's StartLiveData, run unchanged.

A script has the variables that Mantid gives it (`livered_core.hooks.script_source` says how): ``input``, the workspace
itself, whose name ``str(input)`` is; ``output``, the name that its result should have; ``self``; ``mantid`` and all of
``mantid.simpleapi``. What ``output`` may be at its end:

===================  ==============================  ===============================
``output``           process                         post_process
===================  ==============================  ===============================
as it was            the workspace of that name,     the workspace of that name,
                     which is the chunk itself       which the script has made
another name         the workspace of that name      the same
a workspace          that workspace                  the same
None                 the chunk itself                an error
anything else        an error                        an error
===================  ==============================  ===============================

Where there is no such workspace, that is an error in both; Mantid would take the result of the update before.

Both scripts have the same global variables, which last as long as the session and are not those of livered's own main
module. A script's input of ``post_process`` is a copy of what is accumulated, unless ``protect_accumulation`` is off:
a script that changes its input in place would otherwise change what the next update starts from, each time again, and
no cheap look at the workspace finds that out. The copy costs about as much time and memory as one Rebin of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar, Final

import attrs

from livered_core.errors import DataModelError
from livered_core.hooks.markers import BegunAnew, hookimpl
from livered_core.hooks.script_accumulation import accumulated_with, copied, drawn, without_events
from livered_core.hooks.script_runner import ScriptRunner
from livered_core.hooks.script_settings import Accumulation, ScriptsSettings
from livered_core.hooks.script_source import Script, ScriptError
from livered_core.hooks.script_watch import WatchedScript
from livered_core.model import Chunk, Result, RunInfo
from livered_core.workspaces import held, kind_of, make_group, members_of, named, remove_named

_log = logging.getLogger(__name__)

ACCUMULATION: Final = "accumulation"
RESULT: Final = "result"
"""Names of the input of post_process, and that its output is to have: those of the livereduce service and its manual, which
scripts may have by heart. They are there while such a script runs."""
_MOST_CHANGES: Final = 5
"""Changes of scripts that are named with a result."""


def _surroundings() -> tuple[type, dict[str, Any]]:
    """Return what RunPythonScript puts scripts into: the class whose method they are, and their global variables."""
    from mantid.api import PythonAlgorithm

    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("import mantid\nfrom mantid.simpleapi import *", namespace)  # noqa: S102
    return PythonAlgorithm, namespace


@attrs.define(eq=False)
class ScriptsPlugin:
    """Reduce with scripts that were written for Mantid's StartLiveData.

    Attributes
    ----------
    settings
        Which scripts, and how to accumulate.
    """

    settings_class: ClassVar[type[ScriptsSettings]] = ScriptsSettings
    data_models: ClassVar[tuple[str, ...]] = ("mantid",)

    settings: ScriptsSettings
    _scripts: dict[str, WatchedScript] = attrs.field(init=False)
    _runner: ScriptRunner = attrs.field(factory=lambda: ScriptRunner(_surroundings), init=False)
    _begin_anew: bool = attrs.field(default=False, init=False)
    _changes: list[str] = attrs.field(factory=list, init=False)
    _remark: str = attrs.field(default="", init=False)

    @_scripts.default
    def _watch_scripts(self) -> dict[str, WatchedScript]:
        paths = {"process": self.settings.process, "post_process": self.settings.post_process}
        return {stage: WatchedScript(path) for stage, path in paths.items() if path is not None}

    def check(self) -> list[str]:
        """Say in sentences what is wrong with the scripts: missing, empty, or no Python."""
        problems = []
        for script in self._scripts.values():
            try:
                script.load()
            except ScriptError as error:
                problems.append(str(error))
        return problems

    @hookimpl
    def run_started(self) -> None:
        """Forget what was said of the scripts in the run before."""
        self._begin_anew = False
        self._changes.clear()

    @hookimpl
    def process_chunk(self, chunk: Chunk, run: RunInfo) -> Any:
        """Run the process script with a chunk.

        Returns
        -------
        Any
            The script's output; the chunk's workspace where there is no such script.

        Raises
        ------
        ScriptError
            When the script failed or has no output.
        DataModelError
            When its events cannot become a histogram.
        """
        data = chunk.data
        script = self._current("process", chunk.sequence)
        processed = data if script is None else self._processed(script, data, run)
        return processed if self.settings.preserve_events else without_events(processed, data)

    @hookimpl
    def accumulate(self, accumulated: Any, processed: Any, chunk: Chunk) -> Any:
        """Bring chunks together; the first after a change of the process script alone, where that is configured.

        Raises
        ------
        DataModelError
            When they cannot be brought together.
        """
        if self._begin_anew:
            accumulated = None
        try:
            together = accumulated_with(self._method(chunk), accumulated, processed)
        except DataModelError as error:
            if not self._changes or accumulated is None:
                raise
            message = (
                f"{error} A script has changed during the run ({self._changes[-1]}): set "
                'when_changed = "restart" in [plugins.scripts] to begin anew after that.'
            )
            raise DataModelError(message) from error
        if self._begin_anew:
            self._begin_anew = False
            return BegunAnew(together, f"A script has changed: {self._changes[-1]}.")
        return together

    @hookimpl
    def post_process(self, accumulated: Any, run: RunInfo) -> Result:
        """Run the post_process script with what is accumulated, and draw its output; without a script, what is accumulated.

        Raises
        ------
        ScriptError
            When the script failed or has no output.
        DataModelError
            When what is accumulated is no workspace.
        """
        script = self._current("post_process", 0)
        if script is None:
            curves, remark = drawn(accumulated)
        else:
            with self._post_processed(script, accumulated) as output:
                curves, remark = drawn(output)
        if remark != self._remark:
            self._remark = remark
            if remark:
                _log.warning("%s", remark)
        return Result(run.number, run.title, curves, metadata=self._notes(remark))

    def _method(self, chunk: Chunk) -> Accumulation:
        """Return how to accumulate a chunk: one that holds everything since the start of the run is not added to itself."""
        return "replace" if chunk.is_total and self.settings.accumulate == "add" else self.settings.accumulate

    def _current(self, stage: str, chunk_sequence: int) -> Script | None:
        """Return the script of a stage as it is to run now."""
        watched = self._scripts.get(stage)
        if watched is None:
            return None
        if watched.refresh():
            restarts = stage == "process" and self.settings.when_changed == "restart"
            self._begin_anew = self._begin_anew or restarts
            at = f" at chunk {chunk_sequence}" if chunk_sequence else ""
            done = ", begun anew" if restarts else ""
            self._changes = [*self._changes, f"{watched.path.name}{at}{done}"][-_MOST_CHANGES:]
        return watched.load()

    def _processed(self, script: Script, data: Any, run: RunInfo) -> Any:
        from mantid.api import AnalysisDataService

        name = str(data.name())
        is_named = bool(name) and AnalysisDataService.doesExist(name)
        with nullcontext(name) if is_named else named(data, f"__livered_chunk_{run.instrument}") as name:
            return _apart(self._output(script, self._runner.run(script, data, name), otherwise=data))

    @contextmanager
    def _post_processed(self, script: Script, accumulated: Any) -> Iterator[Any]:
        """Lend the output of a script that is run with what is accumulated."""
        from mantid.api import AnalysisDataService

        if not hasattr(accumulated, "name"):
            message = (
                f"What is accumulated is a {type(accumulated).__name__} and no workspace, which the post_process script "
                'needs: set hooks.owner.process_chunk and hooks.owner.accumulate to "scripts" too.'
            )
            raise DataModelError(message)
        # What is in the analysis data service under a name of the script's keeps that name.
        is_named = bool(accumulated.name()) and AnalysisDataService.doesExist(str(accumulated.name()))
        given = copied(accumulated) if self.settings.protect_accumulation or is_named else accumulated
        remove_named(RESULT)
        try:
            with named(given, ACCUMULATION):
                yield self._output(script, self._runner.run(script, given, RESULT), otherwise=None)
        finally:
            remove_named(RESULT)

    def _output(self, script: Script, output: Any, *, otherwise: Any) -> Any:
        """Return a handle of a script's output that lives on when its name is gone."""
        from mantid.api import AnalysisDataService, Workspace

        if output is None and otherwise is not None:
            return otherwise
        if isinstance(output, str) and not AnalysisDataService.doesExist(output):
            message = (
                f"{script.path} has made no workspace {output!r} and set output to no other: let its last step have "
                "OutputWorkspace=output, or set output to the workspace."
            )
            raise ScriptError(message)
        if not isinstance(output, (str, Workspace)):
            what = "None" if output is None else f"something of type {type(output).__name__}"
            message = f"{script.path} has set output to {what}: set it to a workspace or to the name of one."
            raise ScriptError(message)
        return held(output)

    def _notes(self, remark: str) -> dict[str, str]:
        notes = {}
        for stage, watched in self._scripts.items():
            script = watched.load()
            notes[f"{stage} script"] = script.path.name
            notes[f"{stage} sha256"] = script.short_sha256
            if watched.problem:
                notes[f"{stage} problem"] = watched.problem
        if self._changes:
            notes["scripts changed"] = "; ".join(self._changes)
        if remark:
            notes["remark"] = remark
        return notes


def _apart(workspace: Any) -> Any:
    """Return a workspace that nothing in the analysis data service changes.

    A group in there takes up the workspaces that replace its members: with the next chunk, the next chunk's.
    """
    if kind_of(workspace) != "group":
        return workspace
    return make_group(held(member) for member in members_of(workspace))
