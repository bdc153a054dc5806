"""What a chunk of Mantid's says of itself: its run, its pulses, its events.

Mantid repeats the last value of each log of a chunk at the head of the next one: proton charge is counted by distinct
pulse times, and the workspace's own log is put right, so that what adds or normalises workspaces counts each pulse once.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.model import RunInfo
from livered_core.model.utc import parse_utc
from livered_core.workspaces import Kind, kind_of, members_of, n_events_of, run_of, times_ns_of

PROTON_CHARGE: Final = "proton_charge"
"""Time series of the pulses, picocoulomb."""
TOTAL_CHARGE: Final = "gd_prtn_chrg"
"""What Mantid normalises by, microampere hours."""
_UAH_PER_PC: Final = 1e-12 / (1e-6 * 3600)
_GPS_EPOCH_NS: Final = 631_152_000_000_000_000
"""1990-01-01, where Mantid's DateAndTime counts from, as nanoseconds UTC since the Unix epoch."""


@attrs.frozen(eq=False)
class Said:
    """What a chunk says.

    Attributes
    ----------
    run
        Its run; None between runs.
    ended
        Whether the run ends with it.
    paused
        Whether the run is paused at its end.
    kind
        Of the workspace.
    n_events
        Events in it; of a histogram, which holds everything since the start of the run, all its counts.
    n_pulses, proton_charge_pc
        Of the pulses that are new.
    first_pulse_ns, last_pulse_ns
        Of the pulses that are new, nanoseconds UTC; 0 without any.
    beam
        Whether any of them has charge.
    """

    run: RunInfo | None
    ended: bool
    paused: bool
    kind: Kind
    n_events: int
    n_pulses: int
    proton_charge_pc: float
    first_pulse_ns: int
    last_pulse_ns: int
    beam: bool

    def followed_by(self, more: Said) -> Said:
        """Say what this chunk and the next one of the same run say together."""
        return attrs.evolve(
            more,
            n_events=self.n_events + more.n_events,
            n_pulses=self.n_pulses + more.n_pulses,
            proton_charge_pc=self.proton_charge_pc + more.proton_charge_pc,
            first_pulse_ns=self.first_pulse_ns or more.first_pulse_ns,
            last_pulse_ns=max(self.last_pulse_ns, more.last_pulse_ns),
            beam=self.beam or more.beam,
        )


class ChunkReader:
    """Reads chunks in the order in which they come; for one call of StartLiveData and one thread at a time.

    Parameters
    ----------
    instrument
        Short name for `RunInfo`.
    """

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._repeated_ns = 0

    def read(self, workspace: Any) -> Said:
        """Say what a chunk says, and take the pulse that it repeats out of its proton charge.

        Parameters
        ----------
        workspace
            The chunk. The proton charge of its run is changed, or of its members' runs.
        """
        run, kind = run_of(workspace), kind_of(workspace)
        n_events = n_events_of(workspace)
        pulse_ns, charge_pc = self._new_pulses(run)
        if len(pulse_ns) or _has(run, PROTON_CHARGE):
            parts = members_of(workspace) if kind == "group" else [workspace]
            for part in parts:
                _leave_out(part, self._repeated_ns)
            if len(pulse_ns):
                self._repeated_ns = int(pulse_ns[-1])
        elif n_events and kind == "events":
            # A listener without proton charge: its events have times all the same.
            pulse_ns = np.unique([_ns(workspace.getPulseTimeMin()), _ns(workspace.getPulseTimeMax())])
        return Said(
            run=_run_info(run, self._instrument),
            ended=_text(run, "run_end") != "",
            paused=_paused(run),
            kind=kind,
            n_events=n_events,
            n_pulses=len(pulse_ns),
            proton_charge_pc=float(charge_pc.sum()),
            first_pulse_ns=int(pulse_ns.min()) if len(pulse_ns) else 0,
            last_pulse_ns=int(pulse_ns.max()) if len(pulse_ns) else 0,
            beam=bool((charge_pc > 0).any()),
        )

    def _new_pulses(self, run: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return time and charge of the pulses that were not in a chunk before."""
        if not _has(run, PROTON_CHARGE):
            return np.zeros(0, np.int64), np.zeros(0)
        log = run.getProperty(PROTON_CHARGE)
        time_ns, charge_pc = times_ns_of(log), np.asarray(log.value, np.float64)
        new = time_ns != self._repeated_ns
        return time_ns[new], charge_pc[new]


def _leave_out(workspace: Any, repeated_ns: int) -> None:
    """Take a pulse out of a workspace's proton charge, and put the total of the others where Mantid normalises by it."""
    run = workspace.mutableRun()
    if not _has(run, PROTON_CHARGE):
        return
    log = run.getProperty(PROTON_CHARGE)
    time_ns, values = times_ns_of(log), np.asarray(log.value, np.float64)
    new = time_ns != repeated_ns
    if not new.all() and new.any():
        kept = type(log)(PROTON_CHARGE)
        kept.units = log.units
        # As text: Mantid's DateAndTime does not take numpy's times everywhere.
        for time, value in zip(time_ns[new], values[new], strict=True):
            kept.addValue(str(np.datetime64(int(time), "ns")), float(value))
        run.addProperty(PROTON_CHARGE, kept, True)
    run.addProperty(TOTAL_CHARGE, float(values[new].sum()) * _UAH_PER_PC, True)


def _run_info(run: Any, instrument: str) -> RunInfo | None:
    number = _text(run, "run_number")
    if not number.isascii() or not number.isdigit() or int(number) == 0:
        return None
    try:
        start_ns = max(0, parse_utc(_text(run, "run_start")[:19]))
    except (ValueError, OverflowError):
        start_ns = 0
    return RunInfo(
        number=int(number),
        instrument=instrument,
        proposal=_text(run, "experiment_identifier"),
        title=_text(run, "run_title"),
        start_ns=start_ns,
    )


def _paused(run: Any) -> bool:
    if not _has(run, "pause"):
        return False
    values = np.asarray(run.getProperty("pause").value).ravel()
    return bool(len(values) and values[-1])


def _text(run: Any, name: str) -> str:
    """Return a property as text; some listeners have numbers where others have texts. Empty where there is none."""
    return str(run.getProperty(name).value).strip() if _has(run, name) else ""


def _has(run: Any, name: str) -> bool:
    return run is not None and bool(run.hasProperty(name))


def _ns(time: Any) -> int:
    return int(time.totalNanoseconds()) + _GPS_EPOCH_NS
