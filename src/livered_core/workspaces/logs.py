"""What Mantid keeps of a run beside its events: the logs, as livered's own nouns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from livered_core.model import SlowLog
from livered_core.workspaces.kinds import kind_of, members_of


def run_of(workspace: Any) -> Any | None:
    """Return Mantid's Run of a workspace, of a group that of its first member; None for what has none."""
    if kind_of(workspace) == "group":
        members = members_of(workspace)
        return run_of(members[0]) if members else None
    return workspace.run() if hasattr(workspace, "run") else None


def times_ns_of(log: Any) -> npt.NDArray[np.int64]:
    """Return the times of a time series, int64[n], nanoseconds UTC since the Unix epoch."""
    return np.asarray(log.times).astype("datetime64[ns]").astype(np.int64)


def slow_logs_of(run: Any) -> dict[str, SlowLog]:
    """Return the time series of a run that have values, by name.

    Parameters
    ----------
    run
        Mantid's Run.

    Returns
    -------
    dict
        Numbers and truth values are float64, all else text; the arrays are copies.
    """
    logs = {}
    for name in run.keys():  # noqa: SIM118  (Mantid's Run is no mapping)
        log = run.getProperty(name)
        if not hasattr(log, "times"):
            continue
        time_ns = times_ns_of(log)
        if len(time_ns):
            logs[name] = SlowLog(name, "", str(log.units), time_ns, _values(log))
    return logs


def _values(log: Any) -> npt.NDArray[Any]:
    values = np.asarray(log.value)
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    texts = np.empty(len(values), object)
    texts[:] = [str(value) for value in values]
    return texts
