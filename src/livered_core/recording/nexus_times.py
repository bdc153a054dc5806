"""Times in NeXus files: seconds since a moment that an attribute names."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from livered_core.adara import unix_ns
from livered_core.recording.nexus_file import NexusFile

_NS_OF_UNIT: Final = {
    "": 1e9,
    "s": 1e9,
    "sec": 1e9,
    "second": 1e9,
    "millisecond": 1e6,
    "ms": 1e6,
    "microsecond": 1e3,
    "us": 1e3,
    "nanosecond": 1.0,
    "ns": 1.0,
}
_ISO: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?\s*(?:Z|([+-])(\d{2}):?(\d{2}))?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def iso_ns(text: str) -> int:
    """Read an ISO 8601 time with up to nine digits of a second; without an offset it is UTC.

    Parameters
    ----------
    text
        For example ``2012-02-24T12:06:46.123456789-05:00``.

    Returns
    -------
    int
        Nanoseconds UTC since the Unix epoch.

    Raises
    ------
    ValueError
        When `text` is not such a time.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        message = f"{text!r} is not an ISO 8601 time."
        raise ValueError(message)
    day, clock, fraction, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}+00:00")
    ns = (moment - _EPOCH) // timedelta(seconds=1) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
    offset_s = 60 * (60 * int(hours or 0) + int(minutes or 0))
    return ns - (-1 if sign == "-" else 1) * offset_s * 1_000_000_000


def read_times(file: NexusFile, dataset: Any, start_ns: int) -> npt.NDArray[np.int64]:
    """Read the times of a dataset: seconds since the moment that its attributes give.

    Parameters
    ----------
    file, dataset
        With attributes ``offset_seconds`` and ``offset_nanoseconds`` (since the EPICS epoch), else ``offset``
        or ``start`` (ISO 8601).
    start_ns
        Moment for a dataset without any of these.

    Returns
    -------
    ndarray
        int64[n], nanoseconds UTC since the Unix epoch.
    """
    unit = file.attribute(dataset, "units").strip().lower()
    scale = _NS_OF_UNIT.get(unit) or _NS_OF_UNIT.get(unit.removesuffix("s"))
    values = file.numbers(dataset).reshape(-1).astype(np.float64)
    if scale is None or not np.isfinite(values).all() or (np.abs(values) * scale >= 1 << 62).any():
        raise file.error(f"has no times in seconds in {dataset.name}")
    begin_ns = _begin_ns(file, dataset)
    return (start_ns if begin_ns is None else begin_ns) + np.rint(values * scale).astype(np.int64)


def has_begin(file: NexusFile, dataset: Any) -> bool:
    """Whether a dataset of times says when they begin."""
    return _begin_ns(file, dataset) is not None


def _begin_ns(file: NexusFile, dataset: Any) -> int | None:
    seconds = file.attribute(dataset, "offset_seconds")
    with file.reading(f"the attributes of {dataset.name}"):
        if seconds:
            return unix_ns(int(seconds), int(file.attribute(dataset, "offset_nanoseconds") or 0))
        text = file.attribute(dataset, "offset") or file.attribute(dataset, "start")
        return iso_ns(text) if text else None
