r"""Total scattering that is known exactly: what a sample scatters elastically at each momentum transfer.

.. math:: \frac{d\sigma}{d\Omega}(Q) = \langle b \rangle^2 [S(Q) - 1] + \frac{\sigma_{scatt}}{4 \pi}

per atom, in the definition of T. E. Faber and J. M. Ziman, Phil. Mag. 11 (1965) 153, as in D. A. Keen, J. Appl.
Cryst. 34 (2001) 172-177, equation 19. Atoms are bound and natural; the resolution of an instrument, inelastic and
multiple scattering, and absorption are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import ConfigError
from livered_core.simulator.debye import (
    Q_STEP,
    UnitCell,
    first_neighbours,
    lattice_vectors,
    pair_scattering,
    sphere_envelope,
)
from livered_core.simulator.liquid import LIQUID, LIQUID_INCOHERENT_BARN, simple_liquid
from livered_core.simulator.materials import CONTAINER, SURROUNDINGS_BARN, VANADIUM, Species, find_crystal
from livered_core.simulator.structure_factor import EvenTable, NoStructure, StructureFactor

FloatArray = npt.NDArray[np.float64]

CRYSTAL_SIZE_A: Final = 100.0
"""Diameter of the spherical crystals, Angstrom. A peak of S(Q) is then 0.073 inverse Angstrom wide (at half of its
height, 7.26 / D), so that peaks can be told apart, and the number of neighbours at r is lower by the factor
1 - 3 r / (2 D): 0.977 for diamond's first shell, 0.963 for nickel's."""

_Q_MAX: Final = 100.0
"""Beyond it, inverse Angstrom, thermal motion leaves S = 1: exp(-18) in the stiffest crystal, diamond."""
_SMALLEST_MEAN: Final = 1e-4
"""Of the mean coherent scattering length squared, relative to the mean of the squares."""
_SR: Final = 4.0 * np.pi


@attrs.frozen(eq=False)
class TotalStructure:
    """A sample that scatters by its total structure factor: the truth that a reduction should find.

    Attributes
    ----------
    name
        The sample's, as configured.
    formula
        Its composition, such as ``Al2O3``; empty when it is not of natural elements.
    coherent_sr
        Square of the mean coherent scattering length, barn per steradian and atom: the factor of S(Q) - 1.
    self_sr
        Scattering cross section over 4 pi, barn per steradian and atom: the level around which S(Q) moves.
    structure
        Where S(Q) comes from.
    number_density
        Atoms in a cubic Angstrom; None when it is not known.
    first_neighbours
        Shortest distance of two atoms, Angstrom, and how many neighbours an atom has there; None for what is no
        crystal. The envelope is not in that number: see `envelope`.
    size
        Diameter of the spherical crystal, Angstrom; None for what has no end.
    """

    name: str
    formula: str
    coherent_sr: float
    self_sr: float
    structure: StructureFactor
    number_density: float | None = None
    first_neighbours: tuple[float, float] | None = None
    size: float | None = None

    def structure_factor(self, q: FloatArray) -> FloatArray:
        """Return S(Q), exactly as events are drawn from it.

        Parameters
        ----------
        q
            float64[n], inverse Angstrom, above 0.
        """
        return self.structure.structure_factor(q)

    def cross_section(self, q: FloatArray) -> FloatArray:
        """Return what is scattered, barn per steradian and atom.

        Parameters
        ----------
        q
            float64[n], inverse Angstrom, above 0.

        Returns
        -------
        float64[n]
            Not below 0.
        """
        section: FloatArray = self.coherent_sr * (self.structure_factor(q) - 1.0) + self.self_sr
        # What the interpolation leaves below zero, where nothing is scattered.
        return np.maximum(section, 0.0)

    def envelope(self, r: FloatArray) -> FloatArray:
        """Return by which factor the pair correlations at a distance are lower than in an endless sample.

        Parameters
        ----------
        r
            float64[n], Angstrom, not below 0.
        """
        return np.ones_like(r) if self.size is None else sphere_envelope(r, self.size)


def total_structure_factor(name: str) -> TotalStructure:
    """Work out how a sample scatters in total.

    Crystals scatter as spheres of the diameter `CRYSTAL_SIZE_A`, in which atoms move independently of each other
    with the mean square displacements of NCrystal: see `livered_core.simulator.debye.pair_scattering`. Vanadium is an
    ideal isotropic scatterer (S = 1, the cross section of the element), the container is aluminium and an isotropic
    background, and the liquid is one of hard spheres.

    Parameters
    ----------
    name
        One of `livered_core.config.simulate.SAMPLES`, or a crystalline material as `find_crystal` finds it.

    Raises
    ------
    ConfigError
        When there is no such sample, it is not crystalline, or NCrystal does not know its atoms well enough.
    BackendUnavailable
        When NCrystal is not installed.
    """
    if name == LIQUID:
        liquid = simple_liquid()
        return TotalStructure(
            name=name,
            formula="",
            coherent_sr=liquid.coherent_barn / _SR,
            self_sr=(liquid.coherent_barn + LIQUID_INCOHERENT_BARN) / _SR,
            structure=liquid,
            number_density=liquid.number_density,
        )
    cell, species = _crystal(name)
    coherent_sr, self_sr = levels(species)
    formula = _formula(species, len(cell.position))
    if name == VANADIUM:
        return TotalStructure(name, formula, coherent_sr, self_sr, NoStructure(), cell.number_density)
    _check_mean(species, f"simulate.sample: {name!r}")
    table = pair_scattering(cell, CRYSTAL_SIZE_A, _Q_MAX)
    return TotalStructure(
        name=name,
        formula=formula,
        coherent_sr=coherent_sr,
        self_sr=self_sr + (SURROUNDINGS_BARN / _SR if name == CONTAINER else 0.0),
        structure=EvenTable(Q_STEP, 1.0 + table / coherent_sr),
        number_density=cell.number_density,
        first_neighbours=first_neighbours(cell),
        size=CRYSTAL_SIZE_A,
    )


def levels(species: Sequence[Species]) -> tuple[float, float]:
    """Return the two levels of the total scattering of a composition.

    Returns
    -------
    coherent_sr : float
        Square of the mean coherent scattering length, barn per steradian and atom.
    self_sr : float
        Mean scattering cross section over 4 pi, barn per steradian and atom.
    """
    mean_length = sum(one.fraction * one.coherent_length for one in species)
    return mean_length**2, sum(one.fraction * one.scattering_barn for one in species) / _SR


def lowest_structure_factor(species: Sequence[Species], where: str) -> float:
    r"""Return below which S(Q) cannot fall: what is scattered coherently would be less than nothing.

    .. math:: S \ge 1 - \langle b^2 \rangle / \langle b \rangle^2

    which is 0 for one element, and below 0 where scattering lengths differ.

    Raises
    ------
    ConfigError
        When the mean scattering length is so near 0 that S(Q) does not describe the scattering.
    """
    _check_mean(species, where)
    mean_length = sum(one.fraction * one.coherent_length for one in species)
    return 1.0 - sum(one.fraction * one.coherent_length**2 for one in species) / mean_length**2


def _check_mean(species: Sequence[Species], where: str) -> None:
    mean_length = sum(one.fraction * one.coherent_length for one in species)
    mean_square = sum(one.fraction * one.coherent_length**2 for one in species)
    if not mean_length**2 > _SMALLEST_MEAN * mean_square:
        message = f"{where} has a mean coherent scattering length of nearly 0, so that S(Q) says nothing of it; choose another one."
        raise ConfigError(message)


def _crystal(name: str) -> tuple[UnitCell, tuple[Species, ...]]:
    material, information = find_crystal(name)
    atoms = list(information.atominfos)
    if not atoms or any(atom.msd is None or not len(atom.positions) for atom in atoms):
        message = (
            f"simulate.sample: NCrystal does not know where the atoms of {material} are and how they move, which "
            "total_scattering needs; choose another sample, or set total_scattering = false."
        )
        raise ConfigError(message)
    edges = information.getStructureInfo()
    counts = np.array([len(atom.positions) for atom in atoms])
    cell = UnitCell(
        vectors=lattice_vectors(
            (edges["a"], edges["b"], edges["c"]), (edges["alpha"], edges["beta"], edges["gamma"])
        ),
        position=np.concatenate([np.array(atom.positions, np.float64) for atom in atoms]),
        kind=np.repeat(np.arange(len(atoms)), counts),
        coherent_length=np.array([atom.atomData.coherentScatLen() for atom in atoms], np.float64),
        mean_square=np.array([atom.msd for atom in atoms], np.float64),
    )
    species = tuple(
        Species(
            atom.atomData.displayLabel(),
            float(count) / int(counts.sum()),
            float(atom.atomData.coherentScatLen()),
            float(atom.atomData.scatteringXS()),
        )
        for atom, count in zip(atoms, counts, strict=True)
    )
    return cell, species


def _formula(species: Sequence[Species], n_atoms: int) -> str:
    """Write the smallest formula with whole numbers, the symbols in alphabetical order."""
    counts: dict[str, int] = {}
    for one in species:
        counts[one.symbol] = counts.get(one.symbol, 0) + round(one.fraction * n_atoms)
    if not all(symbol.isalpha() for symbol in counts):
        return ""  # isotopes and mixtures, which have no place in an ordinary formula
    divisor = int(np.gcd.reduce(list(counts.values())))
    return "".join(
        symbol + (str(count // divisor) if count > divisor else "")
        for symbol, count in sorted(counts.items())
    )
