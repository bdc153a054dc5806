"""How far recordings have been reduced, on a screen: bars, or a line every few seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from livered_core.cli.batch_work import BatchWork, progress_words
from livered_core.cli.screen import Screen
from livered_core.clocks import Clock
from livered_core.engine.offline import OfflineReduction
from livered_core.model.text import one_line

LINE_EVERY_S: Final = 5.0
"""Between two lines of a screen that cannot be redrawn."""
_BAR_WIDTH: Final = 20


class ReadingView:
    """Shows how far one file after another has got, and all of them where there are several.

    For one thread, on which it is called a few times a second.

    Parameters
    ----------
    screen
        Where it is shown.
    clock
        For the time between lines.
    work
        Keeps account of all files.
    n_files
        How many there are.
    workers
        Says how the workers do, in words; an empty text where there are none to speak of.
    quiet
        Whether to show nothing.
    """

    def __init__(
        self,
        screen: Screen,
        clock: Clock,
        work: BatchWork,
        n_files: int,
        workers: Callable[[], str],
        *,
        quiet: bool,
    ) -> None:
        self._screen = screen
        self._clock = clock
        self._work = work
        self._workers = workers
        self._n_files = n_files
        self._quiet = quiet
        self._next_s = clock.monotonic() + LINE_EVERY_S
        self._name = ""
        self._reduction: OfflineReduction | None = None
        self._fraction = 0.0
        self._words = ""
        # Not started: the screen's own thread draws it.
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(_BAR_WIDTH),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            auto_refresh=False,
        )
        self._file = self._bars.add_task("", total=1.0, said="")
        self._all = self._bars.add_task("all files", total=1.0, said="", visible=n_files > 1)

    def begin(self, name: str) -> None:
        """Show another file from now on, of which nothing has been read.

        Parameters
        ----------
        name
            What it is called, for people.
        """
        self._name, self._reduction, self._fraction = one_line(name), None, 0.0
        self._bars.reset(self._file, description=self._name, said="", total=1.0)
        self()

    def reduces(self, reduction: OfflineReduction) -> None:
        """Show how this reduction of the file gets on from now on."""
        self._reduction = reduction

    def __call__(self) -> None:
        """Show the state of now."""
        run, n_events = "", 0
        health = None if self._reduction is None else self._reduction.session.health()
        if self._reduction is not None and health is not None:
            fraction, n_events = self._reduction.progress(health)
            self._fraction = max(self._fraction, fraction)
            run = f"run {health.run.number}, " if health.run is not None else ""
            self._work.note(self._fraction, n_events)
        if self._quiet:
            return
        said, workers = f"{run}{n_events:,} events", self._workers()
        if self._screen.live:
            state = self._work.state()
            several = self._n_files > 1
            self._words = _joined(progress_words(state), workers)
            self._bars.update(
                self._file, completed=self._fraction, said=said if several else _joined(said, workers)
            )
            self._bars.update(self._all, completed=state.fraction)
            self._screen.show(self._drawn if several else self._bars.get_renderable)
        elif self._clock.monotonic() >= self._next_s:
            self._next_s = self._clock.monotonic() + LINE_EVERY_S
            line = f"{self._name}: {self._fraction:.0%}, {_joined(said, workers)}"
            if self._n_files > 1:
                state = self._work.state()
                line += f"; all files: {state.fraction:.0%}, {progress_words(state)}"
            self._screen.line(line)

    def _drawn(self) -> RenderableType:
        """Draw the bars, and below them what does not fit beside; on the screen's thread."""
        return Group(self._bars.get_renderable(), Text(self._words, no_wrap=True, overflow="ellipsis"))


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
