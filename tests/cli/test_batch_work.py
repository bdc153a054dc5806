"""The arithmetic of how far a batch of files has got, with a clock that is wound by hand."""

from __future__ import annotations

import pytest

from livered_core.cli.batch_work import BatchWork, end_words, progress_words, size_of, time_words


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_files_count_by_their_bytes_and_events_add_up(clock):
    work = BatchWork([1_000_000, 3_000_000, 6_000_000], clock)
    assert progress_words(work.state()) == "0 of 3 files, 0B of 10 MB"
    work.begin()
    work.note(0.5, 50)
    assert (work.state().fraction, work.state().n_left) == (0.05, 2)
    work.note(0.4, 60)  # What was read is not unread.
    assert work.state().fraction == 0.05
    clock.now_s += 4.0
    work.end(failed=False)
    work.begin()
    work.note(1.0, 340)
    state = work.state()
    assert (state.n_reduced, state.n_failed, state.n_bytes, state.n_events) == (1, 0, 4_000_000, 400)
    assert state.fraction == pytest.approx(0.4)
    assert (state.rate, state.left_s) == (100.0, pytest.approx(6.0))
    assert progress_words(state) == "1 of 3 files, 4 MB of 10 MB, 100 events/s, 6 s left"
    work.end(failed=False)
    work.begin()
    work.end(failed=False)
    clock.now_s += 96.0
    state = work.state()
    assert (state.fraction, state.left_s, state.n_left) == (1.0, 0.0, 0)
    assert end_words(state) == "3 of 3 files reduced: 400 events of 10 MB in 1 min 40 s, 4 events/s."


def test_what_fails_is_behind_it_but_is_no_work(clock):
    work = BatchWork([100, 100, 100, 100], clock)
    work.begin()
    work.end(failed=True)  # It could not be opened.
    work.begin()
    clock.now_s += 10.0
    work.note(0.5, 7)
    work.end(failed=True)  # It ended in the middle.
    state = work.state()
    assert (state.fraction, state.n_reduced, state.n_failed, state.n_left) == (0.5, 0, 2, 2)
    # Half a file took ten seconds, two whole ones are left.
    assert (state.n_bytes, state.left_s) == (50, pytest.approx(40.0))
    assert progress_words(state) == "2 of 4 files, 2 failed, 50B of 400B, 1 events/s, 40 s left"
    assert (
        end_words(state)
        == "0 of 4 files reduced, 2 failed, 2 not begun: 7 events of 50B in 10 s, 1 events/s."
    )


@pytest.mark.parametrize(
    ("sizes", "fractions"),
    [
        pytest.param([None, None], [0.5, 1.0], id="none known"),
        pytest.param([0, 0], [0.5, 1.0], id="all empty"),
        pytest.param([30, None, 10], [0.5, 5 / 6, 1.0], id="one unknown counts as the others"),
        pytest.param([0, 10], [0.0, 1.0], id="an empty one is nothing"),
    ],
)
def test_sizes_that_are_unknown_or_nothing(clock, sizes, fractions):
    work = BatchWork(sizes, clock)
    seen = []
    for _ in sizes:
        work.begin()
        work.end(failed=False)
        seen.append(work.state().fraction)
    assert seen == pytest.approx(fractions)
    assert (work.state().n_bytes is None) == (None in sizes)
    assert "B of" not in progress_words(work.state()) or None not in sizes


def test_nothing_is_said_of_the_time_that_is_left_before_there_is_something_to_go_by(clock):
    work = BatchWork([10, 10], clock)
    clock.now_s += 50.0
    assert work.state().seconds == 0.0
    work.begin()
    work.note(0.5, 1)
    clock.now_s += 1.0
    assert work.state().left_s is None
    clock.now_s += 1.0
    assert work.state().left_s == pytest.approx(6.0)


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"678")
    assert size_of(tmp_path) == 8
    assert size_of(tmp_path / "one") == 5
    assert size_of(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (4800, "1 h 20 min")],
)
def test_times_in_words(seconds, words):
    assert time_words(seconds) == words
