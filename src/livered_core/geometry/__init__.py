"""Mantid's instrument definition format (IDF) to pixel positions, L1, L2, two-theta and DIFC.

`read_instrument` goes three steps: `document` parses XML that nobody vouches for, `language` turns its elements
into nouns, and `placing` puts every component where the nouns say.
"""

from livered_core.geometry.logs import wanted_logs
from livered_core.geometry.neutron import (
    NEUTRON_MASS,
    PLANCK,
    TOF_US_PER_METRE_ANGSTROM,
    difc,
    tof_from_wavelength,
    wavelength_from_tof,
)
from livered_core.geometry.reader import read_instrument

__all__ = [
    "NEUTRON_MASS",
    "PLANCK",
    "TOF_US_PER_METRE_ANGSTROM",
    "difc",
    "read_instrument",
    "tof_from_wavelength",
    "wanted_logs",
    "wavelength_from_tof",
]
