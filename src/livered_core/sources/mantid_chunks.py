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
from livered_core.workspaces import (
    Kind,
    kind_of,
    make_group,
    members_of,
    n_events_of,
    run_algorithm,
    run_of,
    times_ns_of,
)

PROTON_CHARGE: Final = "proton_charge"
"""Time series of the pulses, picocoulomb."""
TOTAL_CHARGE: Final = "gd_prtn_chrg"
"""What Mantid normalises by, microampere hours."""
_UAH_PER_PC: Final = 1e-12 / (1e-6 * 3600)
_TEN_YEARS_NS: Final = 315_360_000_000_000_000
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
    n_early
        Events from before the time asked for, which were cut off.
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
    n_early: int = 0

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
            n_early=self.n_early + more.n_early,
        )


class ChunkReader:
    """Reads chunks in the order in which they come; for one call of StartLiveData and one thread at a time.

    Parameters
    ----------
    instrument
        Short name for `RunInfo`.
    not_before_ns
        What is earlier is cut off, nanoseconds UTC; 0 for nothing.
    """

    def __init__(self, instrument: str, not_before_ns: int = 0) -> None:
        self._instrument = instrument
        self._not_before_ns = not_before_ns
        self._repeated_ns = 0

    def read(self, workspace: Any) -> tuple[Said, Any]:
        """Say what a chunk says, and put its proton charge right.

        Parameters
        ----------
        workspace
            The chunk. The proton charge of its run is changed, or of its members' runs.

        Returns
        -------
        said, workspace
            The workspace is another one where something was cut off.
        """
        kind, n_all = kind_of(workspace), n_events_of(workspace)
        pulse_ns, charge_pc = self._new_pulses(run_of(workspace))
        begins_ns = 0
        if pulse_ns.size and pulse_ns.min() < self._not_before_ns <= pulse_ns.max():
            begins_ns = self._not_before_ns
            pulse_ns, charge_pc = pulse_ns[pulse_ns >= begins_ns], charge_pc[pulse_ns >= begins_ns]
            workspace = _cut_off(workspace, begins_ns)
        run, n_events = run_of(workspace), n_events_of(workspace)
        if _has(run, PROTON_CHARGE):
            for part in members_of(workspace) if kind == "group" else [workspace]:
                _put_right(part, self._repeated_ns, begins_ns)
            if len(pulse_ns):
                self._repeated_ns = int(pulse_ns[-1])
        elif n_events and kind == "events":
            # A listener without proton charge: its events have times all the same.
            pulse_ns = np.unique([_ns(workspace.getPulseTimeMin()), _ns(workspace.getPulseTimeMax())])
        said = Said(
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
            n_early=n_all - n_events,
        )
        return said, workspace

    def _new_pulses(self, run: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return time and charge of the pulses that were not in a chunk before."""
        if not _has(run, PROTON_CHARGE):
            return np.zeros(0, np.int64), np.zeros(0)
        log = run.getProperty(PROTON_CHARGE)
        time_ns, charge_pc = times_ns_of(log), np.asarray(log.value, np.float64)
        new = _distinct(time_ns, self._repeated_ns, 0)
        return time_ns[new], charge_pc[new]


def _distinct(time_ns: npt.NDArray[np.int64], repeated_ns: int, begins_ns: int) -> npt.NDArray[np.int64]:
    """Return the indices of pulses, each time once, without the repeated one and those before a time."""
    first: npt.NDArray[np.int64] = np.unique(time_ns, return_index=True)[1]
    wanted = (time_ns[first] != repeated_ns) & (time_ns[first] >= begins_ns)
    new: npt.NDArray[np.int64] = first[wanted]
    return new


def _cut_off(workspace: Any, begins_ns: int) -> Any:
    """Leave out the events and logs of pulses before a time; of a histogram that is not possible."""
    kind = kind_of(workspace)
    if kind == "group":
        return make_group(_cut_off(member, begins_ns) for member in members_of(workspace))
    if kind != "events":
        return workspace
    # Older versions want both times; newer ones remember them, so that later chunks must lie between them.
    return run_algorithm(
        "FilterByTime",
        InputWorkspace=workspace,
        AbsoluteStartTime=_iso(begins_ns),
        AbsoluteStopTime=_iso(begins_ns + _TEN_YEARS_NS),
    )


def _put_right(workspace: Any, repeated_ns: int, begins_ns: int) -> None:
    """Put right a workspace's proton charge, and its total where Mantid normalises by it.

    Each pulse time counts once; the repeated one and those before a time do not count.
    """
    run = workspace.mutableRun()
    if not _has(run, PROTON_CHARGE):
        return
    log = run.getProperty(PROTON_CHARGE)
    time_ns, values = times_ns_of(log), np.asarray(log.value, np.float64)
    new = _distinct(time_ns, repeated_ns, begins_ns)
    if len(new) < len(time_ns):
        kept = type(log)(PROTON_CHARGE)
        kept.units = log.units
        for time, value in zip(time_ns[new], values[new], strict=True):
            kept.addValue(_iso(int(time)), float(value))
        run.addProperty(PROTON_CHARGE, kept, True)
    run.addProperty(TOTAL_CHARGE, float(values[new].sum()) * _UAH_PER_PC, True)


def _iso(time_ns: int) -> str:
    """Write a time as Mantid reads it everywhere: it does not take numpy's times."""
    return str(np.datetime64(time_ns, "ns"))


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
