"""Validators that several tables of the settings share."""

from __future__ import annotations

import math
from typing import Any


def about(help_text: str, unit: str = "") -> dict[str, str]:
    """Return a field's metadata: what it is for, in one line, and its unit."""
    return {"help": help_text, "unit": unit}


def is_not_negative(_settings: Any, _attribute: Any, value: float) -> None:
    """Refuse what is below 0 or not finite."""
    if not 0 <= value < math.inf:
        message = f"must be 0 or more, not {value}"
        raise ValueError(message)


def is_above_zero(_settings: Any, _attribute: Any, value: float) -> None:
    """Refuse what is not above 0, or not finite."""
    if not 0 < value < math.inf:
        message = f"must be above 0, not {value}"
        raise ValueError(message)


def are_above_zero(_settings: Any, _attribute: Any, values: tuple[float, ...]) -> None:
    """Refuse a list in which a value is not above 0, or not finite."""
    wrong = [value for value in values if not 0 < value < math.inf]
    if wrong:
        message = f"must be above 0 for every bank, not {wrong[0]}"
        raise ValueError(message)


def are_not_negative(_settings: Any, _attribute: Any, values: tuple[float, ...]) -> None:
    """Refuse a list in which a value is below 0 or not finite."""
    wrong = [value for value in values if not 0 <= value < math.inf]
    if wrong:
        message = f"must be 0 or more for every bank, not {wrong[0]}"
        raise ValueError(message)
