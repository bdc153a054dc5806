"""Write the tables of docs/performance.md from what ``make bench`` has measured.

``python docs/tools/make_performance.py`` puts into the page, between its marks: the programs and what they measure, the
aims and whether they are met, and all figures of ``benchmarks/results.json``. The prose around them stays.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from between import fill_between

REPOSITORY = Path(__file__).resolve().parents[2]
BENCHMARKS = REPOSITORY / "benchmarks"
PAGE = REPOSITORY / "docs" / "performance.md"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "What the machine can do at most": ("limits",),
    "The stages by themselves": ("stages", "decode", "simulator", "recorder", "focus", "nomad"),
    "The whole path": ("whole_path", "catch_up"),
    "Latency": ("latency",),
    "As a run grows": ("growth",),
    "Start": ("start_up",),
    "What else costs": ("costs", "checkpoint", "run_directory", "monitor", "dashboard"),
    "Beyond one machine": ("executor",),
    "The same events by others": ("beside",),
}
"""The headings of the figures, and the programs under each. A program of none of them comes under the last one, "Others"."""

AIMS: Mapping[str, tuple[str, ...]] = {
    "From socket to curves, with the real calibration: above 150 million events/s": ("whole_path.*",),
    "25 million events/s sustained with every option of NOM, less than a third of the machine busy": (
        "latency.design.*",
    ),
    "Focusing with the real calibration: above 200 million events/s a core": ("focus.*",),
    "An update (6 banks x 6000 points, vanadium, S(Q), G(r)): below 50 ms": ("nomad.update.*",),
    "Median latency below 1.2 x the update interval, down to an interval of 0.5 s": ("latency.*",),
    "Resident memory below 600 MB at any run length": ("growth.peak", "catch_up.*"),
    "`livered --help` below 150 ms": ("start_up.help*",),
}
"""The aims, and the keys of the rows that say whether they are met; a row counts for the first that it fits."""

OTHER_AIMS = "Beside these"

BOUNDS: Mapping[str, str] = {
    "whole_path.*": "the processor time that an event costs livered and the beamline, which share the two cores: the row "
    "after it in the figures says how much, and what two processors allow at most. Counting takes most of it, as the "
    "stages say.",
    "latency.design.*busy*": "counting with every option (three histograms and the pixels), and at two updates a second "
    "making them (twice the transform's matrix, on two threads of BLAS) and writing `latest.json`; the rest is the kernel's "
    "copying.",
    "latency.*": "a result waits for its chunk to be closed, reduced, and shown: at short intervals the update and the "
    "writing of `latest.json` are no longer small beside the interval.",
    "focus.*": "each event reads a row of its pixel's table and adds one at random in the counts of a bank: what is "
    "possible at most is the random access to tables of this size, a row of the limits.",
    "nomad.update.*": "products with the matrix of the transform to G(r), which does not fit into the caches, and the search for peaks.",
    "catch_up.*": "history comes as fast as it can be read: blocks of events wait for the reduction, and the memory of a "
    "chunk that is being reduced is not free before it is done.",
    "start_up.*": "starting Python and importing what the command needs.",
}
"""What bounds a row whose aim is not met: the text of the first pattern that its key fits."""

ELSEWHERE: Mapping[str, str] = {
    "limits.read": "840: touching every event in C++",
    "limits.loopback": "600",
    "decode.loopback": "53: NOMAD's facility parser, as quoted",
    "nomad.counting": "a fixed 80 s and 5 GB a chunk: Mantid's AlignAndFocusPowder with ResampleX, as NOMAD's live script "
    "calls it",
    "nomad.update.grown": "Mantid, accumulating events: from 0.3 s to 1.4 s over 100 million events",
    "whole_path.nom.sender": "Mantid 3.13's listener: 3.7 with calibrated focusing, 4.6 with a script that does nothing; "
    "live_stream_analysis: 0.8",
    "beside.numba": "46",
    "beside.numpy": "9",
    "beside.scipp": "16",
    "beside.mantid": "8 to 14",
}
"""Figures for comparison by the key of a row, million events/s where nothing else is said."""

ABSENT: Mapping[str, str] = {"beside.mantid": "by Mantid 3.13: its focusing alone"}
"""What is said of a row for comparison where the figure itself could not be measured."""


def page(text: str, results: Mapping[str, Any]) -> str:
    """Put the tables into the text of the page.

    Parameters
    ----------
    text
        Markdown.
    results
        What ``benchmarks/results.json`` holds.

    Raises
    ------
    ValueError
        When the page has no place for a table.
    """
    for mark, made in (
        ("programs", programs_table()),
        ("machine", [machine(results)]),
        ("aims", aims_table(results["rows"])),
        ("figures", figures(results["rows"])),
    ):
        text = fill_between(text, mark, "\n".join(made))
    return text


def programs() -> list[str]:
    """Return the names of the benchmarks, in the order of the page."""
    there = {
        path.stem
        for path in BENCHMARKS.glob("*.py")
        if re.search(r"^def measure\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    placed = [name for names in GROUPS.values() for name in names if name in there]
    return placed + sorted(there - set(placed))


def programs_table() -> list[str]:
    """Return the table of the programs: the first sentence of each."""
    lines = ["| program | what it does |", "|---|---|"]
    for name in programs():
        tree = ast.parse((BENCHMARKS / f"{name}.py").read_text(encoding="utf-8"))
        first = (ast.get_docstring(tree) or "").split("\n\n")[0]
        lines.append(f"| [`{name}.py`](../benchmarks/{name}.py) | {_cell(' '.join(first.split()))} |")
    return lines


def machine(results: Mapping[str, Any]) -> str:
    """Say when, on what and of what was measured."""
    on, versions = results["machine"], dict(results["versions"])
    commit = results.get("commit", "")
    own = f"livered {versions.pop('livered-core', '')}".strip() + (f" ({commit})" if commit else "")
    python = f"Python {versions.pop('python')}"
    others = [f"{name} {version}" for name, version in versions.items()]
    quick = " **Measured with `--quick`: only to try the programs.**" if results.get("quick") else ""
    return (
        f"Measured on {results['date']} on {on['cores']} cores of {on['processor']}, {on['memory_gb']:.0f} GB of memory, "
        f"{on['kernel']}; {', '.join([own, python, *others])}.{quick}"
    )


def aims_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of the aims, and what bounds those that are not met."""
    lines = ["| aim | measured | figure | met |", "|---|---|---|---|"]
    missed = []
    placed = aimed(rows)
    for aim, found in placed.items():
        for number, row in enumerate(found):
            met = {True: "yes", False: "**no**", None: "not measured"}[row.get("met")]
            first = "" if number else aim
            what = f"{row['what']}: {row['aim']}" if aim == OTHER_AIMS else row["what"]
            lines.append(f"| {first} | {_cell(what)} | {_figure(row)} | {met} |")
            if row.get("met") is False:
                missed.append(row)
        if not found:
            lines.append(f"| {aim} | | | not measured |")
    if missed:
        lines += ["", "What bounds those that are not met:", ""]
        lines += [f"- **{row['what']}**, {_figure(row)}: {bound(row)}" for row in missed]
    return lines


