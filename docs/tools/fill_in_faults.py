"""Write the table of the suite of faults into a page.

``python docs/tools/fill_in_faults.py docs/what-happens-when.md build/faults.json`` puts the table of ``make faults``
between the lines ``<!-- faults: begin -->`` and ``<!-- faults: end -->``; the table of ``make soak`` goes between those
of ``soak``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from between import fill_between

SOAK = "Soak"
"""Section of the lines that belong to the long suite."""


def filled(page: str, document: Mapping[str, Any]) -> str:
    """Put the lines of a suite into a page.

    Parameters
    ----------
    page
        Markdown.
    document
        What ``pytest tests/faults --faults-json FILE`` has written.

    Raises
    ------
    ValueError
        When the suite did not pass, or the page has no place for the table.
    """
    if document["failed"]:
        message = f"These faults are not borne, so there is no table: {', '.join(document['failed'])}."
        raise ValueError(message)
    long = [row for row in document["rows"] if row["section"] == SOAK]
    short = [row for row in document["rows"] if row["section"] != SOAK]
    for mark, rows, table in (("faults", short, _faults(short)), ("soak", long, _soak(long))):
        if rows:
            page = fill_between(page, mark, "\n".join([_made(document), "", *table]))
    return page


def _made(document: Mapping[str, Any]) -> str:
    return (
        f"Acted out on {document['date']} with livered {document['version']}, Python {document['python']}, "
        f"{document['machine']}: all {len(document['rows'])} as promised."
    )


def _faults(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    section = ""
    for row in rows:
        if row["section"] != section:
            if section:
                yield ""
            section = row["section"]
            yield f"**{section}**"
            yield ""
            yield "| fault | what is done | what livered does | sent | reduced | left out | not seen | exact | back after |"
            yield "|---|---|---|---:|---:|---:|---:|---|---:|"
        notes = f" ({_cell(row['notes'])})" if row["notes"] else ""
        said = f" (says: “{_cell(row['said'][0])}”)" if row["said"] else ""
        yield _line(
            _cell(row["fault"]),
            _cell(row["done"]),
            _cell(row["livered"]) + notes + said,
            *(f"{row[key]:,}" for key in ("sent", "reduced", "left_out", "lost")),
            "yes" if row["exact"] else "no",
            "" if row["recovery_s"] is None else f"{row['recovery_s']:.1f} s",
        )


def _soak(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| what | how it went | exact |"
    yield "|---|---|---|"
    for row in rows:
        yield _line(_cell(row["fault"]), _cell(row["notes"]), "yes" if row["exact"] else "no")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def main(arguments: Sequence[str]) -> None:
    """Rewrite the page."""
    path, *documents = map(Path, arguments)
    page = path.read_text(encoding="utf-8")
    for document in documents:
        page = filled(page, json.loads(document.read_text(encoding="utf-8")))
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
