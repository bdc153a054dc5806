"""What livered knows of a run, as logs with the names that Mantid uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

from livered_core.model import Result, RunInfo, Update
from livered_core.model.result import Note
from livered_core.publish.text import one_line, unique_slugs

_PC_PER_UAH: Final = 3.6e9
"""Picocoulomb in a microampere hour: 3600 uC of 1e6 pC."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

Log = tuple[float | int | str, str]
"""A value (an int within 64 bits) and its unit."""


def logs_of(result: Result, run: RunInfo, update: Update) -> dict[str, Log]:
    """Name what is known of a run as Mantid does.

    What the stream and plugins name comes behind ``sample_`` and ``result_``: Mantid takes some names for its own, such
    as ``proton_charge``, which it would read in other units, or ``nperiods``, which turns the loading of a group round.

    Returns
    -------
    dict of str to tuple
        At least two, always: of a single number without logs Mantid makes a workspace of another kind.
    """
    start = run.start_ns or update.first_pulse_ns
    logs: dict[str, Log] = {
        "run_number": (str(run.number), ""),
        "run_title": (one_line(run.title), ""),
        "experiment_identifier": (one_line(run.proposal), ""),
        "gd_prtn_chrg": (update.proton_charge_pc / _PC_PER_UAH, "uA.hour"),
        "total_counts": (update.n_events, "counts"),
        "total_pulses": (update.n_pulses, ""),
    }
    for names, time_ns in (
        (("start_time", "run_start"), start),
        (("end_time", "run_end"), update.last_pulse_ns),
    ):
        if time_ns:
            logs |= {name: (_time(time_ns), "") for name in names}
    if 0 < start <= update.last_pulse_ns:
        logs["duration"] = ((update.last_pulse_ns - start) / 1e9, "second")
    logs["livered_complete"] = (int(update.complete), "")
    logs["livered_final"] = (int(update.final), "")
    logs["livered_update"] = (update.sequence, "")
    for name in ("skipped_chunks", "skipped_events", "dropped_chunks", "dropped_events"):
        logs[f"livered_{name}"] = (int(getattr(update, name)), "")
    if update.missing:
        logs["livered_missing"] = (" ".join(map(one_line, update.missing)), "")
    for prefix, notes in (("sample", run.sample), ("result", result.metadata)):
        logs |= dict(_noted(prefix, notes))
    return {name: log for name, log in logs.items() if log[0] != ""}


def _noted(prefix: str, notes: Mapping[str, Note]) -> Iterator[tuple[str, Log]]:
    for name, note in zip(unique_slugs(notes), notes.values(), strict=True):
        value = note if isinstance(note, float | int) and _fits(note) else one_line(str(note))
        yield f"{prefix}_{name}", (int(value) if isinstance(value, bool) else value, "")


def _fits(number: float) -> bool:
    return not isinstance(number, int) or -(2**63) <= number < 2**63


def _time(time_ns: int) -> str:
    """Write a time with nanoseconds, without a zone, which is UTC for Mantid; years before 10000 only."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}"
