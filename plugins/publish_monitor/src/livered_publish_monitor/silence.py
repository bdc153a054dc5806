"""When not to ask a server again: it has refused for a reason that will not go away by itself."""

from __future__ import annotations

import attrs

from livered_core.clocks import Clock
from livered_publish_monitor.answers import LONGEST_PAUSE_S, Answer, Meaning, meaning_of, pause_s
from livered_publish_monitor.credentials import Credentials

_FIRST_PAUSE_S = 60.0
_MOST_REFUSED = 1000


@attrs.define(eq=False)
class Silence:
    """What a server refused, and how long it is left alone. For one thread.

    A refused login is not tried again until the login is another or an hour has passed. A refused page is never
    sent again, and the next one waits for a minute, then for two, and so on up to an hour; a final result is
    another page and does not wait for that. Where nothing takes plots, everything waits like this. A server that
    asks to be left alone is, for an hour at most.

    Attributes
    ----------
    clock
        For the times.
    """

    clock: Clock
    _until: float = attrs.field(default=0.0, init=False)
    _login: Credentials | None = attrs.field(default=None, init=False, repr=False)
    _about_pages: bool = attrs.field(default=False, init=False)
    _refusals: int = attrs.field(default=0, init=False)
    _refused: set[str] = attrs.field(factory=set, init=False, repr=False)

    def left(self, login: Credentials, *, final: bool) -> float:
        """Say for how many seconds still nothing is to be asked; 0 when it may be.

        Parameters
        ----------
        login
            As it is now.
        final
            Whether it is about a final result.
        """
        if self._login is not None and login != self._login:
            self._until, self._login = 0.0, None
        if final and self._about_pages:
            return 0.0
        return max(0.0, self._until - self.clock.monotonic())

    def was_refused(self, digest: str) -> bool:
        """Say whether a page that shows the same was refused."""
        return digest in self._refused

    def note(self, answer: Answer, login: Credentials, digest: str) -> None:
        """Remember an answer.

        Parameters
        ----------
        answer
            What the server said.
        login
            With which it was asked.
        digest
            Of the page.
        """
        meaning = meaning_of(answer)
        self._login = login if meaning is Meaning.LOGIN else None
        self._about_pages = meaning is Meaning.PAGE
        if meaning is Meaning.TAKEN:
            self._until, self._refusals = 0.0, 0
        elif meaning is Meaning.PAGE:
            self.note_refused(digest)
        elif meaning is Meaning.ADDRESS:
            self._wait_longer()
        elif meaning is Meaning.LOGIN:
            self._until = self.clock.monotonic() + LONGEST_PAUSE_S
        else:
            self._until = self.clock.monotonic() + pause_s(answer.retry_after, self.clock.now_ns())

    def note_refused(self, digest: str) -> None:
        """Remember that a page will never be taken."""
        if len(self._refused) >= _MOST_REFUSED:
            self._refused.clear()
        self._refused.add(digest)
        self._about_pages = True
        self._wait_longer()

    def _wait_longer(self) -> None:
        pause = min(LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self._refusals, 20))
        self._refusals += 1
        self._until = self.clock.monotonic() + pause
