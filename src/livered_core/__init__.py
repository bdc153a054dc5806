"""livered: live data reduction for neutron beamlines.

This package gives the names that a plugin needs, and nothing else. Public, too, are ``livered_core.diffraction``,
``livered_core.geometry``, ``livered_core.references``, ``livered_core.workspaces`` (where data are Mantid's), and, for
tests, ``livered_core.testing``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livered_core.errors import (
        BackendUnavailable,
        ConfigError,
        ConnectionLost,
        DataModelError,
        GeometryError,
        HookError,
        LiveredError,
        PluginError,
        PluginLoadError,
        ProtocolError,
        SinkLater,
        SinkRejected,
        SinkUnavailable,
        SourceError,
    )
    from livered_core.hooks.markers import SKIP, BegunAnew, hookimpl
    from livered_core.model import (
        Chunk,
        Curve,
        EventBatch,
        HookFailure,
        Image,
        Instrument,
        InstrumentDefinition,
        MonitorEvents,
        PixelMap,
        Receipt,
        Result,
        RunEndReason,
        RunInfo,
        SessionInfo,
        SlowLog,
        Update,
    )

    __version__: str

# Imported when they are asked for: the help of the command line, and a question to a running livered, need none of them,
# and numpy takes longer than all else.
_ERRORS = (
    "BackendUnavailable",
    "ConfigError",
    "ConnectionLost",
    "DataModelError",
    "GeometryError",
    "HookError",
    "LiveredError",
    "PluginError",
    "PluginLoadError",
    "ProtocolError",
    "SinkLater",
    "SinkRejected",
    "SinkUnavailable",
    "SourceError",
)
_MARKERS = ("SKIP", "BegunAnew", "hookimpl")
# There once the package is imported, as where the names above are imported at once.
_PARTS = ("errors", "hooks", "model")

__all__ = [
    "SKIP",
    "BackendUnavailable",
    "BegunAnew",
    "Chunk",
    "ConfigError",
    "ConnectionLost",
    "Curve",
    "DataModelError",
    "EventBatch",
    "GeometryError",
    "HookError",
    "HookFailure",
    "Image",
    "Instrument",
    "InstrumentDefinition",
    "LiveredError",
    "MonitorEvents",
    "PixelMap",
    "PluginError",
    "PluginLoadError",
    "ProtocolError",
    "Receipt",
    "Result",
    "RunEndReason",
    "RunInfo",
    "SessionInfo",
    "SinkLater",
    "SinkRejected",
    "SinkUnavailable",
    "SlowLog",
    "SourceError",
    "Update",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    """Import a name of this package."""
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("livered-core")
    elif name in __all__:
        module = "errors" if name in _ERRORS else "hooks.markers" if name in _MARKERS else "model"
        found = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    elif name in _PARTS:
        found = importlib.import_module(f"{__name__}.{name}")
    else:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message, name=name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the names of this package."""
    return sorted({*globals(), *__all__, *_PARTS, "__version__"})
