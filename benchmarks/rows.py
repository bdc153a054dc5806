"""What a benchmark has measured, as rows: for people on the screen, for other programs as JSON. Not a measurement by itself."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import attrs


@attrs.frozen
class Row:
    """One figure of a benchmark.

    Attributes
    ----------
    key
        A stable name, unique over all programs, that begins with the program's: ``focus.d_spacing``.
    what
        The same for people: "focused to d-spacing, one thread".
    value, unit
        The figure.
    beside
        What the ratio is to, for people.
    ratio
        This figure over the one of `beside`, both measured in the same run. None where there is nothing beside.
    better
        Whether a higher or a lower ratio is better; the figure where there is no ratio.
    held
        Whether the check of ratios compares the ratio with the committed one.
    note
        A short remark.
    aim
        What it is to be, in words, where that was said.
    met
        Whether it is so; None without an aim, and where it could not be measured.
    """

    key: str
    what: str
    value: float
    unit: str
    beside: str = ""
    ratio: float | None = None
    better: Literal["higher", "lower"] = "higher"
    held: bool = False
    note: str = ""
    aim: str = ""
    met: bool | None = None


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks have: ``--json`` and ``--quick``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to a file, too")
    parser.add_argument("--quick", action="store_true", help="less of everything, for the ratios alone")
    return parser


def finish(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print the rows as a table, and write them where ``--json`` says.

    Raises
    ------
    ValueError
        If two rows have the same key, or a ratio that is held is not a number.
    """
    check(rows)
    print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps([as_json(row) for row in rows]), encoding="utf-8")


def check(rows: Sequence[Row]) -> None:
    """Refuse rows of which nothing can be made: keys given twice, and held ratios that are not there."""
    seen: set[str] = set()
    for row in rows:
        if row.key in seen:
            raise ValueError(f'Two rows have the key "{row.key}": give each a name of its own.')
        seen.add(row.key)
        if row.held and (row.ratio is None or not math.isfinite(row.ratio) or row.ratio <= 0):
            raise ValueError(
                f'The ratio of "{row.key}" is held and is {row.ratio}: it needs a positive number.'
            )


def as_json(row: Row) -> dict[str, Any]:
    """Return what is not at its default, with numbers of four digits."""
    made = attrs.asdict(
        row, filter=lambda field, value: field.default is attrs.NOTHING or value != field.default
    )
    return {name: float(f"{each:.4g}") if isinstance(each, float) else each for name, each in made.items()}


def from_json(row: dict[str, Any]) -> Row:
    """Make a row of what `as_json` gave."""
    return Row(**row)


def read(path: Path) -> list[Row]:
    """Read what ``--json`` wrote."""
    return [from_json(each) for each in json.loads(path.read_text(encoding="utf-8"))]


def figure(value: float, unit: str = "") -> str:
    """Give a number with three digits, and its unit."""
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        text = f"{value:.2e}"
    else:
        digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
        text = f"{value:,.{digits}f}"
    return f"{text} {unit}".rstrip()


def table(rows: Sequence[Row]) -> str:
    """Give rows as lines for a screen."""
    wide = max((len(row.what) for row in rows), default=0)
    lines = []
    for row in rows:
        line = f"{row.what:<{wide}}  {figure(row.value):>9} {row.unit}"
        if row.ratio is not None:
            line += f"; {figure(row.ratio)} of {row.beside}"
        if row.aim:
            said = {True: "met", False: "not met", None: "not measured"}[row.met]
            line += f"; aim {row.aim}: {said}"
        lines.append(line + (f" ({row.note})" if row.note else ""))
    return "\n".join(lines)


def best_of(seconds: float, *works: Callable[[], object], least: int = 3) -> list[float]:
    """Do pieces of work by turns for some time; give the shortest that each took, in seconds.

    Each is done once before that, untimed. By turns, so that what else the machine does slows all of them.
    """
    for work in works:
        work()
    best, turns, end = [math.inf] * len(works), 0, perf_counter() + seconds
    while turns < least or perf_counter() < end:
        for index, work in enumerate(works):
            start = perf_counter()
            work()
            best[index] = min(best[index], perf_counter() - start)
        turns += 1
    return best
