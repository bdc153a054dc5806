"""What an instrument's state is, by the age of its data and not by what was written last.

Everything here is a pure function of what was read and of the time: nothing is looked up.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs

from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.dashboard.times import clock_time, span
from livered_core.model.text import one_line

Kind = Literal["good", "wait", "warn", "bad"]
"""Class of a state: all is well, be patient, look at it, something is wrong."""

LIVE: Final = "live"
CATCHING_UP: Final = "catching up"
STALE: Final = "stale"
STOPPED: Final = "stopped"
NEVER_STARTED: Final = "never started"
WORDS: Final = (
    LIVE,
    CATCHING_UP,
    "paused",
    "no beam",
    "between runs",
    STALE,
    STOPPED,
    "connecting",
    "no pulses",
    "not connected",
    "reading a recording",
    "stopping",
    "failed",
    NEVER_STARTED,
)
"""Every word that a state may have."""

FRESH_S: Final = 10.0
"""A heartbeat is fresh for this long at least, seconds."""
FRESH_BEATS: Final = 5.0
"""A heartbeat is fresh for so many of its periods at least."""
EXPLAINED_S: Final = 10.0
"""Data may be this much older than two updates before they are not called live, seconds."""
AHEAD_S: Final = 60.0
"""Pulses further in the future than this have another clock: their age says nothing."""

_S: Final = 1_000_000_000
_LONGEST: Final = 500


class Process(enum.Enum):
    """What is known of the engine's process."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"
    """On another machine, or nothing can be found out."""


@attrs.frozen
class Seen:
    """What was read of an instrument.

    Attributes
    ----------
    status
        ``status.json``, or None.
    problem
        Why it cannot be read, one sentence; empty when it is not there, or could be read.
    process
        The engine's process.
    newest_pulse_ns
        Newest pulse in the newest result, nanoseconds UTC; 0 without.
    phase_since_ns
        When the phase was first seen to be what it is, nanoseconds UTC; 0 when it was so at the first look.
    """

    status: Mapping[str, Any] | None = None
    problem: str = ""
    process: Process = Process.UNKNOWN
    newest_pulse_ns: int = 0
    phase_since_ns: int = 0


@attrs.frozen
class State:
    """What an instrument's state is.

    Attributes
    ----------
    word
        One of `WORDS`.
    kind
        Class of the state.
    sentence
        The same for people.
    data_age_s
        Now minus the newest pulse reduced or left out on purpose, seconds; None without, for a recording, and where
        the pulses have another clock.
    since_ns
        Since when it is so, nanoseconds UTC; 0 when that is not known.
    now_ns
        The time that it was found for, nanoseconds UTC.
    """

    word: str
    kind: Kind
    sentence: str
    data_age_s: float | None
    since_ns: int
    now_ns: int


@attrs.frozen
class _Facts:
    """What the phases are judged by; times in seconds."""

    seen: Seen
    status: Mapping[str, Any]
    now_ns: int
    beat_ns: int
    age_s: float | None
    ahead_s: float


def state_of(seen: Seen, now_ns: int) -> State:
    """Say what the state is.

    Parameters
    ----------
    seen
        What was read.
    now_ns
        Wall time, nanoseconds UTC.
    """
    status = seen.status
    if status is None:
        if seen.problem:
            return State(STALE, "warn", seen.problem, None, 0, now_ns)
        return State(NEVER_STARTED, "wait", "livered has not run here yet.", None, 0, now_ns)
    beat_ns = time_of(status, "now_ns")
    newest_ns = 0 if _is_recording(status) else max(_dealt_with_ns(status), seen.newest_pulse_ns)
    behind_s = (now_ns - newest_ns) / _S if newest_ns else None
    ahead_s = -behind_s if behind_s is not None and behind_s < -AHEAD_S else 0.0
    age_s = None if behind_s is None or ahead_s else max(0.0, behind_s)
    facts = _Facts(seen, status, now_ns, beat_ns, age_s, ahead_s)
    word, kind, sentence, since_ns = _ended(facts) or _silent(facts) or _running(facts)
    return State(word, kind, one_line(sentence)[:_LONGEST], age_s, since_ns, now_ns)


_Found = tuple[str, Kind, str, int]


