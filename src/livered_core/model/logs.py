"""Slow logs: values of the sample environment and of the beamline, with the times they have."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt


@attrs.frozen(eq=False)
class SlowLog:
    """The values that one process variable took.

    Attributes
    ----------
    name
        Name of the variable.
    device
        Name of the device it belongs to; empty when not known.
    unit
        Unit as the device's descriptor gives it; empty when not known.
    time_ns
        int64[n], nanoseconds UTC since the Unix epoch; ascending.
    value
        float64[n] for numbers, object[n] of str for texts and names of an enumeration, object[n] of float64[k]
        for variables that are arrays.
    """

    name: str
    device: str
    unit: str
    time_ns: npt.NDArray[np.int64]
    value: npt.NDArray[Any]

    @property
    def last(self) -> float | str | npt.NDArray[np.float64]:
        """The newest value."""
        newest: Any = self.value[-1]
        return newest if isinstance(newest, str | np.ndarray) else float(newest)
