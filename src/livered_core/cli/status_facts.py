"""What the files of a run directory say, for ``livered status``: nothing in them is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from livered_core.cli.numbers import in_si
from livered_core.cli.status_sight import Sight
from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.dashboard.state import STALE, STOPPED
from livered_core.dashboard.times import span
from livered_core.model.text import one_line

LONGEST: Final = 500
"""Characters of a sentence that are shown."""
HANGS_S: Final = 60.0
"""The loop of the reduction may stand still for so long, or for three updates; seconds."""
SINK_FAILS_S: Final = 600.0
"""A sink that fails for longer than this is somebody's to mend; seconds."""
BEGINS_S: Final = 600.0
"""Plugins may take so long to begin, and livered to start; seconds."""
_LEFT: Final = ("session stopped", "session failed", "engine died")
_ENDS: Final[Mapping[str, str]] = {"replaced": "ended", **dict.fromkeys(_LEFT, "was left in the middle")}
"""How ends of runs are said to people, where not by the word that programs read."""


def is_running(sight: Sight) -> bool:
    """Say whether the engine runs, as far as can be seen, well or not."""
    return bool(sight.status) and sight.state.word not in (STOPPED, "failed") and not is_silent(sight)


def is_silent(sight: Sight) -> bool:
    """Say whether an engine that has not ended gives no sign of life, but may be there."""
    phase = sight.status.get("phase")
    return sight.state.word == STALE and phase not in (STOPPED, "failed") and _beat_is_old(sight)


def died(sight: Sight) -> bool:
    """Say whether the engine ended without a word."""
    return sight.state.word == STOPPED and sight.status.get("phase") not in (STOPPED, "failed")


def safe(text: object) -> str:
    """Make text from anywhere one line that is not too long."""
    line = one_line(str(text))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def plugin_failures(sight: Sight) -> list[Mapping[str, Any]]:
    """Give the newest failures of plugins in this session, newest first; those of sinks are told with the sinks."""
    listed = sight.files.get("failures.json", {}).get("failures")
    session = table_of(sight.status, "session").get("id")
    return [
        failure
        for failure in (listed if isinstance(listed, list) else [])
        if isinstance(failure, Mapping)
        and failure.get("session") == session
        and failure.get("hook") != "post_publish"
    ]


def sinks_of(sight: Sight) -> list[Mapping[str, Any]]:
    """Give what the status says of each sink."""
    listed = sight.status.get("sinks")
    return [sink for sink in (listed if isinstance(listed, list) else []) if isinstance(sink, Mapping)]


def waits_for(sight: Sight, sink: Mapping[str, Any]) -> float:
    """Say for how long final results wait for a sink that has taken none, seconds; 0 where none waits."""
    since_ns = time_of(sink, "waiting_since_ns")
    return (sight.now_ns - since_ns) / 1e9 if since_ns else 0.0


def memory_of(sight: Sight) -> Mapping[str, Any]:
    """Give what the status says of memory; empty where it says nothing."""
    return table_of(sight.status, "memory")


def has_ended(sight: Sight) -> bool:
    """Say whether the engine has said that it ended."""
    return sight.status.get("phase") in (STOPPED, "failed")


def last_run(sight: Sight) -> Mapping[str, Any]:
    """Give the newest run of the list; empty without one."""
    runs = sight.files.get("runs.json", {}).get("runs")
    newest = runs[0] if isinstance(runs, list) and runs else None
    return newest if isinstance(newest, Mapping) else {}


def begins_for(sight: Sight) -> float:
    """Say for how long the plugins have been beginning, seconds; 0 where the source has begun, or livered runs no more."""
    status = sight.status
    if sight.state.word != "connecting" or number_of(table_of(status, "source"), "turns"):
        return 0.0
    return number_of(status, "standing_s") or 0.0


def hangs_for(sight: Sight) -> float:
    """Say for how long the reduction has stood still where that is too long, seconds; 0 where it gets on."""
    status = sight.status
    standing_s = number_of(status, "standing_s") or 0.0
    source = table_of(status, "source")
    if status.get("phase") in ("stopping", STOPPED, "failed"):
        return 0.0
    if not number_of(source, "turns"):
        return standing_s if standing_s > BEGINS_S else 0.0
    every_s = max(number_of(status, "update_every_s") or 0.0, number_of(source, "chunk_s") or 0.0)
    return standing_s if standing_s > max(HANGS_S, 3 * every_s) else 0.0


def _beat_is_old(sight: Sight) -> bool:
    beat_ns = time_of(sight.status, "now_ns")
    every_s = number_of(sight.status, "status_every_s") or 1.0
    age_s = (sight.now_ns - beat_ns) / 1e9
    return not -max(10.0, 5 * every_s) <= age_s < max(10.0, 5 * every_s)


def last_run_words(sight: Sight) -> str:
    """Say what became of the newest run; empty without one."""
    last = last_run(sight)
    if not last:
        return ""
    number = number_of(last, "number") or 0
    end_ns = time_of(last, "end_ns")
    end = str(last.get("end") or "went on")
    ago = f" {span(max(0.0, (sight.now_ns - end_ns) / 1e9))} ago" if end_ns else ""
    complete = "complete" if last.get("complete") is True else "INCOMPLETE"
    if end in _LEFT and last.get("complete") is True:
        complete = "complete so far"
    events = in_si(number_of(last, "n_events") or 0.0)
    skipped = number_of(last, "skipped_events") or 0.0
    left_out = f", {in_si(skipped)} events left out on purpose" if skipped else ""
    return f"run {number:.0f} {_ENDS.get(end, end)}{ago}, {events} events, {complete}{left_out}"
