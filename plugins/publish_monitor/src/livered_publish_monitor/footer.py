"""What stands around the figures: which run, how complete, how old, made by what."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from livered_core import Curve, Result, RunInfo, Update
from livered_core.model import format_utc
from livered_publish_monitor.page_text import charge, duration, for_html, plain

MOST_NOTES = 40
"""Most lines of metadata that are shown."""
MOST_REASONS = 10
"""Most reasons for which data are missing that are shown."""


@attrs.frozen
class Fact:
    """One line of the footer.

    Attributes
    ----------
    name, value
        Texts from anywhere, not escaped.
    lasting
        False for what is another with each update although the result is the same: times, ages, counts of pulses.
    """

    name: str
    value: str
    lasting: bool = True


def facts_of(result: Result, run: RunInfo, update: Update, shown: Sequence[Curve], now_ns: int) -> list[Fact]:
    """Say what a page shows.

    Parameters
    ----------
    result, run, update
        What is shown.
    shown
        The curves that are drawn: only of these are the metadata of interest.
    now_ns
        Wall time, nanoseconds UTC since the Unix epoch.
    """
    complete = "yes" if update.complete else f"no: {' '.join(reasons(update))}"
    facts = [
        Fact("Run", f"{run.instrument} {run.number}{f', {run.proposal}' if run.proposal else ''}"),
        Fact("Title", run.title or "none"),
        Fact("Result", result.title),
        Fact("Proton charge", charge(update.proton_charge_pc)),
        Fact("Events", f"{update.n_events:,}"),
        Fact("Pulses", f"{update.n_pulses:,}", lasting=False),
        Fact("Data", _age(update, now_ns), lasting=False),
        Fact("State", "final" if update.final else f"live, update {update.sequence}", lasting=False),
        Fact("Complete", complete),
    ]
    notes = [Fact(key, _number(note)) for key, note in result.metadata.items()]
    for curve in shown:
        notes += [Fact(f"{curve.label}: {key}", _number(note)) for key, note in curve.metadata.items()]
    facts += notes[:MOST_NOTES]
    if len(notes) > MOST_NOTES:
        facts.append(Fact("More", f"{len(notes) - MOST_NOTES} values are not shown here"))
    return facts


def reasons(update: Update) -> list[str]:
    """Say why data are not complete, in a few sentences."""
    if not update.missing:
        return ["The reason is not known."]
    more = len(update.missing) - MOST_REASONS
    return [*map(plain, update.missing[:MOST_REASONS]), *([f"And {more} more reasons."] if more > 0 else [])]


def footer(facts: Sequence[Fact]) -> str:
    """Write facts as a table."""
    rows = "".join(
        '<tr><th scope="row" style="text-align: left; vertical-align: top; padding-right: 12px; font-weight: normal">'
        f"{for_html(fact.name)}</th><td>{for_html(fact.value)}</td></tr>"
        for fact in facts
    )
    return f'<table style="font-size: 85%; border-collapse: collapse">{rows}</table>'


def warning(update: Update) -> str:
    """Say what is missing, above the curves: nobody may take incomplete data for complete ones."""
    if update.complete:
        return ""
    return (
        '<div role="alert" style="background: #fff3cd; color: #4d3800; border: 1px solid #b58900; '
        f'padding: 4px 8px">Incomplete: {" ".join(map(for_html, reasons(update)))}</div>'
    )


def _age(update: Update, now_ns: int) -> str:
    if not update.last_pulse_ns:
        return f"none when sent at {format_utc(now_ns)}"
    return (
        f"from {format_utc(update.first_pulse_ns)} to {format_utc(update.last_pulse_ns)}, "
        f"{duration(now_ns - update.last_pulse_ns)} old when sent at {format_utc(now_ns)}"
    )


def _number(note: object) -> str:
    if isinstance(note, bool):
        return "yes" if note else "no"
    return f"{note:.6g}" if isinstance(note, float) else plain(note)
