"""Logs on which an instrument definition depends: which they are, and which one value of each is meant."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import GeometryError
from livered_core.geometry.document import LARGEST_NUMBER, parse, quote
from livered_core.model import InstrumentDefinition, SlowLog

_LONGEST_NAME = 200

Logs = Mapping[str, "float | SlowLog"]
"""Logs by name: all that was recorded, or the one value to use."""


@attrs.frozen
class LogUse:
    """A log by which a definition moves a component (``<logfile id="..." extract-single-value-as="..."/>``).

    Attributes
    ----------
    name
        Name of the log.
    extract
        Which value of it: ``mean``, ``first_value``, ``last_value``, ``minimum``, ``maximum``, ``median`` or
        ``position n``.
    """

    name: str
    extract: str = "mean"


def wanted_logs(definition: InstrumentDefinition) -> tuple[str, ...]:
    """Return the names of the logs to which parameters of a definition refer (``<logfile id="...">``).

    Mantid's listener waits for a value of each of them before it gives out data. Those that move something are
    given by `livered_core.geometry.moving_logs`.

    Parameters
    ----------
    definition
        From outside, not to be trusted.

    Returns
    -------
    tuple of str
        Without repetitions, in the order of the document.

    Raises
    ------
    GeometryError
        When the text is not XML, or brings a document type or entities.
    """
    names = (element.get("id", "") for element in parse(definition.xml).iter("logfile"))
    return tuple(dict.fromkeys(name[:_LONGEST_NAME] for name in names if name))


def extract_value(log: SlowLog, extract: str = "mean") -> float:
    """Take one value from a log, as Mantid does it for an instrument definition.

    Parameters
    ----------
    log
        Numbers, at least one.
    extract
        ``mean``: each value weighted with the time until the next one, the last with the time since the one
        before it (`Mantid::Kernel::timeMean`); the last value where all are of the same time. ``first_value``,
        ``last_value``, ``minimum``, ``maximum``, ``median``: of the values, whatever their times. ``position n``:
        the value with n values before it, so that ``position 0`` is the first, or the last value where there are
        fewer.

    Returns
    -------
    float
        Finite, in the unit of the log.

    Raises
    ------
    GeometryError
        When the rule is not one of these, or the log is empty, holds no numbers, or gives no finite one.
    """
    if log.value.dtype == object or not len(log.value):
        what = "is empty" if not len(log.value) else "holds no numbers"
        message = f"uses the log {quote(log.name)}, which {what}."
        raise GeometryError(message)
    values = log.value.astype(np.float64)
    position = re.fullmatch(r"position\s+([0-9]{1,9})", extract)
    if position is not None:
        value = float(values[min(int(position[1]), len(values) - 1)])
    elif extract == "mean":
        value = _time_mean(log.time_ns, values)
    elif extract == "first_value":
        value = float(values[0])
    elif extract == "last_value":
        value = float(values[-1])
    elif extract == "minimum":
        value = float(values.min())
    elif extract == "maximum":
        value = float(values.max())
    elif extract == "median":
        value = float(np.median(values))
    else:
        message = f"takes {quote(extract)} of the log {quote(log.name)}: that is not understood."
        raise GeometryError(message)
    if not math.isfinite(value):
        message = f"uses the log {quote(log.name)}, which gives no finite number ({extract}: {value})."
        raise GeometryError(message)
    return value


def _time_mean(time_ns: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> float:
    weights = np.diff(time_ns).astype(np.float64)
    if not weights.any():
        return float(values[-1])
    weights = np.append(weights, weights[-1])
    return float(np.sum(values * weights) / np.sum(weights))


@attrs.define(eq=False)
class LogReader:
    """Gives the values of logs to those who place components, and remembers which were asked for.

    Attributes
    ----------
    logs
        What there is.
    used
        What was asked for, and the value given.
    """

    logs: Logs = attrs.field(factory=dict)
    used: dict[LogUse, float] = attrs.field(factory=dict)

    def value(self, use: LogUse, moved: str) -> float:
        """Give the value of a log.

        Parameters
        ----------
        use
            Which log, and which value of it.
        moved
            What it moves, for the message.

        Raises
        ------
        GeometryError
            When the log is not there, or has no such value.
        """
        if use not in self.used:
            log = self.logs.get(use.name)
            if log is None:
                message = (
                    f"moves {moved} by the log {quote(use.name)}, of which there is no value: "
                    "give the log, or its value, when the definition is read."
                )
                raise GeometryError(message)
            value = extract_value(log, use.extract) if isinstance(log, SlowLog) else float(log)
            if not abs(value) < LARGEST_NUMBER:
                message = f"moves {moved} by the log {quote(use.name)}, whose value {value} makes no sense."
                raise GeometryError(message)
            self.used[use] = value
        return self.used[use]
