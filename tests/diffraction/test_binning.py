from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import DataModelError
from livered_core.diffraction import linear_edges, log_edges, rebin_edges

GOLDEN = Path(__file__).parent / "golden_patterns.npz"


@given(
    low=st.floats(1e-3, 10),
    ratio=st.floats(1.001, 1e4),
    n=st.integers(1, 2000),
)
def test_log_edges_ascend_and_meet_both_ends(low: float, ratio: float, n: int) -> None:
    high = low * ratio
    edges = log_edges(low, high, n)
    assert len(edges) == n + 1
    assert edges[0] == low
    assert edges[-1] == high
    assert np.all(np.diff(edges) > 0)
    np.testing.assert_allclose(np.diff(np.log(edges)), math.log(ratio) / n, rtol=1e-6, atol=1e-12)


@given(low=st.floats(-100, 100), width=st.floats(1e-3, 1e4), n=st.integers(1, 2000))
def test_linear_edges_ascend_and_meet_both_ends(low: float, width: float, n: int) -> None:
    edges = linear_edges(low, low + width, n)
    assert len(edges) == n + 1
    assert (edges[0], edges[-1]) == (low, low + width)
    np.testing.assert_allclose(np.diff(edges), (edges[-1] - edges[0]) / n, rtol=1e-6, atol=1e-9)


def test_rebin_edges_are_those_of_mantid() -> None:
    with np.load(GOLDEN) as golden:
        np.testing.assert_array_equal(rebin_edges(0.1, -0.0008, 10), golden["rebin_log_edges"])
    linear = rebin_edges(0.1, 0.01, 10)
    assert len(linear) == 991
    assert len(rebin_edges(0, 0.02, 40)) == 2001
    # Accumulated one by one, as Mantid does: not the value of arange.
    assert linear[500] != 0.1 + 500 * 0.01


def test_rebin_edges_linear_are_those_of_mantid(shared: Path) -> None:
    with np.load(shared / "reference/golden/nomad_focus_n500k.npz") as golden:
        np.testing.assert_array_equal(rebin_edges(0.1, 0.01, 10), golden["masked_dlin_edges"])
        np.testing.assert_array_equal(rebin_edges(0, 0.02, 40), golden["masked_q_edges"])


@given(start=st.floats(0.01, 10), extent=st.floats(0.01, 20), share=st.floats(0.003, 3))
def test_the_last_rebin_bin_is_a_quarter_to_five_quarters_wide(
    start: float, extent: float, share: float
) -> None:
    step = extent * share
    edges = rebin_edges(start, step, start + extent)
    widths = np.diff(edges)
    assert edges[-1] == start + extent
    assert widths[-1] <= 1.25 * step * (1 + 1e-9)
    if len(widths) > 1:
        assert widths[-1] >= 0.25 * step * (1 - 1e-9)


@pytest.mark.parametrize(
    ("low", "high", "n"),
    [
        (0, 1, 10),
        (-1, 1, 10),
        (2, 1, 10),
        (1, 1, 10),
        (1, math.inf, 10),
        (math.nan, 2, 10),
        (1, 2, 0),
        (1, 2, 10**8),
    ],
)
def test_impossible_log_edges_are_refused(low: float, high: float, n: int) -> None:
    with pytest.raises(DataModelError):
        log_edges(low, high, n)


def test_bins_too_fine_for_float64_are_refused() -> None:
    with pytest.raises(DataModelError, match="too fine"):
        log_edges(1.0, 1.0 + 1e-14, 1000)
    with pytest.raises(DataModelError, match="too fine"):
        linear_edges(1.0, 1.0 + 1e-14, 1000)


@pytest.mark.parametrize(
    ("start", "step", "stop"),
    [
        (1, 0, 2),
        (2, 1, 1),
        (1, 1, 1),
        (0, -0.1, 1),
        (-1, -0.1, 1),
        (1, 1, math.inf),
        (1, math.nan, 2),
        (0, 1e-9, 1),
    ],
)
def test_impossible_rebin_edges_are_refused(start: float, step: float, stop: float) -> None:
    with pytest.raises(DataModelError, match="Rebin parameters"):
        rebin_edges(start, step, stop)


@pytest.mark.parametrize(("low", "high", "n"), [(1, 1, 5), (2, 1, 5), (0, math.inf, 5), (0, 1, 0)])
def test_impossible_linear_edges_are_refused(low: float, high: float, n: int) -> None:
    with pytest.raises(DataModelError):
        linear_edges(low, high, n)
