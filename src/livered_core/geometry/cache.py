"""Instruments that have been read, kept by what they were read from."""

from __future__ import annotations

import threading
from collections import OrderedDict

import attrs

from livered_core.errors import GeometryError
from livered_core.geometry.logs import LogReader, Logs, LogUse
from livered_core.geometry.reader import read_by_logs
from livered_core.model import Instrument, InstrumentDefinition

Content = tuple[str, tuple[tuple[LogUse, float], ...]]
"""SHA-256 of a definition, and the values of the logs by which it moves something."""


@attrs.define(eq=False)
class InstrumentCache:
    """Reads each instrument once, and keeps the last ones.

    Two are the same when the texts of their definitions are the same, and the values of those logs that move
    something in them: other logs do not matter. May be used by several threads; one that wants an instrument which
    another one is reading waits for it.

    Attributes
    ----------
    capacity
        How many instruments are kept; at least one. One of 100,000 pixels takes 4 MB.
    """

    capacity: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _instruments: OrderedDict[Content, Instrument] = attrs.field(factory=OrderedDict, init=False)

    def read(self, definition: InstrumentDefinition, logs: Logs | None = None) -> Instrument:
        """Give the instrument of a definition, read now or before.

        Parameters
        ----------
        definition, logs
            As for `livered_core.geometry.read_instrument`.

        Returns
        -------
        Instrument
            The same object for the same content, as long as it is kept. The arrays are read-only.

        Raises
        ------
        GeometryError
            As `livered_core.geometry.read_instrument`; what failed is not kept.
        """
        given: Logs = {} if logs is None else logs
        try:
            sha256 = definition.sha256
        except UnicodeEncodeError:
            # A text that is not Unicode has no digest; reading it says what is wrong.
            return read_by_logs(definition, LogReader(given))
        with self._lock:
            for content in reversed(self._instruments):
                if content[0] == sha256 and _holds(content, given):
                    self._instruments.move_to_end(content)
                    return self._instruments[content]
            reader = LogReader(given)
            instrument = read_by_logs(definition, reader)
            self._instruments[sha256, tuple(reader.used.items())] = instrument
            while len(self._instruments) > self.capacity:
                self._instruments.popitem(last=False)
            return instrument


def _holds(content: Content, logs: Logs) -> bool:
    """Say whether the logs have the values that the content has; a log that is missing or broken has none."""
    reader = LogReader(logs)
    try:
        return all(reader.value(use, "a component") == value for use, value in content[1])
    except GeometryError:
        # Reading the definition says what is wrong with the log, and where.
        return False
