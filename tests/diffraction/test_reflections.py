from __future__ import annotations

import math
from itertools import product

import pytest

from livered_core import DataModelError
from livered_core.diffraction import DIAMOND_A, Reflection, cubic_reflections, nearest_reflection


def test_the_reflections_of_diamond() -> None:
    found = cubic_reflections(DIAMOND_A, "diamond", 0.68)
    assert [reflection.hkl for reflection in found] == [
        (1, 1, 1), (2, 2, 0), (3, 1, 1), (4, 0, 0), (3, 3, 1), (4, 2, 2), (5, 1, 1)
    ]  # fmt: skip
    assert [round(reflection.d, 3) for reflection in found] == [
        2.059,
        1.261,
        1.076,
        0.892,
        0.818,
        0.728,
        0.686,
    ]
    # 511 and 333 coincide: 24 + 8 planes.
    assert [reflection.multiplicity for reflection in found] == [8, 12, 24, 6, 24, 24, 32]


@pytest.mark.parametrize(
    ("structure", "allowed"),
    [
        ("sc", [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]),
        ("bcc", [2, 4, 6, 8, 10, 12]),
        ("fcc", [3, 4, 8, 11, 12]),
        ("diamond", [3, 8, 11]),
    ],
)
def test_extinction_rules(structure: str, allowed: list[int]) -> None:
    found = cubic_reflections(1.0, structure, 1 / math.sqrt(12.5))
    assert [sum(index**2 for index in reflection.hkl) for reflection in found] == allowed


def test_multiplicities_count_all_planes() -> None:
    found = cubic_reflections(4.0, "sc", 4.0 / math.sqrt(30.5))
    for reflection in found:
        square = sum(index**2 for index in reflection.hkl)
        planes = sum(sum(index**2 for index in hkl) == square for hkl in product(range(-6, 7), repeat=3))
        assert reflection.multiplicity == planes
        assert reflection.d == pytest.approx(4.0 / math.sqrt(square))


def test_limits_are_kept() -> None:
    found = cubic_reflections(DIAMOND_A, "diamond", 0.8, 1.3)
    assert [reflection.hkl for reflection in found] == [(2, 2, 0), (3, 1, 1), (4, 0, 0), (3, 3, 1)]


@pytest.mark.parametrize(
    ("a", "structure", "d_min", "d_max"),
    [
        (3.5, "hcp", 1.0, 2.0),
        (0.0, "sc", 1.0, 2.0),
        (3.5, "sc", 0.0, 2.0),
        (3.5, "sc", 2.0, 1.0),
        (3.5, "sc", 1e-3, 1),
    ],
)
def test_nonsense_is_refused(a: float, structure: str, d_min: float, d_max: float) -> None:
    with pytest.raises(DataModelError):
        cubic_reflections(a, structure, d_min, d_max)


def test_the_nearest_is_relative() -> None:
    large, small = Reflection((1, 1, 1), 10.0, 8), Reflection((2, 0, 0), 1.0, 6)
    assert nearest_reflection(4.0, [small, large]) is large
    assert nearest_reflection(3.0, [small, large]) is small
    assert nearest_reflection(3.0, []) is None
