"""Disks, hosts and clocks of a process's own, so that faults of them touch nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from functools import lru_cache
from pathlib import Path

import pytest

LEAPING_CLOCK = """
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


@lru_cache(maxsize=1)
def _unshare() -> tuple[str, ...]:
    """Find out how a process gets mounts of its own here; nothing when it cannot."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return ()
    rights = () if os.geteuid() == 0 else ("--map-root-user",)
    command = ("unshare", *rights, "--mount", "--propagation", "private")
    tried = subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return command if tried.returncode == 0 else ()


def private(mounts: str) -> tuple[str, ...]:
    """Give what to put before a command so that it runs with mounts of its own; the test is skipped where that fails.

    Parameters
    ----------
    mounts
        Commands of the shell that make them.
    """
    command = _unshare()
    if not command:
        pytest.skip("a process cannot have mounts of its own here: this needs unshare(1), and root or user namespaces")
    return (*command, "sh", "-c", f'{mounts} && exec "$@"', "sh")


def inside(pid: int, *command: str) -> None:
    """Run a command with the mounts of a process."""
    rights = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
    subprocess.run(["nsenter", "--target", str(pid), *rights, "--mount", *command], check=True, capture_output=True)


def seen_by(pid: int, path: Path) -> Path:
    """Give the path of what a process sees at a path."""
    return Path(f"/proc/{pid}/root") / path.relative_to("/")


def install_leaping_clock(site: Path) -> None:
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(textwrap.dedent(LEAPING_CLOCK))
