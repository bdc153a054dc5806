"""When memory is short: how the use of it becomes steps. No step is done here."""

from __future__ import annotations

import enum
from typing import Final

import attrs

from livered_core.engine.memory_reading import MemoryUse

LOOK_EVERY_S: Final = 1.0
"""Seconds between two looks."""
SHED_FROM: Final = 0.85
"""Share of the limit from which on livered sheds."""
RELAX_BELOW: Final = 0.70
"""Share of the limit below which all is as configured again."""
STEP_EVERY_S: Final = 10.0
"""Seconds that a step of shedding has to help before the next."""
LEAST_SHARE: Final = 1 / 8
"""Share of chunks and queue that is not shed."""
OVER_FOR_S: Final = 5.0
"""Seconds above the limit, without a look below it, after which the session ends."""


class MemoryLevel(enum.Enum):
    """How short memory is, in the words of ``status.json``."""

    UNLIMITED = "unlimited"
    NORMAL = "normal"
    SHEDDING = "shedding"
    OVER = "over the limit"


class MemoryStep(enum.Enum):
    """What is to be done."""

    SHED = "shed"
    RELAX = "relax"
    END = "end"


@attrs.define(eq=False)
class MemoryWatch:
    """Follows the use of memory; belongs to one thread. Moments are handed in, in seconds of a monotonic clock.

    What the other processes of a control group use leads to shedding, and never to an end: it would not help.

    Attributes
    ----------
    limit
        Of this process, bytes; 0 for none.
    group_limit
        Of the control group, bytes; 0 without.
    level
        How short memory is.
    share
        Share of chunks and queue that is left.
    since_s
        When `level` came about.
    used
        Of this process at the newest look, bytes.
    """

    limit: int
    group_limit: int = 0
    level: MemoryLevel = MemoryLevel.NORMAL
    share: float = 1.0
    since_s: float = 0.0
    used: int = 0
    _stepped_s: float = 0.0
    _over_since_s: float | None = None

    def __attrs_post_init__(self) -> None:
        if not self.limit:
            self.level = MemoryLevel.UNLIMITED

    def look(self, now_s: float, use: MemoryUse) -> MemoryStep | None:
        """Take up what is used now, and say what is to be done; None for nothing.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        use
            What is used.
        """
        self.used = use.own
        if not self.limit:
            return None
        if use.own >= self.limit:
            if self._over_since_s is None:
                self._over_since_s = now_s
            elif now_s - self._over_since_s >= OVER_FOR_S:
                return MemoryStep.END
        else:
            self._over_since_s = None
        full = use.own / self.limit
        if self.group_limit:
            full = max(full, use.group / self.group_limit)
        self._set(self._level_at(full, over=use.own >= self.limit), now_s)
        if self.level is MemoryLevel.NORMAL:
            if self.share < 1.0:
                self.share = 1.0
                return MemoryStep.RELAX
        elif full >= SHED_FROM and (
            self.share == 1.0 or (self.share > LEAST_SHARE and now_s - self._stepped_s >= STEP_EVERY_S)
        ):
            self.share, self._stepped_s = max(LEAST_SHARE, self.share / 2), now_s
            return MemoryStep.SHED
        return None

    def _level_at(self, full: float, *, over: bool) -> MemoryLevel:
        if over:
            return MemoryLevel.OVER
        if full >= SHED_FROM or (self.level is not MemoryLevel.NORMAL and full >= RELAX_BELOW):
            return MemoryLevel.SHEDDING
        return MemoryLevel.NORMAL

    def _set(self, level: MemoryLevel, now_s: float) -> None:
        if level is not self.level:
            self.level, self.since_s = level, now_s
