"""How far a recording has been reduced, on a screen: a bar, or a line every few seconds."""

from __future__ import annotations

from typing import Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from livered_core.cli.numbers import in_uah, left_out_words
from livered_core.cli.screen import Screen
from livered_core.clocks import Clock
from livered_core.engine.health import Health
from livered_core.engine.offline import OfflineReduction, ReducedRun
from livered_core.model.text import one_line

LINE_EVERY_S: Final = 5.0
"""Between two lines of a screen that cannot be redrawn."""


class ReadingView:
    """Shows how far a reduction has got; called by its session a few times a second.

    Parameters
    ----------
    reduction
        The reduction.
    screen
        Where it is shown.
    clock
        For the time between lines.
    name
        What is read, for people.
    quiet
        Whether to show nothing.
    """

    def __init__(
        self, reduction: OfflineReduction, screen: Screen, clock: Clock, name: str, *, quiet: bool
    ) -> None:
        self._reduction = reduction
        self._screen = screen
        self._clock = clock
        self._name = one_line(name)
        self._quiet = quiet
        self._next_s = clock.monotonic() + LINE_EVERY_S
        self._fraction = 0.0
        # Not started: the screen's own thread draws it.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[events]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            auto_refresh=False,
        )
        self._task = self._bar.add_task(self._name, total=1.0, events="")

    def __call__(self) -> None:
        """Show the state of now."""
        health = self._reduction.session.health()
        if health is None or self._quiet:
            return
        self._fraction = max(self._fraction, self._reduction.fraction())
        run = f"run {health.run.number}, " if health.run is not None else ""
        said = f"{run}{self._reduction.n_done:,} events"
        if self._screen.live:
            self._bar.update(self._task, completed=self._fraction, events=said)
            self._screen.show(self._bar.get_renderable)
        elif self._clock.monotonic() >= self._next_s:
            self._next_s = self._clock.monotonic() + LINE_EVERY_S
            self._screen.line(f"{self._name}: {self._fraction:.0%}, {said}")


def run_line(reduced: ReducedRun, seconds: float, health: Health | None) -> str:
    """Say in one line what came of a run.

    Parameters
    ----------
    reduced
        The run, with a result.
    seconds
        How long it took.
    health
        The snapshot at the session's end, for where the result went; None without.
    """
    update = reduced.update
    assert update is not None
    where = "".join(
        f"; {sink.name}: {sink.last_receipt.where}"
        for sink in (health.sinks if health is not None else ())
        if sink.last_receipt is not None
    )
    return (
        f"run {reduced.run.number}, {update.n_events:,} events in {update.n_pulses:,} pulses, "
        f"{in_uah(update.proton_charge_pc)}, {reduced.n_curves} curves, "
        f"{'complete' if update.complete else 'INCOMPLETE'}"
        f"{left_out_words(update.skipped_chunks, update.skipped_events)}, {seconds:.1f} s{where}"
    )
