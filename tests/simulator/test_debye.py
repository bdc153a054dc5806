"""The Debye sum, against a small crystal that is built atom by atom."""

from __future__ import annotations

import numpy as np
import pytest

from livered_core.simulator.debye import (
    Q_STEP,
    UnitCell,
    first_neighbours,
    lattice_vectors,
    pair_scattering,
    sphere_envelope,
    sphere_transform,
)

FCC = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def integral_of(y: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum((y[1:] + y[:-1]) * np.diff(x)) / 2.0)


def two_kinds() -> UnitCell:
    """A skewed cell with three atoms of two kinds, of which one has a negative scattering length."""
    return UnitCell(
        vectors=lattice_vectors((3.1, 4.2, 5.3), (82.0, 97.0, 112.0)),
        position=np.array([[0.0, 0.0, 0.0], [0.31, 0.55, 0.42], [0.83, 0.12, 0.67]]),
        kind=np.array([0, 1, 1]),
        coherent_length=np.array([0.7, -0.3]),
        mean_square=np.array([0.003, 0.008]),
    )


def slanted() -> UnitCell:
    """A flat cell, whose layers are much nearer than its edges are long, with one hard atom."""
    return UnitCell(
        vectors=lattice_vectors((3.0, 4.0, 7.0), (60.0, 50.0, 35.0)),
        position=np.array([[0.2, 0.4, 0.9]]),
        kind=np.array([0]),
        coherent_length=np.array([1.0]),
        mean_square=np.array([0.0005]),
    )


def rock_salt() -> UnitCell:
    return UnitCell(
        vectors=lattice_vectors((5.0, 5.0, 5.0), (90.0, 90.0, 90.0)),
        position=np.concatenate((FCC, FCC + 0.5)),
        kind=np.repeat([0, 1], 4),
        coherent_length=np.array([0.9, 0.4]),
        mean_square=np.array([0.004, 0.006]),
    )


def brute_force(cell: UnitCell, size: float, q: np.ndarray) -> np.ndarray:
    """Sum over each atom of the cell and each atom of a crystal around it; the mean density by numerical integration."""
    # Layers of cells are as far apart as the volume over the area of the face says; two more than fit are taken.
    volume = abs(np.linalg.det(cell.vectors))
    faces = [np.linalg.norm(np.cross(*np.delete(cell.vectors, i, axis=0))) for i in range(3)]
    axes = [np.arange(-reach, reach + 1) for reach in (int(size * face / volume) + 3 for face in faces)]
    shifts = np.array([(i, j, k) for i in axes[0] for j in axes[1] for k in axes[2]])
    total = np.zeros_like(q)
    for i in range(len(cell.position)):
        for j in range(len(cell.position)):
            r = np.sqrt((((cell.position[j] - cell.position[i] + shifts) @ cell.vectors) ** 2).sum(axis=1))
            r = r[(r > 0.1) & (r < size)]
            one, other = cell.kind[i], cell.kind[j]
            envelope = 1.0 - 1.5 * r / size + 0.5 * (r / size) ** 3
            variance = cell.mean_square[one] + cell.mean_square[other]
            terms = envelope * np.sin(np.outer(q, r)) / np.outer(q, r)
            r_even = np.linspace(0.0, size, 40_001)
            envelope = 1.0 - 1.5 * r_even / size + 0.5 * (r_even / size) ** 3
            density = len(cell.position) / np.linalg.det(cell.vectors)
            uniform = [
                4.0 * np.pi * density * integral_of(r_even * envelope * np.sin(x * r_even) / x, r_even)
                for x in q
            ]
            pair = terms.sum(axis=1) - np.array(uniform) / len(cell.position)
            total += (
                cell.coherent_length[one]
                * cell.coherent_length[other]
                * np.exp(-0.5 * q**2 * variance)
                * pair
                / len(cell.position)
            )
    return total


@pytest.mark.parametrize(
    "cell", [two_kinds(), slanted(), rock_salt()], ids=["skewed", "slanted", "rock salt"]
)
def test_the_fast_sum_is_that_over_the_atoms_one_by_one(cell: UnitCell):
    size = 21.0
    fast = pair_scattering(cell, size, 41.0)
    # The last one is where the grid of distances matters most.
    highest = 10_000 + int(np.argmax(np.abs(fast[10_000:])))
    row = np.array([30, 200, 701, 905, 1500, 4000, 9000, 13_300, highest])
    assert fast[row] == pytest.approx(brute_force(cell, size, Q_STEP * row), rel=0.0, abs=3e-6)
    assert np.abs(fast).max() > 0.2


def test_a_sphere_that_is_cut_out_scatters_as_the_envelope_says():
    """Atoms within a sphere, averaged over where its centre lies, have f(r) of the pairs: a Monte Carlo of spheres."""
    rng = np.random.default_rng(1)
    size, a = 16.0, 4.0
    axis = np.arange(-4, 5)
    lattice = a * np.array([(i, j, k) for i in axis for j in axis for k in axis], np.float64)
    density = 1.0 / a**3
    pairs = np.zeros(3)
    shells = np.array([1.0, 2.0, 3.0]) * a**2
    n = 3000
    for _ in range(n):
        atoms = lattice + rng.uniform(-0.5, 0.5, 3) * a
        atoms = atoms[(atoms**2).sum(axis=1) < (size / 2.0) ** 2]
        squares = np.sum((atoms[:, None, :] - atoms[None, :, :]) ** 2, axis=2)
        pairs += [np.sum(np.abs(squares - shell) < 1e-6) for shell in shells]
    per_atom = pairs / n / (density * np.pi / 6.0 * size**3)
    expected = np.array([6.0, 12.0, 8.0]) * sphere_envelope(np.sqrt(shells), size)
    assert per_atom == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("q", [0.0, 1e-4, 9e-4, 2e-3, 0.1, 1.0, 7.3])
def test_the_transform_of_the_sphere_is_the_integral(q: float):
    size = 100.0
    r = np.linspace(0.0, size, 400_001)
    integral = integral_of(4.0 * np.pi * r**2 * sphere_envelope(r, size) * np.sinc(q * r / np.pi), r)
    assert sphere_transform(np.array([q]), size)[0] == pytest.approx(integral, rel=1e-6, abs=1e-4)


def test_the_envelope_ends_at_the_size():
    assert sphere_envelope(np.array([0.0, 50.0, 100.0, 120.0]), 100.0).tolist() == [1.0, 0.3125, 0.0, 0.0]


def test_lattice_vectors_have_the_lengths_and_angles_given():
    vectors = lattice_vectors((3.0, 4.0, 5.0), (75.0, 95.0, 110.0))
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths == pytest.approx([3.0, 4.0, 5.0])
    cosines = [vectors[i] @ vectors[j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]
    assert np.degrees(np.arccos(cosines)) == pytest.approx([75.0, 95.0, 110.0])


def test_neighbours_are_counted_over_all_atoms():
    distance, number = first_neighbours(rock_salt())
    assert (distance, number) == (pytest.approx(2.5), 6.0)
