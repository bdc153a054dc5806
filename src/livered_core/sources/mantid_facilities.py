"""Mantid found and imported, and what its Facilities.xml says of an instrument."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Final

import attrs

from livered_core.errors import BackendUnavailable, ConfigError
from livered_core.model.text import one_line

_WARNING: Final = 4
"""Mantid's number of this level: 1 fatal, 3 error, 5 notice."""


def mantid_is_installed() -> bool:
    """Say whether there is a package of that name; it is not imported."""
    found = importlib.util.find_spec("mantid")
    # A mere folder of that name has no origin.
    return found is not None and found.origin is not None


def import_mantid() -> str:
    """Import Mantid, which takes seconds the first time; on the main thread, so that it can set itself up.

    Returns
    -------
    str
        Its version.

    Raises
    ------
    BackendUnavailable
        When it cannot be imported.
    """
    how = (
        'install it from conda, name its environment with environment in [mantid], or set backend = "native".'
    )
    if not mantid_is_installed():
        message = f"Mantid is not installed here: {how}"
        raise BackendUnavailable(message)
    try:
        mantid = importlib.import_module("mantid")
        # Loads the algorithms, which mantid.api alone does not.
        importlib.import_module("mantid.simpleapi")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        message = f"Mantid cannot be imported ({one_line(str(error))}): {how}"
        raise BackendUnavailable(message) from error
    return str(getattr(mantid, "__version__", "") or importlib.import_module("mantid.kernel").version_str())


@attrs.frozen
class MantidInstrument:
    """An instrument as Mantid's Facilities.xml has it.

    Attributes
    ----------
    name, short_name, facility
        Mantid's names.
    listener, address
        What StartLiveData would take by default.
    """

    name: str
    short_name: str
    facility: str
    listener: str
    address: str


def find_instrument(name: str, facility: str = "", connection: str = "") -> MantidInstrument:
    """Find an instrument, and make its facility Mantid's default one: StartLiveData knows no other instruments.

    Parameters
    ----------
    name
        Mantid's name or short name.
    facility
        Mantid's name of the facility; empty for that of the instrument.
    connection
        For the listener and the address; empty for the default.

    Raises
    ------
    ConfigError
        When Mantid does not know the one or the other, or has no live data for it.
    """
    from mantid.kernel import ConfigService

    try:
        if facility:
            ConfigService.setFacility(facility)
        found = ConfigService.getInstrument(name)
        home = facility or str(found.facility().name())
        if str(ConfigService.getFacility().name()) != home:
            ConfigService.setFacility(home)
    except RuntimeError as error:
        where = f" in facility {facility}" if facility else ""
        message = (
            f"Mantid does not know instrument {name!r}{where}: set instrument and facility in [mantid] to Mantid's "
            "names."
        )
        raise ConfigError(message) from error
    if not found.hasLiveListenerInfo():
        message = (
            f"Mantid has no live data for {found.name()} in its Facilities.xml: "
            "set instrument in [mantid] to one that has."
        )
        raise ConfigError(message)
    chosen = (connection,) if connection else ()
    try:
        listener, address = str(found.liveListener(*chosen)), str(found.liveDataAddress(*chosen))
    except RuntimeError as error:
        message = (
            f"Mantid has no connection {connection!r} for {found.name()} ({one_line(str(error))}): "
            "correct connection in [mantid]."
        )
        raise ConfigError(message) from error
    return MantidInstrument(str(found.name()), str(found.shortName()), home, listener, address)


def keep_paused_events(keep: bool) -> None:
    """Tell Mantid whether events of a paused run are taken; its SNS listener looks when it is made."""
    from mantid.kernel import ConfigService

    ConfigService.setString("livelistener.keeppausedevents", "1" if keep else "0")


def check_listener(name: str, listener: str, connection: str, properties: Iterable[str]) -> None:
    """See that StartLiveData takes a listener, and that it has the properties that are wanted; it does not connect.

    Parameters
    ----------
    name
        Mantid's name of the instrument.
    listener, connection
        Empty for the instrument's own.
    properties
        Names of the listener's properties.

    Raises
    ------
    ConfigError
        With a sentence for each thing that is wrong.
    """
    from mantid.api import AlgorithmManager

    algorithm = AlgorithmManager.createUnmanaged("StartLiveData")
    algorithm.initialize()
    wanted = {"Instrument": name, "Listener": listener, "Connection": connection}
    for key, value in wanted.items():
        if not value:
            continue
        try:
            algorithm.setProperty(key, value)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            message = f"Mantid refuses {key.lower()} {value!r} ({one_line(reason)}): correct [mantid]."
            raise ConfigError(message) from error
    unknown = [key for key in properties if not algorithm.existsProperty(key)]
    if unknown:
        raise ConfigError(
            [
                f"Mantid's listener of {name} has no property {key!r}: take it out of listener_properties in [mantid]."
                for key in unknown
            ]
        )


def log_warnings_only() -> None:
    """Tell Mantid to write its warnings and errors to the terminal, and not three notices for each chunk.

    Mantid's log is not brought into Python's: from Mantid's threads that was seen to deadlock.
    """
    from mantid.kernel import ConfigService

    # One or the other, by version.
    for name in ("setConsoleLogLevel", "setLogLevel"):
        set_level = getattr(ConfigService, name, None)
        if set_level is not None:
            set_level(_WARNING)
            return
