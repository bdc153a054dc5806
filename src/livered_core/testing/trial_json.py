"""A trial as JSON, for programs."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import attrs

from livered_core.testing.trial_findings import findings, remarks, sums
from livered_core.testing.trial_nouns import Trial
from livered_core.testing.trial_parts import TriedRun

FORMAT: Final = 1
"""Of the document; it grows when a key changes its meaning or goes."""


def trial_json(trial: Trial) -> str:
    """Write a trial as JSON.

    Parameters
    ----------
    trial
        The trial.

    Returns
    -------
    str
        One object; times in seconds, sizes in bytes. What is not a finite number is null.
    """
    document = {
        "format": FORMAT,
        "ok": not findings(trial),
        "wrong": findings(trial),
        "remarks": remarks(trial),
        "plugin": trial.plugin,
        "name": trial.name,
        "kind": trial.kind,
        "hooks": dict(trial.hooks),
        "beside": list(trial.beside),
        "instrument": trial.instrument,
        "source": trial.source,
        "backend": trial.backend,
        "wall_s": trial.wall_s,
        "busy_s": trial.busy_s,
        "beam_s": trial.beam_s,
        "ns_per_event": trial.ns_per_event,
        "budget_ns": trial.budget_ns,
        "times": [{**attrs.asdict(row), "mean_s": row.mean_s} for row in trial.times()],
        "calls": [{**attrs.asdict(call), "began_s": call.began_s - trial.began_s} for call in trial.calls],
        "counts": dict(trial.counts),
        "sums": [{"what": name, "events": total, "parts": parts} for name, total, parts in sums(trial)],
        "memory": attrs.asdict(trial.memory),
        "runs": [_run(run) for run in trial.runs],
        "sinks": [attrs.asdict(sink) for sink in trial.sinks],
        "warnings": [attrs.asdict(heard) for heard in trial.heard],
        "failures": [attrs.asdict(failed) for failed in trial.failures],
        "files": [str(path) for path in trial.files],
        "page": None if trial.page is None else str(trial.page),
    }
    return json.dumps(_finite(document), indent=1)


def _run(run: TriedRun) -> dict[str, Any]:
    left_out = ("run", "result", "update")
    return {
        "run": run.run.number,
        "title": run.run.title,
        **attrs.asdict(run, filter=lambda attribute, _: attribute.name not in left_out),
        "final": run.update is not None and run.update.final,
        "curves": [attrs.asdict(curve) for curve in run.curves],
        "images": [] if run.result is None else [image.label for image in run.result.images],
        "metadata": {} if run.result is None else dict(run.result.metadata),
    }


def _finite(value: Any) -> Any:
    """Put null in the place of what JSON cannot say."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
