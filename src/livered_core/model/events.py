"""Neutron events as columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import scipp as sc

TICK_US = 0.1
"""Length of one tick of `EventBatch.tof`, microseconds."""


def _has_dtype(dtype: type[np.generic]) -> Callable[[EventBatch, attrs.Attribute[Any], Any], None]:
    def check(_batch: EventBatch, attribute: attrs.Attribute[Any], column: Any) -> None:
        if not isinstance(column, np.ndarray):
            message = f"EventBatch.{attribute.name} must be a numpy array and is a {type(column).__name__}."
            raise TypeError(message)
        if column.dtype != dtype or column.ndim != 1:
            wanted = f"{np.dtype(dtype)}[n]"
            message = (
                f"EventBatch.{attribute.name} must be {wanted} and is {column.dtype}{list(column.shape)}."
            )
            raise TypeError(message)

    return check


@attrs.frozen(eq=False)
class EventBatch:
    """Events of several pulses, as columns. Pulses are in the order of their times.

    The arrays belong to the batch and may be views into a buffer that others read: do not write to them.

    Attributes
    ----------
    pixel_id
        uint32[n], detector pixel of each event.
    tof
        uint32[n], time of flight in ticks of 100 ns.
    pulse_time_ns
        int64[p], time of each pulse, nanoseconds UTC since the Unix epoch.
    proton_charge_pc
        float64[p], proton charge of each pulse, picocoulomb.
    event_offset
        int64[p + 1]: the events of pulse i are ``event_offset[i]:event_offset[i + 1]``.
    flags
        uint32[p], the pulse's flags as the stream gives them (see `livered_core.adara.PulseFlag`).
    """

    pixel_id: npt.NDArray[np.uint32] = attrs.field(validator=_has_dtype(np.uint32))
    tof: npt.NDArray[np.uint32] = attrs.field(validator=_has_dtype(np.uint32))
    pulse_time_ns: npt.NDArray[np.int64] = attrs.field(validator=_has_dtype(np.int64))
    proton_charge_pc: npt.NDArray[np.float64] = attrs.field(validator=_has_dtype(np.float64))
    event_offset: npt.NDArray[np.int64] = attrs.field(validator=_has_dtype(np.int64))
    flags: npt.NDArray[np.uint32] = attrs.field(validator=_has_dtype(np.uint32))

    def __attrs_post_init__(self) -> None:
        pulses = len(self.pulse_time_ns)
        if len(self.proton_charge_pc) != pulses or len(self.flags) != pulses:
            message = (
                f"EventBatch has {pulses} pulse times, {len(self.proton_charge_pc)} proton charges and "
                f"{len(self.flags)} flags: they must be as many."
            )
            raise ValueError(message)
        if len(self.pixel_id) != len(self.tof):
            message = f"EventBatch has {len(self.pixel_id)} pixels and {len(self.tof)} times of flight: they must be as many."
            raise ValueError(message)
        if (
            len(self.event_offset) != pulses + 1
            or self.event_offset[0] != 0
            or self.event_offset[-1] != len(self.tof)
            or bool(np.any(np.diff(self.event_offset) < 0))
        ):
            message = f"EventBatch.event_offset must ascend from 0 to {len(self.tof)} in {pulses + 1} values."
            raise ValueError(message)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.tof)

    @property
    def tof_us(self) -> npt.NDArray[np.float64]:
        """float64[n], time of flight in microseconds. Computed at each access."""
        return self.tof / 10.0

    @property
    def n_pulses(self) -> int:
        """Number of pulses, those without events included."""
        return len(self.pulse_time_ns)

    @classmethod
    def empty(cls) -> EventBatch:
        """Return a batch of no pulses."""
        return cls(
            pixel_id=np.empty(0, np.uint32),
            tof=np.empty(0, np.uint32),
            pulse_time_ns=np.empty(0, np.int64),
            proton_charge_pc=np.empty(0, np.float64),
            event_offset=np.zeros(1, np.int64),
            flags=np.empty(0, np.uint32),
        )

    def to_scipp(self) -> sc.DataArray:
        """Copy the events into a scipp DataArray, for authors who prefer it.

        Returns
        -------
        scipp.DataArray
            Dimension ``event``; data are weights of 1 count; coordinates ``pixel_id``, ``tof`` (float64,
            microseconds) and ``pulse_time`` (datetime64, ns).

        Raises
        ------
        ImportError
            Where scipp is not installed (``pip install livered-core[scipp]``).
        """
        import scipp as sc

        pulse_of_event = np.repeat(self.pulse_time_ns, np.diff(self.event_offset))
        return sc.DataArray(
            data=sc.ones(dims=["event"], shape=[self.n_events], unit="counts"),
            coords={
                "pixel_id": sc.array(dims=["event"], values=self.pixel_id.astype(np.int64), unit=None),
                "tof": sc.array(dims=["event"], values=self.tof * TICK_US, unit="us"),
                "pulse_time": sc.array(
                    dims=["event"], values=pulse_of_event.astype("datetime64[ns]"), unit="ns"
                ),
            },
        )
