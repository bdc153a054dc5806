"""How much memory this process has, and has had at most, as the kernel counts it."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"


def resident() -> int:
    """Return what is resident, bytes; 0 where the kernel does not say it."""
    return _field("VmRSS:")


def reset_peak() -> None:
    """Count the most from this moment on, where the kernel can do that; else it counts from the process's start."""
    try:
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return


def peak() -> int:
    """Return what has been resident at most, bytes."""
    most = _field("VmHWM:")
    if most:
        return most
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if os.uname().sysname == "Darwin" else used << 10


def _field(name: str) -> int:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    words = next((line.split() for line in lines if line.startswith(name)), [])
    return int(words[1]) << 10 if len(words) > 1 and words[1].isdigit() else 0