def _ended(facts: _Facts) -> _Found | None:
    """Judge an engine that has said that it ended."""
    phase, beat_ns = facts.status.get("phase"), facts.beat_ns
    if phase == STOPPED:
        return STOPPED, "warn", f"livered was stopped at {clock_time(beat_ns, facts.now_ns)}.", beat_ns
    if phase == "failed":
        why = str(facts.status.get("failure") or "the log says why").rstrip(".")
        return "failed", "bad", f"livered ended at {clock_time(beat_ns, facts.now_ns)}: {why}.", beat_ns
    return None


def _silent(facts: _Facts) -> _Found | None:
    """Judge an engine whose heartbeat is missing; one from the future is none either."""
    beat_age_s = (facts.now_ns - facts.beat_ns) / _S
    every_s = number_of(facts.status, "status_every_s") or 1.0
    fresh_s = max(FRESH_S, FRESH_BEATS * every_s)
    when = clock_time(facts.beat_ns, facts.now_ns)
    # Only after a missed beat: the process of an engine in a container has another number than it says.
    missed = not -fresh_s <= beat_age_s <= 2 * every_s + 0.5
    if facts.seen.process is Process.GONE and missed:
        sentence = (
            f"livered was killed or died: its process is gone, and its last sign of life was at {when}."
        )
        return STOPPED, "bad", sentence, facts.beat_ns
    if -fresh_s <= beat_age_s < fresh_s:
        return None
    if beat_age_s < 0:
        sentence = f"livered's last sign of life is {span(-beat_age_s)} in the future: a clock was set back."
        return STALE, "bad", sentence, 0
    sentence = f"Stale since {when}: livered's last sign of life is {span(beat_age_s)} old."
    if facts.seen.process is Process.ALIVE:
        sentence += " Its process is there and does not answer."
    return STALE, "bad", sentence, facts.beat_ns


def _running(facts: _Facts) -> _Found:
    """Judge a running engine by its phase."""
    phase = facts.status.get("phase")
    judge = _PHASES.get(phase) if isinstance(phase, str) else None
    if judge is None:
        sentence = (
            f"livered is in a state that this page does not know ({str(phase)[:60]}): renew one of the two."
        )
        return STALE, "warn", sentence, 0
    return judge(facts)


def _live(facts: _Facts) -> _Found:
    if facts.ahead_s:
        sentence = f"The pulses are {span(facts.ahead_s)} ahead of this machine's clock: how old the data are is not known."
        return LIVE, "warn", sentence, 0
    source = table_of(facts.status, "source")
    every_s = max(number_of(facts.status, "update_every_s") or 0.0, number_of(source, "chunk_s") or 0.0)
    explained_s = EXPLAINED_S + 2 * every_s
    begun_ns = max(
        facts.seen.phase_since_ns,
        time_of(table_of(facts.status, "session"), "started_ns"),
        time_of(table_of(facts.status, "run"), "start_ns"),
    )
    awaited = facts.now_ns - begun_ns <= explained_s * _S
    if facts.age_s is not None and facts.age_s <= explained_s:
        shown_ns, reduced_ns = facts.seen.newest_pulse_ns, time_of(facts.status, "last_pulse_ns")
        if awaited or not shown_ns or reduced_ns - shown_ns <= explained_s * _S:
            return LIVE, "good", f"Data are {span(facts.age_s)} old.{_left_out(facts)}", 0
        when = clock_time(shown_ns, facts.now_ns)
        sentence = (
            f"Data are {span(facts.age_s)} old, but the newest result has those until {when} only: "
            f"no newer one has been made.{_left_out(facts)}"
        )
        return LIVE, "warn", sentence, shown_ns
    if facts.age_s is None:
        if awaited:
            return CATCHING_UP, "wait", "The first data are on their way.", 0
        return (
            STALE,
            "bad",
            f"No data have been reduced since {clock_time(begun_ns, facts.now_ns)}.",
            begun_ns,
        )
    newest_ns = facts.now_ns - round(facts.age_s * _S)
    if awaited:
        return (
            CATCHING_UP,
            "wait",
            f"The newest data are {span(facts.age_s)} old, and more are on their way.",
            0,
        )
    when = clock_time(newest_ns, facts.now_ns)
    sentence = (
        f"Stale since {when}: data arrive, but the newest that have been reduced are {span(facts.age_s)} old."
    )
    return STALE, "bad", sentence, newest_ns


