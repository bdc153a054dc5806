"""The document of ``livered status --json``; its keys are on the page ``docs/operations.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from livered_core.cli.plugins_seen import rows_in
from livered_core.cli.status_facts import plugin_failures, safe, sinks_of
from livered_core.cli.status_findings import EXIT_CODES, Finding, exit_code_of, verdict_of
from livered_core.cli.status_sight import Sight
from livered_core.cli.status_unit import Unit
from livered_core.cli.status_words import first_line
from livered_core.dashboard.foreign import table_of, time_of

FORMAT: Final = 1
"""Layout of the document."""
_COUNTS: Final = (
    "n_chunks",
    "n_updates",
    "n_events",
    "n_pulses",
    "proton_charge_pc",
    "dropped_chunks",
    "dropped_events",
    "skipped_chunks",
    "skipped_events",
)
_DEEPEST: Final = 12


def document(seen: Sequence[tuple[Sight, Sequence[Finding]]], now_ns: int) -> dict[str, Any]:
    """Make the document of all instruments that were looked at.

    Parameters
    ----------
    seen
        Each instrument with what is wrong with it.
    now_ns
        Wall time, nanoseconds UTC.

    Returns
    -------
    dict
        Plain values only, every text on one line and every number finite.
    """
    code = exit_code_of([verdict_of(sight, findings) for sight, findings in seen])
    return {
        "format": FORMAT,
        "now_ns": now_ns,
        "exit_code": code,
        "instruments": [_instrument(sight, findings) for sight, findings in seen],
    }


def _instrument(sight: Sight, findings: Sequence[Finding]) -> dict[str, Any]:
    status = sight.status
    verdict = verdict_of(sight, findings)
    session = table_of(status, "session")
    engine = {
        "pid": status.get("pid"),
        "host": status.get("host"),
        "process": sight.process.value,
        "heartbeat_ns": time_of(status, "now_ns"),
        "started_ns": time_of(session, "started_ns"),
        "session": session.get("id"),
        "backend": session.get("backend"),
        "version": session.get("livered_version"),
        "standing_s": status.get("standing_s"),
        "standing_at": status.get("standing_at"),
    }
    answer = {
        "name": sight.name,
        "health": verdict.value,
        "exit_code": EXIT_CODES[verdict],
        "line": first_line(sight, findings),
        "state": "starting" if sight.starting_ns else sight.state.word,
        "sentence": sight.state.sentence,
        "since_ns": sight.phase_since_ns,
        "data_age_s": sight.state.data_age_s,
        "findings": [attrs.asdict(finding) for finding in findings],
        "run": status.get("run"),
        "counts": {key: status.get(key) for key in _COUNTS},
        "complete": status.get("complete"),
        "missing": status.get("missing"),
        "event_rate": status.get("event_rate"),
        "source": status.get("source"),
        "sinks": sinks_of(sight),
        "plugins": table_of(session, "plugins"),
        "plugin_rows": rows_in(status),
        "failures": [
            {key: failure.get(key) for key in ("time_ns", "run", "plugin", "hook", "sentence", "consecutive")}
            for failure in plugin_failures(sight)
        ],
        "checkpoint": status.get("checkpoint"),
        "memory": status.get("memory"),
        "disk": status.get("disk"),
        "reload": status.get("reload"),
        "engine": engine if status else None,
        "service": None if sight.unit is None else _service(sight.unit),
        "log_file": status.get("log_file"),
        "output_dir": session.get("output_dir"),
        "run_directory": str(sight.path),
    }
    plain: dict[str, Any] = _plain(answer)
    return plain


def _service(unit: Unit) -> dict[str, Any]:
    state = unit.state
    known = {} if state is None else {"active": state.active, "sub": state.sub, "result": state.result}
    return {
        "unit": unit.name,
        "active": None,
        "sub": None,
        "result": None,
        **known,
        "restarts": None if state is None else state.n_restarts,
        "sentence": unit.sentence(),
    }


def _plain(value: Any, depth: int = 0) -> Any:
    """Copy what may be foreign: texts on one line, numbers finite, and not nested without end."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {safe(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return value
