"""What event workspaces hold: events as columns, spectra made when somebody asks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from mantid.api._data import DEFAULT_X, HistogramData, MatrixData


@attrs.frozen(eq=False)
class Events:
    """Events as columns: place of the spectrum, x (TOF, or what it was converted to), pulse, weight and its error².

    Weight and error² are None for events that count one each.
    """

    spectrum: np.ndarray
    x: np.ndarray
    pulse_ns: np.ndarray
    weight: np.ndarray | None = None
    error2: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.spectrum)

    def weighted(self) -> Events:
        if self.weight is not None:
            return self
        ones = np.ones(len(self))
        return attrs.evolve(self, weight=ones, error2=ones)

    def take(self, index: Any) -> Events:
        parts = [self.weight, self.error2]
        weight, error2 = (None if part is None else part[index] for part in parts)
        return Events(self.spectrum[index], self.x[index], self.pulse_ns[index], weight, error2)

    def scaled(self, factor: float, factor_error: float = 0.0) -> Events:
        """Multiply by a number with an error."""
        events = self.weighted()
        assert events.weight is not None
        error2 = events.error2 * factor**2 + (events.weight * factor_error) ** 2
        return attrs.evolve(events, weight=events.weight * factor, error2=error2)


NO_EVENTS = Events(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))


def joined(parts: Sequence[Events]) -> Events:
    """Put events together; weighted if any part is."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return NO_EVENTS
    if len(parts) == 1:
        return parts[0]
    if any(part.weight is not None for part in parts):
        parts = [part.weighted() for part in parts]
    columns = [
        None if getattr(parts[0], name) is None else np.concatenate([getattr(part, name) for part in parts])
        for name in ("spectrum", "x", "pulse_ns", "weight", "error2")
    ]
    return Events(*columns)


class EventData(MatrixData):
    """Events with bin edges: `edges` is float64[m + 1] for all spectra, or a list of such."""

    id = "EventWorkspace"

    def __init__(self, n: int, events: Events = NO_EVENTS) -> None:
        super().__init__(n)
        self.edges: Any = DEFAULT_X
        self._parts: list[Events] = [events]
        self._sorted: tuple[Events, np.ndarray] | None = None

    @property
    def events(self) -> Events:
        """All events, in the order in which they came."""
        if len(self._parts) > 1:
            self._parts = [joined(self._parts)]
        return self._parts[0]

    @events.setter
    def events(self, events: Events) -> None:
        self._parts, self._sorted = [events], None

    def append(self, events: Events) -> None:
        self._parts.append(events)
        self._sorted = None

    @property
    def n_events(self) -> int:
        return sum(len(part) for part in self._parts)

    def by_spectrum(self) -> tuple[Events, np.ndarray]:
        """Events in the order of their spectra, and where each spectrum begins: int[n + 1]."""
        if self._sorted is None:
            events = self.events
            order = np.argsort(events.spectrum, kind="stable")
            counts = np.bincount(events.spectrum, minlength=self.n)[: self.n]
            self._sorted = events.take(order), np.concatenate([[0], np.cumsum(counts)])
        return self._sorted

    def events_of(self, i: int) -> Events:
        events, begin = self.by_spectrum()
        return events.take(slice(begin[i], begin[i + 1]))

    def x_of(self, i: int) -> np.ndarray:
        return self.edges if isinstance(self.edges, np.ndarray) else self.edges[i]

    def y_of(self, i: int) -> np.ndarray:
        return _histogram(self.events_of(i), self.x_of(i))[0]

    def e_of(self, i: int) -> np.ndarray:
        return np.sqrt(_histogram(self.events_of(i), self.x_of(i))[1])

    def histogram(self) -> HistogramData:
        """Count into the bins, as ConvertToMatrixWorkspace does."""
        if isinstance(self.edges, np.ndarray):
            counts, error2 = _histogram_all(self.events, self.edges, self.n)
            x = np.broadcast_to(self.edges, (self.n, len(self.edges)))
            made = HistogramData(x, counts, np.sqrt(error2))
        else:
            both = [_histogram(self.events_of(i), self.edges[i]) for i in range(self.n)]
            made = HistogramData(
                [np.array(edges) for edges in self.edges],
                [y for y, _ in both],
                [np.sqrt(e2) for _, e2 in both],
            )
            if len({len(edges) for edges in self.edges}) == 1:
                made.writable()
        made.described_as(self)
        made.same_spectra(self)
        made.distribution = False
        return made

    def all_y(self) -> np.ndarray:
        return self.histogram().all_y()

    def all_e(self) -> np.ndarray:
        return self.histogram().all_e()

    def set_single_bin(self) -> None:
        """Reset X as LoadLiveData does with PreserveEvents: one bin around all events, when there are more than 2."""
        if self.n_events <= 2 or len(self.x_of(0)) != 2:
            return
        x = self.events.x
        low, high = float(x.min()), float(x.max())
        if low == high:
            message = "Invalid data found during construction of HistogramX"
            raise RuntimeError(message)
        self.edges = np.array([low, np.nextafter(high, np.inf)])

    def clone(self) -> EventData:
        other = super().clone()
        other._parts = list(self._parts)
        return other

    def select(self, indices: Sequence[int]) -> EventData:
        chosen = list(indices)
        place = np.full(self.n, -1)
        place[chosen] = np.arange(len(chosen))
        events = self.events
        kept = events.take(place[events.spectrum] >= 0)
        other = EventData(len(chosen), attrs.evolve(kept, spectrum=place[kept.spectrum]))
        other.described_as(self)
        self._choose(other, chosen)
        other.edges = self.edges if isinstance(self.edges, np.ndarray) else [self.edges[i] for i in chosen]
        return other

    def empty_like(self) -> EventData:
        """Return the same spectra without events."""
        other = copy.copy(self)
        other.name, other.run = "", self.run.clone()
        other.events = NO_EVENTS
        return other

    def memory(self) -> int:
        return 16 * self.n_events


def _histogram(events: Events, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count events into bins that are closed below; returns counts and their errors²."""
    bins = np.searchsorted(edges, events.x, side="right") - 1
    inside = (bins >= 0) & (bins < len(edges) - 1)
    n = len(edges) - 1
    if events.weight is None:
        counts = np.bincount(bins[inside], minlength=n).astype(np.float64)
        return counts, counts.copy()
    assert events.error2 is not None
    return (
        np.bincount(bins[inside], events.weight[inside], n),
        np.bincount(bins[inside], events.error2[inside], n),
    )


def _histogram_all(events: Events, edges: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    bins = np.searchsorted(edges, events.x, side="right") - 1
    m = len(edges) - 1
    inside = (bins >= 0) & (bins < m)
    place = events.spectrum[inside] * m + bins[inside]
    if events.weight is None:
        counts = np.bincount(place, minlength=n * m).astype(np.float64).reshape(n, m)
        return counts, counts.copy()
    assert events.error2 is not None
    weights = np.bincount(place, events.weight[inside], n * m).reshape(n, m)
    return weights, np.bincount(place, events.error2[inside], n * m).reshape(n, m)
