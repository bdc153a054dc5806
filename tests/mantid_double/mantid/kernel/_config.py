"""mantid.kernel.ConfigService, with the few facilities that tests need."""

# ruff: noqa: N803  (names that are Mantid's)
from __future__ import annotations

from typing import Final

_SNS = "SNSLiveEventDataListener"
_HISTO = "ISISHistoDataListener"
_EVENT = "ISISLiveEventDataListener"
_FACILITIES: Final = {
    "ISIS": {
        "LARMOR": ("LARMOR", _HISTO, "NDXLARMOR:6789"),
        "POLARIS": ("POL", _HISTO, "NDXPOLARIS:6789"),
        "WISH": ("WISH", _HISTO, "NDXWISH:6789"),
        "LET_EVENT": ("LET", _EVENT, "NDXLET:10000"),
        "TFXA": ("TFX", "", ""),
    },
    "SNS": {
        "NOMAD": ("NOM", _SNS, "bl1b-daq1.sns.gov:31415"),
        "POWGEN": ("PG3", _SNS, "bl11a-daq1.sns.gov:31415"),
        "VULCAN": ("VULCAN", _SNS, "bl7-daq1.sns.gov:31415"),
        "SEQUOIA": ("SEQ", _SNS, "bl17-daq1.sns.gov:31415"),
        "EQ-SANS": ("EQSANS", _SNS, "bl6-daq1.sns.gov:31415"),
        "SWANS": ("SWANS", "", ""),
    },
    "TEST_LIVE": {
        "ISIS_Histogram": ("ISIS_Histogram", _HISTO, "localhost:56789"),
        "ISIS_Event": ("ISIS_Event", _EVENT, "localhost:59876"),
        "ADARA_FileReader": ("ADARA_FileReader", "FileEventDataListener", "127.0.0.1:0"),
        "ADARA_FakeEvent": ("ADARA_FakeEvent", "FakeEventDataListener", "127.0.0.1:0"),
    },
}
"""Facility to full name of an instrument to short name, live listener and address; without a live listener empty."""


class InstrumentInfo:
    def __init__(self, name: str, short_name: str, listener: str, address: str, facility: str) -> None:
        self._name, self._short_name = name, short_name
        self._listener, self._address, self._facility = listener, address, facility

    def name(self) -> str:
        return self._name

    def shortName(self) -> str:
        return self._short_name

    def __str__(self) -> str:
        return self._short_name

    def facility(self) -> FacilityInfo:
        return FacilityInfo(self._facility)

    def hasLiveListenerInfo(self) -> bool:
        return bool(self._listener)

    def liveListener(self, name: str = "") -> str:
        self._require(name)
        return self._listener

    def liveDataAddress(self, name: str = "") -> str:
        self._require(name)
        return self._address

    def _require(self, connection: str) -> None:
        """Each instrument here has one connection."""
        if connection not in ("", "event"):
            message = f'Could not find connection "{connection}" for instrument {self.name()}.'
            raise RuntimeError(message)

    instdae = liveDataAddress


class FacilityInfo:
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    def instruments(self) -> list[InstrumentInfo]:
        return [InstrumentInfo(name, *row, self._name) for name, row in _FACILITIES[self._name].items()]

    def instrument(self, name: str) -> InstrumentInfo:
        found = _find(self.instruments(), name)
        if found is None:
            message = f"FacilityInfo search object {name}"
            raise RuntimeError(message)
        return found


def _find(instruments: list[InstrumentInfo], name: str) -> InstrumentInfo | None:
    wanted = name.lower()
    return next((i for i in instruments if wanted in (i.name().lower(), i.shortName().lower())), None)


class ConfigServiceImpl:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._values = {
            "default.facility": "ISIS",
            "default.instrument": "",
            "datasearch.directories": "",
            "defaultsave.directory": "",
            "logging.loggers.root.level": "notice",
        }

    def Instance(self) -> ConfigServiceImpl:
        return self

    def getFacilityNames(self) -> list[str]:
        return list(_FACILITIES)

    def getFacilities(self) -> list[FacilityInfo]:
        return [FacilityInfo(name) for name in _FACILITIES]

    def getFacility(self, facilityName: str = "") -> FacilityInfo:
        name = facilityName or self._values["default.facility"]
        if name not in _FACILITIES:
            message = f"Facilities search object {name}"
            raise RuntimeError(message)
        return FacilityInfo(name)

    def setFacility(self, facilityName: str) -> None:
        self._values["default.facility"] = self.getFacility(facilityName).name()

    def getInstrument(self, instrumentName: str = "") -> InstrumentInfo:
        name = instrumentName or self._values["default.instrument"]
        here = self.getFacility().name()
        for facility in sorted(self.getFacilities(), key=lambda facility: facility.name() != here):
            found = _find(facility.instruments(), name)
            if found is not None:
                return found
        message = f"Instrument search object {name}"
        raise RuntimeError(message)

    def getString(self, key: str, use_cache: bool = True) -> str:
        return self._values.get(key, "")

    def setString(self, key: str, value: str) -> None:
        if not isinstance(value, str):
            message = "Python argument types in ConfigServiceImpl.setString did not match: value must be str"
            raise TypeError(message)
        self._values[key] = value

    def hasProperty(self, rootName: str) -> bool:
        return rootName in self._values

    def setConsoleLogLevel(self, logLevel: int) -> None:
        from mantid.kernel._logger import level

        level[0] = logLevel

    def setLogLevel(self, level: int | str, quiet: bool = False) -> None:
        from mantid.kernel._logger import _LEVELS

        self.setConsoleLogLevel(_LEVELS[level.lower()] if isinstance(level, str) else level)

    def keys(self) -> list[str]:
        return list(self._values)

    def appendDataSearchDir(self, path: str) -> None:
        directories = [each for each in self._values["datasearch.directories"].split(";") if each]
        self._values["datasearch.directories"] = ";".join([*directories, path])

    def getDataSearchDirs(self) -> list[str]:
        return [each for each in self._values["datasearch.directories"].split(";") if each]

    def setDataSearchDirs(self, searchDirs: str | list[str]) -> None:
        joined = searchDirs if isinstance(searchDirs, str) else ";".join(searchDirs)
        self._values["datasearch.directories"] = joined

    def __getitem__(self, key: str) -> str:
        return self.getString(key)

    def __setitem__(self, key: str, value: str) -> None:
        self.setString(key, value)

    def __contains__(self, key: str) -> bool:
        return self.hasProperty(key)


ConfigService = config = ConfigServiceImpl()
