from __future__ import annotations

import math

import numpy as np
import pytest

from livered_core.geometry import (
    TOF_US_PER_METRE_ANGSTROM,
    difc,
    tof_from_wavelength,
    wavelength_from_tof,
)


def test_a_neutron_of_1_798_angstrom_flies_2200_metres_a_second():
    # The textbook's thermal neutron.
    assert pytest.approx(2200.0, rel=2e-4) == 1e6 / (TOF_US_PER_METRE_ANGSTROM * 1.798)


def test_wavelength_and_tof_are_inverse():
    wavelength = np.linspace(0.1, 3.0, 7)
    tof = tof_from_wavelength(wavelength, 20.5)
    np.testing.assert_allclose(wavelength_from_tof(tof, 20.5), wavelength, rtol=1e-14)
    assert tof_from_wavelength(2.0, 10.0) == pytest.approx(20.0 * 252.777, rel=1e-5)


def test_difc_is_bragg_and_de_broglie(read):
    instrument = read(
        '<component type="pixel" idlist="ids"><location x="2"/><location z="-1.5"/></component>'
        '<idlist idname="ids" start="0" end="1"/>'
    )
    # At 90 degrees lambda = 2 d sin(45), at 180 degrees lambda = 2 d.
    expected = [
        tof_from_wavelength(2.0 * math.sin(math.pi / 4), 12.0),
        tof_from_wavelength(2.0, 11.5),
    ]
    np.testing.assert_allclose(difc(instrument), expected, rtol=1e-14)
