"""One turn of post_process and publish."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Update:
    """What a result rests on, and how complete and how old that is.

    Attributes
    ----------
    sequence
        1 for the first update of a run, then counting.
    final
        True when the run has ended and no further update of it will come.
    n_chunks, n_pulses, n_events
        What has been accumulated so far.
    proton_charge_pc
        Proton charge of what has been accumulated, picocoulomb.
    first_pulse_ns, last_pulse_ns
        Time of the first and the newest pulse accumulated, nanoseconds UTC since the Unix epoch; 0 without.
    skipped_chunks, skipped_events
        Chunks, and the events in them, that a plugin left out on purpose (SKIP).
    dropped_chunks, dropped_events
        Chunks, and the events in them, that were lost to a plugin's failure.
    complete
        True when nothing of this run was dropped and the data begin at its start.
    missing
        One short sentence for each reason why it is not complete.
    lag_ns
        Wall time minus the newest pulse reduced, nanoseconds; 0 without pulses.
    """

    sequence: int
    final: bool
    n_chunks: int
    n_pulses: int
    n_events: int
    proton_charge_pc: float
    first_pulse_ns: int
    last_pulse_ns: int
    skipped_chunks: int
    skipped_events: int
    dropped_chunks: int
    dropped_events: int
    complete: bool
    missing: tuple[str, ...]
    lag_ns: int
