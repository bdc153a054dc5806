"""What a sample scatters: reflections and cross sections from NCrystal, and a liquid.

NCrystal: X.-X. Cai and T. Kittelmann, Comput. Phys. Commun. 246 (2020) 106851.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.simulator.liquid import LIQUID, LIQUID_INCOHERENT_BARN, HardSpheres, simple_liquid
from livered_core.simulator.materials import CONTAINER, SURROUNDINGS_BARN, find_crystal, import_ncrystal

FloatArray = npt.NDArray[np.float64]

_SHORTEST_A: Final = 0.005
_LONGEST_A: Final = 60.0


@attrs.frozen(eq=False)
class Powder:
    """A powder, as its reflections and the rest of its scattering.

    Attributes
    ----------
    name
        One of `livered_core.config.simulate.SAMPLES`.
    d_spacing
        float64[n], Angstrom, descending.
    multiplicity
        float64[n], number of equivalent planes.
    structure_factor2
        float64[n], |F|^2 of the unit cell in barn, thermal motion included.
    cell_volume
        Angstrom^3.
    atoms_per_cell
        Number of atoms in the unit cell.
    background_wavelength, background
        float64[m], Angstrom ascending, and float64[m], barn per atom: cross section of all scattering that is
        not Bragg scattering (incoherent and inelastic).
    liquid
        What scatters coherently without being a crystal; None for crystals.
    """

    name: str
    d_spacing: FloatArray
    multiplicity: FloatArray
    structure_factor2: FloatArray
    cell_volume: float
    atoms_per_cell: int
    background_wavelength: FloatArray
    background: FloatArray
    liquid: HardSpheres | None = None

    def bragg_strength(self) -> FloatArray:
        r"""Return what each reflection scatters into a unit of solid angle, apart from the beam and the angle.

        At a fixed scattering angle the intensity per solid angle and atom, integrated over the wavelengths of
        one reflection, is

        .. math:: I_{hkl} = \Phi(\lambda) \, \lambda \, \frac{d^3 m |F|^2}{4 \pi V N}, \quad \lambda = 2 d \sin\theta

        and this function returns ``d^3 m |F|^2 / (4 pi V N)``. It follows from the powder's cross section
        ``sigma(lambda) = lambda^2 / (2 V N) sum(d m |F|^2)`` over reflections with ``lambda < 2 d``
        (G. E. Bacon, Neutron Diffraction, 3rd ed. 1975; Cai and Kittelmann 2020). Each reflection goes
        evenly round the cone ``cos(2 theta) = 1 - lambda^2 / (2 d^2)``, so that per solid angle its share is
        ``sigma_hkl delta(cos(2 theta) - 1 + lambda^2 / (2 d^2)) / (2 pi)``; integrating over lambda at a fixed
        angle gives the factor ``|d lambda / d cos(2 theta)| = d^2 / lambda``.

        Returns
        -------
        float64[n]
            Barn times Angstrom per atom and steradian, after multiplication by a wavelength in Angstrom and a
            flux per Angstrom: barn per atom and steradian.
        """
        strength: FloatArray = (
            self.d_spacing**3
            * self.multiplicity
            * self.structure_factor2
            / (4.0 * np.pi * self.cell_volume * self.atoms_per_cell)
        )
        return strength

    def diffuse_per_steradian(self, wavelength: FloatArray, d_spacing: FloatArray) -> FloatArray:
        """Return all scattering that is not Bragg scattering, barn per atom and steradian.

        Inelastic scattering is treated as elastic and as isotropic: a smooth background is all that is wanted.

        Parameters
        ----------
        wavelength, d_spacing
            float64[n], Angstrom: each neutron's wavelength, and the d-spacing at which its angle puts it. Beyond
            the table of wavelengths its end values hold.
        """
        barn: FloatArray = np.interp(wavelength, self.background_wavelength, self.background)
        if self.liquid is not None:
            barn = barn + self.liquid.coherent_barn * self.liquid.structure_factor(2.0 * np.pi / d_spacing)
        return barn / (4.0 * np.pi)


def load_powder(name: str) -> Powder:
    """Look up what is in the beam.

    Parameters
    ----------
    name
        One of `livered_core.config.simulate.SAMPLES`, or a material of NCrystal's data library: the name of its
        file, its formula, or the mineral's name, whatever the case of the letters.

    Raises
    ------
    ConfigError
        When there is no such sample, or it is not crystalline; the sentence offers names that are near.
    BackendUnavailable
        When NCrystal is not installed.
    """
    if name == LIQUID:
        return _hard_spheres()
    material, information = find_crystal(name)
    without_bragg = import_ncrystal().createScatter(f"{material};bragg=0")
    # (h, k, l, multiplicity, d, |F|^2)
    reflections = np.array([tuple(row) for row in information.hklList()], dtype=np.float64)
    wavelength = np.geomspace(_SHORTEST_A, _LONGEST_A, 2000)
    cell = information.getStructureInfo()
    background = np.asarray(without_bragg.xsect(wl=wavelength), dtype=np.float64)
    return Powder(
        name=name,
        d_spacing=reflections[:, 4].copy(),
        multiplicity=reflections[:, 3].copy(),
        structure_factor2=reflections[:, 5].copy(),
        cell_volume=float(cell["volume"]),
        atoms_per_cell=int(cell["n_atoms"]),
        background_wavelength=wavelength,
        background=background + SURROUNDINGS_BARN if name == CONTAINER else background,
    )


def _hard_spheres() -> Powder:
    none = np.zeros(0)
    return Powder(
        name=LIQUID,
        d_spacing=none,
        multiplicity=none,
        structure_factor2=none,
        cell_volume=1.0,
        atoms_per_cell=1,
        background_wavelength=np.array([_SHORTEST_A, _LONGEST_A]),
        background=np.full(2, LIQUID_INCOHERENT_BARN),
        liquid=simple_liquid(),
    )
