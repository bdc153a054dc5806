"""mantid.api.Run: the logs of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mantid.kernel._logger import Logger
from mantid.kernel._properties import Property, _Series, property_of
from mantid.kernel._time import DateAndTime

_log = Logger("Run")
PROTON_CHARGE = "gd_prtn_chrg"
ADDED = (
    "tot_prtn_chrg",
    "rawfrm",
    "goodfrm",
    "dur",
    PROTON_CHARGE,
    "uA.hour",
    *(f"monitor{number}_counts" for number in range(6)),
)
"""Single values that are summed when workspaces are."""


class RunData:
    """The double's own: what a Run is a view of."""

    def __init__(self) -> None:
        self.properties: dict[str, Property] = {}

    def clone(self) -> RunData:
        other = RunData()
        other.properties = {name: each.clone() for name, each in self.properties.items()}
        return other

    def set(self, name: str, value: Any, units: str = "") -> Property:
        self.properties[name] = property_of(name, value, units)
        return self.properties[name]

    def series(self, name: str) -> _Series:
        found = self.properties[name]
        assert isinstance(found, _Series)
        return found

    def add(self, other: RunData) -> None:
        """Merge as Plus does: series are appended, some single values summed, others kept."""
        for name, theirs in other.properties.items():
            mine = self.properties.get(name)
            if mine is None:
                self.properties[name] = theirs.clone()
            elif isinstance(mine, _Series) and isinstance(theirs, _Series):
                mine.merge(theirs)
            elif name in ADDED:
                self.set(name, mine.value + theirs.value, mine.units)


class Run:
    """A view of the logs of a workspace."""

    def __init__(self, owner: Callable[[], RunData]) -> None:
        self._owner = owner

    @property
    def _logs(self) -> dict[str, Property]:
        return self._owner().properties

    def hasProperty(self, name: str) -> bool:
        return name in self._logs

    __contains__ = hasProperty

    def getProperty(self, name: str) -> Property:
        if name not in self._logs:
            message = f"Unknown property search object {name}"
            raise RuntimeError(message)
        return self._logs[name]

    __getitem__ = getProperty

    def get(self, key: str, default: Any = None) -> Any:
        return self._logs.get(key, default)

    def getLogData(self, name: str | None = None) -> Any:
        return self.getProperties() if name is None else self.getProperty(name)

    def getProperties(self) -> list[Property]:
        return list(self._logs.values())

    def keys(self) -> list[str]:
        return list(self._logs)

    def addProperty(self, name: str, value: Any, *rest: Any, **named: Any) -> None:
        """Take (name, value, replace) or (name, value, units, replace)."""
        replace = named["replace"] if "replace" in named else rest[-1]
        units = named["units"] if "units" in named else (rest[0] if len(rest) == 2 else "")
        if not isinstance(replace, bool | int) or not isinstance(units, str):
            message = "Python argument types in Run.addProperty did not match C++ signature"
            raise TypeError(message)
        made = property_of(name, value, units)
        name = made.name
        if name in self._logs and not replace:
            message = f"Property with name {name} already exists"
            raise ValueError(message)
        self._logs[name] = made

    def addOrReplaceProperty(self, name: str, value: Any) -> None:
        self.addProperty(name, value, True)

    __setitem__ = addOrReplaceProperty

    def getProtonCharge(self) -> float:
        if PROTON_CHARGE not in self._logs:
            self.integrateProtonCharge()
        if PROTON_CHARGE not in self._logs:
            _log.warning("gd_prtn_chrg log was not found. Proton Charge set to 0.0")
            return 0.0
        return float(self._logs[PROTON_CHARGE].value)

    def integrateProtonCharge(self, logname: str = "proton_charge") -> float | None:
        log = self._logs.get(logname)
        if not isinstance(log, _Series):
            _log.warning(f"integrateProtonCharge: {logname} not found")
            return None
        total = float(log.value.sum())
        if "picoCoulomb" in log.units:
            total *= 1e-6 / 3600.0
        self._owner().set(PROTON_CHARGE, total, "uA.hour")
        return total

    def startTime(self) -> DateAndTime:
        return self._time("start_time", "run_start")

    def endTime(self) -> DateAndTime:
        return self._time("end_time", "run_end")

    def _time(self, *names: str) -> DateAndTime:
        for name in names:
            if name in self._logs:
                return DateAndTime(str(self._logs[name].value))
        message = f"No {names[0]}/{names[1]} log has been added to this run."
        raise RuntimeError(message)

    def setStartAndEndTime(self, start: DateAndTime, end: DateAndTime) -> None:
        self._owner().set("start_time", start.toISO8601String())
        self._owner().set("run_start", start.toISO8601String())
        self._owner().set("end_time", end.toISO8601String())
        self._owner().set("run_end", end.toISO8601String())

    def getPropertyAsSingleValue(self, name: str) -> float:
        found = self.getProperty(name)
        return float(found.value.mean() if isinstance(found, _Series) else found.value)
