"""Several versions of an instrument definition, by the dates for which they are valid."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import attrs

from livered_core.errors import GeometryError
from livered_core.geometry.document import quote

HEAD = 2**20
"""Bytes of a file in which the element <instrument> must start."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
)
"""ISO 8601 as definitions write it: a day, and possibly a time, fractions of a second and a zone; UTC without."""

FIRST_DAY = "1900-01-31T23:59:00"
LAST_DAY = "2100-01-01T00:00:00"
"""What Mantid takes for a date that is not given (InstrumentFileFinder::getResourceFilenames)."""


@attrs.frozen
class Validity:
    """For which dates a definition is valid.

    Attributes
    ----------
    from_ns, to_ns
        First and last instant, nanoseconds UTC since the Unix epoch; negative before 1970.
    """

    from_ns: int
    to_ns: int


def read_validity(path: Path) -> Validity:
    """Read from when to when a definition is valid: the attributes valid-from and valid-to of ``<instrument>``.

    Parameters
    ----------
    path
        Of the file, of which no more is parsed than the start of its first element.

    Returns
    -------
    Validity
        From 1900 where valid-from is missing, and to 2100 where valid-to is missing, as in Mantid.

    Raises
    ------
    GeometryError
        When the file cannot be read, does not start with ``<instrument>``, brings a document type or entities
        before it, or has a date that is none.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, iterparse

    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        _, root = next(iterparse(io.BytesIO(head), events=("start",), forbid_dtd=True))
    except OSError as error:
        message = f"The instrument definition {path} cannot be read: {error.strerror}."
        raise GeometryError(message) from error
    except (ParseError, StopIteration, ValueError, LookupError) as error:
        # A LookupError is an encoding that Python does not have.
        what = "has a document type or entities" if isinstance(error, DefusedXmlException) else "is not XML"
        message = f"The instrument definition {path} {what}: mend it or take it out of the folder."
        raise GeometryError(message) from error
    if root.tag.rpartition("}")[2] != "instrument":
        message = f"The instrument definition {path} starts with {quote(root.tag)} instead of <instrument>."
        raise GeometryError(message)
    return Validity(
        _nanoseconds(root.get("valid-from") or FIRST_DAY, path),
        _nanoseconds(root.get("valid-to") or LAST_DAY, path),
    )


def _nanoseconds(text: str, path: Path) -> int:
    found = DATE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        whole = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        message = f"The instrument definition {path} has the date {quote(text)}, which is none."
        raise GeometryError(message) from None
    fraction = int((found[7] or "0").ljust(9, "0"))
    zone = found[8] or "Z"
    ahead = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    seconds = (whole - EPOCH - timedelta(minutes=ahead)) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + fraction


def choose_definition(folder: Path, instrument: str, when_ns: int) -> Path:
    """Choose the definition of an instrument that is valid at a time.

    Candidates are the files NAME_Definition*.xml of the folder, in capitals or not. Of those that are valid the
    one that became valid last is chosen, as in Mantid; of those that became valid together the one that ends
    first, which is the more special one, and then the first by name. Mantid takes the newest file where none is
    valid; here that is an error, because its pixels may stand elsewhere.

    Parameters
    ----------
    folder
        Where the definitions are; its own folders are not searched.
    instrument
        Name as the files have it (NOMAD, not NOM).
    when_ns
        The time of the measurement, nanoseconds UTC since the Unix epoch.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    GeometryError
        When the folder cannot be read, it has no definition of the instrument, none is valid at that time, or
        one of them cannot be read.
    """
    pattern = re.compile(re.escape(instrument) + r"_Definition.*\.xml", re.IGNORECASE)
    try:
        paths = sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name) and path.is_file())
    except OSError as error:
        message = f"The folder of instrument definitions {folder} cannot be read: {error.strerror}."
        raise GeometryError(message) from error
    if not paths:
        message = f"The folder {folder} has no instrument definition of {instrument} ({instrument}_Definition*.xml)."
        raise GeometryError(message)
    validities = {path: read_validity(path) for path in paths}
    valid = [path for path in paths if validities[path].from_ns <= when_ns <= validities[path].to_ns]
    if not valid:
        message = (
            f"None of the {len(paths)} instrument definitions of {instrument} in {folder} is valid at "
            f"{EPOCH + timedelta(microseconds=when_ns // 1000):%Y-%m-%d %H:%M:%S} UTC."
        )
        raise GeometryError(message)
    return min(valid, key=lambda path: (-validities[path].from_ns, validities[path].to_ns, path.name))
