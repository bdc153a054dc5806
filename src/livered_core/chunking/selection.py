"""Which pulses of a run are reduced."""

from __future__ import annotations

import attrs

from livered_core.adara import PulseFlag


@attrs.frozen
class PulseSelection:
    """Which pulses of a run are reduced, and how their times are read.

    Attributes
    ----------
    not_before_ns
        Pulses before this time are left out, nanoseconds UTC since the Unix epoch; 0 takes all.
    keep_paused
        Take pulses that come while the run is paused.
    leave_out_vetoed, leave_out_partial
        Leave out pulses that the accelerator vetoed, and those of which the server says that data are missing.
    add_tof_offset
        Add the offset of frame skew to the times of flight of sources that lack it. The facility's own NeXus
        files do not have it added.
    """

    not_before_ns: int = 0
    keep_paused: bool = False
    leave_out_vetoed: bool = False
    leave_out_partial: bool = False
    add_tof_offset: bool = False

    def left_out(self, flags: int) -> str:
        """Say why a pulse with these flags is left out: ``vetoed``, ``partial``, or empty when it is taken.

        Parameters
        ----------
        flags
            Bits of `PulseFlag`.
        """
        if self.leave_out_vetoed and flags & PulseFlag.PULSE_VETO:
            return "vetoed"
        if self.leave_out_partial and flags & PulseFlag.PARTIAL_DATA:
            return "partial"
        return ""
