from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from livered_core import DataModelError
from livered_core.diffraction import Patterns

EDGES = [[1.0, 2.0, 3.0]]


def patterns(y: Any, e: Any = ((0.0, 0.0),), unit: str = "counts/uAh", edges: Any = EDGES) -> Patterns:
    return Patterns(edges, y, e, unit)


def test_errors_of_a_difference_add_in_quadrature() -> None:
    difference = patterns([[5.0, 1.0]], [[3.0, 0.0]]).minus(patterns([[2.0, 4.0]], [[4.0, 1.0]]))
    assert difference.y.tolist() == [[3.0, -3.0]]
    assert difference.e.tolist() == [[5.0, 1.0]]
    assert difference.unit == "counts/uAh"


def test_relative_errors_of_a_quotient_add_in_quadrature() -> None:
    ratio = patterns([[10.0, 0.0]], [[1.0, 1.0]]).divided_by(patterns([[5.0, 4.0]], [[0.5, 2.0]]), "1")
    assert ratio.patterns.y.tolist() == [[2.0, 0.0]]
    assert ratio.patterns.e[0, 0] == pytest.approx(2.0 * np.hypot(0.1, 0.1))
    assert ratio.patterns.e[0, 1] == 0.25
    assert ratio.n_without.tolist() == [0]


def test_nothing_is_divided_by_zero() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ratio = patterns([[10.0, 3.0]], [[1.0, 1.0]]).divided_by(patterns([[0.0, -2.0]], [[1.0, 1.0]]), "1")
    assert ratio.patterns.y.tolist() == ratio.patterns.e.tolist() == [[0.0, 0.0]]
    assert ratio.n_without.tolist() == [2]


def test_the_scatter_of_a_quotient_is_its_error() -> None:
    rng = np.random.default_rng(8)
    edges = np.arange(20_001.0)[np.newaxis]
    a, b = rng.poisson(900, (1, 20_000)), rng.poisson(2500, (1, 20_000))
    one, other = patterns(a, np.sqrt(a), edges=edges), patterns(b, np.sqrt(b), edges=edges)
    ratio = one.divided_by(other, "1").patterns
    assert ratio.y.std() == pytest.approx(ratio.e.mean(), rel=0.03)


def test_other_bins_and_units_are_refused() -> None:
    with pytest.raises(DataModelError, match="different bins: reduce both on the same bins"):
        patterns([[1.0, 1.0]]).minus(patterns([[1.0, 1.0]], edges=[[1.0, 2.0, 3.5]]))
    with pytest.raises(DataModelError, match="normalise both alike"):
        patterns([[1.0, 1.0]]).minus(patterns([[1.0, 1.0]], unit="counts"))
    with pytest.raises(DataModelError, match="different bins"):
        patterns([[1.0, 1.0]]).divided_by(patterns([[1.0, 1.0]], edges=[[1.0, 2.0, 3.5]]), "1")


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(DataModelError, match=r"in y at bin 1 of group 0 \(1 such numbers\)"):
        patterns([[1.0, wrong]])


def test_shapes_must_fit() -> None:
    with pytest.raises(DataModelError, match=r"edges\[1, 3\], y\[1, 3\]"):
        patterns([[1.0, 1.0, 1.0]])