def _catching_up(facts: _Facts) -> _Found:
    if facts.age_s is None:
        return CATCHING_UP, "wait", "livered reads data that were taken before.", facts.seen.phase_since_ns
    sentence = (
        f"livered reads data that were taken before: it has got to {span(facts.age_s)} ago.{_left_out(facts)}"
    )
    return CATCHING_UP, "wait", sentence, facts.seen.phase_since_ns


def _paused(facts: _Facts) -> _Found:
    return "paused", "wait", f"The run is paused{_newest(facts)}.", facts.seen.phase_since_ns


def _no_beam(facts: _Facts) -> _Found:
    return _lacking(facts, "no beam", "beam_off_s", "There is no beam", "wait")


def _no_pulses(facts: _Facts) -> _Found:
    return _lacking(facts, "no pulses", "silent_s", "No pulses arrive", "warn")


def _lacking(facts: _Facts, word: str, key: str, what: str, kind: Kind) -> _Found:
    for_s = number_of(table_of(facts.status, "source"), key)
    if for_s is None:
        return word, kind, f"{what}{_newest(facts)}.", facts.seen.phase_since_ns
    since_ns = max(0, facts.beat_ns - round(for_s * _S))
    return word, kind, f"{what} since {clock_time(since_ns, facts.now_ns)}{_newest(facts)}.", since_ns


def _between_runs(facts: _Facts) -> _Found:
    return "between runs", "wait", f"No run is going on{_newest(facts)}.", facts.seen.phase_since_ns


def _connecting(facts: _Facts) -> _Found:
    where = table_of(facts.status, "source").get("where")
    sentence = f"livered connects to {where}." if where else "livered connects to the data stream."
    return "connecting", "wait", sentence, facts.seen.phase_since_ns


def _not_connected(facts: _Facts) -> _Found:
    problem = table_of(facts.status, "source").get("problem")
    sentence = str(problem) if problem else f"The data stream cannot be reached{_newest(facts)}."
    return "not connected", "bad", sentence, facts.seen.phase_since_ns


def _reading(facts: _Facts) -> _Found:
    fraction = number_of(table_of(facts.status, "source"), "read_fraction")
    how_far = "" if fraction is None else f", of which {fraction:.0%} has been read"
    return (
        "reading a recording",
        "wait",
        f"These are data of a recording{how_far}.",
        facts.seen.phase_since_ns,
    )


def _stopping(facts: _Facts) -> _Found:
    return "stopping", "wait", "livered has been asked to stop.", facts.seen.phase_since_ns


_PHASES: Final[Mapping[str, Callable[[_Facts], _Found]]] = {
    "live": _live,
    "catching up": _catching_up,
    "paused": _paused,
    "no beam": _no_beam,
    "no pulses": _no_pulses,
    "between runs": _between_runs,
    "connecting": _connecting,
    "not connected": _not_connected,
    "reading a recording": _reading,
    "stopping": _stopping,
}


def _newest(facts: _Facts) -> str:
    return "" if facts.age_s is None else f"; the newest data are {span(facts.age_s)} old"


def _dealt_with_ns(status: Mapping[str, Any]) -> int:
    """Tell the newest pulse that was reduced, or that a plugin left out on purpose."""
    return max(time_of(status, "last_pulse_ns"), time_of(status, "newest_pulse_ns"))


def _left_out(facts: _Facts) -> str:
    """Say that a plugin leaves out chunks on purpose; empty where none does."""
    status = facts.status
    number = number_of(status, "skipped_chunks") or 0
    if not number:
        return ""
    name = status.get("skipped_by")
    who = f"The plugin {name}" if isinstance(name, str) and name else "A plugin"
    said = f" {who} has left out {number:,.0f} chunk{'' if number == 1 else 's'} of this run on purpose"
    reduced_ns = time_of(status, "last_pulse_ns")
    if _dealt_with_ns(status) <= reduced_ns:
        return f"{said}."
    until = (
        f"the newest that are reduced are those of {clock_time(reduced_ns, facts.now_ns)}"
        if reduced_ns
        else "none of it is reduced"
    )
    return f"{said}, the newest too: {until}."


def _is_recording(status: Mapping[str, Any]) -> bool:
    """Say whether the data are of a recording: their age says nothing of how it is doing."""
    return number_of(table_of(status, "source"), "read_fraction") is not None
