"""The nouns: frozen attrs classes that every part shares. Imports nothing of ours.

Times are integer nanoseconds UTC since the Unix epoch. Units stand in the field's docstring, and in its name
where a number could be misread (``_ns``, ``_pc``, ``_us``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Imported when they are asked for: who reads of a running livered needs the texts and times in here, and not numpy.
_MODULES = {
    "Chunk": "chunk",
    "DataModel": "chunk",
    "EventBatch": "events",
    "HookFailure": "failure",
    "Instrument": "instrument",
    "InstrumentDefinition": "instrument",
    "SlowLog": "logs",
    "MonitorEvents": "monitors",
    "NO_BANK": "pixel_map",
    "PixelMap": "pixel_map",
    "Curve": "result",
    "Image": "result",
    "Receipt": "result",
    "Result": "result",
    "RunEndReason": "run",
    "RunInfo": "run",
    "SessionInfo": "run",
    "Update": "update",
    "format_utc": "utc",
}

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


def __getattr__(name: str) -> Any:
    """Import a noun, or the module of one."""
    if name in _MODULES:
        found: Any = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    elif name in _MODULES.values():
        found = importlib.import_module(f"{__name__}.{name}")
    else:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the nouns."""
    return sorted({*globals(), *__all__})
