from __future__ import annotations

from functools import reduce
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import DataModelError
from livered_core.diffraction import FocusedHistogram

EDGES = np.array([[1.0, 2.0, 3.0], [0.5, 1.0, 4.0]])


def make(
    counts: Any, charge: float = 0.0, lost: tuple[int, int, int] = (0, 0, 0), edges: Any = EDGES
) -> FocusedHistogram:
    counts = np.array(counts, np.int64)
    return FocusedHistogram(edges, counts, charge, int(counts.sum()) + sum(lost), int(counts.sum()), *lost)


def numbers(histogram: FocusedHistogram) -> tuple[Any, ...]:
    return (
        histogram.counts.tolist(),
        histogram.proton_charge_pc,
        histogram.n_events,
        histogram.n_binned,
        histogram.n_out_of_range,
        histogram.n_masked,
        histogram.n_unknown,
    )


histograms = st.builds(
    make,
    counts=st.lists(st.lists(st.integers(0, 2**40), min_size=2, max_size=2), min_size=2, max_size=2),
    charge=st.integers(0, 10**14).map(lambda tens: tens * 10.0),
    lost=st.tuples(*[st.integers(0, 2**40)] * 3),
)


@given(parts=st.lists(histograms, min_size=3, max_size=3))
def test_the_sum_does_not_depend_on_the_order(parts: list[FocusedHistogram]) -> None:
    first, second, third = parts
    expected = numbers(first + second + third)
    assert numbers(first + (second + third)) == expected
    for order in permutations(parts):
        assert numbers(reduce(FocusedHistogram.__add__, order)) == expected


def test_everything_is_added() -> None:
    total = make([[1, 2], [3, 4]], 10.0, (1, 2, 3)) + make([[10, 0], [0, 5]], 20.0, (10, 20, 30))
    assert numbers(total) == ([[11, 2], [3, 9]], 30.0, 91, 25, 11, 22, 33)
    np.testing.assert_array_equal(total.edges, EDGES)


def test_neither_summand_changes() -> None:
    one, other = make([[1, 2], [3, 4]], 1.0), make([[1, 1], [1, 1]], 2.0)
    before = numbers(one), numbers(other)
    _ = one + other
    assert (numbers(one), numbers(other)) == before
    with pytest.raises(ValueError, match="read-only"):
        one.counts[0, 0] = 7


def test_other_edges_are_refused() -> None:
    other = make([[1, 2], [3, 4]], edges=np.nextafter(EDGES, 10))
    with pytest.raises(DataModelError, match="bins differ"):
        _ = make([[1, 2], [3, 4]]) + other


def test_other_things_are_refused() -> None:
    with pytest.raises(TypeError):
        _ = make([[1, 2], [3, 4]]) + 1


def test_numbers_must_add_up() -> None:
    counts = np.array([[1, 2], [3, 4]])
    with pytest.raises(DataModelError, match="add up"):
        FocusedHistogram(EDGES, counts, 0.0, 11, 10, 0, 0, 0)
    with pytest.raises(DataModelError, match="add up"):
        FocusedHistogram(EDGES, counts, 0.0, 9, 9, 0, 0, 0)
    with pytest.raises(DataModelError, match="edges must be"):
        FocusedHistogram(EDGES[:, :2], counts, 0.0, 10, 10, 0, 0, 0)


def test_arrays_that_others_may_write_to_are_copied_and_no_others() -> None:
    edges, counts = EDGES.copy(), np.array([[1, 2], [3, 4]], np.int64)
    read_only_view = counts.view()
    for column in (edges, read_only_view):
        column.flags.writeable = False
    histogram = FocusedHistogram(edges, read_only_view, 0.0, 10, 10, 0, 0, 0)
    assert histogram.edges is edges
    assert not np.shares_memory(histogram.counts, counts)
    assert (histogram + histogram).edges is edges
