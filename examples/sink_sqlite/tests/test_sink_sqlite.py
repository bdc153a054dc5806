"""The sink against a real database."""

import sqlite3
from contextlib import closing

import pytest
from livered_sink_sqlite import SinkSqlite

from livered_core import ConfigError, Curve, Result, hookimpl
from livered_core.testing import PluginHarness, make_run, one_event_chunk


class Owner:
    """Makes results for the sink."""

    @hookimpl
    def post_process(self, run):
        return Result(run.number, "", [Curve("a", [0.0], [1.0], [1.0], "us", "counts")])


def rows(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM runs ORDER BY run").fetchall()


def test_a_row_for_each_run_and_each_once(tmp_path):
    path = tmp_path / "runs.sqlite"
    run = make_run(7, instrument="TOY", title="a title")
    with PluginHarness(SinkSqlite, {"database": str(path)}, beside=[Owner], run=run) as harness:
        harness.feed(one_event_chunk())
        harness.update()
        assert not path.exists()  # it was not the final result
        harness.end_run()
        harness.reduce(one_event_chunk())
        for _ in range(2):  # what is tried again is not there twice
            receipt = harness.instance.post_publish(
                harness.results[-1],
                make_run(8, instrument="TOY", title="Run 8 of a test"),
                harness.updates[-1],
            )
            assert (receipt.where, receipt.size) == (str(path), path.stat().st_size)
    assert [row[:4] for row in rows(path)] == [("TOY", 7, "a title", 1), ("TOY", 8, "Run 8 of a test", 1)]
    assert rows(path)[0][5:] == (1, 1)


def test_a_folder_that_is_not_there_is_said_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"database: there is no folder .*nowhere: make it first"):
        PluginHarness(SinkSqlite, {"database": str(tmp_path / "nowhere" / "a.sqlite")}).start_run()
