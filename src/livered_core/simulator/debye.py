r"""The scattering of pairs of atoms in a small spherical crystal, averaged over all its directions.

P. Debye, Ann. Phys. 351 (1915) 809; with thermal motion and the shape of the crystal as below.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

R_STEP: Final = 0.001
"""Step of the histogram of pair distances, Angstrom."""

_TRANSFORM_SIZE: Final = 1 << 21
Q_STEP: Final = 2.0 * np.pi / (_TRANSFORM_SIZE * R_STEP)
"""Step in Q on which the sum is worked out, inverse Angstrom: 0.003."""

_STEPS: Final = 1_000_000
"""Differences of fractional coordinates are rounded to a millionth; the cube of this is an int64."""
_SAME_SHELL_A: Final = 0.01


@attrs.frozen(eq=False)
class UnitCell:
    """The atoms of a crystal.

    Attributes
    ----------
    vectors
        float64[3, 3], Angstrom: the rows are the lattice vectors a, b and c.
    position
        float64[n, 3], fractional coordinates.
    kind
        int64[n], which row of the columns below each atom has.
    coherent_length
        float64[k], bound coherent scattering length, square root of barn (10 fm).
    mean_square
        float64[k], mean square displacement along one direction, Angstrom^2.
    """

    vectors: FloatArray
    position: FloatArray
    kind: IntArray
    coherent_length: FloatArray
    mean_square: FloatArray

    @property
    def number_density(self) -> float:
        """Atoms in a cubic Angstrom."""
        return len(self.position) / float(abs(np.linalg.det(self.vectors)))

    @property
    def fraction(self) -> FloatArray:
        """float64[k], part of the atoms that are of each kind."""
        counts = np.bincount(self.kind, minlength=len(self.coherent_length))
        return counts / len(self.kind)


def lattice_vectors(lengths: tuple[float, float, float], angles: tuple[float, float, float]) -> FloatArray:
    """Return the lattice vectors of a cell, a along x and b in the plane of x and y.

    Parameters
    ----------
    lengths
        a, b, c, Angstrom.
    angles
        alpha, beta, gamma, degrees.

    Returns
    -------
    float64[3, 3]
        Rows a, b, c (International Tables for Crystallography B, 2nd ed. 2001, section 3.3.1).
    """
    a, b, c = lengths
    cos_alpha, cos_beta, cos_gamma = np.cos(np.radians(angles))
    sin_gamma = np.sin(np.radians(angles[2]))
    c_y = (cos_alpha - cos_beta * cos_gamma) / sin_gamma
    c_z = np.sqrt(1.0 - cos_beta**2 - c_y**2)
    return np.array(
        [[a, 0.0, 0.0], [b * cos_gamma, b * sin_gamma, 0.0], [c * cos_beta, c * c_y, c * c_z]], np.float64
    )


def sphere_envelope(r: FloatArray, size: float) -> FloatArray:
    r"""Return which part of the pairs at a distance a sphere holds.

    .. math:: f(r) = 1 - \frac{3 r}{2 D} + \frac{r^3}{2 D^3}, \quad r < D

    A. Guinier and G. Fournet, Small-angle scattering of X-rays (1955), chapter 2.

    Parameters
    ----------
    r
        float64[n], Angstrom, not below 0.
    size
        Diameter D, Angstrom.
    """
    part = np.minimum(r / size, 1.0)
    envelope: FloatArray = 1.0 - 1.5 * part + 0.5 * part**3
    return envelope


def sphere_transform(q: FloatArray, size: float) -> FloatArray:
    r"""Return the transform of the envelope, in closed form.

    .. math:: \int_0^D 4 \pi r^2 f(r) \frac{\sin Q r}{Q r} dr
        = V \left[ 3 \frac{\sin x - x \cos x}{x^3} \right]^2, \quad x = Q D / 2, \quad V = \pi D^3 / 6

    Lord Rayleigh, Proc. R. Soc. A 90 (1914) 219.

    Parameters
    ----------
    q
        float64[n], inverse Angstrom, not below 0.
    size
        Diameter D, Angstrom.

    Returns
    -------
    float64[n]
        Angstrom^3.
    """
    x = 0.5 * size * q
    # The closed form takes differences of near numbers where x is small: there its series.
    safe = np.maximum(x, 0.05)
    amplitude = np.where(
        x < 0.05, 1.0 - x**2 / 10.0 + x**4 / 280.0, 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3
    )
    transform: FloatArray = np.pi * size**3 / 6.0 * amplitude**2
    return transform


def pair_scattering(cell: UnitCell, size: float, q_max: float) -> FloatArray:
    r"""Work out what pairs of different atoms scatter, without what a uniform sphere would scatter.

    .. math::

        \frac{1}{N} \sum_{i \ne j} b_i b_j f(r_{ij}) \frac{\sin Q r_{ij}}{Q r_{ij}} e^{-Q^2 \sigma_{ij}^2 / 2}
        - \rho_0 \sum_{ab} c_a c_b b_a b_b e^{-Q^2 \sigma_{ab}^2 / 2}
        \int_0^D 4 \pi r^2 f(r) \frac{\sin Q r}{Q r} dr

    with :math:`\sigma_{ij}^2 = u_i^2 + u_j^2`: atoms move independently and the same in all directions, so that the
    distance of a pair is smeared as a vector, by a Gaussian. The uniform density is smeared in the same way; then
    what is left is the Debye-Waller factor times the Bragg peaks other than (000), each with the width that the size
    gives it, minus the factor itself, and no cross section made of it falls below zero.

    Distances are sorted into a histogram with steps of `R_STEP`, each shared by its two neighbours, and transformed by
    a fast Fourier transform; the mean loss of the sharing, (sin(Q R_STEP / 2) / (Q R_STEP / 2))^2, is divided out.

    Parameters
    ----------
    cell
        The crystal.
    size
        Diameter D of the sphere, Angstrom, above `R_STEP`.
    q_max
        Up to which Q, inverse Angstrom.

    Returns
    -------
    float64[m]
        Barn per steradian and atom, at Q = 0, `Q_STEP`, 2 `Q_STEP`, ... up to `q_max` or just beyond.
    """
    q: FloatArray = np.arange(int(np.ceil(q_max / Q_STEP)) + 1, dtype=np.float64) * Q_STEP
    r: FloatArray = np.arange(int(size / R_STEP) + 2, dtype=np.float64) * R_STEP
    weight = np.zeros_like(r)
    weight[1:] = sphere_envelope(r[1:], size) / r[1:]
    sharing = np.sinc(q * R_STEP / (2.0 * np.pi)) ** 2
    uniform = cell.number_density * sphere_transform(q, size)
    scattering = np.zeros_like(q)
    fraction, length = cell.fraction, cell.coherent_length
    for (one, other), pairs in _pair_histograms(cell, size, len(r)).items():
        weighted = pairs * weight
        summed = np.empty_like(q)
        summed[0] = np.sum(weighted * r)
        summed[1:] = -np.fft.rfft(weighted, _TRANSFORM_SIZE).imag[1 : len(q)] / q[1:]
        mean = fraction[one] * fraction[other] * (1.0 if one == other else 2.0)
        smearing = np.exp(-0.5 * q**2 * (cell.mean_square[one] + cell.mean_square[other]))
        scattering += length[one] * length[other] * smearing * (summed / sharing - mean * uniform)
    return scattering


def first_neighbours(cell: UnitCell) -> tuple[float, float]:
    """Find the shortest distance of two atoms, and how many neighbours an atom has there on average.

    Distances within 0.01 Angstrom of the shortest count.

    Returns
    -------
    distance : float
        Angstrom.
    number : float
        Over all atoms, whatever their kind.
    """
    shifts = _shifts(np.array([2, 2, 2]))
    differences, _, multiplicity = _pair_differences(cell)
    vectors = (differences[:, np.newaxis, :] + shifts) @ cell.vectors
    r = np.linalg.norm(vectors, axis=2)
    r[r < _SAME_SHELL_A] = np.inf
    nearest = float(r.min())
    counts = np.sum(r < nearest + _SAME_SHELL_A, axis=1)
    return nearest, float(np.sum(counts * multiplicity)) / len(cell.position)


def _pair_histograms(cell: UnitCell, size: float, n_bins: int) -> dict[tuple[int, int], FloatArray]:
    """Count the pairs of each two kinds by distance, per atom of the crystal; pairs in both orders."""
    # A sphere of that radius reaches over so many layers of cells in each direction, and one more for the atoms.
    spacing = 1.0 / np.linalg.norm(np.linalg.inv(cell.vectors), axis=0)
    shifts = _shifts(np.ceil(size / spacing).astype(np.int64) + 1)
    histograms: dict[tuple[int, int], FloatArray] = {}
    for difference, kinds, multiplicity in zip(*_pair_differences(cell), strict=True):
        r = np.linalg.norm((shifts + difference) @ cell.vectors, axis=1)
        place = r[(r > _SAME_SHELL_A) & (r < size)] / R_STEP
        left = place.astype(np.int64)
        right_part = place - left
        counts = np.bincount(left, 1.0 - right_part, n_bins) + np.bincount(left + 1, right_part, n_bins)
        one, other = kinds.tolist()
        histogram = histograms.setdefault((one, other), np.zeros(n_bins))
        histogram += counts * (multiplicity / len(cell.position))
    return histograms


def _pair_differences(cell: UnitCell) -> tuple[FloatArray, IntArray, IntArray]:
    """List the differences of positions that are not the same up to the lattice and the sign.

    Returns
    -------
    differences : float64[m, 3]
        Fractional, from 0 to below 1.
    kinds : int64[m, 2]
        The kinds of the two atoms, the lower one first.
    multiplicity : int64[m]
        How many ordered pairs of atoms of the cell have each; the sum is n^2.
    """
    n = len(cell.position)
    difference = cell.position[np.newaxis, :, :] - cell.position[:, np.newaxis, :]
    forward = np.round(difference.reshape(-1, 3) * _STEPS).astype(np.int64) % _STEPS
    # One whole number for each triple, so that the smaller of a difference and its opposite stands for both.
    place_value = np.array([_STEPS**2, _STEPS, 1])
    chosen = np.minimum(forward @ place_value, (-forward % _STEPS) @ place_value)
    kinds = np.stack((np.repeat(cell.kind, n), np.tile(cell.kind, n)), axis=1)
    rows = np.column_stack((np.sort(kinds, axis=1), chosen))
    unique, multiplicity = np.unique(rows, axis=0, return_counts=True)
    differences = unique[:, 2:] // place_value % _STEPS / _STEPS
    return differences, unique[:, :2], multiplicity.astype(np.int64)


def _shifts(reach: IntArray) -> FloatArray:
    """List the lattice points from -reach to +reach along each lattice vector, float64[m, 3]."""
    axes = [np.arange(-int(most), int(most) + 1, dtype=np.float64) for most in reach]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
