"""Mantid's instrument definition format (IDF) to pixel positions, L1, L2, two-theta and DIFC.

`read_instrument` goes three steps: `document` parses XML that nobody vouches for, `language` turns its elements
into nouns, and `placing` puts every component where the nouns, and the logs on which they depend, say.
`choose_definition` finds the version that is valid at a time, and `InstrumentCache` keeps what has been read.
"""

from livered_core.geometry.cache import InstrumentCache
from livered_core.geometry.logs import LogUse, extract_value, wanted_logs
from livered_core.geometry.neutron import (
    NEUTRON_MASS,
    PLANCK,
    TOF_US_PER_METRE_ANGSTROM,
    difc,
    tof_from_wavelength,
    wavelength_from_tof,
)
from livered_core.geometry.reader import moving_logs, read_instrument
from livered_core.geometry.versions import Validity, choose_definition, read_validity

__all__ = [
    "NEUTRON_MASS",
    "PLANCK",
    "TOF_US_PER_METRE_ANGSTROM",
    "InstrumentCache",
    "LogUse",
    "Validity",
    "choose_definition",
    "difc",
    "extract_value",
    "moving_logs",
    "read_instrument",
    "read_validity",
    "tof_from_wavelength",
    "wanted_logs",
    "wavelength_from_tof",
]
