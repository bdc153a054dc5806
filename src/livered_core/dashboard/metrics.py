"""Figures for Prometheus: a gauge for whatever may be worth an alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from livered_core.dashboard.foreign import number_of, time_of
from livered_core.dashboard.state import WORDS

if TYPE_CHECKING:
    from livered_core.dashboard.board import View

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of the text of `exposition`."""


@attrs.frozen
class _Figure:
    """A gauge with one value for each instrument; None leaves it out."""

    name: str
    help: str
    value: Callable[[View], float | None]


_GONE: Final = frozenset(("stopped", "failed", "stale"))
"""States in which what was written last is not of now."""


def _status(key: str, factor: float = 1.0) -> Callable[[View], float | None]:
    def value(view: View) -> float | None:
        number = number_of(view.status or {}, key)
        return None if number is None else number * factor

    return value


def _flag(key: str) -> Callable[[View], float | None]:
    def value(view: View) -> float | None:
        flag = (view.status or {}).get(key)
        return float(flag) if isinstance(flag, bool) else None

    return value


def _event_rate(view: View) -> float | None:
    rate = number_of(view.status or {}, "event_rate")
    return 0.0 if rate is not None and view.state.word in _GONE else rate


def _heartbeat_age(view: View) -> float | None:
    beat_ns = time_of(view.status or {}, "now_ns")
    return max(0.0, (view.state.now_ns - beat_ns) / 1e9) if beat_ns else None


def _result_age(view: View) -> float | None:
    stored = view.folder.files.get("latest.json")
    published_ns = time_of(stored.head, "published_ns") if stored is not None else 0
    return max(0.0, (view.state.now_ns - published_ns) / 1e9) if published_ns else None


def _run_number(view: View) -> float | None:
    run = (view.status or {}).get("run")
    return number_of(run, "number") if isinstance(run, Mapping) else 0.0 if view.status else None


def _failures(view: View) -> float | None:
    stored = view.folder.files.get("failures.json")
    return number_of(stored.head, "total") if stored is not None else None


def _unreadable(view: View) -> float:
    return float(len(view.problems))


FIGURES: Final = (
    _Figure(
        "livered_data_age_seconds",
        "Now minus the newest pulse that has been reduced.",
        lambda view: view.state.data_age_s,
    ),
    _Figure(
        "livered_heartbeat_age_seconds", "Now minus the last sign of life of the engine.", _heartbeat_age
    ),
    _Figure("livered_result_age_seconds", "Now minus when the newest result was published.", _result_age),
    _Figure(
        "livered_lag_seconds",
        "How far the reduction was behind the beam at the last sign of life.",
        _status("lag_s"),
    ),
    _Figure(
        "livered_event_rate",
        "Events received per second, averaged over some seconds; 0 when livered is dead or silent.",
        _event_rate,
    ),
    _Figure("livered_run_number", "Number of the run in hand; 0 between runs.", _run_number),
    _Figure("livered_run_events", "Events reduced in the run in hand.", _status("n_events")),
    _Figure("livered_run_pulses", "Pulses reduced in the run in hand.", _status("n_pulses")),
    _Figure(
        "livered_run_proton_charge_coulombs",
        "Proton charge of the run in hand.",
        _status("proton_charge_pc", 1e-12),
    ),
    _Figure("livered_run_chunks", "Chunks accumulated in the run in hand.", _status("n_chunks")),
    _Figure("livered_run_updates", "Results made of the run in hand.", _status("n_updates")),
    _Figure(
        "livered_run_dropped_chunks",
        "Chunks of the run in hand that were lost because a plugin failed.",
        _status("dropped_chunks"),
    ),
    _Figure(
        "livered_run_skipped_chunks",
        "Chunks of the run in hand that a plugin left out on purpose.",
        _status("skipped_chunks"),
    ),
    _Figure("livered_run_complete", "1 when nothing is missing from the run in hand.", _flag("complete")),
    _Figure("livered_failures", "Failures of plugins since the engine was started.", _failures),
    _Figure("livered_unreadable_files", "Files of the run directory that cannot be read.", _unreadable),
)
_SINK_FIGURES: Final = (
    ("livered_sink_delivered", "Results that the sink has delivered.", "delivered"),
    ("livered_sink_refused", "Results that the sink's other side has refused.", "refused"),
    ("livered_sink_unsent_finals", "Final results that wait to be delivered.", "unsent_finals"),
)


def exposition(views: Iterable[View], livered_version: str, n_streams: int) -> bytes:
    """Write the figures of all instruments.

    Parameters
    ----------
    views
        The instruments.
    livered_version
        Version of the dashboard's livered.
    n_streams
        Number of pages that are open.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(tuple(views), livered_version, n_streams))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, views: tuple[View, ...], livered_version: str, n_streams: int) -> None:
        self._views = views
        self._version = livered_version
        self._n_streams = n_streams

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        info = GaugeMetricFamily(
            "livered_dashboard_info", "Version of the dashboard; always 1.", labels=["version"]
        )
        info.add_metric([self._version], 1.0)
        yield info
        yield GaugeMetricFamily(
            "livered_dashboard_event_streams", "Pages that are open.", value=float(self._n_streams)
        )
        yield self._states()
        for figure in FIGURES:
            family = GaugeMetricFamily(figure.name, figure.help, labels=["instrument"])
            for view in self._views:
                value = figure.value(view)
                if value is not None:
                    family.add_metric([view.name], value)
            yield family
        for name, what, key in _SINK_FIGURES:
            yield self._sinks(name, what, key)

    def _states(self) -> GaugeMetricFamily:
        what = "1 for the state that the instrument is in, 0 for all others."
        family = GaugeMetricFamily("livered_state", what, labels=["instrument", "state"])
        for view in self._views:
            for word in WORDS:
                family.add_metric([view.name, word], float(view.state.word == word))
        return family

    def _sinks(self, name: str, what: str, key: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, what, labels=["instrument", "sink"])
        for view in self._views:
            seen = set()
            for sink in _tables((view.status or {}).get("sinks")):
                label, value = str(sink.get("name")), number_of(sink, key)
                if value is not None and label not in seen:
                    seen.add(label)
                    family.add_metric([view.name, label], value)
        return family


def _tables(value: object) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
