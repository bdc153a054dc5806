"""What the stream says, in the order it says it: the items between the reader and the reduction."""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.chunking.event_blocks import EventBlock
from livered_core.model import InstrumentDefinition, PixelMap, RunEndReason, RunInfo

_ITEM_WEIGHT = 40
"""What an item takes beside its columns and texts, in events of 8 bytes."""


@attrs.frozen(eq=False)
class Pulse:
    """One proton pulse of the run in hand, with the events to be reduced.

    Attributes
    ----------
    time_ns
        Nanoseconds UTC since the Unix epoch: the pulse id.
    proton_charge_pc
        Picocoulomb.
    flags
        As in the stream.
    pixel_id, tof
        uint32[n]; tof in ticks of 100 ns. Events in error pixels and unmapped ones are not among them.
    n_error_pixel, n_unmapped
        Events that are not among them.
    block, start
        Where the columns are cut from, and from which event on; None when they are nobody else's.
    number
        The how manieth pulse of this time it is, of those that came on the connection: 1 but for distinct pulses that
        share a time.
    """

    time_ns: int
    proton_charge_pc: float
    flags: int
    pixel_id: npt.NDArray[np.uint32]
    tof: npt.NDArray[np.uint32]
    n_error_pixel: int = 0
    n_unmapped: int = 0
    block: EventBlock | None = None
    start: int = 0
    number: int = 1


@attrs.frozen
class PulseLeftOut:
    """A pulse of the run in hand that is not to be reduced, such as a vetoed one; `time_ns`, `number` as of `Pulse`."""

    time_ns: int
    number: int


@attrs.frozen(eq=False)
class MonitorPulse:
    """The beam monitor events of one pulse of the run in hand.

    Attributes
    ----------
    time_ns
        Nanoseconds UTC since the Unix epoch: the pulse id.
    monitor_id
        uint32[m], for each section of a monitor.
    event_offset
        int64[m + 1]: the events of section i are ``event_offset[i]:event_offset[i + 1]``.
    tof
        uint32[n], ticks of 100 ns.
    """

    time_ns: int
    monitor_id: npt.NDArray[np.uint32]
    event_offset: npt.NDArray[np.int64]
    tof: npt.NDArray[np.uint32]


@attrs.frozen
class RunBegan:
    """A run began, or was joined.

    Attributes
    ----------
    run
        The run.
    missing
        Why the data do not begin at its start; empty when they do.
    """

    run: RunInfo
    missing: str


@attrs.frozen
class RunChanged:
    """More became known of the run in hand, such as its title."""

    run: RunInfo


@attrs.frozen
class RunStopped:
    """The run in hand is over: no data of it will come."""

    reason: RunEndReason


@attrs.frozen
class DataMissing:
    """Data of the run in hand were lost on the way; `sentence` says which."""

    sentence: str


@attrs.frozen
class LogSample:
    """One value of a process variable.

    Attributes
    ----------
    name, device, unit
        As the device's descriptor gives them; a name made of ids where there is no descriptor.
    time_ns
        The time that the value has, nanoseconds UTC; in a prologue it may be months old.
    value
        A number, a text (names of an enumeration included), or float64[k] for variables that are arrays.
    """

    name: str
    device: str
    unit: str
    time_ns: int
    value: float | str | npt.NDArray[np.float64] = attrs.field(eq=attrs.cmp_using(eq=np.array_equal))


@attrs.frozen
class DefinitionSeen:
    """The instrument definition in force from here on."""

    definition: InstrumentDefinition


@attrs.frozen
class PixelMapSeen:
    """The pixel map in force from here on."""

    pixel_map: PixelMap


@attrs.frozen
class Resumed:
    """A replay has come to where the stream was left: what follows is new."""


@attrs.frozen
class ReplayBegins:
    """What follows begins at the start of the run again; what waits before this is not wanted any more."""


@attrs.frozen
class Remark:
    """Something for the log: what was odd in the stream, in one sentence."""

    sentence: str


def weight(item: StreamItem) -> int:
    """Say what an item takes in memory, in events of 8 bytes.

    Parameters
    ----------
    item
        Any item. What several items share, such as the name of a variable, is counted for each.
    """
    if isinstance(item, Pulse):
        return _ITEM_WEIGHT + len(item.tof)
    if isinstance(item, MonitorPulse):
        return _ITEM_WEIGHT + len(item.tof) + 2 * len(item.monitor_id)
    if isinstance(item, LogSample):
        value = item.value
        size = value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, str) else 0
        return _ITEM_WEIGHT + size // 8
    if isinstance(item, PixelMapSeen):
        return _ITEM_WEIGHT + len(item.pixel_map.pixel_id)
    if isinstance(item, DefinitionSeen):
        return _ITEM_WEIGHT + len(item.definition.xml) // 4
    if isinstance(item, RunBegan | RunChanged):
        run = item.run
        return _ITEM_WEIGHT + (len(run.title) + sum(map(len, run.sample.values()))) // 4
    return _ITEM_WEIGHT


StreamItem = (
    Remark
    | Pulse
    | PulseLeftOut
    | MonitorPulse
    | PixelMapSeen
    | RunBegan
    | RunChanged
    | RunStopped
    | DataMissing
    | LogSample
    | DefinitionSeen
    | Resumed
    | ReplayBegins
)
