"""Hold the ratios of the benchmarks: measure those that are held again, and compare them with the committed ones.

    python benchmarks/ratios.py [PROGRAM ...]

Ratios of two things that were measured by turns in one run carry over to other machines; times do not. A program of
``results.json`` that has held ratios is run with ``--quick``. A ratio fails that is worse than the committed one by more
than the factor in three tries in a row; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import RESULTS, BenchmarkError, program_of, run
from rows import Row, figure, from_json

FACTOR = 2.0
TRIES = 3

Measure = Callable[[str], Sequence[Row]]
"""Runs a program and gives its rows."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="such as focus; all without")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="another results.json")
    options = parser.parse_args()
    began = time.monotonic()
    committed = held(options.results)
    failures: list[str] = []
    for name in sorted({program_of(row) for row in committed.values()}):
        if not options.programs or name in options.programs:
            said, wrong = hold(name, committed, lambda each: run(each, quick=True, show=False))
            print("\n".join([*said, *wrong]), flush=True)
            failures += wrong
    print(f"{'Not all' if failures else 'All'} ratios hold, after {time.monotonic() - began:.0f} s.")
    return 1 if failures else 0


def held(results: Path) -> dict[str, Row]:
    """Return the committed rows whose ratios are held, by key."""
    rows = map(from_json, json.loads(results.read_text(encoding="utf-8"))["rows"])
    return {row.key: row for row in rows if row.held}


def hold(
    name: str, committed: Mapping[str, Row], measure: Measure, tries: int = TRIES
) -> tuple[list[str], list[str]]:
    """Compare the ratios of one program.

    Returns
    -------
    said, wrong
        A line for each ratio that holds, and a sentence for each that does not.
    """
    wanted = {key: row for key, row in committed.items() if program_of(row) == name}
    said: list[str] = []
    wrong: dict[str, str] = {}
    for _ in range(tries):
        try:
            measured = {row.key: row for row in measure(name) if row.held}
        except BenchmarkError as error:
            return said, [f"{name} could not be measured. {error}"]
        fresh = sorted(set(measured) - set(committed))
        if fresh:
            return said, [f"{fresh[0]} is held and not in results.json: run make bench."]
        wrong = {}
        for key, row in list(wanted.items()):
            problem = compared(row, measured.get(key), tries)
            if problem:
                wrong[key] = problem
            else:
                said.append(line(row, measured[key]))
                del wanted[key]
        if not wanted:
            break
    return said, list(wrong.values())


def compared(committed: Row, measured: Row | None, tries: int = TRIES) -> str:
    """Say what is wrong with a ratio; empty where it holds."""
    if measured is None:
        return f"{committed.key} is held in results.json, and is not measured: run make bench."
    assert committed.ratio is not None
    assert measured.ratio is not None
    worse = committed.ratio / measured.ratio
    if committed.better == "lower":
        worse = 1 / worse
    if worse <= FACTOR:
        return ""
    return (
        f"{committed.key}: {committed.what} is {figure(measured.ratio)} of {committed.beside}, and was "
        f"{figure(committed.ratio)}: worse by a factor of {figure(worse)} in {tries} tries. Find out what made it "
        "slower, or run make bench and commit what it says."
    )


def line(committed: Row, measured: Row) -> str:
    assert committed.ratio is not None
    assert measured.ratio is not None
    return f"holds: {committed.key}: {figure(measured.ratio)}, was {figure(committed.ratio)} ({committed.what} of {committed.beside})"


if __name__ == "__main__":
    sys.exit(main())
