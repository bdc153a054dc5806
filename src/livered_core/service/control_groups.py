"""Which limits of a unit the kernel keeps: a person's service manager may not have been given the means to set them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_MEANS: Final[Mapping[str, str]] = {"MemoryMax": "memory", "CPUQuota": "cpu"}
"""Setting of a unit to the controller that keeps it."""


def without_effect(
    settings: Mapping[str, str],
    pid: int,
    proc: Path = Path("/proc"),
    groups: Path = Path("/sys/fs/cgroup"),
) -> list[str]:
    """Name those settings of a running unit that nothing enforces; nothing where that cannot be seen.

    Parameters
    ----------
    settings
        The unit's settings, by name.
    pid
        Of its process.
    proc, groups
        Where the kernel shows processes and control groups.
    """
    try:
        controllers = _controllers((proc / str(pid) / "cgroup").read_text(), groups)
    except OSError:
        return []
    return [name for name, needed in _MEANS.items() if settings.get(name) and needed not in controllers]


def _controllers(text: str, groups: Path) -> set[str]:
    """Give the controllers that know the group of a process, by cgroups(7)."""
    found: set[str] = set()
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        if names:  # version 1: where a controller is not used, its group is that of the whole machine
            found.update(names.split(",") if path.endswith(".service") else ())
            continue
        try:
            found.update((groups / path.lstrip("/") / "cgroup.controllers").read_text().split())
        except OSError:
            continue
    return found
