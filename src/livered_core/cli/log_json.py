"""The log as JSON: one object on one line for each record, strict and in ASCII, whatever its text is."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final

from livered_core.model.text import one_line, printable

KEYS: Final = ("time", "level", "logger", "message", "run", "plugin", "chunk", "exception")
"""Keys of an object, in their order; those without a value are left out."""
_LARGEST: Final = 2**63 - 1
"""Python refuses to write numbers of thousands of digits, and others to read those of twenty."""
_TOKENS: Final = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?[a-zA-Z])")
_NAMED: Final = re.compile(r"\b(run|plugin|sink|chunk) %$", re.IGNORECASE)


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object.

    Parameters
    ----------
    message
        Gives the lines of a record, the first one and those of its traceback.
    with_traceback
        Whether the traceback is written.
    """

    def __init__(
        self, message: Callable[[logging.LogRecord], list[str]], *, with_traceback: bool = True
    ) -> None:
        super().__init__()
        self._message = message
        self._with_traceback = with_traceback

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        first, *more = self._message(record)
        trace = "\n".join(printable(line).rstrip() for line in more).strip("\n")
        return json_line(
            record.created,
            record.levelname,
            record.name,
            first,
            **named_values(record),
            exception=trace if self._with_traceback and trace else None,
        )


def json_line(created: float, level: str, logger: str, message: str, **more: Any) -> str:
    """Write one object.

    Parameters
    ----------
    created
        Seconds UTC since the Unix epoch.
    level, logger, message
        As in the log; the message is put on one line.
    more
        Values of the other keys; None for those that are not known.
    """
    moment = datetime.fromtimestamp(created, timezone.utc).isoformat(timespec="milliseconds")
    known = {
        "time": moment.replace("+00:00", "Z"),
        "level": level,
        "logger": logger,
        "message": one_line(message),
    }
    known.update({key: value for key, value in more.items() if value is not None})
    return json.dumps(known, ensure_ascii=True, allow_nan=False)


def screen_json(line: str) -> str:
    """Write a line that is not of the log, such as what a plugin prints, as one of it."""
    return json_line(time.time(), "INFO", "livered_core.cli.screen", line)


def named_values(record: logging.LogRecord) -> dict[str, Any]:
    """Find out which run, plugin and chunk a record is about.

    They are what was given with the record (``extra=``), else the arguments that its format names: ``Run %d``,
    ``the sink %s``.

    Parameters
    ----------
    record
        The record.

    Returns
    -------
    dict
        Some of ``run`` and ``chunk``, integers, and ``plugin``, a text. A sink is a plugin.
    """
    found: dict[str, Any] = {}
    if isinstance(record.args, tuple):
        text, index = str(record.msg), 0
        for token in _TOKENS.finditer(text):
            if token[0] == "%%":
                continue
            named = _NAMED.search(text[: token.start() + 1])
            if named is not None and index < len(record.args):
                key = named[1].lower()
                found.setdefault("plugin" if key == "sink" else key, record.args[index])
            index += 1
    found.update((key, record.__dict__[key]) for key in ("run", "plugin", "chunk") if key in record.__dict__)
    values: dict[str, Any] = {}
    for key, value in found.items():
        if key == "plugin" and isinstance(value, str):
            values[key] = one_line(value)
        elif (
            key != "plugin"
            and isinstance(value, int)
            and not isinstance(value, bool)
            and abs(value) <= _LARGEST
        ):
            values[key] = int(value)
    return values
