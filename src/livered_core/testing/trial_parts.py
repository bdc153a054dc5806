"""What a trial consists of: runs, curves, times of hooks, failures, warnings, memory and sinks, in numbers."""

from __future__ import annotations

import attrs
import numpy as np

from livered_core.model import Curve, Result, RunInfo, Update


@attrs.frozen
class CurveSummary:
    """A curve in some numbers.

    Attributes
    ----------
    label
        Its name.
    n_points, n_finite
        Its values, and how many of them are numbers.
    x_first, x_last, x_unit
        Where it begins and ends; NaN for a curve without points.
    total, peak, peak_at, y_unit
        Sum and largest of the finite values, and the x of that one; NaN where there is none.
    """

    label: str
    n_points: int
    n_finite: int
    x_first: float
    x_last: float
    x_unit: str
    total: float
    peak: float
    peak_at: float
    y_unit: str

    @classmethod
    def of(cls, curve: Curve) -> CurveSummary:
        """Sum a curve up."""
        finite = np.isfinite(curve.y)
        some = bool(finite.any())
        highest = int(np.argmax(np.where(finite, curve.y, -np.inf))) if some else 0
        return cls(
            label=curve.label,
            n_points=len(curve.y),
            n_finite=int(finite.sum()),
            x_first=float(curve.x[0]) if len(curve.x) else float("nan"),
            x_last=float(curve.x[-1]) if len(curve.x) else float("nan"),
            x_unit=curve.x_unit,
            total=float(curve.y[finite].sum()) if some else float("nan"),
            peak=float(curve.y[highest]) if some else float("nan"),
            peak_at=float(curve.x_centres[highest]) if some else float("nan"),
            y_unit=curve.y_unit,
        )


@attrs.frozen(eq=False)
class TriedRun:
    """What came of a run.

    Attributes
    ----------
    run
        As the source last described it.
    n_results
        Results that were published.
    result, update
        The last of them; None without one.
    seconds
        Of beam: from its first pulse to its last.
    n_chunks, n_events, n_pulses
        What has been accumulated.
    skipped_chunks, skipped_events
        Left out on purpose.
    dropped_chunks, dropped_events
        Lost to failures.
    missing
        Why the run is not complete, one sentence for each reason.
    """

    run: RunInfo
    n_results: int
    result: Result | None
    update: Update | None
    seconds: float
    n_chunks: int
    n_events: int
    n_pulses: int
    skipped_chunks: int
    skipped_events: int
    dropped_chunks: int
    dropped_events: int
    missing: tuple[str, ...]

    @property
    def curves(self) -> list[CurveSummary]:
        """The curves of its last result."""
        return [] if self.result is None else [CurveSummary.of(curve) for curve in self.result.curves]


@attrs.frozen
class HookTimes:
    """How a hook of a plugin has fared.

    Attributes
    ----------
    plugin, hook
        Which.
    calls, failures
        How often it was called, and how often it raised.
    total_s, longest_s
        Seconds of all calls, and of the longest; a wrapper's include what it wraps.
    """

    plugin: str
    hook: str
    calls: int
    failures: int
    total_s: float
    longest_s: float

    @property
    def mean_s(self) -> float:
        """Seconds of a call."""
        return self.total_s / self.calls if self.calls else 0.0


@attrs.frozen
class Heard:
    """A warning, or a line of the log that is worth a look.

    Attributes
    ----------
    where
        Who said it: a logger, or a file and a line.
    text
        What, in one line.
    count
        How often.
    own
        Whether it came from the plugin's own package.
    """

    where: str
    text: str
    count: int
    own: bool


@attrs.frozen
class Failed:
    """A failure of a hook, however often it came.

    Attributes
    ----------
    plugin, hook, error
        Who failed, in which hook, and why.
    chunk
        The first chunk on which it failed; None for hooks that get none.
    count
        How often it came.
    traceback
        Where it was raised; without the frames of livered that called the hook.
    """

    plugin: str
    hook: str
    error: str
    chunk: int | None
    count: int
    traceback: str

    @property
    def sentence(self) -> str:
        """The failure in one sentence."""
        where = f" on chunk {self.chunk}" if self.chunk is not None else ""
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.plugin} failed in {self.hook}{where}{times}: {self.error}"


@attrs.frozen
class MemoryUsed:
    """Memory of the process, bytes; 0 where it is not known.

    Attributes
    ----------
    begin, peak, end
        At the beginning, at most, and at the end.
    first_chunk, last_chunk
        After the first chunk, and after the last.
    accumulated
        What was accumulated when the last run ended: an estimate.
    """

    begin: int = 0
    peak: int = 0
    end: int = 0
    first_chunk: int = 0
    last_chunk: int = 0
    accumulated: int = 0


@attrs.frozen
class SinkUsed:
    """How a sink has fared.

    Attributes
    ----------
    name
        The plugin.
    delivered, refused
        Results that it took, and that it refused.
    where
        What its last receipt says; empty without one.
    error
        Why its newest attempt failed; empty when it did not.
    unsent
        Final results that it has not taken.
    """

    name: str
    delivered: int
    refused: int
    where: str
    error: str
    unsent: int
