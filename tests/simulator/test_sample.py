from __future__ import annotations

import numpy as np
import pytest

from livered_core.errors import ConfigError
from livered_core.simulator.moderator import Resolution, Spectrum
from livered_core.simulator.sample import load_powder

# Lattice parameters at room temperature, Angstrom (International Tables; CODATA for silicon).
LATTICE = {"diamond": 3.567, "silicon": 5.4310, "nickel": 3.524}
FIRST = {"diamond": (1, 1, 1), "silicon": (1, 1, 1), "nickel": (1, 1, 1)}


@pytest.mark.parametrize("name", LATTICE)
def test_reflections_stand_at_the_d_of_the_lattice(name: str):
    powder = load_powder(name)
    h, k, l = FIRST[name]  # noqa: E741
    assert powder.d_spacing[0] == pytest.approx(LATTICE[name] / np.sqrt(h * h + k * k + l * l), rel=2e-4)
    assert np.all(np.diff(powder.d_spacing) < 1e-9)


def test_diamond_has_no_reflections_that_its_space_group_forbids():
    powder = load_powder("diamond")
    d_200, d_222 = LATTICE["diamond"] / 2.0, LATTICE["diamond"] / np.sqrt(12.0)
    for forbidden in (d_200, d_222):
        assert np.abs(powder.d_spacing / forbidden - 1.0).min() > 0.01


@pytest.mark.parametrize("name", LATTICE)
def test_intensity_at_all_angles_adds_up_to_the_cross_section_of_ncrystal(name: str):
    """Integrate the intensity at fixed angle over the sphere: the powder's Bragg cross section comes out."""
    import NCrystal

    powder = load_powder(name)
    material = {"diamond": "C_sg227_Diamond.ncmat", "silicon": "Si_sg227.ncmat", "nickel": "Ni_sg225.ncmat"}[
        name
    ]
    bragg = NCrystal.createScatter(f"{material};comp=bragg")
    low, high = 0.9, 1.1
    wavelength = np.linspace(low, high, 20_001)
    expected = np.mean(bragg.xsect(wl=wavelength)) * (high - low)

    two_theta = (np.arange(20_000) + 0.5) * (np.pi / 20_000)
    of_line = 2.0 * powder.d_spacing[:, np.newaxis] * np.sin(two_theta / 2.0)
    per_steradian = powder.bragg_strength()[:, np.newaxis] * of_line * ((of_line > low) & (of_line < high))
    total = np.sum(per_steradian * 2.0 * np.pi * np.sin(two_theta)) * (np.pi / 20_000)
    assert total == pytest.approx(expected, rel=2e-3)


def test_the_background_is_what_ncrystal_scatters_besides():
    powder = load_powder("nickel")
    # At long wavelengths the incoherent cross section of nickel (5.2 barn) remains.
    assert 4.0 * np.pi * powder.diffuse_per_steradian(np.array([3.0]), np.array([2.0]))[0] == pytest.approx(
        5.2, rel=0.2
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Al2O3_sg167_Corundum", "Al2O3_sg167_Corundum.ncmat"),
        ("corundum", "Al2O3_sg167_Corundum.ncmat"),
        ("CeO2", "CeO2_sg225_CeriumOxide.ncmat"),
        ("cu_SG225.ncmat", "Cu_sg225.ncmat"),
        ("container", "Al_sg225.ncmat"),
        ("vanadium", "V_sg229.ncmat"),
    ],
)
def test_materials_of_the_library_are_found_by_name_formula_and_mineral(name: str, file: str):
    import NCrystal

    information = NCrystal.createInfo(file)
    longest = max(row[4] for row in information.hklList())
    assert load_powder(name).d_spacing.max() == longest


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("unobtainium", r"no simulated sample 'unobtainium'; choose one of diamond, silicon, nickel"),
        ("corundumm", r"did you mean Al2O3_sg167_Corundum"),
        ("TiO2", r"'TiO2' may be TiO2_sg136_Rutile.ncmat or TiO2_sg141_Anatase.ncmat"),
        ("LiquidWaterH2O_T293.6K", "is not crystalline, and has no reflections to show"),
    ],
)
def test_a_sample_that_does_not_do_is_a_sentence(name: str, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        load_powder(name)


def test_vanadium_is_nearly_all_incoherent_and_a_container_mostly_background():
    vanadium = load_powder("vanadium")
    two, one = np.array([2.0]), np.array([1.0])
    # 5.08 barn incoherent (Sears 1992), and a little inelastic scattering.
    assert 4.0 * np.pi * vanadium.diffuse_per_steradian(two, one)[0] == pytest.approx(5.1, rel=0.1)
    assert vanadium.bragg_strength().sum() < 0.02 * load_powder("nickel").bragg_strength().sum()
    assert 4.0 * np.pi * load_powder("container").diffuse_per_steradian(two, one)[0] > 10.0


def test_the_liquid_is_that_of_percus_and_yevick():
    spheres = load_powder("liquid").liquid
    assert spheres is not None
    eta, sigma = spheres.packing, spheres.diameter
    s = np.linspace(0.0, 1.0, 20_001)
    alpha = (1 + 2 * eta) ** 2 / (1 - eta) ** 4
    beta = -6 * eta * (1 + eta / 2) ** 2 / (1 - eta) ** 4
    gamma = eta * alpha / 2
    for q in (0.05, 1.0, 2.8, 5.0, 20.0):
        direct = s**2 * np.sinc(s * q * sigma / np.pi) * (alpha + beta * s + gamma * s**3)
        integral = np.sum((direct[1:] + direct[:-1]) / 2) * (s[1] - s[0])
        assert spheres.structure_factor(np.array([q]))[0] == pytest.approx(
            1 / (1 + 24 * eta * integral), rel=1e-5
        )
    compressibility = (1 - eta) ** 4 / (1 + 2 * eta) ** 2
    assert spheres.structure_factor(np.array([1e-3]))[0] == pytest.approx(compressibility, rel=1e-3)
    q = np.linspace(1.0, 5.0, 4001)
    # The first peak stands near 2 pi over the distance of neighbours.
    assert q[np.argmax(spheres.structure_factor(q))] == pytest.approx(2.8, abs=0.15)
    assert load_powder("liquid").bragg_strength().size == 0


def test_the_spectrum_has_a_hump_and_a_tail():
    spectrum = Spectrum()
    wavelength = np.linspace(0.05, 10.0, 5000)
    flux = spectrum(wavelength)
    assert np.all(np.isfinite(flux))
    assert np.all(flux > 0)
    hump = wavelength[wavelength > 1.0][np.argmax(flux[wavelength > 1.0])]
    assert hump == pytest.approx(np.sqrt(2.0 / 5.0 * 949.3 / spectrum.temperature), rel=0.01)
    short = spectrum(np.array([0.1, 0.2]))
    assert short[0] / short[1] == pytest.approx(2.0, rel=0.01)


def test_resolution_is_sharp_behind_and_broad_in_front():
    width = Resolution()(np.radians([7.0, 31.0, 170.0]))
    assert width[0] == pytest.approx(0.025, rel=0.1)
    assert width[1] == pytest.approx(0.006, rel=0.1)
    assert width[2] == pytest.approx(0.003, rel=0.05)
