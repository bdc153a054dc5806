"""Which instrument a recording is of, by what its beginning says."""

from __future__ import annotations

from itertools import islice
from typing import Final

from livered_core.adara import BeamlineInfo, RawPacket, RunInfoPacket, Skipped, decode, read_run_info
from livered_core.errors import DataModelError, PluginLoadError, ProtocolError
from livered_core.hooks.registry import PluginEntry, find_instrument
from livered_core.model.text import one_line
from livered_core.recording import Recording, packets_of
from livered_core.recording.summary import EVENT_PACKETS, skipped_sentence

_LOOK_AT: Final = 20_000
"""Packets at the beginning that are looked at; a prologue has some hundreds."""


def instrument_names(recording: Recording) -> tuple[str, ...]:
    """Read what a recording calls its instrument: the beamline's short name, its long name, the name in the run's info.

    Parameters
    ----------
    recording
        From `livered_core.recording.open_recording`.

    Returns
    -------
    tuple of str
        Those that it says, without repetition; text from outside.

    Raises
    ------
    DataModelError
        When its beginning holds nothing but damage.
    ConfigError
        When it cannot be read any more.
    """
    names: dict[str, None] = {}
    of_run, first_skipped, n_packets = "", None, 0
    for each in islice(packets_of(recording), _LOOK_AT):
        if isinstance(each, Skipped):
            first_skipped = first_skipped or each
            continue
        if not isinstance(each, RawPacket):
            continue
        n_packets += 1
        if (each.type, each.version) in EVENT_PACKETS and of_run:
            break
        try:
            packet = decode(each)
            if isinstance(packet, BeamlineInfo):
                names = dict.fromkeys((packet.short_name, packet.long_name))
                break
            if isinstance(packet, RunInfoPacket):
                of_run = of_run or read_run_info(packet.xml).instrument
        except ProtocolError:
            # The reduction leaves it out and says so.
            continue
    if not n_packets:
        what = skipped_sentence(first_skipped) if first_skipped is not None else "It holds no packet."
        message = f"{recording.name} is neither a NeXus event file nor a recording of an ADARA stream. {what}"
        raise DataModelError(message)
    return tuple(dict.fromkeys(name for name in (*names, of_run) if name))


def served_instrument(recording: Recording, names: tuple[str, ...]) -> str:
    """Return the name under which a plugin serves a recording's instrument.

    Parameters
    ----------
    recording
        For the sentence.
    names
        From `instrument_names`.

    Raises
    ------
    DataModelError
        When it says no name, or no installed plugin claims one of them.
    """
    name = one_line(recording.name)
    if not names:
        message = f"{name} does not say of which instrument it is: say it with --instrument."
        raise DataModelError(message)
    problems = []
    for each in names:
        try:
            entry = find_instrument(each)
        except PluginLoadError as error:
            problems.append(str(error))
        else:
            return entry.instrument or entry.name
    message = f"{name} is of an instrument that cannot be reduced here. {problems[0]}"
    raise DataModelError(message)


def is_served_by(names: tuple[str, ...], plugin: PluginEntry | None) -> bool:
    """Tell whether an instrument's plugin claims one of these names.

    Parameters
    ----------
    names
        From `instrument_names`.
    plugin
        The instrument's plugin; None, which claims nothing, where it has none.
    """
    if plugin is None:
        return False
    for each in names:
        try:
            entry = find_instrument(each)
        except PluginLoadError:
            continue
        if entry.instrument == plugin.instrument:
            return True
    return False
