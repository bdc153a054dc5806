"""Whether a reduction that was asked to stop gets on."""

from __future__ import annotations

import attrs

from livered_core.sources.base import SourceStatus


@attrs.define(eq=False)
class Hanging:
    """Watches the turns of a source's loop; belongs to one thread."""

    _turns: int = attrs.field(default=-1, init=False)
    _since_s: float = attrs.field(default=0.0, init=False)

    def waited_s(self, source: SourceStatus, now_s: float, *, asked_to_stop: bool) -> float | None:
        """Return for how long nothing has come back when that is longer than it may be, seconds; None else.

        Parameters
        ----------
        source
            The source's snapshot.
        now_s
            Monotonic seconds.
        asked_to_stop
            Until then nothing hangs.
        """
        if not asked_to_stop or source.turns != self._turns:
            self._turns, self._since_s = source.turns, now_s
        waited_s = now_s - self._since_s
        return None if source.patience_s is None or waited_s <= source.patience_s else waited_s
