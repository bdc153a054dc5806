"""Which backend runs, and the mantid source made of the configuration."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs

from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.request import start_request
from livered_core.errors import BackendUnavailable, ConfigError
from livered_core.sources.mantid import MantidSettings, MantidSource
from livered_core.sources.mantid_facilities import (
    MantidInstrument,
    check_listener,
    find_instrument,
    import_mantid,
    keep_paused_events,
    log_warnings_only,
    mantid_is_installed,
)
from livered_core.sources.startlivedata import LiveRequest

_log = logging.getLogger(__name__)
SNS_LISTENER = "SNSLiveEventDataListener"
"""The listener that says which chunk ends a run, and whose servers replay runs."""
NATIVE_ONLY = ("leave_out_vetoed", "leave_out_partial", "add_tof_offset")
"""Keys of ``[source]`` that only livered's own reader of the stream can follow."""


def choose_backend(wanted: str, data_models: Sequence[Sequence[str]] = (), *, recorded: bool = False) -> str:
    """Return the backend to run.

    Parameters
    ----------
    wanted
        As in `Config.backend`: ``"auto"`` takes Mantid where it imports and all plugins can work with its data.
    data_models
        Of each plugin: what data it can work with.
    recorded
        Whether a recording is reduced, which livered reads by itself.

    Returns
    -------
    str
        ``"native"`` or ``"mantid"``.

    Raises
    ------
    BackendUnavailable
        When the wanted one cannot run.
    ConfigError
        When Mantid is asked to read a recording.
    """
    if wanted == "mantid":
        if recorded:
            message = 'A recording is read by livered itself: set backend = "native", or leave it at "auto".'
            raise ConfigError(message)
        import_mantid()
        return "mantid"
    if wanted == "native" or recorded:
        return "native"
    if not all("mantid" in models for models in data_models):
        return "native"
    if not mantid_is_installed():
        return "native"
    try:
        import_mantid()
    except BackendUnavailable as error:
        if not all("native" in models for models in data_models):
            raise
        _log.warning("%s The native backend runs.", error)
        return "native"
    return "mantid"


def mantid_source(config: Config, clock: Clock) -> MantidSource:
    """Make the mantid source.

    Raises
    ------
    ConfigError
        When Mantid does not know the instrument.
    """
    return MantidSource(mantid_settings(config), clock)


def mantid_settings(config: Config) -> MantidSettings:
    """Return what the configuration tells the mantid source; Mantid must have been imported.

    Raises
    ------
    ConfigError
        When Mantid does not know the instrument, or cannot do what is asked for.
    """
    mantid = config.mantid
    unknown = [name for name in NATIVE_ONLY if getattr(config.source, name)]
    if unknown:
        raise ConfigError(
            [
                f"source.{name} is not possible with Mantid, whose listener does not tell such pulses: take it out, "
                'or set backend = "native".'
                for name in unknown
            ]
        )
    instrument = mantid_instrument(config)
    keep_paused_events(config.source.keep_paused)
    log_warnings_only()
    start = start_request(config)
    request = LiveRequest(
        instrument=instrument.name,
        listener=mantid.listener,
        connection=mantid.connection,
        address=config.address,
        listener_properties=dict(mantid.listener_properties),
        update_every=config.update_every,
        start_ns=None if start.is_start_of_run else start.time_ns or 0,
    )
    server = config.address or instrument.address
    listener = mantid.listener or instrument.listener
    return MantidSettings(
        instrument=config.instrument,
        request=request,
        where=f"mantid://{instrument.name} by {listener} at {server}",
        server=server,
        says_ends=listener == SNS_LISTENER,
        queue_events=config.source.queue_events,
        max_chunk_events=config.max_chunk_events,
        silence=mantid.silence,
        stop_timeout=mantid.stop_timeout,
        restarts=mantid.restarts,
        backoff=Backoff(config.source.retry_first, config.source.retry_longest),
    )


def mantid_instrument(config: Config) -> MantidInstrument:
    """Find the configuration's instrument, and see that its listener is one; see `find_instrument`, `check_listener`."""
    mantid = config.mantid
    found = find_instrument(mantid.instrument or config.instrument, mantid.facility, mantid.connection)
    check_listener(found.name, mantid.listener, mantid.connection, mantid.listener_properties)
    return found


@attrs.frozen
class MantidReport:
    """What ``livered check`` tells of Mantid.

    Attributes
    ----------
    version
        Of Mantid.
    instrument
        As Facilities.xml has it.
    listener, address
        That will be used, whoever said them.
    """

    version: str
    instrument: MantidInstrument
    listener: str
    address: str


def report_mantid(config: Config) -> MantidReport:
    """Import Mantid and say what it knows of the instrument.

    Raises
    ------
    BackendUnavailable
        When it cannot be imported.
    ConfigError
        When it does not know the instrument.
    """
    version = import_mantid()
    instrument = mantid_instrument(config)
    return MantidReport(
        version,
        instrument,
        config.mantid.listener or instrument.listener,
        config.address or instrument.address,
    )
