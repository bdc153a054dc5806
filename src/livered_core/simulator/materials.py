"""Where what is known of real materials comes from: NCrystal's data library, and tables of scattering lengths.

NCrystal: X.-X. Cai and T. Kittelmann, Comput. Phys. Commun. 246 (2020) 106851. Its scattering lengths are those
of V. F. Sears, Neutron News 3 (1992) 26-37, as revised since.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

import attrs

from livered_core.config.simulate import SAMPLES
from livered_core.errors import BackendUnavailable, ConfigError

VANADIUM: Final = "vanadium"
CONTAINER: Final = "container"
"""An empty can of aluminium: weak reflections on what air and shielding scatter."""
SURROUNDINGS_BARN: Final = 10.0
"""What air and shielding scatter around the container, barn for each of its atoms, the same in all directions."""

_SUFFIX: Final = ".ncmat"
_NCMAT: Final = {
    "diamond": "C_sg227_Diamond.ncmat",
    "silicon": "Si_sg227.ncmat",
    "nickel": "Ni_sg225.ncmat",
    VANADIUM: "V_sg229.ncmat",
    CONTAINER: "Al_sg225.ncmat",
}
_FORMULA: Final = re.compile(r"(?:[A-Z][a-z]?(?:[0-9]{1,6}(?:\.[0-9]{1,6})?)?)+")
_PART: Final = re.compile(r"([A-Z][a-z]?)([0-9.]*)")


@attrs.frozen
class Species:
    """One kind of atom in a material.

    Attributes
    ----------
    symbol
        Such as ``Si``.
    fraction
        Part of all atoms that are of this kind, above 0 and at most 1.
    coherent_length
        Bound coherent scattering length, square root of barn (10 fm).
    scattering_barn
        Bound scattering cross section, coherent and incoherent, barn.
    """

    symbol: str
    fraction: float
    coherent_length: float
    scattering_barn: float


def import_ncrystal() -> Any:
    """Import NCrystal, which only the simulated beamline needs.

    Raises
    ------
    BackendUnavailable
        When it is not installed.
    """
    try:
        import NCrystal
    except ImportError as error:
        message = "The simulated beamline needs NCrystal, which is not installed: pip install 'livered-core[simulator]'."
        raise BackendUnavailable(message) from error
    return NCrystal


def find_crystal(name: str) -> tuple[str, Any]:
    """Find a crystalline material.

    Parameters
    ----------
    name
        A crystal among `livered_core.config.simulate.SAMPLES`, or a material of NCrystal's data library: the name
        of its file, its formula, or the mineral's name, whatever the case of the letters.

    Returns
    -------
    material : str
        The name of its file.
    information : NCrystal.Info
        What NCrystal knows of it, with structure and reflections.

    Raises
    ------
    ConfigError
        When there is no such material, or it is not crystalline; the sentence offers names that are near.
    BackendUnavailable
        When NCrystal is not installed.
    """
    ncrystal = import_ncrystal()
    names = [entry.name for entry in ncrystal.browseFiles() if entry.name.endswith(_SUFFIX)]
    material = _NCMAT.get(name) or _find(name, names)
    information = ncrystal.createInfo(material)
    if not information.hasHKLInfo() or not information.hasStructureInfo():
        message = (
            f"simulate.sample: {material} is not crystalline, and has no reflections to show; choose one of "
            f"{', '.join(SAMPLES)}, or a crystalline material."
        )
        raise ConfigError(message)
    return material, information


def species_of(formula: str) -> tuple[Species, ...]:
    """Look up the atoms of a chemical formula, with the scattering lengths of the natural elements.

    NCrystal is asked, or periodictable where NCrystal is not installed.

    Parameters
    ----------
    formula
        Elements and numbers without brackets, such as ``SiO2`` or ``Ge0.2Se0.8``; ``D`` is deuterium.

    Returns
    -------
    tuple of Species
        In the order of the formula, each kind once; the fractions add up to 1.

    Raises
    ------
    ConfigError
        When it is not a formula, or names an element that is not known.
    BackendUnavailable
        When neither package is installed.
    """
    number: dict[str, float] = {}
    if _FORMULA.fullmatch(formula):
        for symbol, count in _PART.findall(formula):
            number[symbol] = number.get(symbol, 0.0) + (float(count) if count else 1.0)
    if not number or min(number.values()) <= 0.0:
        message = (
            f"simulate.composition: {formula!r} is not a chemical formula; write elements and numbers above 0 "
            "without brackets, for example SiO2."
        )
        raise ConfigError(message)
    total = sum(number.values())
    found: list[Species] = []
    for symbol, count in number.items():
        lengths = _element(symbol)
        if lengths is None:
            message = (
                f"simulate.composition: no scattering length is known for {symbol!r} in {formula!r}; correct the "
                "chemical formula."
            )
            raise ConfigError(message)
        found.append(Species(symbol, count / total, *lengths))
    return tuple(found)


def _element(symbol: str) -> tuple[float, float] | None:
    """Return coherent length (sqrt(barn)) and scattering cross section (barn) of an element; None if unknown."""
    try:
        import NCrystal
    except ImportError:
        return _element_of_periodictable(symbol)
    atom = NCrystal.atomDB(symbol, throwOnErrors=False)
    return None if atom is None else (float(atom.coherentScatLen()), float(atom.scatteringXS()))


def _element_of_periodictable(symbol: str) -> tuple[float, float] | None:
    try:
        import periodictable
    except ImportError as error:
        message = (
            "simulate.composition needs scattering lengths, and neither NCrystal nor periodictable is installed: "
            "pip install 'livered-core[simulator]'."
        )
        raise BackendUnavailable(message) from error
    try:
        neutron = periodictable.elements.symbol(symbol).neutron
    except ValueError:
        return None
    if not neutron.has_sld() or neutron.b_c is None or neutron.total is None:
        return None
    return float(neutron.b_c) / 10.0, float(neutron.total)


def _find(name: str, files: Sequence[str]) -> str:
    """Find a material's file by its name, its formula, or its mineral's name."""
    known: dict[str, list[str]] = {}
    for file in files:
        stem = file.removesuffix(_SUFFIX)
        formula, *rest = stem.split("_")
        for key in {file, stem, formula, *([rest[-1]] if rest else [])}:
            known.setdefault(key.lower(), []).append(file)
    found = known.get(name.lower(), [])
    if len(found) == 1:
        return found[0]
    if found:
        message = f"simulate.sample: {name!r} may be {' or '.join(found)}: give the whole name."
        raise ConfigError(message)
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    offered = ", ".join(dict.fromkeys(known[key][0].removesuffix(_SUFFIX) for key in near))
    message = (
        f"simulate.sample: there is no simulated sample {name!r}; choose one of {', '.join(SAMPLES)}"
        + (f", or did you mean {offered}?" if offered else ", or a material of NCrystal's library.")
    )
    raise ConfigError(message)
