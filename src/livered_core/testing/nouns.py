"""Runs, sessions, updates and results for tests, with sensible values for whatever a test does not care about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from livered_core.model import Curve, Result, RunInfo, SessionInfo, Update

FIRST_PULSE_NS: Final = 1_700_000_000_000_000_000
"""When everything here begins unless said otherwise: 2023-11-14 22:13:20 UTC, nanoseconds since the Unix epoch."""
PULSES_PER_S: Final = 60
"""Pulses of the source in a second."""


def make_run(number: int = 1, **fields: Any) -> RunInfo:
    """Make a run.

    Parameters
    ----------
    number
        Its number, above 0.
    fields
        Other fields of `RunInfo`; without them instrument ``TST``, a title with the number, and a start.

    Examples
    --------
    >>> make_run(7).title
    'Run 7 of a test'
    """
    given: dict[str, Any] = {
        "instrument": "TST",
        "proposal": "IPTS-12345",
        "title": f"Run {number} of a test",
        "start_ns": FIRST_PULSE_NS,
    }
    return RunInfo(number=number, **{**given, **fields})


def make_session(**fields: Any) -> SessionInfo:
    """Make a session.

    Parameters
    ----------
    fields
        Fields of `SessionInfo`; without them instrument ``TST``, the native backend, no folder for files, and no
        plugins.

    Examples
    --------
    >>> make_session(instrument="NOM").backend
    'native'
    """
    given: dict[str, Any] = {
        "instrument": "TST",
        "backend": "native",
        "source": "a test",
        "output_dir": "",
        "started_ns": FIRST_PULSE_NS,
        "livered_version": version("livered-core"),
        "plugins": {},
    }
    return SessionInfo(**{**given, **fields})


def make_update(
    sequence: int = 1, *, final: bool = False, missing: Sequence[str] = (), **fields: Any
) -> Update:
    """Make an update: one chunk of a second, 60 pulses and 1,000 events.

    Parameters
    ----------
    sequence
        Its number in the run, from 1 on.
    final
        Whether the run has ended.
    missing
        One sentence for each reason why it is not complete; with any it is not.
    fields
        Other fields of `Update`.

    Examples
    --------
    >>> make_update(missing=["The start of the run is missing."]).complete
    False
    """
    given: dict[str, Any] = {
        "n_chunks": 1,
        "n_pulses": PULSES_PER_S,
        "n_events": 1000,
        "proton_charge_pc": 1e7 * PULSES_PER_S,
        "first_pulse_ns": FIRST_PULSE_NS,
        "last_pulse_ns": FIRST_PULSE_NS + (PULSES_PER_S - 1) * 1_000_000_000 // PULSES_PER_S,
        "skipped_chunks": 0,
        "skipped_events": 0,
        "dropped_chunks": 0,
        "dropped_events": 0,
        "complete": not missing,
        "lag_ns": 0,
    }
    return Update(sequence=sequence, final=final, missing=tuple(missing), **{**given, **fields})


def make_result(run: RunInfo | None = None, **fields: Any) -> Result:
    """Make a result: one curve of ten bins in d-spacing with Poisson's errors.

    Parameters
    ----------
    run
        The run it is of; by default that of `make_run`.
    fields
        Other fields of `Result`.

    Examples
    --------
    >>> make_result(make_run(7)).curves[0].x_unit
    'Angstrom'
    """
    run = make_run() if run is None else run
    y = np.arange(10.0)
    notes: Mapping[str, Any] = {"counts": int(y.sum())}
    curve = Curve(
        label="bank 1",
        x=np.linspace(0.5, 2.5, 11),
        y=y,
        e=np.sqrt(y),
        x_unit="Angstrom",
        y_unit="counts",
        x_name="d-spacing",
        y_name="intensity",
        metadata=notes,
    )
    given: dict[str, Any] = {"title": run.title, "curves": (curve,)}
    return Result(run_number=run.number, **{**given, **fields})
