"""Words on plugins that the engine writes and others read; nothing is imported for them."""

from __future__ import annotations

from typing import Final

MOST_ROWS: Final = 100
"""Plugins that are shown."""
RUNS: Final = "runs"
FAILS: Final = "fails"
REFUSED: Final = "refused"
LEFT_OUT: Final = "left out"
"""Role of a transform that another plugin owns by the configuration: it is not called."""


def took(seconds: float) -> str:
    """Write how long something took, for people: ``0.31 ms``, ``12 ms``, ``1.2 s``, ``47 s``."""
    if seconds < 0.9995:
        return f"{max(seconds, 0.0) * 1e3:.2g} ms" if seconds < 0.0995 else f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
