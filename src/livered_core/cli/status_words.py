"""The first line of ``livered status``, which anyone understands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from livered_core.cli.numbers import in_si
from livered_core.cli.status_facts import (
    SINK_FAILS_S,
    begins_for,
    died,
    hangs_for,
    is_running,
    is_silent,
    last_run_words,
    safe,
    sinks_of,
    waits_for,
)
from livered_core.cli.status_findings import Finding
from livered_core.cli.status_sight import Sight
from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.dashboard.state import NEVER_STARTED
from livered_core.dashboard.times import span

_URGENT: Final[Mapping[str, str]] = {
    "checkpoint": "the run is NOT KEPT on disk",
    "disk": "NO ROOM on a disk",
    "memory": "OUT OF MEMORY soon",
    "no-workers": "NO WORKER for chunks",
    "service-failed": "the service does NOT START",
    "service-restarts": "the service starts anew",
}
"""What the first line says of findings that its other words do not tell."""


def first_line(sight: Sight, findings: Sequence[Finding]) -> str:
    """Say in one line how an instrument is doing.

    Parameters
    ----------
    sight
        What was seen.
    findings
        What is wrong with it.
    """
    kinds = {finding.kind: finding for finding in findings}
    if "unreadable" in kinds:
        return safe(f"{sight.name}: NOT KNOWN: {kinds['unreadable'].sentence}")
    if sight.starting_ns:
        return f"{sight.name}: starting for {span((sight.now_ns - sight.starting_ns) / 1e9)}"
    if sight.state.word == NEVER_STARTED:
        tail = f"; {sight.unit.sentence()}" if sight.unit is not None else ""
        return f"{sight.name}: livered has not run here{tail}"
    urgent = [_URGENT[finding.kind] for finding in findings if finding.urgent and finding.kind in _URGENT]
    also = list(dict.fromkeys(urgent))
    if not is_running(sight):
        return safe("; ".join([f"{sight.name}{_run_words(sight)}: {_end_words(sight)}", *also]))
    said = ", ".join([f"{sight.name}{_run_words(sight)}: {_state_words(sight)}", *_data_words(sight)])
    publishing = filter(None, [_publishing_words(sight)])
    return safe("; ".join([said, *_plugin_words(findings), *publishing, *also]))


def _run_words(sight: Sight) -> str:
    number = number_of(table_of(sight.status, "run"), "number")
    return f" run {number:.0f}" if number else ""


def _end_words(sight: Sight) -> str:
    """Say how an engine ended that does not run, and what it left."""
    beat_ns = time_of(sight.status, "now_ns")
    ago = span(max(0.0, (sight.now_ns - beat_ns) / 1e9))
    if died(sight):
        seen = f"last seen {sight.status.get('phase')}"
        parts = [f"engine DIED {ago} ago; {seen}", *_data_words(sight, aged=False)]
    elif is_silent(sight):
        host = sight.status.get("host")
        where = f" on {host}" if host != sight.host else ""
        parts = [f"NO SIGN OF LIFE{where} for {ago}; last seen {sight.status.get('phase')}"]
        parts += _data_words(sight, aged=False)
    elif sight.state.word == "failed":
        why = str(sight.status.get("failure") or "the log says why").rstrip(".")
        parts = [f"FAILED {ago} ago: {why}"]
    else:
        parts = [f"stopped {ago} ago", *filter(None, [last_run_words(sight)])]
    waiting = sum(number_of(sink, "unsent_finals") or 0 for sink in sinks_of(sight))
    tail = (
        f"; {waiting:.0f} final result{'s wait' if waiting != 1 else ' waits'} to be sent" if waiting else ""
    )
    return ", ".join(parts) + tail


def _state_words(sight: Sight) -> str:
    hangs_s = hangs_for(sight)
    if hangs_s:
        return f"HANGS for {span(hangs_s)}"
    begins_s = begins_for(sight)
    if begins_s:
        return f"starting for {span(begins_s)}"
    word = sight.state.word
    if word in ("not connected", "connecting"):
        since_s = (sight.now_ns - sight.phase_since_ns) / 1e9 if sight.phase_since_ns else 0.0
        return f"NOT CONNECTED for {span(since_s)}" if since_s else "connecting"
    if word == "stale":
        return "STALE"
    fraction = number_of(table_of(sight.status, "source"), "read_fraction")
    if fraction is not None:
        return f"{word}, {fraction:.0%} read"
    return word


def _data_words(sight: Sight, *, aged: bool = True) -> Iterator[str]:
    """Say what there is of the run in hand, or of the last one between runs."""
    status = sight.status
    if not isinstance(status.get("run"), Mapping):
        yield from filter(None, [last_run_words(sight)])
        return
    if aged and sight.state.data_age_s is not None:
        yield f"{_age(sight.state.data_age_s)} old"
    events = number_of(status, "n_events") or 0.0
    yield f"{in_si(events)} events"
    if events or status.get("missing"):
        yield "complete" if status.get("complete") is True else "INCOMPLETE"
    skipped = number_of(status, "skipped_chunks") or 0
    if skipped:
        yield f"{skipped:,.0f} chunk{'' if skipped == 1 else 's'} left out on purpose"


def _plugin_words(findings: Sequence[Finding]) -> Iterator[str]:
    n_failing = sum(finding.kind == "plugin-failing" for finding in findings)
    if n_failing:
        yield "a plugin FAILS" if n_failing == 1 else f"{n_failing} plugins FAIL"


def _publishing_words(sight: Sight) -> str:
    sinks = sinks_of(sight)
    if not sinks:
        return ""
    failing = [sink for sink in sinks if sink.get("last_error") or waits_for(sight, sink) > SINK_FAILS_S]
    waiting = sum(number_of(sink, "unsent_finals") or 0 for sink in sinks)
    wait = f"{waiting:.0f} final{'s wait' if waiting != 1 else ' waits'}" if waiting else ""
    if failing:
        names = ", ".join(str(sink.get("name")) for sink in failing)
        return f"publishing FAILS: {names}" + (f" ({wait})" if wait else "")
    return f"publishing OK ({wait})" if wait else "publishing OK"


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 99.5 else span(seconds)
