"""The table: on the screen, and as JSON for the documentation."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

Row = dict[str, Any]


def printed(rows: Sequence[Row]) -> Iterator[str]:
    """Generate the lines that a terminal shows."""
    yield f"{'fault':46} {'sent':>9} {'reduced':>9} {'left out':>8} {'lost':>7}  exact  recovery"
    section = ""
    for row in in_sections(rows):
        if row["section"] != section:
            section = row["section"]
            yield f"-- {section}"
        recovery = "" if row["recovery_s"] is None else f"{row['recovery_s']:.1f} s"
        yield (
            f"{row['name'][:46]:46} {row['sent']:>9} {row['reduced']:>9} {row['left_out']:>8} {row['lost']:>7}  "
            f"{'yes' if row['exact'] else 'no ':5}  {recovery:8} {row['notes']}".rstrip()
        )


def in_sections(rows: Sequence[Row]) -> list[Row]:
    """Put the rows of a section together: several processes may have made them by turns."""
    sections = list(dict.fromkeys(row["section"] for row in rows))
    return sorted(rows, key=lambda row: sections.index(row["section"]))


def document(rows: Sequence[Row], failed: Sequence[str]) -> dict[str, Any]:
    """Make what ``docs/tools/fill_in_faults.py`` reads."""
    return {
        "format": 1,
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "version": version("livered-core"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "failed": list(failed),
        "rows": in_sections(rows),
    }
