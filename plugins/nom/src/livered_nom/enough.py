"""When is it enough? How far a run is, as numbers and as a curve."""

from __future__ import annotations

import attrs
import numpy as np

from livered_core import Curve
from livered_core.diffraction import StructureFactor, error_over_time, statistical_error, statistics
from livered_nom.curves import Note
from livered_nom.settings_total import TotalScatteringSettings

LABEL = "error of S(Q)"
_POINTS = 60


@attrs.frozen(eq=False)
class Progress:
    """How far a run is.

    Attributes
    ----------
    notes
        For the result's metadata.
    curves
        The error expected over the time of measuring; empty while it is not known.
    """

    notes: dict[str, Note]
    curves: list[Curve]


def progress(structure: StructureFactor, settings: TotalScatteringSettings, elapsed_s: float) -> Progress:
    """Say how far a run is, and draw it.

    Parameters
    ----------
    structure
        S(Q) as it is now.
    settings
        In which range of Q, and what is enough.
    elapsed_s
        For how long there has been data, seconds.
    """
    q_range = (settings.statistics_q_min, settings.statistics_q_max)
    reached = statistics(structure, q_range, settings.wanted_error, elapsed_s)
    notes: dict[str, Note] = {
        "statistics": reached.sentence,
        "statistical_error_wanted": reached.wanted,
    }
    if reached.error is not None:
        notes["statistical_error"] = reached.error
    if reached.seconds_left is not None:
        notes["seconds_until_enough"] = reached.seconds_left
    if reached.error is None or not elapsed_s > 0:
        return Progress(notes, [])
    end_s = (
        elapsed_s * 2
        if reached.seconds_left is None
        else elapsed_s + max(1.2 * reached.seconds_left, elapsed_s)
    )
    time_s = np.geomspace(elapsed_s / 20, end_s, _POINTS)
    error = statistical_error(structure, q_range)
    curve = Curve(
        label=LABEL,
        x=time_s,
        y=error_over_time(error, elapsed_s, time_s),
        e=np.zeros(_POINTS),
        x_unit="s",
        y_unit="dimensionless",
        x_name="time measured",
        y_name="error expected of S(Q)",
        metadata={"measured_seconds": elapsed_s, "wanted": reached.wanted},
    )
    return Progress(notes, [curve])
