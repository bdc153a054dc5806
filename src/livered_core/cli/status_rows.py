"""The details of ``livered status``, below its first line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from livered_core.cli.numbers import in_si, in_uah
from livered_core.cli.plugins_seen import hook_lines, rows_in
from livered_core.cli.status_facts import (
    has_ended,
    last_run,
    last_run_words,
    memory_of,
    plugin_failures,
    safe,
    sinks_of,
)
from livered_core.cli.status_findings import Finding
from livered_core.cli.status_sight import Sight
from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.dashboard.times import clock_time, span

_Row = tuple[str, object]

_PLACES: Final[Mapping[str, str]] = {
    "reduced_events": "handed to the reduction",
    "between_runs_events": "between runs",
    "paused_events": "while paused",
    "replayed_events": "taken before",
    "early_events": "before the time asked for",
    "vetoed_events": "vetoed",
    "partial_events": "partial",
}
_NO_PIXEL: Final[Mapping[str, str]] = {
    "error_pixel_events": "in pixels that are marked as errors",
    "unmapped_events": "in pixels that are not mapped",
}


def details(sight: Sight, findings: Sequence[Finding], *, everything: bool = False) -> list[str]:
    """Give the lines below the first one, and what to do where something is wrong.

    Parameters
    ----------
    sight
        What was seen.
    findings
        What is wrong with it.
    everything
        Whether to show every count and every failure.
    """
    rows = [*_run_rows(sight), *_source_rows(sight, everything=everything), *_sink_rows(sight)]
    rows += [*_plugin_rows(sight, everything=everything), *_engine_rows(sight)]
    rows += [
        ("damaged", problem) for name, problem in sight.problems.items() if name not in ("", "status.json")
    ]
    lines = [f"  {label:<11} {safe(text)}" for label, text in rows]
    if findings:
        lines.append("")
    for finding in findings:
        lines.append(f"  {'!' if finding.urgent else '-'} {finding.sentence}")
        lines.append(f"    {finding.advice}")
    return lines


def _run_rows(sight: Sight) -> Iterator[_Row]:
    status, now_ns = sight.status, sight.now_ns
    run = status.get("run")
    if not isinstance(run, Mapping) or has_ended(sight):
        last = last_run(sight)
        if last:
            yield "last run", f"{last_run_words(sight)}: {last.get('title') or 'without a title'}"
            yield from _left_out(last, ("skipped",))
        return
    start_ns = time_of(run, "start_ns")
    yield "title", run.get("title") or "none yet"
    began = (
        f", began {clock_time(start_ns, now_ns)} ({span(max(0.0, (now_ns - start_ns) / 1e9))} ago)"
        if start_ns
        else ""
    )
    yield "run", f"{run.get('number')}, {run.get('proposal') or 'no proposal'}{began}"
    every = number_of(status, "update_every_s")
    yield (
        "chunks",
        (
            f"{_count(status, 'n_chunks')}, updates {_count(status, 'n_updates')}"
            + (f", one each {every:g} s" if every else "")
        ),
    )
    yield (
        "events",
        (
            f"{_count(status, 'n_events')} in {_count(status, 'n_pulses')} pulses; "
            f"{in_si(number_of(status, 'event_rate') or 0.0)}/s now"
        ),
    )
    yield "charge", in_uah(number_of(status, "proton_charge_pc") or 0.0)
    if sight.state.data_age_s is not None:
        yield "data", f"{span(sight.state.data_age_s)} old"
    missing = status.get("missing")
    sentences = " ".join(map(str, missing)) if isinstance(missing, list) else ""
    yield "complete", f"NO: {sentences}" if sentences else "yes"
    yield from _left_out(status, ("dropped", "skipped"))


def _left_out(counts: Mapping[str, Any], places: Sequence[str]) -> Iterator[_Row]:
    """Say which chunks of a run are not in its curves, and why."""
    name = counts.get("skipped_by")
    who = f"the plugin {name}" if isinstance(name, str) and name else "a plugin"
    why = {"dropped": "a plugin failed", "skipped": f"{who} left them out on purpose"}
    for what in places:
        if number_of(counts, f"{what}_chunks"):
            chunks, events = _count(counts, f"{what}_chunks"), _count(counts, f"{what}_events")
            yield what, f"{chunks} chunks with {events} events: {why[what]}"


def _source_rows(sight: Sight, *, everything: bool) -> Iterator[_Row]:
    source = table_of(sight.status, "source")
    if not source:
        return
    connects = number_of(source, "connects") or 0
    again = f", {connects:.0f} connections so far" if connects > 1 else ""
    problem = f": {source.get('problem')}" if source.get("problem") and not has_ended(sight) else ""
    yield "source", f"{source.get('where')}, {source.get('connection')}{again}{problem}"
    counts = table_of(source, "counts")
    if "reduced_events" in counts and number_of(counts, "events"):
        yield "received", _where_they_went(counts)
    waiting = number_of(source, "waiting_events")
    if waiting:
        yield "waiting", f"{waiting:,.0f} events received and not yet reduced"
    if everything:
        yield from ((f"  {name}", value) for name, value in counts.items() if value)


def _where_they_went(counts: Mapping[str, Any]) -> str:
    """Say what became of the events that came in this session: the parts add up to the whole."""
    parts = [(number_of(counts, key) or 0.0, words) for key, words in _PLACES.items()]
    arriving = (number_of(counts, "events") or 0.0) - sum(number for number, _ in parts)
    said = [f"{number:,.0f} {words}" for number, words in parts if number]
    if arriving > 0:
        said.append(f"{arriving:,.0f} being counted")
    no_pixel = [
        f"{number_of(counts, key):,.0f} {words}" for key, words in _NO_PIXEL.items() if number_of(counts, key)
    ]
    of_them = f"; of those handed over, left out: {', '.join(no_pixel)}" if no_pixel else ""
    return f"{_count(counts, 'events')} events since livered started = {' + '.join(said)}{of_them}"


def _sink_rows(sight: Sight) -> Iterator[_Row]:
    for sink in sinks_of(sight):
        waiting = number_of(sink, "unsent_finals") or 0
        wait = f", {waiting:.0f} final{'s wait' if waiting != 1 else ' waits'}" if waiting else ""
        receipt = table_of(sink, "last_receipt")
        when_ns = time_of(receipt, "when_ns")
        newest = f", newest at {clock_time(when_ns, sight.now_ns)}: {receipt.get('where')}" if when_ns else ""
        refused = number_of(sink, "refused") or 0
        no = f", {refused:.0f} refused" if refused else ""
        given_up = number_of(sink, "given_up") or 0
        wait += f", {given_up:.0f} given up" if given_up else ""
        since_ns = time_of(sink, "failing_since_ns")
        since = f" since {clock_time(since_ns, sight.now_ns)}" if since_ns else ""
        how = f"FAILS{since} ({sink.get('last_error')})" if sink.get("last_error") else "OK"
        yield "sink", f"{sink.get('name')}: {how}, {_count(sink, 'delivered')} taken{no}{wait}{newest}"


def _plugin_rows(sight: Sight, *, everything: bool) -> Iterator[_Row]:
    session = table_of(sight.status, "session")
    plugins = table_of(session, "plugins")
    if plugins:
        yield "plugins", ", ".join(f"{name} {version}" for name, version in plugins.items())
    for row in rows_in(sight.status) if everything else ():
        yield "plugin", f"{row['name']} {row['version']} {row['state']}. {row['reason']}"
        yield from (("  hook", line) for line in hook_lines(row))
    failures = plugin_failures(sight)
    for failure in failures if everything else failures[:1]:
        yield "failure", f"{clock_time(time_of(failure, 'time_ns'), sight.now_ns)}: {failure.get('sentence')}"
    if len(failures) > 1 and not everything:
        yield "", f"and {len(failures) - 1} more in this session: see --all"


def _engine_rows(sight: Sight) -> Iterator[_Row]:
    status, now_ns = sight.status, sight.now_ns
    session = table_of(status, "session")
    checkpoint = table_of(status, "checkpoint")
    if checkpoint:
        yield "checkpoint", _checkpoint_words(checkpoint, now_ns)
    memory = memory_of(sight)
    if memory:
        yield "memory", _memory_words(memory)
    disk = table_of(status, "disk")
    if number_of(disk, "output_free") is not None:
        yield "disk", f"{in_si(number_of(disk, 'output_free') or 0.0)}B free where the reduced files go"
    reload = table_of(status, "reload")
    if time_of(reload, "time_ns"):
        yield "reload", f"{clock_time(time_of(reload, 'time_ns'), now_ns)}: {reload.get('sentence')}"
    if sight.unit is not None:
        yield "service", sight.unit.sentence()
    if session:
        started_ns = time_of(session, "started_ns")
        yield (
            "engine",
            (
                f"process {status.get('pid')} on {status.get('host')}, livered {session.get('livered_version')}, "
                f"{session.get('backend')}, {'ran ' if has_ended(sight) else ''}since {clock_time(started_ns, now_ns)}"
            ),
        )
        yield "outputs", session.get("output_dir")
    if status.get("log_file"):
        yield "log", status.get("log_file")
    yield "folder", sight.path


def _checkpoint_words(checkpoint: Mapping[str, Any], now_ns: int) -> str:
    when_ns, size = time_of(checkpoint, "made_ns"), number_of(checkpoint, "bytes")
    if not when_ns:
        return "none yet"
    ago = span(max(0.0, (now_ns - when_ns) / 1e9))
    return f"{ago} ago" + (f", {in_si(size)}B" if size else "")


def _memory_words(memory: Mapping[str, Any]) -> str:
    used, limit = number_of(memory, "used") or 0.0, number_of(memory, "limit")
    of = f" of {in_si(limit)}B" if limit else ", no limit"
    more = f", {memory.get('begun_with')}" if memory.get("begun_with") else ""
    return f"{in_si(used)}B{of}, {memory.get('level')}{more}"


def _count(table: Mapping[str, Any], key: str) -> str:
    return f"{number_of(table, key) or 0.0:,.0f}"
