"""What the run itself says of the sample's composition."""

from __future__ import annotations

from collections.abc import Mapping

from livered_core import RunInfo, SlowLog

COMPOSITION_FIELDS = ("chemical_formula", "formula", "ChemicalFormula", "composition")
"""Fields of the run's sample that may hold its composition."""
COMPOSITION_LOGS = ("SampleFormula", "BL1B:CS:ITEMS:Formula")
"""Logs that may hold it: NOMAD's item tracking."""


def said_formula(run: RunInfo) -> str:
    """Return the composition that the run's description says; empty where it says none."""
    said = (run.sample.get(field, "").strip() for field in COMPOSITION_FIELDS)
    return next((text for text in said if text), "")


def logged_formula(logs: Mapping[str, SlowLog]) -> str:
    """Return what the logs say of the sample's composition; empty where they say nothing."""
    for name in COMPOSITION_LOGS:
        said = logs[name].last if name in logs and len(logs[name].value) else ""
        if isinstance(said, str) and said.strip():
            return said.strip()
    return ""
