"""How a unit is doing, in plain words, from what systemd says of it."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Final

import attrs

from livered_core.model.text import one_line

PROPERTIES: Final = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "ExecMainCode",
    "ExecMainStatus",
    "NRestarts",
    "MemoryCurrent",
    "StatusText",
    "NeedDaemonReload",
    "ActiveEnterTimestamp",
    "StateChangeTimestamp",
    "StateChangeTimestampMonotonic",
    "RestartUSec",
)
"""What `UnitState.of` reads."""

_EXITED: Final = "1"
_KILLED: Final = ("2", "3")
_EXIT_WORDS: Final = {
    0: "it was asked to stop, or its work was done",
    1: "it died; the log says why",
    2: "its configuration is wrong",
    200: "the folder in which it runs is not there, or it may not enter it",
    203: "its Python is not there; has the environment moved?",
    243: "a credential is not there; see [service] load_credential",
}
"""Exit codes of livered, and those of systemd for what it could not even begin (systemd.exec(5))."""
_KILLED_WORDS: Final = "somebody killed it, or the kernel because memory was short"
_RESULT_WORDS: Final = {
    "watchdog": "it got on no more, and systemd ended it",
    "timeout": "it did not start or stop in time, and systemd ended it",
    "oom-kill": "the kernel ended it because memory was short",
    "start-limit-hit": "it failed too often",
    "resources": "systemd could not start it; see `systemctl --user status`",
    "protocol": "it ended before it had said that it has started",
    "signal": "it was killed, or crashed",
    "core-dump": "it crashed",
}
_UNITS_US: Final = {
    "us": 1,
    "ms": 10**3,
    "s": 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "day": 86400 * 10**6,
    "days": 86400 * 10**6,
}
_SPAN: Final = re.compile(r"([0-9]+)(us|ms|s|min|h|days?)(?![a-z])")
_NOT_FOUND: Final = "not-found"


@attrs.frozen
class UnitState:
    """How a unit is doing.

    Attributes
    ----------
    loaded
        Whether the manager knows the unit.
    active
        As systemd has it: active, inactive, failed, activating, deactivating, reloading.
    sub
        The same, finer: running, auto-restart, start-pre.
    result
        How the last life ended, in systemd's word; ``success`` while it lives.
    main_pid
        Of the process; 0 without.
    ended_by
        Exit code of the last life, or the negative number of the signal that ended it; None while it lives.
    n_restarts
        How often systemd has started it anew since somebody started it.
    memory
        What the service takes, bytes; None where nobody counts.
    status
        What it last said it was doing.
    stale
        Whether the unit's file has changed since the manager read it.
    since
        When it came into its state, UTC; None where it was never started.
    restart_in_s
        Seconds until it is started anew; None where it is not about to be.
    """

    loaded: bool
    active: str
    sub: str
    result: str
    main_pid: int
    ended_by: int | None
    n_restarts: int
    memory: int | None
    status: str
    stale: bool
    since: datetime | None
    restart_in_s: float | None

    @classmethod
    def of(cls, shown: Mapping[str, str], monotonic_s: float) -> UnitState:
        """Read what ``systemctl show`` wrote.

        Parameters
        ----------
        shown
            Properties, those of `PROPERTIES`; what is missing counts as not known.
        monotonic_s
            The machine's monotonic clock, seconds.
        """
        active, sub = shown.get("ActiveState", "inactive"), shown.get("SubState", "")
        code, status = shown.get("ExecMainCode", "0"), _whole(shown.get("ExecMainStatus", "")) or 0
        ended_by = {_EXITED: status, **dict.fromkeys(_KILLED, -status)}.get(code)
        changed = _whole(shown.get("StateChangeTimestampMonotonic", ""))
        restart_in_s = None
        if sub == "auto-restart" and changed is not None:
            restart_in_s = max(
                0.0, (changed + _microseconds(shown.get("RestartUSec", ""))) / 1e6 - monotonic_s
            )
        since = shown.get("ActiveEnterTimestamp" if active == "active" else "StateChangeTimestamp", "")
        return cls(
            loaded=shown.get("LoadState", _NOT_FOUND) != _NOT_FOUND,
            active=active,
            sub=sub,
            result=shown.get("Result", "success"),
            main_pid=_whole(shown.get("MainPID", "")) or 0,
            ended_by=ended_by,
            n_restarts=_whole(shown.get("NRestarts", "")) or 0,
            memory=_whole(shown.get("MemoryCurrent", "")),
            status=one_line(shown.get("StatusText", "")),
            stale=shown.get("NeedDaemonReload") == "yes",
            since=_time(since),
            restart_in_s=restart_in_s,
        )

    @property
    def runs(self) -> bool:
        """Whether it runs and has said so."""
        return self.active in ("active", "reloading")

    def sentence(self) -> str:
        """Say how it is doing; times are those of the person's clock, as in the log."""
        since = "" if self.since is None else f" since {self.since.astimezone():%Y-%m-%d %H:%M:%S %Z}"
        if self.runs:
            return f"running{since}"
        if self.restart_in_s is not None:
            return f"down, and started anew in {self.restart_in_s:.0f} s; {self.last_end()}"
        if self.active == "activating":
            what = "checking its configuration" if self.sub == "start-pre" else "starting"
            return f"{what}{since}"
        if self.active == "deactivating":
            return f"stopping{since}"
        if self.active == "failed":
            return f"FAILED{since}, and not started anew; {self.last_end()}"
        return f"not running{since}"

    def last_end(self) -> str:
        """Say how the last life ended."""
        if self.result in ("watchdog", "timeout", "oom-kill", "start-limit-hit", "resources", "protocol"):
            return f"{_RESULT_WORDS[self.result]}{self._code()}"
        if self.ended_by is None:
            return _RESULT_WORDS.get(self.result, "systemd does not say how its last life ended")
        if self.ended_by < 0:
            words = _KILLED_WORDS if self.ended_by == -signal.SIGKILL else _RESULT_WORDS["signal"]
            return f"{words}{self._code()}"
        words = _EXIT_WORDS.get(self.ended_by, "the log may say why")
        return f"{words}{self._code()}"

    def _code(self) -> str:
        if self.ended_by is None:
            return ""
        if self.ended_by < 0:
            return f" ({signal_name(-self.ended_by)})"
        return f" (exit code {self.ended_by})"


def signal_name(number: int) -> str:
    """Give the name of a signal, as ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) < 2**63 else None


def _microseconds(span: str) -> int:
    """Read a span of time as systemd writes it: ``1min 30s``."""
    return sum(int(number) * _UNITS_US[unit] for number, unit in _SPAN.findall(span))


def _time(text: str) -> datetime | None:
    """Read a time as systemd writes it in UTC: ``Sun 2026-11-29 23:37:18 UTC``."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
