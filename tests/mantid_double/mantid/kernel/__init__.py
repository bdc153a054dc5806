"""mantid.kernel."""

from __future__ import annotations

from mantid.kernel._config import ConfigService, ConfigServiceImpl, FacilityInfo, InstrumentInfo, config
from mantid.kernel._logger import Logger, logger
from mantid.kernel._properties import (
    BoolTimeSeriesProperty,
    DataItem,
    Direction,
    FloatTimeSeriesProperty,
    Int32TimeSeriesProperty,
    Int64TimeSeriesProperty,
    Property,
    StringTimeSeriesProperty,
)
from mantid.kernel._time import DateAndTime


def version_str() -> str:
    return "6.12.0.double"


__all__ = [
    "BoolTimeSeriesProperty",
    "ConfigService",
    "ConfigServiceImpl",
    "DataItem",
    "DateAndTime",
    "Direction",
    "FacilityInfo",
    "FloatTimeSeriesProperty",
    "InstrumentInfo",
    "Int32TimeSeriesProperty",
    "Int64TimeSeriesProperty",
    "Logger",
    "Property",
    "StringTimeSeriesProperty",
    "config",
    "logger",
    "version_str",
]
