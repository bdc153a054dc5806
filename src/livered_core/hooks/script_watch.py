"""Scripts that are edited while they are in use: a new content is taken up when it compiles."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from livered_core.hooks.script_source import Script, ScriptError, compile_script, digest, read_content

_log = logging.getLogger(__name__)

_MISSES_BEFORE_A_WORD: Final = 2
"""Editors and network file systems let a file be gone or empty for a moment."""


class WatchedScript:
    """A script that is looked at now and then. For one thread at a time.

    The content counts, not the time of the file, which network file systems do not keep exactly.

    Parameters
    ----------
    path
        Its file.

    Attributes
    ----------
    problem
        One sentence on why what runs is not what the file holds; empty when it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._script: Script | None = None
        self._refused = ""
        self._why_refused = ""
        self._misses = 0

    def load(self) -> Script:
        """Return the script that is in use; the first time its file is read.

        Raises
        ------
        ScriptError
            When it is not there yet and cannot be read, is empty, or does not compile.
        """
        if self._script is None:
            self._script = compile_script(self.path, read_content(self.path))
        return self._script

    def refresh(self) -> bool:
        """Look at the file, and take up another content than that in use if it compiles.

        What does not compile is said once in the log. A file that is gone or empty changes nothing; when it still
        is at the next look, that is said, too.

        Returns
        -------
        bool
            True when a new content was taken up in place of another.

        Raises
        ------
        ScriptError
            As `load`.
        """
        current = self.load()
        try:
            content = read_content(self.path)
        except ScriptError as error:
            self._missed(str(error))
            return False
        if not content.strip():
            self._missed(f"The script {self.path} is empty.")
            return False
        self._misses = 0
        new = digest(content)
        if new == current.sha256:
            if self.problem:
                _log.info("%s is again as it was when it was taken up.", self.path)
            self.problem, self._refused = "", ""
            return False
        if new == self._refused:
            self.problem = self._why_refused
            return False
        try:
            self._script = compile_script(self.path, content)
        except ScriptError as error:
            self._refused = new
            self.problem = self._why_refused = f"{error} The version before it is still in use."
            _log.warning("%s", self.problem)
            return False
        self.problem, self._refused = "", ""
        _log.info(
            "%s has changed and is taken up (%s, before %s).",
            self.path,
            self._script.short_sha256,
            current.short_sha256,
        )
        return True

    def _missed(self, sentence: str) -> None:
        self._misses += 1
        if self._misses == _MISSES_BEFORE_A_WORD:
            self.problem = f"{sentence} The version before it is still in use."
            _log.warning("%s", self.problem)
