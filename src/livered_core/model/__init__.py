"""The nouns: frozen attrs classes that every part shares. Imports nothing of ours.

Times are integer nanoseconds UTC since the Unix epoch. Units stand in the field's docstring, and in its name
where a number could be misread (``_ns``, ``_pc``, ``_us``).
"""

from livered_core.model.chunk import Chunk, DataModel
from livered_core.model.events import EventBatch
from livered_core.model.failure import HookFailure
from livered_core.model.instrument import Instrument, InstrumentDefinition
from livered_core.model.logs import SlowLog
from livered_core.model.monitors import MonitorEvents
from livered_core.model.pixel_map import NO_BANK, PixelMap
from livered_core.model.result import Curve, Image, Receipt, Result
from livered_core.model.run import RunEndReason, RunInfo, SessionInfo
from livered_core.model.update import Update
from livered_core.model.utc import format_utc

__all__ = [
    "NO_BANK",
    "Chunk",
    "Curve",
    "DataModel",
    "EventBatch",
    "HookFailure",
    "Image",
    "Instrument",
    "InstrumentDefinition",
    "MonitorEvents",
    "PixelMap",
    "Receipt",
    "Result",
    "RunEndReason",
    "RunInfo",
    "SessionInfo",
    "SlowLog",
    "Update",
    "format_utc",
]
