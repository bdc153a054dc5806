"""Figures for Prometheus."""

from __future__ import annotations

import time

import pytest

from waiting import until

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

SINKS = [
    {"name": 'monitor "a"\n', "delivered": 5, "refused": 2, "unsent_finals": 1},
    {"name": "files", "delivered": 7, "refused": 0, "unsent_finals": 0},
    {"name": "files", "delivered": 8},
    "foreign",
]


def figures(client, name: str):
    """Name of a figure to its values of one instrument, by their other labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation, family.name
        assert family.name.startswith("livered_")
        for sample in family.samples:
            if sample.labels.get("instrument", name) == name:
                others = tuple(value for key, value in sorted(sample.labels.items()) if key != "instrument")
                found.setdefault(sample.name, {})[others] = sample.value
    return found


def test_all_that_is_worth_an_alarm_is_there(client, nom):
    nom.write("failures.json", {"format": 2, "version": 2, "total": 9, "failures": []})
    nom.latest(1, published_ns=time.time_ns() - 100 * 10**9)
    nom.status(sinks=SINKS, complete=False)
    until(lambda: figures(client, nom.name)["livered_run_complete"] == {(): 0.0})
    found = figures(client, nom.name)
    single = {key: value[()] for key, value in found.items() if () in value}
    assert 0 < single["livered_heartbeat_age_seconds"] < 10
    assert 0.4 < single["livered_data_age_seconds"] < 10
    assert 99 < single["livered_result_age_seconds"] < 130
    assert single["livered_lag_seconds"] == 0.5
    assert single["livered_event_rate"] == 1000.0
    assert single["livered_run_number"] == 4711
    assert single["livered_run_events"] == 3000
    assert single["livered_run_pulses"] == 180
    assert single["livered_run_proton_charge_coulombs"] == 2.5e-3
    assert single["livered_run_chunks"] == 3
    assert single["livered_run_updates"] == 2
    assert single["livered_run_dropped_chunks"] == 1
    assert single["livered_run_skipped_chunks"] == 4
    assert single["livered_failures"] == 9
    assert single["livered_unreadable_files"] == 0
    assert found["livered_sink_delivered"] == {('monitor "a"\n',): 5.0, ("files",): 7.0}
    assert found["livered_sink_refused"] == {('monitor "a"\n',): 2.0, ("files",): 0.0}
    assert found["livered_sink_unsent_finals"] == {('monitor "a"\n',): 1.0, ("files",): 0.0}
    assert {word for word, value in found["livered_state"].items() if value} == {("live",)}
    nom.status(phase="stopped")
    until(lambda: figures(client, nom.name)["livered_event_rate"] == {(): 0.0})
    found = figures(client, nom.name)
    assert {word for word, value in found["livered_state"].items() if value} == {("stopped",)}
    assert sum(found["livered_state"].values()) == 1.0


def test_what_is_not_known_is_left_out(client, nom):
    nom.write("status.json", {"format": 2, "run": None, "sinks": {}, "n_events": "many", "complete": 1})
    until(lambda: "livered_heartbeat_age_seconds" not in figures(client, nom.name))
    found = figures(client, nom.name)
    assert found["livered_run_number"] == {(): 0.0}
    for name in (
        "data_age_seconds",
        "run_events",
        "run_complete",
        "lag_seconds",
        "failures",
        "sink_delivered",
    ):
        assert f"livered_{name}" not in found
    nom.write("status.json", b"{")
    until(lambda: figures(client, nom.name)["livered_unreadable_files"] == {(): 1.0})
    assert "livered_run_number" not in figures(client, nom.name)


def test_the_figures_of_one_dashboard_are_its_own(client, nom):
    """Nothing of the process, and nothing twice when asked twice."""
    first, second = client.get("/metrics").text, client.get("/metrics").text
    assert "python_info" not in first
    assert first.count("# HELP livered_state ") == second.count("# HELP livered_state ") == 1
