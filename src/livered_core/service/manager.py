"""A person's service manager, asked through ``systemctl --user``."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.errors import LiveredError
from livered_core.model.text import one_line

_ANSWERS_WITHIN_S: Final = 30.0
_RUNS: Final = Path("/run/user")


class ManagerError(LiveredError):
    """The service manager does not do what it was asked; the sentence says why, and what to do."""


@attrs.frozen
class Done:
    """What ``systemctl`` did.

    Attributes
    ----------
    status
        Its exit code; 0 when all is well.
    output, errors
        What it wrote.
    """

    status: int
    output: str
    errors: str


@attrs.frozen
class Manager:
    """The service manager of the person whose variables these are.

    Attributes
    ----------
    environ
        Environment variables; ``XDG_RUNTIME_DIR`` leads to the manager.
    """

    environ: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], runs: Path = _RUNS) -> Manager:
        """Find the manager; without ``XDG_RUNTIME_DIR``, as after ``su`` and in jobs of cron, in the usual folder.

        Parameters
        ----------
        environ
            Environment variables.
        runs
            Where the folders of those who are logged in are.
        """
        folder = runs / str(os.getuid())
        if environ.get("XDG_RUNTIME_DIR") or not folder.is_dir():
            return cls(environ)
        return cls({**environ, "XDG_RUNTIME_DIR": str(folder)})

    def problem(self) -> str:
        """Say in one sentence why no manager answers, and what to do; empty when one does."""
        if shutil.which("systemctl", path=self.environ.get("PATH", os.defpath)) is None:
            return "There is no systemctl on this machine: run `livered run` in a terminal (tmux) instead of a service."
        try:
            done = self._call(("show", "--property=Version"), _ANSWERS_WITHIN_S)
        except subprocess.TimeoutExpired:
            return f"Your service manager did not answer within {_ANSWERS_WITHIN_S:g} s: see `systemctl --user status`."
        return "" if done.status == 0 else _why_none(self.environ, done.errors)

    def require(self) -> None:
        """Raise where no manager answers.

        Raises
        ------
        ManagerError
            With the sentence of `problem`.
        """
        problem = self.problem()
        if problem:
            raise ManagerError(problem)

    def run(self, *arguments: str) -> Done:
        """Call ``systemctl --user`` and wait until it has done what it was asked, which may take minutes."""
        return self._call(arguments, None)

    def show(self, unit: str, names: Sequence[str]) -> dict[str, str]:
        """Give properties of a unit, as ``systemctl show`` writes them; those that it does not know are missing."""
        done = self._call(("show", unit, *(f"--property={name}" for name in names)), _ANSWERS_WITHIN_S)
        pairs = (line.partition("=") for line in done.output.splitlines())
        return {name: value for name, sign, value in pairs if sign}

    def _call(self, arguments: Sequence[str], timeout_s: float | None) -> Done:
        done = subprocess.run(  # noqa: S603  (our own words)
            ["systemctl", "--user", "--no-pager", *arguments],  # noqa: S607  (wherever the machine has it)
            env={**self.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def _why_none(environ: Mapping[str, str], errors: str) -> str:
    """Say why no manager answers: mostly it is the way in which somebody logged in."""
    folder = environ.get("XDG_RUNTIME_DIR", "")
    if not folder:
        return (
            f"Your service manager cannot be reached: XDG_RUNTIME_DIR is not set, and {_RUNS / str(os.getuid())} is not "
            "there. Log in as yourself with ssh or at the screen (su and sudo do not start one), and try again."
        )
    try:
        owner = Path(folder).stat().st_uid
    except OSError:
        return (
            f"Your service manager cannot be reached, because XDG_RUNTIME_DIR names {one_line(folder)}, which is not "
            "there: log in as yourself with ssh or at the screen, and try again."
        )
    if owner != os.getuid():
        return (
            f"Your service manager cannot be reached, because XDG_RUNTIME_DIR names {one_line(folder)}, which belongs "
            "to another user: log in as yourself (su and sudo keep the variable), and try again."
        )
    said = one_line(errors.strip()) or "systemctl said nothing"
    return (
        f"No service manager of yours answers on this machine ({said}): log in as yourself with ssh or at the screen; "
        "in a container, and where systemd is not what the machine runs, there is none."
    )
