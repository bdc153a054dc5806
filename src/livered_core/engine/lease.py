"""Who keeps a state folder, and whether another may have it: the decision, without a file.

An owner writes down who it is, and a heartbeat. A home folder may be shared by several hosts, and a host may be
restarted, a process number come again, a clock be wrong.
"""

from __future__ import annotations

import enum
import json
from typing import Any, Final

import attrs
from attrs.validators import instance_of, max_len

BEAT_EVERY_S: Final = 10.0
"""Seconds between two heartbeats."""
STALE_AFTER_S: Final = 120.0
"""Without a heartbeat for so long, an owner on another host is taken to be dead, if it then keeps silent."""
RECORD_BYTES: Final = 1024
"""Length of the record: always the same, so that it is replaced by one write."""

_text: Final[Any] = [instance_of(str), max_len(100)]
_whole: Final = instance_of(int)


@attrs.frozen
class Owner:
    """A process that keeps a state folder.

    Attributes
    ----------
    host, boot
        Name of its machine, and what tells this life of the machine from any other.
    space
        Within which process numbers are unique: a container has its own.
    pid, started
        Number of the process, and when it was started, in ticks since the machine was.
    token
        A random text, another for each owner.
    beat_ns
        Its newest heartbeat by its own clock, nanoseconds UTC since the Unix epoch.
    """

    host: str = attrs.field(validator=_text)
    boot: str = attrs.field(validator=_text)
    space: str = attrs.field(validator=_text)
    pid: int = attrs.field(validator=_whole)
    started: int = attrs.field(validator=_whole)
    token: str = attrs.field(validator=_text)
    beat_ns: int = attrs.field(validator=_whole)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Standing(enum.Enum):
    """Whether a state folder can be had."""

    FREE = "free"
    """Nobody keeps it, or who did is gone for certain."""
    SILENT = "silent"
    """Its owner seems to be gone: it can be had if no heartbeat comes while one watches."""
    BEGINNING = "beginning"
    """Somebody is about to write down who it is: look again."""
    KEPT_HERE = "kept here"
    """A process of this machine keeps it."""
    KEPT_ELSEWHERE = "kept elsewhere"
    """A process on another machine, or in another container, keeps it."""


@attrs.frozen
class Verdict:
    """What was found.

    Attributes
    ----------
    standing
        Whether the folder can be had.
    why
        For people: what is known of the owner; empty where there is none.
    """

    standing: Standing
    why: str = ""


def judge(found: Owner | None, me: Owner, *, locked: bool | None, alive: bool) -> Verdict:
    """Say whether a state folder can be had.

    Parameters
    ----------
    found
        Who is written down; None where nobody is.
    me
        Who asks; its heartbeat is the time of now.
    locked
        Whether the file could be locked; None where the file system knows no locks. A lock may be seen by the processes
        of one machine only.
    alive
        Whether `found` lives, if it is of the same machine, life of the machine and process numbers; else of no meaning.
    """
    if found is None:
        return Verdict(Standing.BEGINNING if locked is False else Standing.FREE)
    if found.token == me.token:
        return Verdict(Standing.FREE)
    if (found.host, found.boot, found.space) == (me.host, me.boot, me.space):
        if alive:
            return Verdict(Standing.KEPT_HERE, str(found))
        gone = Standing.BEGINNING if locked is False else Standing.FREE
        return Verdict(gone, f"{found} is gone without a word (killed, crashed, or out of memory)")
    if found.host == me.host and found.boot != me.boot:
        gone = Standing.BEGINNING if locked is False else Standing.FREE
        return Verdict(gone, f"{found} is gone: the machine was restarted since")
    if found.host == me.host and locked:
        return Verdict(Standing.FREE, f"{found}, in another container, is gone")
    silent_s = (me.beat_ns - found.beat_ns) / 1e9
    if abs(silent_s) <= STALE_AFTER_S:
        return Verdict(Standing.KEPT_ELSEWHERE, f"{found}, last heard of {max(0.0, silent_s):.0f} s ago")
    # Its clock may be wrong, or this one's: only watching tells.
    return Verdict(
        Standing.SILENT, f"{found} has not been heard of for {max(0.0, silent_s) / 60:.0f} minutes"
    )


def to_record(owner: Owner | None) -> bytes:
    """Write an owner, or that there is none, as a record of `RECORD_BYTES`."""
    text = "" if owner is None else json.dumps(attrs.asdict(owner))
    return f"{text:<{RECORD_BYTES - 1}}\n".encode("ascii")


def from_record(record: bytes) -> Owner | None:
    """Read a record.

    Raises
    ------
    ValueError
        When it is no record: damaged, or just being written.
    """
    text = record.strip(b" \n\0")
    if not text:
        return None
    try:
        values: Any = json.loads(text)
        return Owner(**values)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the record of the owner cannot be read: {error}"
        raise ValueError(message) from None
