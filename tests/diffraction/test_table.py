from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from livered_core import DataModelError
from livered_core.diffraction import MASKED, UNKNOWN, Calibration, FocusTable, Grouping, focus_table

EDGES = np.array([[1.0, 2.0], [1.0, 3.0]])


def calibration(detid: Any, difc: Any = 1000.0, use: Any = True) -> Calibration:
    n = len(detid)
    zeros = np.zeros(n)
    return Calibration(
        detid, np.broadcast_to(difc, n), zeros + 0.5, zeros + 2, zeros + 1, np.broadcast_to(use, n)
    )


def test_pixels_are_looked_up_by_their_id() -> None:
    made = calibration([9, 4, 2], [900.0, 400.0, 200.0])
    table = focus_table(made, Grouping([2, 4, 9], [0, MASKED, 1]), EDGES, 300.0, 16667.0)
    assert table.group.tolist() == [
        UNKNOWN,
        UNKNOWN,
        0,
        UNKNOWN,
        MASKED,
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
        1,
    ]
    assert (table.difc[2], table.difc[9]) == (200.0, 900.0)
    assert (table.difa[2], table.tzero[9]) == (0.5, 2.0)
    assert (table.tof_min_us, table.tof_max_us) == (300.0, 16667.0)


def test_pixels_that_are_not_used_or_not_calibrated_are_masked() -> None:
    made = calibration([0, 1, 2, 3], [1000.0, 1000.0, 0.0, np.nan], [True, False, True, True])
    table = focus_table(made, Grouping([0, 1, 2, 3, 4], [0] * 5), EDGES)
    assert table.group.tolist() == [0, MASKED, MASKED, MASKED, MASKED]


def test_calibrated_pixels_that_do_not_exist_stay_unknown() -> None:
    table = focus_table(calibration([-1, 0, 1, 2, 1000]), Grouping([0, 2], [0, 1]), EDGES)
    assert table.group.tolist() == [0, UNKNOWN, 1]


@pytest.mark.parametrize("pixel_id", [[-1, 0], [0, 2**31 - 1]])
def test_absurd_pixel_ids_are_refused(pixel_id: list[int]) -> None:
    with pytest.raises(DataModelError, match="cannot be focused"):
        focus_table(calibration([0]), Grouping(pixel_id, [0, 0]), EDGES)


def test_a_grouping_must_be_complete() -> None:
    with pytest.raises(DataModelError, match="as many"):
        focus_table(calibration([0]), Grouping([0, 1], [0]), EDGES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"difc": np.zeros(3)}, "as long as each other"),
        ({"edges": np.array([1.0, 2.0])}, r"must be \[groups, bins \+ 1\]"),
        ({"edges": np.array([[1.0], [2.0]])}, r"must be \[groups, bins \+ 1\]"),
        ({"edges": np.array([[1.0, 1.0]])}, "ascend"),
        ({"edges": np.array([[1.0, np.inf]])}, "ascend"),
        ({"edges": np.array([[np.nan, 1.0]])}, "ascend"),
        ({"group": np.array([0, 1], np.int32)}, "1 groups and pixels in others"),
        ({"group": np.array([0, -3], np.int32)}, "1 groups and pixels in others"),
    ],
)
def test_tables_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    columns: dict[str, Any] = {
        "group": np.zeros(2, np.int32),
        "difc": np.ones(2),
        "difa": np.zeros(2),
        "tzero": np.zeros(2),
        "edges": np.array([[1.0, 2.0]]),
    }
    with pytest.raises(DataModelError, match=words):
        FocusTable(**(columns | changes))
