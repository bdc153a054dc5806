"""Names of files and folders as templates: ``{instrument}``, ``{run}`` and ``{proposal}`` stand for what a run says.

What a field stands for comes from the stream, and can never lead out of its place in the path: see `part`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from livered_core.model import RunInfo

FIELDS: Final = ("instrument", "run", "proposal")
"""What may stand in braces."""
NO_PROPOSAL: Final = "no-proposal"
"""What ``{proposal}`` stands for where the stream names none."""
LONGEST_PART: Final = 40
"""Most characters that a field stands for."""
_LONGEST_NAME: Final = 60
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def part(text: str, *, otherwise: str) -> str:
    """Make text from the stream part of a name of a file or folder.

    Parameters
    ----------
    text
        Text from anywhere, for example ``IPTS-12345``, which stays as it is.
    otherwise
        What stands there where nothing of `text` can be kept.

    Returns
    -------
    str
        1 to `LONGEST_PART` of the ASCII letters, digits, ``-`` and ``_``; begins and ends with a letter or digit.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9-]+", "_", plain).strip("_-")[:LONGEST_PART].strip("_-")
    return kept or otherwise


def values(run: RunInfo) -> dict[str, str]:
    """Return what the fields stand for in a run."""
    return {
        "instrument": part(run.instrument, otherwise="instrument"),
        "run": str(run.number),
        "proposal": part(run.proposal, otherwise=NO_PROPOSAL),
    }


def fill(template: str, standing_for: Mapping[str, str]) -> str:
    """Put values in the place of the fields of a template without problems."""
    return _FIELD.sub(lambda field: standing_for[field[1]], template)


def fields_in(template: str) -> set[str]:
    """Return the names in braces."""
    return {field[1] for field in _FIELD.finditer(template)}


def field_problem(template: str) -> str:
    """Say what is wrong with the braces of a template, to go on after the name of the key; empty when nothing is."""
    known = ", ".join(f"{{{name}}}" for name in FIELDS)
    for name in sorted(fields_in(template)):
        if name not in FIELDS:
            return f"must have no other fields than {known}, not {{{name}}}"
    if "{" in _FIELD.sub("", template) or "}" in _FIELD.sub("", template):
        return f"must have braces only around the names of fields ({known}), not {template!r}"
    return ""


def name_problem(template: str) -> str:
    """As `field_problem`, for the name of a file: no folder, no dot, and not too long."""
    problem = field_problem(template)
    if problem:
        return problem
    if not _PLAIN_NAME.fullmatch(_FIELD.sub("0", template)):
        return f"must be letters, digits, - and _ beside its fields, without a folder or an ending, not {template!r}"
    if len(template) > _LONGEST_NAME:
        return f"must have at most {_LONGEST_NAME} characters, not {len(template)}"
    return ""


def fixed_folder(template: Path) -> Path:
    """Return the folders before the first one with a field: they are the same for all runs."""
    fixed = Path()
    for step in template.parts:
        if fields_in(step):
            break
        fixed /= step
    return fixed


def matcher(template: str, instrument: str) -> re.Pattern[str]:
    """Return what fits all that a template can become for an instrument."""
    shapes = {
        "instrument": re.escape(part(instrument, otherwise="instrument")),
        "run": r"\d+",
        "proposal": "[A-Za-z0-9_-]+",
    }
    pieces = _FIELD.split(template)
    # Every second piece is the name of a field.
    return re.compile(
        "".join(shapes[piece] if index % 2 else re.escape(piece) for index, piece in enumerate(pieces))
    )
