"""What happens where no plugin has an opinion: built-in implementations that come last.

- `process_chunk`: native data become a time-of-flight spectrum of the whole detector; Mantid's stay as they are.
- `accumulate`: the first chunk's data, then ``accumulated + processed``, which is Mantid's Plus for its workspaces.
  Data that hold everything since the start of the run (`Chunk.is_total`) take the place of those before.
- `post_process`: a time-of-flight spectrum becomes one curve, as do the spectra of Mantid's workspaces, or their sum
  where they are events that nobody has binned; of anything else nothing is known, and nothing is published.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError
from livered_core.hooks.markers import hookimpl
from livered_core.model import Chunk, Curve, EventBatch, Result, RunInfo
from livered_core.model.events import TICK_US
from livered_core.workspaces import MOST_CURVES, add_workspaces, curves_of, kind_of, whole_detector

_BIN_TICKS: Final = 500
_BINS: Final = 2000


@attrs.frozen(eq=False)
class TofSpectrum:
    """Counts of the whole detector against time of flight.

    Attributes
    ----------
    counts
        int64[2000], bins of 50 us from 0 to 100 ms; not to be written to.
    out_of_range
        Events above 100 ms.
    """

    counts: npt.NDArray[np.int64]
    out_of_range: int

    @classmethod
    def of(cls, events: EventBatch) -> TofSpectrum:
        """Make the spectrum of a batch."""
        in_range = events.tof[events.tof < _BIN_TICKS * _BINS]
        counts = np.bincount(in_range // _BIN_TICKS, minlength=_BINS).astype(np.int64)
        return cls(counts, events.n_events - len(in_range))

    def __add__(self, other: object) -> TofSpectrum:
        if not isinstance(other, TofSpectrum):
            message = f"A time-of-flight spectrum cannot be added to a {type(other).__name__}: accumulate needs an owner that can."
            raise DataModelError(message)
        return TofSpectrum(self.counts + other.counts, self.out_of_range + other.out_of_range)

    @property
    def edges_us(self) -> npt.NDArray[np.float64]:
        """float64[2001], bin edges in microseconds."""
        return np.linspace(0.0, _BINS * _BIN_TICKS * TICK_US, _BINS + 1)


class DefaultTransforms:
    """The transforms' last resort; registered below all plugins."""

    @hookimpl(trylast=True)
    def process_chunk(self, chunk: Chunk) -> Any:
        """Make a time-of-flight spectrum of native data; hand Mantid's on."""
        return TofSpectrum.of(chunk.events) if chunk.model == "native" else chunk.data

    @hookimpl(trylast=True)
    def accumulate(self, accumulated: Any, processed: Any, chunk: Chunk) -> Any:
        """Add: Mantid's workspaces with Plus into a new one, all else with ``+``."""
        if accumulated is None or chunk.is_total:
            return processed
        if "other" in (kind_of(accumulated), kind_of(processed)):
            return _sum(accumulated, processed)
        return add_workspaces(accumulated, processed)

    @hookimpl(trylast=True)
    def post_process(self, accumulated: Any, run: RunInfo) -> Result | None:
        """Draw a time-of-flight spectrum, or Mantid's workspaces."""
        if kind_of(accumulated) != "other":
            return Result(run.number, run.title, _workspace_curves(accumulated))
        if not isinstance(accumulated, TofSpectrum):
            return None
        y = accumulated.counts
        curve = Curve(
            label="whole detector",
            x=accumulated.edges_us,
            y=y,
            e=np.sqrt(y),
            x_unit="us",
            y_unit="counts",
            x_name="time of flight",
            y_name="counts",
        )
        return Result(
            run.number, run.title, (curve,), metadata={"events out of range": accumulated.out_of_range}
        )


def _sum(accumulated: Any, processed: Any) -> Any:
    try:
        total = accumulated + processed
    except TypeError as error:
        message = (
            f"What process_chunk returned (a {type(processed).__name__}) cannot be added to what is accumulated "
            f"(a {type(accumulated).__name__}): return what can be added with +, or implement accumulate. {error}"
        )
        raise DataModelError(message) from error
    if total is None:
        message = f"The sum of a {type(accumulated).__name__} and a {type(processed).__name__} is None: __add__ must return it."
        raise DataModelError(message)
    return total


def _workspace_curves(workspace: Any) -> list[Curve]:
    """Make curves of a workspace; of events as they came, which nobody has binned, their sum."""
    if kind_of(workspace) == "events":
        unbinned = len(workspace.readY(0)) == 1 or workspace.getNumberHistograms() > MOST_CURVES
        if unbinned and workspace.getAxis(0).getUnit().unitID() == "TOF":
            return curves_of(whole_detector(workspace), "whole detector")
    return curves_of(workspace)
