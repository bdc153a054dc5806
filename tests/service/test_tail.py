from __future__ import annotations

import pytest

from livered_core.service import tail
from livered_core.service.tail import follow, last_lines, size_of, written_since


@pytest.fixture
def log(tmp_path):
    return tmp_path / "livereduce.log"


def append(log, text):
    with log.open("a") as file:
        file.write(text)


def lines(first, last):
    return "".join(f"line {number}\n" for number in range(first, last))


@pytest.mark.parametrize("number", [0, 1, 3, 5, 9, 50])
def test_the_last_lines_go_back_over_rotations(log, number):
    log.write_text(lines(6, 8))
    log.with_name("livereduce.log.1").write_text(lines(3, 6))
    log.with_name("livereduce.log.2").write_text(lines(0, 3))
    assert last_lines(log, number) == lines(0, 8).splitlines()[max(0, 8 - number) :]


def test_long_lines_are_whole(log):
    log.write_bytes(b"a" * 200_000 + b"\n" + b"b" * 70_000 + b"\n\xff\n")
    assert last_lines(log, 2) == ["b" * 70_000, "�"]
    assert [len(line) for line in last_lines(log, 9)] == [200_000, 70_000, 1]


def test_without_a_log_there_are_no_lines(log):
    assert last_lines(log, 5) == []
    assert size_of(log) == 0
    assert written_since(log, 0) == []


def test_what_was_written_since(log):
    log.write_text("old\n")
    size = size_of(log)
    with log.open("a") as file:
        file.write("new\n")
    assert written_since(log, size) == ["new"]
    log.write_text("x\n")
    assert written_since(log, size) == ["x"], "it was rotated"


def test_following_goes_on_over_rotations_and_emptying(log):
    log.write_text("before\n")
    acts = iter(
        [
            lambda: append(log, "one\ntw"),
            lambda: append(log, "o\n"),
            lambda: (append(log, "three\n"), log.rename(f"{log}.1"), log.write_text("four\n")),
            lambda: log.write_text(""),
            lambda: log.write_text("5\n"),
            log.unlink,
            lambda: log.write_text("six\n"),
        ]
    )

    def wait():
        act = next(acts, None)
        if act is not None:
            act()
        return act is not None

    assert list(follow(log, 0, wait)) == ["one", "two", "three", "four", "5", "six"]


def test_following_begins_with_the_last_lines_and_misses_none(log):
    log.with_name("livereduce.log.1").write_text("one\ntwo\n")
    log.write_text("three\nfo")
    shown = follow(log, 2, lambda: False)
    assert next(shown) == "two"
    append(log, "ur\n")
    log.rename(f"{log}.1")
    log.write_text("five\n")
    assert list(shown) == ["three", "four", "five"]


def test_what_is_written_just_before_a_rotation_is_not_lost(log, monkeypatch):
    log.write_text("")
    really_open = tail._open
    opened = iter([None, lambda: (append(log, "late\n"), log.rename(f"{log}.1"), log.write_text("new\n"))])

    def open_after_a_rotation(path):
        act = next(opened, None)
        if act is not None:
            act()
        return really_open(path)

    monkeypatch.setattr(tail, "_open", open_after_a_rotation)
    assert list(follow(log, 0, lambda: False)) == ["late", "new"]


def test_following_waits_for_a_log_that_is_not_there(log):
    turns = iter([True, True, False])

    def wait():
        log.write_text("first\n")
        return next(turns)

    assert list(follow(log, 0, wait))[:1] == ["first"]
