"""Write the tables of docs/beyond-one-machine.md from what ``make bench`` has measured.

``python docs/tools/make_beyond.py`` works out, from rows of ``benchmarks/results.json``, what rates beyond one machine
would take, and puts the tables into the page, between its marks. The prose around them stays.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

sys.path.insert(0, str(Path(__file__).parent))

from between import fill_between

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results.json"
PAGE = REPOSITORY / "docs" / "beyond-one-machine.md"

RATES = (1e8, 1e9)
"""Events/s that are worked out."""
EVENT_BYTES = 8
"""Bytes of an event, on the wire and in memory: pixel and time of flight."""
BLOCK_EVENTS = 4e6
"""Default of ``block_events``."""
BLOCKS_A_WORKER = 2
"""Default of ``blocks_in_flight`` for each worker."""
BLOCKS = (1e6, 4e6, 16e6, 64e6)
UPDATE_S = 5.0
LINKS_GBIT = (10, 25, 100)
STAGES = ("receive", "frame", "decode", "assemble")


@attrs.frozen
class Costs:
    """What was measured.

    Attributes
    ----------
    read_ns
        Of one core, for an event from the socket into a chunk: `STAGES`.
    send_core
        Events/s that one core of the process that sends can send.
    send_one
        Events/s to one worker that does nothing with them.
    process
        Events/s of ``process_chunk`` on one worker.
    answer_bytes, answer_core_s, answer_s
        Counts of a block: bytes, and seconds to bring them back: of a core, and on the clock.
    merge_s
        To add them, seconds.
    """

    read_ns: float
    send_core: float
    send_one: float
    process: float
    answer_bytes: float
    answer_core_s: float
    answer_s: float
    merge_s: float

    @property
    def read_core(self) -> float:
        """Events/s that one core reads."""
        return 1e9 / self.read_ns

    @property
    def worker(self) -> float:
        """Events/s that a worker takes: it processes one block while the next is on the way."""
        return min(self.process, self.send_one)

    @property
    def back_s(self) -> float:
        """Seconds of a core to bring back and merge the counts of a block."""
        return self.answer_core_s + self.merge_s


def costs(rows: Sequence[Mapping[str, Any]]) -> Costs:
    """Take what is needed out of the rows of ``results.json``.

    Parameters
    ----------
    rows
        The rows.

    Raises
    ------
    ValueError
        When one is not there.
    """
    by_key = {row["key"]: row["value"] for row in rows}
    missing = [key for key in keys(rows) if key not in by_key]
    if missing:
        message = (
            f"benchmarks/results.json has no {', '.join(missing)}: run benchmarks/bench.py stages executor."
        )
        raise ValueError(message)
    size = largest(rows)
    return Costs(
        read_ns=sum(1e3 / by_key[f"stages.{stage}.{size}"] for stage in STAGES),
        send_core=by_key["executor.send.core"] * 1e6,
        send_one=by_key["executor.send"] * 1e6,
        process=by_key["executor.process"] * 1e6,
        answer_bytes=by_key["executor.answer.size"] * 1e6,
        answer_core_s=by_key["executor.answer.processor"] / 1e3,
        answer_s=by_key["executor.answer"] / 1e3,
        merge_s=by_key["executor.merge"] / 1e3,
    )


def largest(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the largest pulses, events, of which the stages were measured; 0 for none."""
    found = (re.fullmatch(r"stages\.receive\.(\d+)", row["key"]) for row in rows)
    return max((int(match[1]) for match in found if match), default=0)


def keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of the rows that are used."""
    size = largest(rows)
    return [
        *(f"stages.{stage}.{size}" for stage in STAGES),
        "executor.send",
        "executor.send.core",
        "executor.process",
        "executor.answer.size",
        "executor.answer",
        "executor.answer.processor",
        "executor.merge",
    ]


def costs_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of what was measured."""
    by_key = {row["key"]: row for row in rows}
    lines = ["| measured | figure | row |", "|---|---|---|"]
    for key in keys(rows):
        row = by_key[key]
        lines.append(f"| {row['what']} | {number(row['value'])} {row['unit']} | `{key}` |")
    return lines


def rates_table(of: Costs) -> list[str]:
    """Return the table of what each rate takes."""
    columns = [rate_column(of, rate, BLOCK_EVENTS) for rate in RATES]
    head = "| | " + " | ".join(f"{rate:.0e} events/s".replace("e+0", "e") for rate in RATES) + " |"
    lines = [head, "|---|" + "---|" * len(RATES)]
    for what in columns[0]:
        lines.append(f"| {what} | " + " | ".join(column[what] for column in columns) + " |")
    return lines


