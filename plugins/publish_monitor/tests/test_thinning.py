from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_publish_monitor.thinning import thin

values = st.lists(
    st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0]), min_size=0, max_size=200
)


@given(values, st.integers(4, 60))
def test_thinned_points_are_few_in_order_and_hold_the_extremes(data: list[float], most: int) -> None:
    y = np.array(data, dtype=np.float64)
    chosen = thin(y, most)
    assert len(chosen) <= most or len(y) <= most
    assert np.all(np.diff(chosen) > 0)
    if len(y):
        assert chosen[0] == 0
        assert chosen[-1] == len(y) - 1
    finite = y[np.isfinite(y)]
    if len(finite):
        kept = y[chosen][np.isfinite(y[chosen])]
        assert kept.max() == finite.max()
        assert kept.min() == finite.min()
    if len(y) <= most:
        assert np.array_equal(chosen, np.arange(len(y)))


@given(values, st.integers(4, 60))
def test_beside_each_point_there_is_one_as_high_and_one_as_low(data: list[float], most: int) -> None:
    y = np.array(data, dtype=np.float64)
    chosen = thin(y, most)
    stretch = -(-len(y) // ((most - 2) // 2))
    for i in np.flatnonzero(np.isfinite(y)):
        near = y[chosen[np.abs(chosen - i) < stretch]]
        near = near[np.isfinite(near)]
        assert near.min() <= y[i] <= near.max()


@pytest.mark.parametrize("height", [50.0, -50.0])
def test_no_spike_is_lost_wherever_it_stands(height: float) -> None:
    noise = np.random.default_rng(5).normal(size=6000)
    for position in range(0, 6000, 7):
        y = noise.copy()
        y[position] = height
        assert position in thin(y, 400)


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("height", [50.0, -50.0])
def test_no_spike_is_lost_beside_a_gap(height: float, gap: float) -> None:
    for position in range(1, 5999, 7):
        y = np.zeros(6000)
        y[position - 1] = y[position + 1] = gap
        y[position] = height
        assert position in thin(y, 400)


def test_a_masked_stretch_stays_a_gap() -> None:
    y = np.ones(6000)
    y[1000:2000] = np.nan
    chosen = thin(y, 400)
    assert np.isnan(y[chosen][(chosen >= 1000) & (chosen < 2000)]).all()
    assert np.count_nonzero((chosen >= 1000) & (chosen < 2000)) > 10
