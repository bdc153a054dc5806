"""What ``livered run`` shows in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from livered_core.cli.numbers import in_si, in_uah, left_out_words
from livered_core.cli.screen import text
from livered_core.engine.health import Health, Phase
from livered_core.model import Result
from livered_core.model.result import Note

_STYLE: Final[Mapping[Phase, str]] = {
    Phase.CONNECTING: "yellow",
    Phase.DISCONNECTED: "bold red",
    Phase.BETWEEN_RUNS: "cyan",
    Phase.CATCHING_UP: "yellow",
    Phase.LIVE: "bold green",
    Phase.READING: "green",
    Phase.PAUSED: "yellow",
    Phase.NO_PULSES: "yellow",
    Phase.NO_BEAM: "yellow",
    Phase.STOPPING: "yellow",
    Phase.STOPPED: "dim",
    Phase.FAILED: "bold red",
}
_LINE_EVERY_S: Final = 5.0
_NOT_CONNECTED: Final = (Phase.CONNECTING, Phase.DISCONNECTED)


@attrs.define(eq=False)
class LineTimes:
    """When a screen of lines gets its next one: at a change of state at once, else every few seconds."""

    _state: object = None
    _next_s: float = 0.0

    def due(self, now_s: float, health: Health) -> bool:
        """Return whether a line is due; true starts the time to the next one.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        health
            The snapshot that the line would be of.
        """
        if health.phase in (Phase.STOPPED, Phase.FAILED):
            return False
        # Each attempt to connect goes through both phases: they are one state here.
        phase = Phase.DISCONNECTED if health.phase in _NOT_CONNECTED else health.phase
        state = (phase, health.run.number if health.run is not None else 0)
        if state == self._state and now_s < self._next_s:
            return False
        self._state = state
        self._next_s = now_s + _LINE_EVERY_S
        return True


def render(health: Health, rate: float, page: str = "") -> RenderableType:
    """Draw a snapshot.

    Parameters
    ----------
    health
        The snapshot.
    rate
        Events received per second.
    page
        Address of the dashboard; empty without.
    """
    parts: list[RenderableType] = [_facts(health, rate, page)]
    if health.source.problem:
        parts.append(text(health.source.problem, "red"))
    if health.result is not None and health.result.curves:
        parts += [Text(""), result_view(health.result)]
    parts += [text(f"{sink.name}: {sink.last_error}", "red") for sink in health.sinks if sink.last_error]
    return Group(*parts)


def result_view(result: Result) -> RenderableType:
    """Draw a result: its curves with their notes, and below what the plugin says of the whole."""
    remarks = {key: note for key, note in result.metadata.items() if isinstance(note, str)}
    if not remarks:
        return _curves_table(result)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for key, note in remarks.items():
        grid.add_row(text(key.replace("_", " ")), text(note))
    return Group(_curves_table(result), grid)


def _curves_table(result: Result) -> Table:
    """Draw one row for each curve, with those of the plugin's notes that at least half of the curves have."""
    noted = Counter(key for curve in result.curves for key in curve.metadata)
    columns = [key for key, n_curves in noted.items() if 2 * n_curves >= len(result.curves)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("curve", no_wrap=True)
    cells = [_cells([curve.metadata.get(column) for curve in result.curves]) for column in columns]
    for column, values in zip(columns, cells, strict=True):
        # In a narrow terminal headings may break, numbers may not.
        widest = max(value.cell_len for value in values)
        table.add_column(text(column.replace("_", " ")), justify="right", min_width=widest)
    for index, curve in enumerate(result.curves):
        table.add_row(text(curve.label), *(column[index] for column in cells))
    return table


def status_line(health: Health, rate: float) -> str:
    """Say the same in one line, for screens that cannot be redrawn.

    Parameters
    ----------
    health
        The snapshot.
    rate
        Events received per second.
    """
    if health.run is None:
        return f"{health.phase.value}; {health.source.where}"
    read = health.source.read_fraction
    age = f", {health.lag_s:.1f} s old" if health.lag_s is not None else ""
    if read is not None:
        age = f", {read:.0%}"
    complete = "complete" if not health.missing else f"INCOMPLETE: {' '.join(health.missing)}"
    return (
        f"run {health.run.number}: {health.phase.value}{age}, {health.n_events:,} events ({in_si(rate)}/s), "
        f"{in_uah(health.proton_charge_pc)}, chunk {health.n_chunks}, update {health.n_updates}, {complete}"
        f"{left_out_words(health.skipped_chunks, health.skipped_events)}"
    )


def _facts(health: Health, rate: float, page: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    grid.add_column(style="dim")
    grid.add_column()
    run = health.run
    title = text(run.title or "no title yet") if run else text("none", "dim")
    read = health.source.read_fraction
    age = ("lag", f"{health.lag_s:.1f} s" if health.lag_s is not None else "no data yet")
    if read is not None:
        age = ("read", f"{read:.0%}")
    complete = text("yes", "green")
    if health.missing:
        complete = text("NO: " + " ".join(health.missing), "bold red")
    elif run is None or not health.n_events:
        complete = text("no data yet", "dim")
    rows: Iterable[tuple[str, RenderableType, str, RenderableType]] = [
        (
            "run",
            str(run.number) if run else "between runs",
            "state",
            text(health.phase.value, _STYLE[health.phase]),
        ),
        ("title", title, "source", text(health.source.where)),
        ("events", f"{health.n_events:,}", "event rate", f"{in_si(rate)}/s"),
        ("proton charge", in_uah(health.proton_charge_pc), *age),
        ("chunk", str(health.n_chunks), "update", str(health.n_updates)),
        ("complete", complete, "dropped chunks", str(health.dropped_chunks)),
    ]
    for row in rows:
        grid.add_row(*row)
    if health.skipped_chunks:
        who = f", by the plugin {health.skipped_by}" if health.skipped_by else ""
        events = f"{health.skipped_chunks:,} chunks, {health.skipped_events:,} events, on purpose{who}"
        grid.add_row("left out", text(events))
    if page:
        grid.add_row("page", text(page))
    return grid


def _cells(values: Sequence[Note | None]) -> list[Text]:
    """Write a column, numbers with as many decimals as the one that has most."""
    decimals = max(
        (len(str(value).partition(".")[2]) for value in values if isinstance(value, float)), default=0
    )
    return [_cell(value, decimals) for value in values]


def _cell(value: Note | None, decimals: int) -> Text:
    if value is None:
        return text("-", "dim")
    if isinstance(value, float):
        return text(f"{value:,.{decimals}f}")
    return text(str(value) if isinstance(value, (bool, str)) else f"{value:,}")
