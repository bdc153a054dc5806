from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from livered_core import DataModelError, EventBatch, Instrument
from livered_core.diffraction import (
    MASKED,
    Calibration,
    group_all,
    group_by_bank,
    group_by_calibration,
    group_by_two_theta,
    pixel_counts,
)

MakeInstrument = Callable[..., Instrument]


def test_all_in_one(make_instrument: MakeInstrument) -> None:
    grouping = group_all(make_instrument([3, 5, 9]))
    assert grouping.group.tolist() == [0, 0, 0]
    assert grouping.n_groups == 1


def test_by_bank(make_instrument: MakeInstrument) -> None:
    assert group_by_bank(make_instrument([3, 5, 9])).group.tolist() == [0, 0, 0]


def test_by_calibration_pixels_without_a_group_are_masked(make_instrument: MakeInstrument) -> None:
    ones = np.ones(4)
    calibration = Calibration(
        detid=np.array([9, 3, 100, 5]),
        difc=ones,
        difa=ones,
        tzero=ones,
        group=np.array([2, 1, 7, 0]),
        use=ones.astype(bool),
    )
    grouping = group_by_calibration(make_instrument([3, 5, 9, 11]), calibration)
    assert grouping.group.tolist() == [0, MASKED, 1, MASKED]
    assert grouping.n_groups == 2


def test_strips_of_two_theta_are_closed_on_the_left(make_instrument: MakeInstrument) -> None:
    instrument = make_instrument([0, 1, 2, 3])  # at 0.2, 1.1, 2.0 and 2.9 rad
    angle = instrument.two_theta
    grouping = group_by_two_theta(instrument, np.array([angle[1], angle[2], 2.5]))
    assert grouping.group.tolist() == [MASKED, 0, 1, MASKED]


def test_strips_must_ascend(make_instrument: MakeInstrument) -> None:
    with pytest.raises(DataModelError, match="ascending"):
        group_by_two_theta(make_instrument([0]), np.array([1.0, 1.0]))


def test_events_are_counted_by_pixel(make_batch: Callable[..., EventBatch]) -> None:
    batch = make_batch([2, 2, 0, 4, 2**32 - 1], [1, 2, 3, 4, 5])
    assert pixel_counts(batch, 3).tolist() == [1, 0, 2]
    assert pixel_counts(EventBatch.empty(), 2).tolist() == [0, 0]
