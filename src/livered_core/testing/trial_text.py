"""A trial written down for people, to be read from top to bottom: what was run, what it did, and whether all is well."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from livered_core.hooks.spec import OUTWARD, TRANSFORMS
from livered_core.testing.trial_findings import findings, remarks, sums
from livered_core.testing.trial_nouns import Trial
from livered_core.testing.trial_parts import CurveSummary, HookTimes, TriedRun
from livered_core.testing.trial_transcript import duration, transcript

_MOST_CURVES: Final = 40
_MOST_HEARD: Final = 20
_MOST_TRACEBACK: Final = 40
_MB: Final = 1e6


def trial_text(trial: Trial) -> list[str]:
    """Write a trial down.

    Parameters
    ----------
    trial
        The trial.

    Returns
    -------
    list of str
        Lines without control characters but those of texts from outside; the last say whether all is well.
    """
    lines = [*_head(trial)]
    for title, body in (
        ("Calls of hooks", transcript(trial.calls, trial.began_s)),
        ("Times", _times(trial)),
        ("Events", _events(trial)),
        ("Memory", _memory(trial)),
        ("Results", _results(trial)),
        ("Sinks", _sinks(trial)),
        ("Warnings", _heard(trial)),
        ("Failures", _failures(trial)),
        ("Files", _files(trial)),
        ("Worth a look", remarks(trial)),
    ):
        if body:
            lines += ["", title, *(f"  {line}" for line in body)]
    return [*lines, "", *_verdict(trial)]


def _head(trial: Trial) -> list[str]:
    hooks = ", ".join(f"{hook} (wraps)" if role == "wrapper" else hook for hook, role in trial.hooks.items())
    lines = [
        f"Plugin  {trial.plugin}",
        f"Hooks   {hooks}",
        f"Data    {trial.source}, as {trial.instrument}, {trial.backend} backend",
    ]
    if trial.beside:
        lines.append(f"Beside  {', '.join(trial.beside)}")
    elif trial.kind in ("sink", "wrapper", "observer"):
        lines.append("Beside  what livered does where no plugin has an opinion: counts over time of flight")
    return lines


def _times(trial: Trial) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("hook", "calls", "failed", "mean", "longest", "total", "ns/event", "of beam time")
    ]
    rows += [_time_row(trial, row) for row in trial.times()]
    lines = _columns(rows, left=1)
    if "wrapper" in trial.hooks.values():
        lines.append("* with what it wraps")
    beam_s, per_event = trial.beam_s, trial.ns_per_event
    if per_event is not None and any(hook in trial.hooks for hook in ("process_chunk", "accumulate")):
        first = ", the first chunk left aside" if len(trial.chunks) > 1 else ""
        budget = "" if trial.budget_ns is None else f"; {trial.budget_ns:g} ns are allowed"
        lines.append(f"{trial.name} takes {_ns(per_event)} ns for each event of a chunk{first}{budget}.")
    if beam_s > 0 and trial.busy_s > 0:
        share = trial.busy_s / beam_s
        faster = (
            f"{_times_as(beam_s / trial.busy_s)} as fast as the beam" if share < 1 else "SLOWER than the beam"
        )
        lines.append(
            f"{duration(beam_s)} of beam were reduced in {duration(trial.busy_s)}: {_percent(share)}, {faster}. "
            f"The trial took {duration(trial.wall_s)}."
        )
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:,.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def _ns(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _times_as(factor: float) -> str:
    return f"{factor:.2g} times" if factor < 9.95 else f"{factor:,.0f} times"


def _time_row(trial: Trial, row: HookTimes) -> tuple[str, ...]:
    of_chunks = row.hook in TRANSFORMS and trial.n_events
    shared = row.hook in (*TRANSFORMS, *OUTWARD) and trial.beam_s > 0
    wraps = " *" if row.plugin == trial.name and trial.hooks.get(row.hook) == "wrapper" else ""
    return (
        f"{row.plugin}.{row.hook}{wraps}",
        str(row.calls),
        str(row.failures or ""),
        duration(row.mean_s),
        duration(row.longest_s),
        duration(row.total_s),
        _ns(row.total_s / trial.n_events * 1e9) if of_chunks else "",
        _percent(row.total_s / trial.beam_s) if shared else "",
    )


def _events(trial: Trial) -> list[str]:
    lines = []
    for name, total, parts in sums(trial):
        first, *others = parts.items()
        some = [f"{number:,} {part}" for part, number in others if number]
        lines.append(f"{total:,} {name} = " + " + ".join([f"{first[1]:,} {first[0]}", *some]))
    lines += [_run_counts(run) for run in trial.runs]
    return lines


def _run_counts(run: TriedRun) -> str:
    title = f" ({run.run.title})" if run.run.title else ""
    return (
        f"run {run.run.number}{title}: {run.n_pulses:,} pulses, {run.n_events:,} events in {_many(run.n_chunks, 'chunk')} processed; "
        f"{_many(run.skipped_chunks, 'chunk')} skipped ({run.skipped_events:,} events), "
        f"{run.dropped_chunks} dropped ({run.dropped_events:,} events)"
    )


def _memory(trial: Trial) -> list[str]:
    used = trial.memory
    if not used.peak:
        return ["not known on this machine"]
    growth = used.last_chunk - used.first_chunk
    return [
        f"{used.begin / _MB:.0f} MB at the beginning, {used.peak / _MB:.0f} MB at most "
        f"(+{max(0, used.peak - used.begin) / _MB:.0f} MB), {used.end / _MB:.0f} MB at the end",
        f"{growth / _MB:+.1f} MB from the first chunk to the last; "
        f"what is accumulated takes {used.accumulated / _MB:.3g} MB",
    ]


def _results(trial: Trial) -> list[str]:
    lines: list[str] = []
    for run in trial.runs:
        if run.result is None:
            lines.append(f"run {run.run.number}: none")
            continue
        final = "final" if run.update is not None and run.update.final else "not final"
        images = f" and {_many(len(run.result.images), 'image')}" if run.result.images else ""
        lines.append(
            f"run {run.run.number}: {_many(run.n_results, 'result')}; the last is {final}, "
            f"with {_many(len(run.curves), 'curve')}{images}"
        )
        shown = run.curves[:_MOST_CURVES]
        if shown:
            rows = [("curve", "points", "from", "to", "", "sum", "peak", "", "at")]
            lines += [f"  {line}" for line in _columns([*rows, *map(_curve_row, shown)], left=1)]
        if len(run.curves) > len(shown):
            lines.append(f"  and {len(run.curves) - len(shown)} more")
    return lines


def _curve_row(curve: CurveSummary) -> tuple[str, ...]:
    finite = "" if curve.n_finite == curve.n_points else f" ({curve.n_finite} finite)"
    return (
        curve.label,
        f"{curve.n_points}{finite}",
        _number(curve.x_first),
        _number(curve.x_last),
        curve.x_unit,
        _number(curve.total),
        _number(curve.peak),
        curve.y_unit,
        _number(curve.peak_at),
    )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.5g}"


def _sinks(trial: Trial) -> list[str]:
    lines = []
    for sink in trial.sinks:
        where = f"; the last to {sink.where}" if sink.where else ""
        error = f"; {sink.error}" if sink.error else ""
        refused = f", refused {sink.refused}" if sink.refused else ""
        lines.append(f"{sink.name}: took {_many(sink.delivered, 'result')}{refused}{where}{error}")
    return lines


def _heard(trial: Trial) -> list[str]:
    lines = []
    for heard in trial.heard[:_MOST_HEARD]:
        times = f"{heard.count} x " if heard.count > 1 else ""
        lines.append(f"{times}{heard.text} ({heard.where})")
    if len(trial.heard) > _MOST_HEARD:
        lines.append(f"and {len(trial.heard) - _MOST_HEARD} more")
    return lines


def _failures(trial: Trial) -> list[str]:
    lines = []
    for failed in trial.failures:
        lines.append(failed.sentence)
        written = failed.traceback.rstrip().splitlines()
        if len(written) > _MOST_TRACEBACK:
            written = ["...", *written[-_MOST_TRACEBACK:]]
        lines += [f"  {line}" for line in written]
    return lines


def _files(trial: Trial) -> list[str]:
    """Name the files by folder, those of columns by their number."""
    folders: dict[Path, list[Path]] = {}
    for path in trial.files:
        folders.setdefault(path.parent, []).append(path)
    lines = []
    for folder, paths in folders.items():
        kinds = Counter(path.suffix for path in paths)
        names = [path.name for path in paths if kinds[path.suffix] <= 3]
        names += [f"{number} files *{suffix}" for suffix, number in kinds.items() if number > 3]
        lines.append(f"{near(folder)}: {', '.join(names)}")
    return lines


def near(path: Path) -> str:
    """Write a path relative to the working directory where it is below that."""
    try:
        here = Path.cwd()
    except OSError:  # it was removed meanwhile
        return os.fspath(path)
    return str(path.relative_to(here)) if path.is_relative_to(here) else os.fspath(path)


def _verdict(trial: Trial) -> list[str]:
    wrong = findings(trial)
    if not wrong:
        warned = sum(heard.count for heard in trial.heard)
        return [f"All is well{f', with {warned} warnings' if warned else ''}."]
    return [
        f"{len(wrong)} {'thing is' if len(wrong) == 1 else 'things are'} wrong:",
        *(f"  {each}" for each in wrong),
    ]


def _columns(rows: Sequence[tuple[str, ...]], *, left: int) -> list[str]:
    """Align columns: the first `left` to the left, and units; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if index < left or _is_text(rows, index) else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _is_text(rows: Iterable[tuple[str, ...]], index: int) -> bool:
    """Tell whether a column holds units, which have no heading."""
    return next(iter(rows))[index] == ""
