"""Telling systemd that livered has started, and that it gets on: sd_notify(3) and sd_watchdog_enabled(3)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

import attrs

from livered_core.model.text import one_line

_BEATS: float = 4.0
"""Signs of life within the time after which systemd would end the process."""
_STATUS_EVERY_S: float = 5.0
_LONGEST_STATUS: int = 500
"""Characters of a status that are told."""


@attrs.define(eq=False)
class Notifier:
    """Talks to the service manager that started this process; says nothing where there is none. For one thread.

    The sign of life follows the work, and no timer: where nothing turns any more, none is given, and systemd ends the
    process and starts it anew.

    Attributes
    ----------
    address
        Of the manager's socket; empty for none.
    watchdog_s
        After so many seconds without a sign of life systemd ends the process; 0 for never.
    """

    address: str = ""
    watchdog_s: float = 0.0
    _is_ready: bool = False
    _stops: bool = False
    _status: str = ""
    _status_s: float = 0.0
    _turns: int = -1
    _said_s: float = 0.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Notifier:
        """Make it of the variables that systemd sets for the process it has started."""
        own = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        try:
            watchdog_s = int(environ.get("WATCHDOG_USEC", "0")) / 1e6 if own else 0.0
        except ValueError:
            watchdog_s = 0.0
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_s)

    def alive(self, now_s: float, turns: int) -> None:
        """Say once that the service has started; and that it lives, if its work has gone on.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        turns
            How often the work's loop has turned.
        """
        if not self._is_ready:
            self._is_ready = True
            self._tell("READY=1")
        if turns != self._turns and self.watchdog_s and now_s - self._said_s >= self.watchdog_s / _BEATS:
            self._turns, self._said_s = turns, now_s
            self._tell("WATCHDOG=1")

    def status(self, now_s: float, line: str, *, at_once: bool = False) -> None:
        """Say what the service is doing, where that has changed, and not more often than every few seconds.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        line
            One line for people; ``systemctl --user status`` shows it.
        at_once
            Whether it does not wait for its turn.
        """
        waits = bool(self._status) and now_s - self._status_s < _STATUS_EVERY_S
        if line == self._status or (waits and not at_once):
            return
        self._status, self._status_s = line, now_s
        self._tell(f"STATUS={_one_short_line(line)}")

    def stopping(self) -> None:
        """Say once that the service is about to end."""
        if not self._stops:
            self._stops = True
            self._tell("STOPPING=1")

    def last_words(self, sentence: str) -> None:
        """Say why the service ends; systemd keeps it, where nobody may read the journal."""
        self._tell(f"STATUS={_one_short_line(sentence)}")

    def _tell(self, state: str) -> None:
        if not self.address:
            return
        # An address in the abstract namespace is written with @ for the NUL that it begins with.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with (
            contextlib.suppress(OSError),  # without its manager livered does its work all the same
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
        ):
            connection.sendto(state.encode(errors="replace"), address)


def _one_short_line(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_STATUS else line[: _LONGEST_STATUS - 3] + "..."
