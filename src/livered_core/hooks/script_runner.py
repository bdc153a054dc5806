"""Running a script: as the method of an algorithm, contained, with the line at which it failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from livered_core.hooks.script_source import METHOD, Script, ScriptError
from livered_core.model.text import one_line


class ScriptRunner:
    """Runs scripts as Mantid's RunPythonScript does; they share their global variables.

    Parameters
    ----------
    surroundings
        Gives the class whose method the scripts become, and their global variables; called before the first script.
    """

    def __init__(self, surroundings: Callable[[], tuple[type, dict[str, Any]]]) -> None:
        self._surroundings = surroundings
        self._base: type = object
        self._namespace: dict[str, Any] = {}
        self._classes: dict[Path, tuple[Script, type]] = {}

    def run(self, script: Script, workspace: Any, output: str) -> Any:
        """Run a script.

        Parameters
        ----------
        script
            The script.
        workspace
            Its ``input``; in the analysis data service.
        output
            The name that its result is to have.

        Returns
        -------
        Any
            Its ``output``: a name, a workspace or None.

        Raises
        ------
        ScriptError
            When it raised, ended the interpreter, or returned something else than input and output.
        """
        algorithm = self._class_of(script)()
        try:
            answer = algorithm.PyExec(workspace, output)
        except BaseException as error:  # also KeyboardInterrupt: no script ends the session
            raise ScriptError(_sentence(script, error)) from error
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            lines = " or ".join(map(str, script.bare_returns))
            where = f" line {lines}" if lines else ""
            message = (
                f"{script.path}{where} returns something else than input and output: write `return input, output`, "
                "with output set to what the result is."
            )
            raise ScriptError(message)
        return answer[1]

    def _class_of(self, script: Script) -> Any:
        """Return a class with the script as its method; Mantid's functions find it on the stack, and run as its children."""
        if not self._namespace:
            self._base, self._namespace = self._surroundings()
        self._namespace["__file__"] = str(script.path)
        known, made = self._classes.get(script.path, (None, None))
        if known is not script or made is None:
            made = type("LiveScript", (self._base,), {METHOD: script.function(self._namespace)})
            self._classes[script.path] = (script, made)
        return made


def _sentence(script: Script, error: BaseException) -> str:
    line = script.line_of(error)
    where = f"{script.path} line {line}" if line else str(script.path)
    try:
        said = one_line(f"{type(error).__name__}: {error}").rstrip(". :")
    except Exception:  # noqa: BLE001  (an exception may fail even in saying what it is)
        said = type(error).__name__
    if isinstance(error, SystemExit):
        return f"{where} asked to end the program ({said}): a script may only end itself; take that out."
    return f"{where} failed: {said}."
