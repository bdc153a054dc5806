"""livered: live data reduction for neutron beamlines.

This package gives the names that a plugin needs, and nothing else. Public, too, are ``livered_core.diffraction``,
``livered_core.geometry``, ``livered_core.references``, ``livered_core.workspaces`` (where data are Mantid's), and, for
tests, ``livered_core.testing``.
"""

from importlib.metadata import version as _version

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

__version__ = _version("livered-core")

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
