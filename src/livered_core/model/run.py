"""Runs and sessions."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class RunInfo:
    """A run: what the facility numbers.

    Attributes
    ----------
    number
        Run number, always above 0; between runs there is no RunInfo.
    instrument
        Short name, as in ``--instrument``.
    proposal
        Proposal identifier such as ``IPTS-12345``; empty when not known (yet).
    title
        Run title as the stream gives it: text from outside, to be escaped wherever it is shown.
    start_ns
        Start of the run, nanoseconds UTC since the Unix epoch; 0 when not known.
    sample
        What the stream says of the sample: field name to text.
    """

    number: int = attrs.field(validator=attrs.validators.gt(0))
    instrument: str
    proposal: str = ""
    title: str = ""
    start_ns: int = 0
    sample: Mapping[str, str] = attrs.field(factory=dict)


class RunEndReason(enum.Enum):
    """Why `run_ended` was called."""

    ENDED = "ended"
    """The stream said that the run ended: the result is final."""
    REPLACED = "replaced"
    """Another run began without an end of this one: the result is final."""
    OVER_BEFORE = "was over before livered began"
    """What the server replayed is of an older run (mantid backend): there is no final result."""
    BEGUN_AGAIN = "begun again"
    """Its data come again from its start, and so does `run_started`: what was accumulated is thrown away."""
    SESSION_STOPPED = "session stopped"
    """livered was asked to stop while the run goes on: the result is not final."""
    SESSION_FAILED = "session failed"
    """livered gave up, after too many failures, while the run goes on: the result is not final."""


def _goes_on() -> bool:
    return False


@attrs.frozen
class SessionInfo:
    """One life of the engine.

    Attributes
    ----------
    instrument
        Short name, as in ``--instrument``.
    backend
        ``"native"`` or ``"mantid"``.
    source
        Where data come from, for people, for example ``adara://localhost:31415``.
    output_dir
        Folder for reduced files.
    started_ns
        When the session started, nanoseconds UTC since the Unix epoch.
    livered_version
        Version of livered-core.
    plugins
        Loaded plugins in the order of their calls: name to version.
    live
        False where a recording is reduced: a plugin may then wait for what it needs, since no data come meanwhile.
    stopping
        Says whether the session was asked to end: who waits for something asks now and then. Safe from any thread.
    disk_free
        What should stay free on a disk, bytes: with less, a sink leaves out what is not final. 0 for nothing.
    elsewhere
        Whether this instance only processes chunks, some of those of each run, for the session in another process.
    """

    instrument: str
    backend: str
    source: str
    output_dir: str
    started_ns: int
    livered_version: str
    plugins: Mapping[str, str]
    live: bool = True
    stopping: Callable[[], bool] = attrs.field(default=_goes_on, repr=False, eq=False)
    disk_free: int = 0
    elsewhere: bool = False
