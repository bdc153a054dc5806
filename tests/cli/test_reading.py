"""What ``livered reduce`` shows while it reads: lines where nothing can be redrawn, bars where it can."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from livered_core.cli.batch_work import BatchWork
from livered_core.cli.reading import LINE_EVERY_S, ReadingView


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


class Shown:
    """Stands in for a screen: keeps lines, and draws at once."""

    def __init__(self, *, live: bool) -> None:
        self.live = live
        self.lines: list[str] = []
        self.drawn = ""

    def line(self, sentence: str) -> None:
        self.lines.append(sentence)

    def show(self, draw) -> None:
        console = Console(file=io.StringIO(), width=80)
        console.print(draw())
        self.drawn = console.file.getvalue()


class Reduction:
    """Stands in for a reduction that has got somewhere."""

    def __init__(self, number: int) -> None:
        self.n_done = 0
        self.share = 0.0
        health = SimpleNamespace(run=SimpleNamespace(number=number))
        self.session = SimpleNamespace(health=lambda: health)

    def progress(self, health) -> tuple[float, int]:
        assert health.run.number
        return self.share, self.n_done


@pytest.fixture
def clock() -> Clock:
    return Clock()


def view_of(screen: Shown, clock: Clock, sizes: list[int], *, quiet: bool = False):
    work = BatchWork(sizes, clock)
    return work, ReadingView(screen, clock, work, len(sizes), lambda: "2 workers", quiet=quiet)


def read_two(work: BatchWork, view: ReadingView, clock: Clock) -> None:
    """A file fails to open at once, the next is half read after two steps."""
    work.begin()
    view.begin("a (1 of 3)")
    work.end(failed=True)
    work.begin()
    view.begin("b (2 of 3)")
    reduction = Reduction(7)
    view.reduces(reduction)
    for _ in range(2):
        clock.now_s += 0.6 * LINE_EVERY_S
        reduction.share += 0.25
        reduction.n_done += 3000
        view()


def test_lines_come_every_few_seconds_whatever_file_is_in_hand(clock):
    screen = Shown(live=False)
    read_two(*view_of(screen, clock, [10, 10, 10]), clock)
    assert screen.lines == [
        "b (2 of 3): 50%, run 7, 6,000 events, 2 workers; "
        "all files: 50%, 1 of 3 files, 1 failed, 5B of 30B, 1 k events/s, 18 s left"
    ]


def test_bars_are_of_the_file_and_of_all(clock):
    screen = Shown(live=True)
    read_two(*view_of(screen, clock, [10, 10, 10]), clock)
    of_file, of_all, words = screen.drawn.splitlines()
    assert of_file.startswith("b (2 of 3) ━")
    assert "50% run 7, 6,000 events" in of_file
    assert of_all.startswith("all files  ━")
    assert "50%" in of_all
    assert words == "1 of 3 files, 1 failed, 5B of 30B, 1 k events/s, 18 s left, 2 workers"


def test_one_file_has_one_bar(clock):
    screen = Shown(live=True)
    work, view = view_of(screen, clock, [10])
    work.begin()
    view.begin("a")
    assert "all files" not in screen.drawn
    assert len(screen.drawn.splitlines()) == 1


def test_quiet_shows_nothing_and_counts_all_the_same(clock):
    for live in (False, True):
        screen = Shown(live=live)
        work, view = view_of(screen, clock, [10, 10, 10], quiet=True)
        read_two(work, view, clock)
        assert (screen.lines, screen.drawn) == ([], "")
        assert work.state().n_events == 6000
