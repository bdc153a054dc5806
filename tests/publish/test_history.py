from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.publish.history import OVER_NS, History
from livered_core.publish.run_directory import RunDirectory

HOUR = 3600 * 10**9


def written(history: History):
    return json.loads(history.as_json(), parse_constant=pytest.fail)


def test_it_is_columns_of_equal_length_from_the_beginning():
    history = History()
    empty = {"format": 2, "every_s": 10, "time_ns": [], "event_rate": [], "lag_s": [], "phase": []}
    assert written(history) == empty
    history.add(10, 1.5, None, "between runs")
    history.add(20, 2.5, 0.25, "live")
    assert written(history) == {
        **empty,
        "time_ns": [10, 20],
        "event_rate": [1.5, 2.5],
        "lag_s": [None, 0.25],
        "phase": ["between runs", "live"],
    }


rows = st.tuples(st.integers(0, 20 * HOUR), st.floats(), st.none() | st.floats(), st.text())


@given(st.lists(rows, max_size=30))
def test_whatever_comes_times_ascend_over_six_hours_and_columns_are_equally_long(added):
    history = History()
    for row in added:
        history.add(*row)
    document = written(history)
    times = document["time_ns"]
    assert {len(document[name]) for name in ("event_rate", "lag_s", "phase")} == {len(times)}
    assert times == sorted(set(times))
    if added:
        assert times[-1] == added[-1][0]
        assert times[-1] - times[0] <= OVER_NS


@given(st.lists(rows, max_size=5))
def test_it_goes_on_over_a_restart(tmp_path_factory, added):
    history = History()
    for row in added:
        history.add(*row)
    with RunDirectory(tmp_path_factory.mktemp("run")) as folder:
        folder.replace("history.json", [history.as_json()])
        again = History.continued(folder)
    assert again.as_json() == history.as_json()


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"lag_s": []},
        {"phase": [1, 2]},
        {"time_ns": [20, 10]},
        {"time_ns": [1.5, 2]},
        {"time_ns": None},
        {"event_rate": ["1", "2"]},
        {"event_rate": [float("inf"), 1]},
    ],
)
def test_a_history_that_is_not_as_it_is_written_is_begun_anew(tmp_path, caplog, change):
    history = History()
    history.add(10, 1.5, None, "live")
    history.add(20, 1.5, None, "live")
    (tmp_path / "history.json").write_text(json.dumps({**written(history), **change}))
    with RunDirectory(tmp_path) as folder:
        assert written(History.continued(folder))["time_ns"] == []
    assert "history.json.damaged" in caplog.text
