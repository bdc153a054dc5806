"""What is kept beside each key of the configuration, for people and for the documentation."""

from __future__ import annotations

from typing import Any


def about(help_text: str, unit: str = "", template: bool = False) -> dict[str, Any]:
    """Return the metadata of a field: what it is for, its unit, and whether ``{instrument}`` may stand in it."""
    return {"help": help_text, "unit": unit, "template": template}
