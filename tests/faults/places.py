"""Disks, names and clocks of a process's own, so that faults of them touch nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import pytest

_LEAPING_CLOCK = """
    import os
    import time
    from pathlib import Path

    _real, _leap = time.time_ns, Path(os.environ["TST_FOLDER"]) / "leap"


    def time_ns():
        try:
            return _real() + int(float(_leap.read_text()) * 1e9)
        except (OSError, ValueError):
            return _real()


    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9
"""
"""A module ``sitecustomize`` with which the wall clock of a process goes wrong by what a file says, in seconds."""
_BLOCK = 4096


def install_leaping_clock(site: Path) -> None:
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(textwrap.dedent(_LEAPING_CLOCK))


@attrs.frozen(eq=False)
class Place:
    """Mounts that only its processes see.

    Attributes
    ----------
    pid
        Of a process that holds them.
    """

    pid: int
    rights: tuple[str, ...]

    def prefix(self, folder: Path) -> tuple[str, ...]:
        """Give what to put before a command so that it runs there, in a folder."""
        return ("nsenter", "--target", str(self.pid), *self.rights, "--mount", "env", "-C", str(folder))

    def run(self, *command: str) -> None:
        subprocess.run([*self.prefix(Path("/")), *command], check=True, capture_output=True)

    def seen(self, path: Path) -> Path:
        """Give the path here of what is seen there at a path."""
        return Path(f"/proc/{self.pid}/root") / path.relative_to("/")

    def fill(self, folder: Path) -> None:
        """Write until a small disk is full to the last byte."""
        with (self.seen(folder) / "full").open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(_BLOCK))

    def empty(self, folder: Path) -> None:
        """Take away what `fill` wrote."""
        (self.seen(folder) / "full").unlink()


@contextmanager
def place(*mounts: str) -> Iterator[Place]:
    """Make a place by commands of the shell; the test is skipped where a process cannot have mounts of its own."""
    namespace, inside = _rights()
    script = " && ".join([*mounts, "echo ready", "exec sleep 3600"])
    with subprocess.Popen(
        [*namespace, "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            said = holder.stdout.readline()
            assert said == "ready\n", said
            yield Place(holder.pid, inside)
        finally:
            holder.kill()


def small_disk(folder: Path, size: str = "1m") -> str:
    """Write the command that puts a small disk at a folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"mount -t tmpfs -o size={size},mode=0700 tmpfs {folder}"


def _rights() -> tuple[Sequence[str], tuple[str, ...]]:
    root = os.geteuid() == 0
    command = ["unshare", *([] if root else ["--map-root-user"]), "--mount", "--propagation", "private"]
    works = shutil.which("nsenter") and shutil.which("unshare")
    if not works or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip(
            "a process cannot have mounts of its own here: that needs unshare, and root or user namespaces"
        )
    return command, () if root else ("--user", "--preserve-credentials")


_TRAP = """
    import os
    import signal
    import sys
    from pathlib import Path

    _folder = Path(os.environ["TST_FOLDER"])


    def _springs(where, path):
        trap = _folder / f"trap-{where}"
        if ".checkpoint" in str(path) and trap.exists():
            trap.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


    def _hook(event, arguments):
        if event in ("os.rename", "os.remove"):
            _springs(event, arguments[0] if event == "os.remove" else arguments[1])


    sys.addaudithook(_hook)
"""
"""A module ``sitecustomize``: the process is killed as it touches a checkpoint in a certain way."""


def install_trap(site: Path) -> None:
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(textwrap.dedent(_TRAP))
