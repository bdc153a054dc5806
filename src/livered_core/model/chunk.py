"""What one call of `process_chunk` gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from livered_core.model.events import EventBatch
from livered_core.model.instrument import InstrumentDefinition
from livered_core.model.logs import SlowLog
from livered_core.model.monitors import MonitorEvents
from livered_core.model.pixel_map import PixelMap

DataModel = Literal["native", "mantid"]
"""Kind of `Chunk.data`: an `EventBatch`, or a Mantid workspace."""


@attrs.frozen(eq=False)
class Chunk:
    """Data of one run between two moments. A chunk never mixes runs.

    Attributes
    ----------
    sequence
        1 for the first chunk of a run, then counting.
    model
        Kind of `data`.
    data
        `EventBatch` (``"native"``) or a Mantid workspace (``"mantid"``). Belongs to the engine: read it,
        do not keep it, do not write to it.
    first_pulse_ns, last_pulse_ns
        Time of the first and the last pulse, nanoseconds UTC since the Unix epoch; 0 without pulses.
    n_pulses, n_events
        Numbers of pulses and of events.
    proton_charge_pc
        Sum over the pulses, picocoulomb.
    n_error_pixel_events, n_unmapped_events
        Events of these pulses that are not among the data: the detector set the pixel's error bit, or the pixel is
        not in the pixel map.
    monitors
        Beam monitor events by the monitor's number in the stream; empty where the data bring their own
        (``"mantid"``).
    pixel_map
        Which pixel belongs to which bank, as the stream says; None where it does not.
    logs
        Slow logs by name: the value that held at the chunk's beginning, and those that came during it.
    instrument
        The instrument definition in force; None where the data bring their own (``"mantid"``).
    is_total
        Whether `data` hold everything since the start of the run, and not what came since the chunk before: those of
        Mantid's histogram listeners do. `n_events` and the rest count what is new all the same.
    """

    sequence: int
    model: DataModel
    data: Any
    first_pulse_ns: int
    last_pulse_ns: int
    n_pulses: int
    n_events: int
    proton_charge_pc: float
    logs: Mapping[str, SlowLog] = attrs.field(factory=dict)
    instrument: InstrumentDefinition | None = None
    n_error_pixel_events: int = 0
    n_unmapped_events: int = 0
    monitors: Mapping[int, MonitorEvents] = attrs.field(factory=dict)
    pixel_map: PixelMap | None = None
    is_total: bool = False

    @property
    def events(self) -> EventBatch:
        """The data as an `EventBatch`.

        Raises
        ------
        TypeError
            On a chunk of the ``"mantid"`` model.
        """
        if not isinstance(self.data, EventBatch):
            message = f"Chunk {self.sequence} holds a {type(self.data).__name__} ({self.model} model), not an EventBatch."
            raise TypeError(message)
        return self.data