def rate_column(of: Costs, rate: float, block: float) -> dict[str, str]:
    """Work out what a rate takes, by what it is called on the page."""
    gbit = rate * EVENT_BYTES * 8 / 1e9
    blocks_s = rate / block
    workers = math.ceil(rate / of.worker)
    block_bytes = block * EVENT_BYTES
    in_flight = workers * BLOCKS_A_WORKER * block_bytes
    filling, sending = block / rate, block / of.send_one
    processing = block / of.process
    return {
        "network to the reader": f"{number(gbit)} Gbit/s",
        "network from the reader to the workers": f"{number(gbit)} Gbit/s",
        "cores that receive, frame, decode, assemble": number(rate / of.read_core),
        "cores that send": number(rate / of.send_core),
        "workers, one core each": str(workers),
        "blocks": f"{number(blocks_s)} a second",
        "counts that come back": f"{number(blocks_s * of.answer_bytes * 8 / 1e9)} Gbit/s",
        "cores that bring back and merge": number(blocks_s * of.back_s),
        "memory in flight, at the reader and again at the workers": f"{number(in_flight / 1e9)} GB",
        "a block: filled + sent + processed + back": (
            f"{number(filling * 1e3)} + {number(sending * 1e3)} + {number(processing * 1e3)} + "
            f"{number(of.answer_s * 1e3)} ms"
        ),
        f"events of {UPDATE_S:.0f} s, if counts stayed on the workers": (
            f"{number(rate * UPDATE_S * EVENT_BYTES / 1e9)} GB"
        ),
        f"counts that would travel then, once in {UPDATE_S:.0f} s": (
            f"{number(workers * of.answer_bytes / 1e6)} MB"
        ),
    }


def blocks_table(of: Costs) -> list[str]:
    """Return the table of block lengths, at the highest rate."""
    rate = max(RATES)
    workers = math.ceil(rate / of.worker)
    lines = [
        "| events of a block | blocks/s | counts that come back, Gbit/s | cores that bring back and merge | "
        "memory in flight, GB | filled in, ms |",
        "|---|---|---|---|---|---|",
    ]
    for block in BLOCKS:
        blocks_s = rate / block
        cells = (
            f"{block / 1e6:.0f} million",
            number(blocks_s),
            number(blocks_s * of.answer_bytes * 8 / 1e9),
            number(blocks_s * of.back_s),
            number(workers * BLOCKS_A_WORKER * block * EVENT_BYTES / 1e9),
            number(block / rate * 1e3),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def breaks(of: Costs) -> list[tuple[float, str, str]]:
    """Return what breaks at which rate, events/s, and what would have to change; the first to break first."""
    one_core = 1.0 / (1.0 / of.read_core + 1.0 / of.send_core + of.back_s / BLOCK_EVENTS)
    found = [
        (
            one_core,
            "reading, sending and merging on a single core",
            "give the process more cores: they are three threads",
        ),
        (
            of.read_core,
            "one thread that reads one socket",
            "several streams, each of some of the banks, with a reader each",
        ),
        (
            of.send_core,
            "one thread that sends (Dask's event loop)",
            "several processes that send, or workers that read their banks' streams themselves",
        ),
        (
            BLOCK_EVENTS / of.back_s,
            "bringing back and merging in one process",
            "longer blocks; then counts that stay on the workers and are merged at updates, in a tree",
        ),
    ]
    for gbit in LINKS_GBIT:
        found.append(
            (
                gbit * 1e9 / 8 / EVENT_BYTES,
                f"a link of {gbit} Gbit/s, in or out",
                "a faster one; or workers that read themselves, so that nothing travels twice",
            )
        )
    return sorted(found)


def breaks_table(of: Costs) -> list[str]:
    """Return the table of what breaks first."""
    lines = ["| up to, million events/s | bounded by | beyond it |", "|---|---|---|"]
    lines += [f"| {number(rate / 1e6)} | {what} | {change} |" for rate, what, change in breaks(of)]
    return lines


def number(value: float) -> str:
    """Give a number with two digits that count."""
    if value == 0.0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(abs(value)) + 1e-9))
    rounded = round(value, 1 - math.floor(math.log10(abs(value)) + 1e-9))
    return f"{rounded:,.{digits}f}"


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
        When something was not measured, or the page has no place for a table.
    """
    rows = results["rows"]
    of = costs(rows)
    for mark, made in (
        ("costs", costs_table(rows)),
        ("rates", rates_table(of)),
        ("blocks", blocks_table(of)),
        ("breaks", breaks_table(of)),
    ):
        text = fill_between(text, mark, "\n".join(made))
    return text


def main() -> None:
    """Write the page anew; what is missing is said, and it stays as it is."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    text = PAGE.read_text(encoding="utf-8")
    try:
        text = page(text, json.loads(source.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        # Some benchmarks can be run alone.
        sys.stderr.write(f"The tables of {PAGE.name} stay as they are: {error}\n")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
