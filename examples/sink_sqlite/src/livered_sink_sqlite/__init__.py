"""A sink: one row in an SQLite database for each run, when its final result is there."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import attrs

from livered_core import Receipt, Result, RunInfo, Update, hookimpl

COLUMNS = "instrument, run, title, events, charge_pc, complete, curves, PRIMARY KEY (instrument, run)"


@attrs.frozen
class SqliteSettings:
    """The table ``[plugins.sink_sqlite]``."""

    database: Path = attrs.field(metadata={"help": "SQLite file, made when it is not there", "unit": ""})


@attrs.define(eq=False)
class SinkSqlite:
    settings_class = SqliteSettings

    settings: SqliteSettings

    def check(self) -> list[str]:
        folder = self.settings.database.parent
        return [] if folder.is_dir() else [f"database: there is no folder {folder}: make it first."]

    @hookimpl
    def post_publish(self, result: Result, run: RunInfo, update: Update) -> Receipt | None:
        if not update.final:
            return None
        row = (run.instrument, run.number, run.title, update.n_events, update.proton_charge_pc)
        with closing(sqlite3.connect(self.settings.database, timeout=5.0)) as database, database:
            database.execute(f"CREATE TABLE IF NOT EXISTS runs ({COLUMNS})")
            # REPLACE: whatever is tried again must not be there twice.
            values = (*row, update.complete, len(result.curves))
            database.execute("REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        path = self.settings.database
        return Receipt(where=str(path), when_ns=time.time_ns(), size=path.stat().st_size)
