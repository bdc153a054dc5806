"""What live listeners have in common, and the list of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from mantid.api._declared import Declared, value

NO_RUN, BEGIN_RUN, RUNNING, END_RUN = range(4)
NAMES: Final = {NO_RUN: "NoRun", BEGIN_RUN: "BeginRun", RUNNING: "Running", END_RUN: "EndRun"}


class NotYet(RuntimeError):  # noqa: N818
    """The listener has no data yet."""


class Listener:
    """Base of listeners."""

    buffers_events: ClassVar[bool] = True
    supports_history: ClassVar[bool] = False
    declared: ClassVar[Sequence[Declared]] = ()

    def name(self) -> str:
        return type(self).__name__

    def connect(self, address: str) -> None:
        """Connect, or raise OSError."""

    def start(self, seconds_since_1990: int) -> None:
        """Begin to listen: 0 from now on, 1 from the start of the run, else from that time on."""

    def take_properties(self, values: dict[str, Any]) -> None:
        """Take the properties that the listener had added to StartLiveData."""

    def extract_data(self) -> Any:
        raise NotImplementedError

    def run_status(self) -> int:
        return RUNNING

    def run_number(self) -> int:
        return 0

    def data_reset(self) -> bool:
        return False

    def close(self) -> None:
        """End all threads."""


class ISISHistoDataListener(Listener):
    """Cannot be connected to anything here."""

    buffers_events = False
    declared = (
        value("SpectraList", (), "ints", group="ListenerProperties"),
        value("PeriodList", (), "ints", group="ListenerProperties"),
    )

    def connect(self, address: str) -> None:
        message = "Exception"
        raise OSError(message)


class ISISLiveEventDataListener(ISISHistoDataListener):
    """Cannot be connected to anything here."""

    buffers_events = True
    declared = ()


class FileEventDataListener(ISISHistoDataListener):
    """Cannot be connected to anything here."""

    buffers_events = True
    declared = ()


def listeners() -> dict[str, Callable[[], Listener]]:
    """Return all listeners by name."""
    from mantid._live._fake import FakeEventDataListener
    from mantid._live._scripted import ScriptedListener
    from mantid._live._sns import SNSLiveEventDataListener

    return {
        kind.__name__: kind
        for kind in (
            FakeEventDataListener,
            FileEventDataListener,
            ISISHistoDataListener,
            ISISLiveEventDataListener,
            SNSLiveEventDataListener,
            ScriptedListener,
        )
    }
