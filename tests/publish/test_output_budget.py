"""The disk that reduced files may take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livered_core import Receipt
from livered_core.publish.output_budget import OUTPUTS_FILE, OutputBudget


@pytest.fixture
def life(tmp_path):
    """Make a life of the budget, in which results of runs are written; what they leave is returned."""
    state, out = tmp_path / "state", tmp_path / "out"
    state.mkdir()
    out.mkdir()

    def life(*runs, budget=1000, size=300, sink="files"):
        outputs = OutputBudget(lambda: state, budget)
        outputs.start()
        for run in runs:
            names = [f"TST_{run}.h5", f"TST_{run}.html"]
            for name in names:
                (out / name).write_bytes(b"x" * (size // 2))
            outputs.taken(sink, None, Receipt(str(out), 0, size, tuple(str(out / name) for name in names)))
        outputs.close()
        return sorted(path.name for path in out.iterdir())

    life.out, life.record = out, state / OUTPUTS_FILE
    return life


def of(*runs):
    return sorted(name for run in runs for name in (f"TST_{run}.h5", f"TST_{run}.html"))


def test_beyond_the_budget_the_oldest_files_of_livered_go_and_that_is_said(life, caplog):
    caplog.set_level("INFO")
    assert life(1, 2, 3) == of(1, 2, 3)
    assert not caplog.records
    assert life(4) == of(2, 3, 4)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"2 reduced files, 300 bytes, were removed, as outputs in [limits] asks: {life.out}/TST_1.h5 to {life.out}/TST_1.html."
    )
    assert life(5, 6) == of(4, 5, 6)


def test_files_of_others_and_files_that_somebody_changed_stay(life):
    (life.out / "TST_0.h5").write_bytes(b"x" * 5000)
    life(1, 2, 3)
    (life.out / "TST_1.h5").write_text("my own notes")
    assert life(4, 5) == sorted(["TST_0.h5", "TST_1.h5", *of(3, 4, 5)])
    assert life(6, 7, 8) == sorted(["TST_0.h5", "TST_1.h5", *of(6, 7, 8)])


def test_what_was_written_just_now_stays_however_large_it_is(life):
    assert life(1, 2, size=5000) == of(2)


def test_a_file_that_is_written_again_counts_once_and_as_new(life):
    life(1, 2, 1, 2, 1)
    assert life(3, 4) == of(1, 3, 4)


def test_a_smaller_budget_counts_from_the_start(life):
    life(1, 2, 3)
    assert life(budget=400) == of(3)


def test_the_newest_result_stays_whole_at_a_start_however_large_it_is(life):
    assert life(1, 2, size=5000) == of(2)
    assert life(size=5000) == of(2)
    assert life(3, size=5000) == of(3)


def test_files_that_another_sink_has_written_are_its_own(life):
    assert life(1, 2, 3, 4, 5, sink="other") == of(1, 2, 3, 4, 5)
    assert not life.record.exists()


def test_a_link_in_place_of_a_file_is_not_followed(life, tmp_path):
    life(1, 2, 3)
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (life.out / "TST_1.h5").unlink()
    (life.out / "TST_1.h5").symlink_to(precious)
    life(4, 5)
    assert precious.read_text() == "keep"
    assert (life.out / "TST_1.h5").is_symlink()


def test_damaged_lines_of_the_record_are_said_and_the_others_count(life, caplog):
    life(1, 2, 3)
    lines = life.record.read_text().splitlines()
    life.record.write_text(
        "\n".join(["{", lines[0][:20], *lines[1:], '{"path": 5, "size": 1, "mtime_ns": 1}', "\xff"]) + "\n"
    )
    left = life(4)
    assert "TST_1.h5" in left
    assert "TST_1.html" not in left
    assert "4 lines of" in caplog.text


def test_the_record_does_not_grow_with_files_that_are_written_again(life, monkeypatch):
    monkeypatch.setattr("livered_core.publish.output_budget._SPARE_LINES", 10)
    life(*([1, 2] * 40))
    lines = life.record.read_text().splitlines()
    assert len(lines) <= 20
    assert {Path(json.loads(line)["path"]).name for line in lines} == set(of(1, 2))


def test_a_folder_that_lets_nothing_be_removed_is_said_and_nothing_else_happens(life, caplog, monkeypatch):
    life(1, 2, 3)

    def refuse(path, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    assert life(4) == of(1, 2, 3, 4)
    assert "cannot be removed (Permission denied), as outputs in [limits] asks" in caplog.text
