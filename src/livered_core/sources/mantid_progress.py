"""What has come of a stream lately: new pulses, beam, nothing at all."""

from __future__ import annotations

import attrs

from livered_core.sources.mantid_chunks import Said


@attrs.define(eq=False)
class Progress:
    """Follows the chunks of a session through its calls of StartLiveData. Written on one thread, read from any.

    Attributes
    ----------
    new_s
        When something new came last, or the call began, monotonic seconds.
    beam_s
        When a pulse with charge came last; None before the first.
    last_pulse_ns
        Newest pulse of the session, nanoseconds UTC; 0 before the first.
    paused
        Whether the run is paused.
    empty_in_a_row
        Chunks of this call without anything new since the last with something.
    """

    new_s: float
    beam_s: float | None = None
    last_pulse_ns: int = 0
    paused: bool = False
    empty_in_a_row: int = 0
    _total_events: int = 0

    def begin_call(self, now_s: float) -> None:
        """Begin with a new call of StartLiveData."""
        self.new_s = now_s
        self.empty_in_a_row = self._total_events = 0

    def note(self, said: Said, now_s: float) -> bool:
        """Note a chunk.

        Returns
        -------
        bool
            Whether it holds something that the session has not had before: what is replayed is no progress.
        """
        self.paused = said.paused
        # A histogram holds what came before as well.
        before, self._total_events = self._total_events, said.n_events
        is_histogram = said.kind == "histogram"
        if said.n_pulses == 0 and said.n_events <= (before if is_histogram else 0):
            self.empty_in_a_row += 1
            return False
        self.empty_in_a_row = 0
        self.new_s = now_s
        if said.beam or self.beam_s is None:
            self.beam_s = now_s
        is_new = said.last_pulse_ns > self.last_pulse_ns or not said.last_pulse_ns
        self.last_pulse_ns = max(said.last_pulse_ns, self.last_pulse_ns)
        return is_new

    def silent_s(self, now_s: float) -> float | None:
        """Return for how long nothing new has come, seconds; within a chunk what the last one brought counts."""
        if not self.last_pulse_ns:
            return None
        return now_s - self.new_s if self.empty_in_a_row else 0.0

    def beam_off_s(self) -> float | None:
        """Return how long before the newest data the last pulse with charge came, seconds; None before the first."""
        return None if self.beam_s is None else max(0.0, self.new_s - self.beam_s)
