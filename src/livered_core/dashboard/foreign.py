"""Values of files that may be foreign: what is not what it should be is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def table_of(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Give a table within a table; an empty one for anything else."""
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def number_of(table: Mapping[str, Any], key: str) -> float | None:
    """Give a finite number that is not negative; None for anything else: files may be foreign."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def time_of(table: Mapping[str, Any], key: str) -> int:
    """Give a time in nanoseconds UTC; 0 for what is none."""
    value = table.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else 0
