"""Settings of the mantid backend: the table ``[mantid]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from livered_core.config.metadata import about
from livered_core.config.validators import above, at_least

OWN_PROPERTIES: Final = (
    "Instrument",
    "Listener",
    "Connection",
    "Address",
    "FromNow",
    "FromStartOfRun",
    "FromTime",
    "StartTime",
    "UpdateEvery",
    "ProcessingAlgorithm",
    "ProcessingProperties",
    "ProcessingScript",
    "ProcessingScriptFilename",
    "PostProcessingAlgorithm",
    "PostProcessingProperties",
    "PostProcessingScript",
    "PostProcessingScriptFilename",
    "AccumulationMethod",
    "AccumulationWorkspace",
    "OutputWorkspace",
    "PreserveEvents",
    "RunTransitionBehavior",
    "LastTimeStamp",
    "MonitorLiveData",
)
"""Properties of StartLiveData that livered sets itself, or that a listener does not have."""

_PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def _are_listener_properties(_config: Any, _attribute: Any, values: Mapping[str, Any]) -> None:
    own = {name.lower(): name for name in OWN_PROPERTIES}
    for name, value in values.items():
        if not _PROPERTY.fullmatch(name):
            message = f"must name properties of Mantid's listener, such as PeriodList, not {name!r}"
            raise ValueError(message)
        if name.lower() in own:
            message = (
                f"must name properties of Mantid's listener, and {own[name.lower()]} is one of StartLiveData that "
                "livered sets itself; take it out"
            )
            raise ValueError(message)
        items = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(item, str | int | float) for item in items):
            message = f"must hold texts, numbers and lists of them, and {name} is none of these"
            raise ValueError(message)


@attrs.frozen
class MantidConfig:
    """How Mantid's StartLiveData is run.

    Attributes
    ----------
    environment
        Where Mantid is installed; see `livered_core.engine.environment`. Empty for the Python that livered runs in.
    instrument, facility
        Names that Mantid knows; empty where `Config.instrument` and the facility of that instrument will do.
    listener, connection
        Of StartLiveData; empty for those of the instrument in Mantid's Facilities.xml.
    listener_properties
        Name of a property that the listener adds to StartLiveData, to its value.
    silence
        Seconds without a new pulse after which StartLiveData is begun again, at least three chunks long.
    stop_timeout
        Seconds that Mantid may take to end, before the process ends without it.
    restarts
        So many new beginnings in a row without new data, for a failure of Mantid's, end the session.
    """

    environment: str = attrs.field(
        default="",
        metadata=about(
            "where Mantid is installed: conda:NAME, pixi:FOLDER, or the folder of an environment; "
            "empty for the Python that livered runs in"
        ),
    )
    instrument: str = attrs.field(
        default="", metadata=about("Mantid's name of the instrument, where it is another than instrument")
    )
    facility: str = attrs.field(
        default="", metadata=about("Mantid's name of the facility, where the instrument does not say it")
    )
    listener: str = attrs.field(
        default="", metadata=about("Mantid's listener; empty for that of the instrument in Facilities.xml")
    )
    connection: str = attrs.field(
        default="",
        metadata=about("name of the connection in Facilities.xml; empty for the instrument's default"),
    )
    listener_properties: Mapping[str, Any] = attrs.field(
        factory=dict,
        validator=_are_listener_properties,
        metadata=about("properties that the listener adds to StartLiveData, such as PeriodList = [1, 2]"),
    )
    silence: float = attrs.field(
        default=120.0,
        validator=above(0),
        metadata=about(
            "without a new pulse for this time, and for three chunks, StartLiveData is begun again; "
            "twice as long each time while nothing comes",
            "s",
        ),
    )
    stop_timeout: float = attrs.field(
        default=60.0,
        validator=above(0),
        metadata=about(
            "time that Mantid may take to end (30 s are normal where the server is silent); then the process ends without it",
            "s",
        ),
    )
    restarts: int = attrs.field(
        default=10,
        validator=at_least(0),
        metadata=about("end with exit code 1 after so many failures of Mantid in a row without new data"),
    )
