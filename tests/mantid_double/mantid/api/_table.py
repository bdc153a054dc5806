"""mantid.api.ITableWorkspace and WorkspaceFactory."""

# ruff: noqa: N803  (names that are Mantid's)
from __future__ import annotations

from typing import Any, Final

from mantid.api._data import HistogramData, TableData
from mantid.api._events import EventData
from mantid.api._handles import Workspace, handle, handles

_TYPES: Final = {
    "int": int,
    "long64": int,
    "size_t": int,
    "double": float,
    "float": float,
    "str": str,
    "bool": bool,
}
_ZERO: Final = {int: 0, float: 0.0, str: "", bool: False}


class ITableWorkspace(Workspace):
    """Columns of one type each."""

    def addColumn(self, type: str, name: str, plottype: int = 0) -> bool:
        if type not in (*_TYPES, "V3D", "vector_double", "vector_int"):
            return False
        if any(column[0] == name for column in self._data.columns):
            return False
        default = _ZERO.get(_TYPES.get(type, float), None)
        self._data.columns.append([name, type, plottype, [default] * self._data.rows()])
        return True

    def removeColumn(self, name: str) -> None:
        self._data.columns = [column for column in self._data.columns if column[0] != name]

    def addRow(self, row_items_seq: Any) -> None:
        columns = self._data.columns
        values = (
            [row_items_seq[column[0]] for column in columns]
            if isinstance(row_items_seq, dict)
            else list(row_items_seq)
        )
        if len(values) != len(columns):
            message = f"Number of values given does not match the number of columns: {len(columns)}"
            raise ValueError(message)
        for column, value in zip(columns, values, strict=True):
            column[3].append(_converted(column, value))

    def rowCount(self) -> int:
        return self._data.rows()

    __len__ = rowCount

    def setRowCount(self, count: int) -> None:
        for column in self._data.columns:
            zero = _ZERO.get(_TYPES.get(column[1], float))
            column[3] = (column[3] + [zero] * count)[:count]

    def columnCount(self) -> int:
        return len(self._data.columns)

    def getColumnNames(self) -> list[str]:
        return [column[0] for column in self._data.columns]

    def columnTypes(self) -> list[str]:
        return [column[1] for column in self._data.columns]

    def column(self, column: int | str) -> list[Any]:
        return list(self._data.column(column)[3])

    def row(self, row: int) -> dict[str, Any]:
        return {column[0]: column[3][row] for column in self._data.columns}

    def cell(self, value: int | str, row_or_column: int) -> Any:
        if isinstance(value, str):
            return self._data.column(value)[3][row_or_column]
        return self._data.column(row_or_column)[3][value]

    def setCell(
        self, row_or_column: int | str, column_or_row: int, value: Any, notify_replace: bool = True
    ) -> None:
        by_name = isinstance(row_or_column, str)
        column = self._data.column(row_or_column if by_name else column_or_row)
        row = column_or_row if by_name else row_or_column
        assert isinstance(row, int)
        column[3][row] = _converted(column, value)

    def getPlotType(self, column: int | str) -> int:
        return self._data.column(column)[2]

    def setPlotType(self, column: int | str, ptype: int, linkedCol: int = -1) -> None:
        self._data.column(column)[2] = ptype

    def toDict(self) -> dict[str, list[Any]]:
        return {column[0]: list(column[3]) for column in self._data.columns}


def _converted(column: list[Any], value: Any) -> Any:
    kind = _TYPES.get(column[1])
    if kind is str and not isinstance(value, str):
        message = f"Column {column[0]} takes texts, not {value!r}"
        raise TypeError(message)
    return value if kind is None else kind(value)


@handles("TableWorkspace")
class TableWorkspace(ITableWorkspace):
    """A table."""


class WorkspaceFactoryImpl:
    def Instance(self) -> WorkspaceFactoryImpl:
        return self

    def createTable(self, type: str = "TableWorkspace") -> Workspace:
        return handle(TableData())

    def create(self, *arguments: Any, **named: Any) -> Workspace:
        """Take (className, NVectors, XLength, YLength), or a parent first."""
        import numpy as np

        if isinstance(arguments[0], Workspace):
            parent = arguments[0]._data
            n = named.get("NVectors", parent.n)
            if parent.id == "EventWorkspace":
                made: Any = EventData(n)
            else:
                made = HistogramData(
                    np.zeros((n, named.get("XLength", len(parent.x_of(0))))),
                    np.zeros((n, named.get("YLength", len(parent.y_of(0))))),
                )
            made.described_as(parent)
            if n == parent.n:
                made.same_spectra(parent)
            return handle(made)
        kind, n, x, y = arguments
        if kind == "EventWorkspace":
            return handle(EventData(n))
        return handle(HistogramData(np.zeros((n, x)), np.zeros((n, y))))


WorkspaceFactory = WorkspaceFactoryImpl()
