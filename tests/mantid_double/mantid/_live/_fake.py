"""FakeEventDataListener."""

from __future__ import annotations

import time

import numpy as np

from mantid._live._listener import END_RUN, RUNNING, Listener, NotYet
from mantid.api._events import EventData, Events
from mantid.kernel import ConfigService


class FakeEventDataListener(Listener):
    """Two spectra of events at random times of flight, in real time."""

    def __init__(self) -> None:
        self._rate = _number("fakeeventdatalistener.datarate", 200.0)
        self._end_run_every = _number("fakeeventdatalistener.endrunevery", 0.0)
        self._not_yet = int(_number("fakeeventdatalistener.notyettimes", 0.0))
        self._run_number = 1
        self._random = np.random.default_rng(1)

    def start(self, seconds_since_1990: int) -> None:
        self._last = time.monotonic()
        self._next_end = self._last + self._end_run_every

    def extract_data(self) -> EventData:
        if self._not_yet > 0:
            self._not_yet -= 1
            message = "Fake listener says not yet."
            raise NotYet(message)
        now = time.monotonic()
        n = int(self._rate * (now - self._last))
        self._last += n / self._rate
        x = self._random.uniform(40_000.0, 60_000.0, n)
        pulse = np.full(n, time.time_ns())
        data = EventData(2, Events(self._random.integers(0, 2, n), x, pulse))
        data.edges = np.array([40_000.0, 60_000.0])
        data.x_unit, data.y_unit = "TOF", "Counts"
        data.run.set("run_number", self._run_number)
        return data

    def run_status(self) -> int:
        if self._end_run_every > 0 and time.monotonic() > self._next_end:
            self._next_end = time.monotonic() + self._end_run_every
            self._run_number += 1
            return END_RUN
        return RUNNING

    def run_number(self) -> int:
        return self._run_number


def _number(key: str, default: float) -> float:
    text = ConfigService[key]
    return float(text) if text else default
