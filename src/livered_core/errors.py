"""What can go wrong, as one tree.

::

    LiveredError
    ├── ConfigError            the configuration is wrong; every problem at once (exit code 2)
    ├── PluginError            a plugin cannot be loaded, conflicts with another, or misbehaves
    │   ├── PluginLoadError    wanted, and cannot be loaded or does not fit (exit code 2)
    │   ├── HookError          a hook raised or returned the wrong thing; holds a HookFailure
    │   ├── SinkUnavailable    a sink could not deliver now: tried again with back-off
    │   ├── SinkLater          a sink wants to be asked again later, and nothing new is wrong
    │   └── SinkRejected       the other side refused: trying the same again will not help
    ├── SourceError            the stream: retried, never fatal by itself
    │   ├── ConnectionLost     reset, closed, silent, unreachable
    │   └── ProtocolError      the bytes are not what the protocol allows
    ├── BackendUnavailable     the wanted backend cannot run here (exit code 2)
    ├── DataModelError         data of the wrong kind for what was asked of them
    └── GeometryError          an instrument definition that cannot be used

The text of an error is one sentence for a person: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livered_core.model import HookFailure

EXIT_OK = 0
"""Exit code: asked to stop."""
EXIT_DIED = 1
"""Exit code: died, restart me."""
EXIT_CONFIG = 2
"""Exit code: wrong configuration, do not restart me."""


class LiveredError(Exception):
    """Base of everything that livered raises on purpose."""

    exit_code: int = EXIT_DIED


class ConfigError(LiveredError):
    """The configuration is wrong.

    Parameters
    ----------
    problems
        One sentence for each problem, each naming the key and where its value came from.
    """

    exit_code = EXIT_CONFIG

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class PluginError(LiveredError):
    """A plugin is at fault."""


class PluginLoadError(PluginError):
    """A plugin that is wanted cannot be loaded, conflicts with another one or does not fit the session."""

    exit_code = EXIT_CONFIG


class HookError(PluginError):
    """A hook raised, or returned something that its contract does not allow.

    Parameters
    ----------
    failure
        Which plugin, which hook, on which chunk, and the traceback.
    """

    def __init__(self, failure: HookFailure) -> None:
        self.failure = failure
        super().__init__(failure.sentence)


class SinkUnavailable(PluginError):  # noqa: N818
    """A sink could not deliver now; the publish worker tries again with back-off."""


class SinkLater(PluginError):  # noqa: N818
    """Not now, and nothing new is wrong: the publish worker offers the newest result again after a while.

    This is not counted, logged or reported as a failure. For a sink that sends only so often, or that has said
    already what keeps it. A final result that comes meanwhile is offered at once.

    Parameters
    ----------
    seconds
        How long to wait; less than 0.1 s is 0.1 s, and more than an hour is an hour.
    """

    def __init__(self, seconds: float) -> None:
        # Not 0: a sink that says so each time would keep a core busy.
        self.seconds = min(max(0.1, seconds), 3600.0)
        super().__init__(f"Asked to be offered the newest result again in {self.seconds:g} s.")


class SinkRejected(PluginError):  # noqa: N818
    """The other side refused what was sent: an update is forgotten, a final result is held until others are taken."""


class SourceError(LiveredError):
    """The stream failed; the source reconnects."""


class ConnectionLost(SourceError):  # noqa: N818  (reads as what happened)
    """The connection could not be made, was reset, was closed, or fell silent."""


class ProtocolError(SourceError):
    """Bytes that the protocol does not allow."""


class BackendUnavailable(LiveredError):  # noqa: N818
    """The backend that was asked for cannot run here."""

    exit_code = EXIT_CONFIG


class DataModelError(LiveredError):
    """Data of the wrong kind, shape or unit for what was asked of them."""


class GeometryError(LiveredError):
    """An instrument definition that cannot be read or lacks what is needed."""
