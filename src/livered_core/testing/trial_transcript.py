"""Calls of hooks written down for people, long rows of alike ones folded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from livered_core.hooks.calls import FinishedCall
from livered_core.hooks.spec import OUTWARD

_LONGEST_PATTERN: Final = 6
_LEAST_REPEATS: Final = 3


@attrs.frozen
class Row:
    """A call, or alike ones that come again and again.

    Attributes
    ----------
    calls
        In their order.
    repeats
        How often the pattern that it belongs to comes; 1 outside a pattern.
    first
        Whether it begins its pattern.
    """

    calls: tuple[FinishedCall, ...]
    repeats: int = 1
    first: bool = False


def fold(calls: Sequence[FinishedCall]) -> list[Row]:
    """Fold calls: a pattern of up to some that comes three times or more becomes a row for each call in it.

    Parameters
    ----------
    calls
        In the order of their beginnings.
    """
    keys = [(call.plugin, call.hook, call.run, call.outcome, call.error) for call in calls]
    rows: list[Row] = []
    at = 0
    while at < len(calls):
        length, repeats = _pattern(keys, at)
        if repeats < _LEAST_REPEATS:
            rows.append(Row((calls[at],)))
            at += 1
            continue
        rows += [
            Row(tuple(calls[at + place : at + length * repeats : length]), repeats, first=place == 0)
            for place in range(length)
        ]
        at += length * repeats
    return rows


def _pattern(keys: Sequence[object], at: int) -> tuple[int, int]:
    """Find the pattern that begins somewhere and covers most; the shortest of those."""
    best = (1, 1)
    for length in range(1, _LONGEST_PATTERN + 1):
        pattern = keys[at : at + length]
        if len(pattern) < length:
            break
        repeats = 1
        while keys[at + repeats * length : at + (repeats + 1) * length] == pattern:
            repeats += 1
        if repeats >= _LEAST_REPEATS and (best[1] < _LEAST_REPEATS or repeats * length > best[0] * best[1]):
            best = (length, repeats)
    return best


def transcript(calls: Sequence[FinishedCall], began_s: float) -> list[str]:
    """Write a line for each row of calls, those of sinks, which are on threads of their own, behind the others.

    Parameters
    ----------
    calls
        In the order of their beginnings.
    began_s
        What times count from, in the clock of the calls.

    Returns
    -------
    list of str
        When, who, which run and chunks, how long, and what came of it.
    """
    own = [call for call in calls if call.hook not in OUTWARD]
    sinks = [call for call in calls if call.hook in OUTWARD]
    rows = [*fold(own), *fold(sinks)]
    names = [f"{row.calls[0].plugin}.{row.calls[0].hook}" for row in rows]
    width = max(map(len, names), default=0)
    lines = []
    for row, name in zip(rows, names, strict=True):
        first = row.calls[0]
        at = f"{first.began_s - began_s:8.3f} s"
        times = ""
        if row.repeats > 1:
            times = f"{row.repeats:>4} x" if row.first else "     |"
        lines.append(
            f"{at} {times:>7}  {name:<{width}}  {_chunks(row):<14} {_took(row):<20} {_came_of(first)}".rstrip()
        )
    return lines


def _chunks(row: Row) -> str:
    first, last = row.calls[0], row.calls[-1]
    if first.run is None:
        return ""
    if first.chunk is None:
        return f"run {first.run}"
    return f"chunk {first.chunk}" if first.chunk == last.chunk else f"chunks {first.chunk}-{last.chunk}"


def _took(row: Row) -> str:
    each = [call.seconds for call in row.calls]
    if len(each) == 1:
        return duration(each[0])
    return f"{duration(sum(each) / len(each))}, at most {duration(max(each))}"


def _came_of(call: FinishedCall) -> str:
    return {
        "returned": "",
        "none": "-> None",
        "skip": "-> SKIP",
        "raised": f"FAILED: {call.error}",
    }[call.outcome]


def duration(seconds: float) -> str:
    """Write seconds with a unit that fits."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1.0:
            return (
                f"{seconds * factor:.3g} {unit}"
                if seconds * factor < 1000
                else f"{seconds * factor:.0f} {unit}"
            )
    return f"{seconds * 1e9:.0f} ns"
