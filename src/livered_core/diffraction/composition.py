"""How strongly a sample scatters, from its chemical formula."""

from __future__ import annotations

import math
from typing import Any

import attrs

from livered_core.errors import BackendUnavailable, DataModelError

BARN_PER_FM2 = 0.01
"""Barn in a square femtometre."""
NULL_SCATTERER = 1e-3
"""Below this ratio of coherent to total scattering, S(Q) is not a quantity that can be measured."""


class NullScattererError(DataModelError):
    """A composition without coherent scattering to speak of: it can be measured, and has no S(Q)."""


@attrs.frozen
class SampleScattering:
    """What the mean atom of a sample scatters: the constants of the Faber-Ziman definition.

    The differential cross section of one atom is ``coherent_sr * (S(Q) - 1) + total_sr`` (D. A. Keen, Journal of
    Applied Crystallography 34 (2001) 172; T. E. Faber and J. M. Ziman, Philosophical Magazine 11 (1965) 153).

    Attributes
    ----------
    formula
        As it was given.
    coherent_sr
        ``<b>^2``: square of the mean coherent scattering length, barn per steradian and atom; above 0.
    total_sr
        ``<sigma_scatt> / (4 pi)``: the self-scattering level, to which the cross section tends at large Q, barn per
        steradian and atom; above 0.
    n_atoms
        Atoms in one unit of the formula.
    energy_dependent
        Symbols of those elements or isotopes whose scattering length varies with energy in the thermal range (strong
        absorbers): their numbers are those of the tables, for 2200 m/s, and the level is approximate.
    """

    formula: str
    coherent_sr: float
    total_sr: float
    n_atoms: float
    energy_dependent: tuple[str, ...] = ()


def sample_scattering(formula: str) -> SampleScattering:
    """Look up the scattering lengths of a formula.

    Parameters
    ----------
    formula
        As periodictable writes them: ``"Ni"``, ``"SiO2"``, ``"D2O"``, ``"Ni[62]"`` for an isotope,
        ``"Ti0.676Zr0.324"``.

    Returns
    -------
    SampleScattering
        By the tables of periodictable (Neutron Data Booklet, with later corrections).

    Raises
    ------
    BackendUnavailable
        Where periodictable is not installed.
    DataModelError
        When the formula cannot be read, has no atoms, has an element without neutron data, or has no coherent
        scattering to speak of (a null scatterer).
    """
    try:
        import periodictable
    except ImportError as error:
        message = "Scattering lengths need periodictable: pip install 'livered-core[total]'."
        raise BackendUnavailable(message) from error
    try:
        atoms: dict[Any, float] = dict(periodictable.formula(formula).atoms)
    except Exception as error:
        message = f"The composition {formula!r} cannot be read ({_first_line(error)}): write it as SiO2 or Ni0.5Fe0.5."
        raise DataModelError(message) from error
    n_atoms = float(sum(atoms.values()))
    if not 0 < n_atoms < math.inf:
        message = f"The composition {formula!r} has no atoms: write it as SiO2 or Ni0.5Fe0.5."
        raise DataModelError(message)
    length_fm = scattered_barn = 0.0
    varying = []
    for element, number in atoms.items():
        neutron = element.neutron
        if not neutron.has_sld() or neutron.b_c is None or neutron.total is None:
            message = (
                f"The composition {formula!r} has {element}, for which no neutron scattering length is known."
            )
            raise DataModelError(message)
        length_fm += number / n_atoms * float(neutron.b_c)
        scattered_barn += number / n_atoms * float(neutron.total)
        if getattr(neutron, "is_energy_dependent", False):
            varying.append(str(element))
    coherent_sr, total_sr = BARN_PER_FM2 * length_fm**2, scattered_barn / (4 * math.pi)
    if not (total_sr > 0 and coherent_sr > NULL_SCATTERER * total_sr):
        message = f"The composition {formula!r} scatters hardly anything coherently, so that it has no S(Q) to measure."
        raise NullScattererError(message)
    return SampleScattering(formula, coherent_sr, total_sr, n_atoms, tuple(varying))


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")[:120]