def aimed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows that have an aim, by the aim that they speak of."""
    placed: dict[str, list[Mapping[str, Any]]] = {aim: [] for aim in AIMS}
    for row in rows:
        if row.get("aim"):
            fit = (aim for aim, keys in AIMS.items() if any(fnmatchcase(row["key"], key) for key in keys))
            placed.setdefault(next(fit, OTHER_AIMS), []).append(row)
    return placed


def bound(row: Mapping[str, Any]) -> str:
    """Say what bounds a row: the text that is kept here, or the row's own note."""
    fit = (text for key, text in BOUNDS.items() if fnmatchcase(row["key"], key))
    return next(fit, "") or row.get("note", "")


def figures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the tables of all figures, under their headings."""
    left = {row["key"]: row for row in rows}
    lines: list[str] = []
    known = {name for names in GROUPS.values() for name in names}
    others = tuple(name for name in programs() if name not in known)
    for heading, names in {**GROUPS, "Others": others}.items():
        own = [row for name in names for row in rows if row["key"].partition(".")[0] == name]
        own += [
            {"key": key, "what": what, "absent": True}
            for key, what in ABSENT.items()
            if key not in left and key.partition(".")[0] in names
        ]
        if own:
            lines += [f"### {heading}", "", *_table(own), ""]
    return lines[:-1]


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    elsewhere = any(row["key"] in ELSEWHERE for row in rows)
    yield "| what | figure | ratio | remark |" + (" elsewhere, for comparison |" if elsewhere else "")
    yield "|---|---|---|---|" + ("---|" if elsewhere else "")
    for row in rows:
        line = f"| {_cell(row['what'])} | {_figure(row)} | {_ratio(row)} | {_cell(row.get('note', ''))} |"
        yield line + (f" {_cell(ELSEWHERE.get(row['key'], ''))} |" if elsewhere else "")


def _figure(row: Mapping[str, Any]) -> str:
    return "not measured here" if row.get("absent") else _number(row["value"], row["unit"])


def _ratio(row: Mapping[str, Any]) -> str:
    if row.get("ratio") is None:
        return ""
    number = _number(row["ratio"])
    return _cell(f"{f'**{number}**' if row.get('held') else number} of {row['beside']}")


def _number(value: float, unit: str = "") -> str:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from rows import figure
    finally:
        sys.path.remove(str(BENCHMARKS))
    return figure(value, unit)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write the page anew."""
    results = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
