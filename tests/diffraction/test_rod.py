from __future__ import annotations

import numpy as np
import pytest

from livered_core import DataModelError
from livered_core.diffraction import VanadiumRod, multiple_scattering, rod_factor, transmission

NOTHING = np.zeros(1)


def rod(mu_r: float) -> VanadiumRod:
    """A rod that only scatters, 1 cm in radius."""
    return VanadiumRod(radius_cm=1.0, number_density=mu_r, scattering_barn=1.0, absorption_barn=0.0)


@pytest.mark.parametrize("mu_r", [0.05, 0.1, 0.2, 0.5, 1.0, 2.0])
def test_forward_transmission_is_the_mean_over_the_chords(mu_r: float) -> None:
    # Forward, a neutron goes along one chord: the mean over the disc is one integral.
    aside = np.linspace(-1, 1, 400_001)
    chord = 2 * np.sqrt(1 - aside**2)
    expected = np.sum(chord * np.exp(-mu_r * chord)) * (aside[1] - aside[0]) / np.pi
    assert transmission(rod(mu_r), NOTHING, 0.0)[0] == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize(("mu_r", "absorption"), [(0.1, 1.1843), (0.5, 2.2996), (1.0, 5.0907)])
def test_absorption_factors_are_those_of_the_international_tables(mu_r: float, absorption: float) -> None:
    assert 1 / transmission(rod(mu_r), NOTHING, 0.0)[0] == pytest.approx(absorption, rel=3e-4)


def test_backwards_more_comes_out() -> None:
    angles = np.linspace(0, np.pi, 10)
    through = [transmission(rod(1.0), NOTHING, float(angle))[0] for angle in angles]
    assert (np.diff(through) > 0).all()


def test_a_thin_rod_changes_nothing() -> None:
    wavelength = np.linspace(0, 3, 5)
    assert rod_factor(rod(1e-6), wavelength, 1.0) == pytest.approx(np.ones(5), abs=1e-5)


def test_multiple_scattering_of_a_thin_rod_is_its_mean_way_out() -> None:
    # To first order delta is mu times the mean way to the surface: by simulation.
    rng = np.random.default_rng(3)
    n = 400_000
    r, azimuth = np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    x, y = r * np.cos(azimuth), r * np.sin(azimuth)
    cosine, towards = rng.uniform(-1, 1, n), 2 * np.pi * rng.random(n)
    along = x * np.cos(towards) + y * np.sin(towards)
    aside = x * np.sin(towards) - y * np.cos(towards)
    way = (np.sqrt(1 - aside**2) - along) / np.sqrt(1 - cosine**2)
    mu = 0.02
    expected = 1 / (1 - np.mean(1 - np.exp(-mu * way)))
    ratio = multiple_scattering(rod(mu), NOTHING)[0]
    assert ratio - 1 == pytest.approx(expected - 1, rel=0.02)
    assert 0 < ratio - 1 < 0.05


def test_vanadium_scatters_some_ten_percent_more_than_once() -> None:
    wavelength = np.array([0.1, 1.0, 1.798])
    ratio = multiple_scattering(VanadiumRod(), wavelength)
    assert (ratio > 1.08).all()
    assert (ratio < 1.16).all()
    # What absorbs more scatters less often again.
    assert (np.diff(ratio) < 0).all()
    assert (np.diff(transmission(VanadiumRod(), wavelength, 1.0)) < 0).all()


def test_a_rod_of_nothing_is_refused() -> None:
    with pytest.raises(DataModelError, match="no rod that scatters"):
        VanadiumRod(scattering_barn=0.0)
    with pytest.raises(DataModelError, match="no rod that scatters"):
        VanadiumRod(radius_cm=-1.0)
