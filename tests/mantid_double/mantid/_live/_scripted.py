"""The double's own listener: it does what a test tells it, chunk by chunk.

``knobs.script`` is an iterable of steps, or a function that makes one (called at each start):

* `Give`: a chunk (an `EventData`, made with `events`, or any other data or workspace), and the run status after it;
* an exception: extractData raises it, as it does after a network error;
* `Hang`: extractData waits, for some seconds or for an event, before the next step;
* `NotYet`: not ready.

After the last step come empty chunks, without end. Where extractData is called, ``ScriptedListener.starts`` has the
start times asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np

from mantid._knobs import knobs
from mantid._live._listener import BEGIN_RUN, END_RUN, NO_RUN, RUNNING, Listener, NotYet
from mantid.api._events import EventData, Events
from mantid.api._handles import Workspace
from mantid.api._instrument import InstrumentData
from mantid.kernel import FloatTimeSeriesProperty

__all__ = [
    "BEGIN_RUN",
    "END_RUN",
    "NO_RUN",
    "RUNNING",
    "Give",
    "Hang",
    "NotYet",
    "ScriptedListener",
    "events",
]


@attrs.frozen(eq=False)
class Give:
    """A chunk, what runStatus says after it, and the listener's run number."""

    data: Any
    status: int = RUNNING
    run_number: int = 0
    reset: bool = False


@attrs.frozen(eq=False)
class Hang:
    """Wait for an event, or for some seconds."""

    seconds: float = 0.0
    until: threading.Event | None = None


def events(
    pixels: Sequence[int],
    tof_us: Sequence[float],
    pulse_ns: Sequence[int],
    *,
    n_pixels: int = 4,
    run_number: str | int | None = "1",
    charge_pc: float = 100.0,
    instrument: InstrumentData | None = None,
) -> EventData:
    """Make a chunk as the SNS listener does: one spectrum a pixel, and a proton charge at each distinct pulse."""
    pulses = np.asarray(pulse_ns, np.int64)
    data = EventData(n_pixels, Events(np.asarray(pixels, np.int64), np.asarray(tof_us, np.float64), pulses))
    data.detectors = np.arange(n_pixels)
    data.x_unit, data.y_unit = "TOF", "Counts"
    data.instrument = instrument
    charge = FloatTimeSeriesProperty("proton_charge", "picoCoulomb")
    for pulse in np.unique(pulses):
        charge.add_unix(int(pulse), charge_pc)
    data.run.properties["proton_charge"] = charge
    if run_number is not None:
        data.run.set("run_number", run_number)
    return data


class ScriptedListener(Listener):
    """Follows `knobs.script`."""

    supports_history = True
    starts: ClassVar[list[int]] = []
    closed: ClassVar[list[bool]] = []

    def __init__(self) -> None:
        self._status, self._number, self._reset = RUNNING, 0, False
        self._last: EventData = EventData(1)
        self._steps: Iterator[Any] = iter(())

    def start(self, seconds_since_1990: int) -> None:
        script = knobs.script
        self._steps = iter(script() if callable(script) else script or ())
        self.starts.append(seconds_since_1990)

    def extract_data(self) -> Any:
        for step in self._steps:
            if isinstance(step, Hang):
                threading.Event().wait(step.seconds) if step.until is None else step.until.wait()
            elif isinstance(step, type | BaseException):
                raise step
            else:
                return self._given(step)
        return self._last.empty_like()

    def _given(self, step: Any) -> Any:
        give = step if isinstance(step, Give) else Give(step)
        data = give.data() if callable(give.data) else give.data
        data = data._data if isinstance(data, Workspace) else data
        self._status, self._number, self._reset = give.status, give.run_number, give.reset
        if isinstance(data, EventData):
            self._last = data
        return data

    def data_reset(self) -> bool:
        reset, self._reset = self._reset, False
        return reset

    def run_status(self) -> int:
        status, self._status = self._status, RUNNING
        return status

    def run_number(self) -> int:
        return self._number

    def close(self) -> None:
        self.closed.append(True)
