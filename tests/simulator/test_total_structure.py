"""What samples scatter in total: physics that is known of them, and files that say it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.config.simulate import SimulateConfig
from livered_core.errors import BackendUnavailable, ConfigError
from livered_core.simulator.materials import find_crystal, species_of
from livered_core.simulator.sample import load_powder
from livered_core.simulator.structure_factor import EvenTable
from livered_core.simulator.structure_file import read_total_structure
from livered_core.simulator.total_structure import CRYSTAL_SIZE_A, TotalStructure, total_structure_factor

# First neighbours: distance (Angstrom) and number; atoms in a cubic Angstrom (International Tables).
CRYSTALS = {
    "diamond": (1.545, 4.0, 0.1763),
    "silicon": (2.352, 4.0, 0.0500),
    "nickel": (2.492, 12.0, 0.0914),
    "container": (2.863, 12.0, 0.0602),
}


def integral_of(y: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum((y[1:] + y[:-1]) * np.diff(x)) / 2.0)


@pytest.fixture(scope="module")
def totals() -> dict[str, TotalStructure]:
    return {name: total_structure_factor(name) for name in (*CRYSTALS, "vanadium", "liquid", "corundum")}


@pytest.mark.parametrize("name", CRYSTALS)
def test_first_neighbours_and_density(totals: dict[str, TotalStructure], name: str):
    total, (distance, number, density) = totals[name], CRYSTALS[name]
    assert total.first_neighbours is not None
    assert total.number_density is not None
    assert total.first_neighbours[0] == pytest.approx(distance, abs=0.005)
    assert total.first_neighbours[1] == number
    assert total.number_density == pytest.approx(density, rel=5e-3)


@pytest.mark.parametrize("name", ["silicon", "nickel", "diamond"])
def test_the_first_shell_of_g_of_r_holds_the_neighbours_times_the_envelope(
    totals: dict[str, TotalStructure], name: str
):
    total, (distance, number, density) = totals[name], CRYSTALS[name]
    q = np.linspace(0.002, 95.0, 95_000)
    r = np.linspace(distance - 0.5, distance + 0.4, 181)
    s = total.structure_factor(q)
    # D. A. Keen, J. Appl. Cryst. 34 (2001) 172: 4 pi rho0 r (g(r) - 1) = 2 / pi times the integral of Q (S - 1) sin(Q r).
    excess = np.array([2.0 / np.pi * integral_of(q * (s - 1.0) * np.sin(q * x), q) for x in r])
    envelope = total.envelope(r)
    radial = r * excess + 4.0 * np.pi * density * r**2 * envelope
    assert integral_of(radial, r) == pytest.approx(number * total.envelope(np.array([distance]))[0], rel=0.01)
    assert r[np.argmax(radial)] == pytest.approx(distance, abs=0.01)


@pytest.mark.parametrize("name", [*CRYSTALS, "corundum"])
def test_the_sum_rule(totals: dict[str, TotalStructure], name: str):
    """No two atoms are in one place: the integral of Q^2 (S - 1) is -2 pi^2 rho0, within 0.5 %."""
    q = np.linspace(0.0005, 99.0, 198_000)
    integral = integral_of(q**2 * (totals[name].structure_factor(q) - 1.0), q)
    assert integral == pytest.approx(-2.0 * np.pi**2 * totals[name].number_density, rel=5e-3)


@pytest.mark.parametrize("name", [*CRYSTALS, "corundum"])
def test_the_limits_of_s_of_q(totals: dict[str, TotalStructure], name: str):
    total = totals[name]
    assert np.abs(total.structure_factor(np.linspace(80.0, 99.9, 5000)) - 1.0).max() < 1e-3
    assert total.structure_factor(np.array([100.1, 300.0])).tolist() == [1.0, 1.0]
    low = total.structure_factor(np.array([0.02, 0.1, 0.3, 0.6]))
    if name == "corundum":
        # <b>^2 and <b^2> of two Al (3.449 fm) and three O (5.803 fm).
        mean, square = 0.4 * 3.449 + 0.6 * 5.803, 0.4 * 3.449**2 + 0.6 * 5.803**2
        assert low == pytest.approx(1.0 - square / mean**2, abs=0.02)
    else:
        assert low == pytest.approx(0.0, abs=0.02)
    q = np.linspace(0.001, 60.0, 60_000)
    coherent = total.coherent_sr * (total.structure_factor(q) - 1.0) + total.self_sr
    assert coherent.min() > 0.0


def test_peaks_stand_where_bragg_reflections_do(totals: dict[str, TotalStructure]):
    q = np.linspace(2.0, 6.0, 40_001)
    s = totals["diamond"].structure_factor(q)
    for squares in (3, 8, 11, 16):
        expected = 2.0 * np.pi * np.sqrt(squares) / 3.56679
        near = np.abs(q - expected) < 0.06
        if near.any():
            assert q[near][np.argmax(s[near])] == pytest.approx(expected, abs=0.003)
            assert s[near].max() > 5.0


@pytest.mark.parametrize("name", ["diamond", "nickel"])
def test_s_of_q_is_that_of_the_bragg_reflections(totals: dict[str, TotalStructure], name: str):
    """Two ways to one number: pairs of atoms, and NCrystal's |F|^2 with the shape that a sphere gives a reflection.

    The cross section is ``exp(-2 W) (2 pi^2 / (V N)) sum(m |F|^2 (P(Q - G) - P(Q + G)) / G) / Q`` with |F|^2 of atoms
    at rest and ``P(q) = integral of f(r) cos(q r) over r / pi``, and the diffuse rest ``b^2 (1 - exp(-2 W))``.
    """
    total, powder = totals[name], load_powder(name)
    _, information = find_crystal(name)
    msd, b2, size = information.atominfos[0].msd, total.coherent_sr, CRYSTAL_SIZE_A
    g = 2.0 * np.pi / powder.d_spacing
    strength = powder.multiplicity * powder.structure_factor2 * np.exp(g**2 * msd)
    strength *= 2.0 * np.pi**2 / (powder.cell_volume * powder.atoms_per_cell)
    q = np.arange(1.0, 12.0, 0.0137)

    def shape(x: np.ndarray) -> np.ndarray:
        y = np.maximum(np.abs(x) * size, 0.05)
        # The integral of (1 - 3 t / 2 + t^3 / 2) cos(y t) over t from 0 to 1.
        return size / np.pi * (1.5 / y**2 + 3.0 / y**4 - 3.0 * np.cos(y) / y**4 - 3.0 * np.sin(y) / y**3)

    bragg = ((shape(q[:, None] - g) - shape(q[:, None] + g)) * (strength / g)).sum(axis=1) / q
    factor = np.exp(-(q**2) * msd)
    expected = factor * bragg + b2 * (1.0 - factor)
    found = total.coherent_sr * (total.structure_factor(q) - 1.0) + b2
    assert found == pytest.approx(expected, rel=0.0, abs=2e-3)


def test_levels_are_those_of_the_elements(totals: dict[str, TotalStructure]):
    # Sears 1992: nickel 10.3 fm and 18.5 barn, aluminium 3.449 fm and 1.503 barn, vanadium 5.1 barn.
    assert totals["nickel"].coherent_sr == pytest.approx(1.0609, rel=1e-3)
    assert 4.0 * np.pi * totals["nickel"].self_sr == pytest.approx(18.5, rel=5e-3)
    assert 4.0 * np.pi * totals["container"].self_sr == pytest.approx(1.503 + 10.0, rel=1e-3)
    assert 4.0 * np.pi * totals["vanadium"].self_sr == pytest.approx(5.1, rel=2e-3)
    mean = 0.4 * 0.3449 + 0.6 * 0.5803
    assert totals["corundum"].coherent_sr == pytest.approx(mean**2, rel=1e-3)
    assert [totals[name].formula for name in ("diamond", "container", "corundum", "liquid")] == [
        "C",
        "Al",
        "Al2O3",
        "",
    ]


def test_vanadium_scatters_evenly_and_the_liquid_as_hard_spheres(totals: dict[str, TotalStructure]):
    q = np.array([0.3, 2.9, 2.973, 30.0])
    assert totals["vanadium"].structure_factor(q).tolist() == [1.0] * 4
    assert np.ptp(totals["vanadium"].cross_section(q)) == 0.0
    liquid = totals["liquid"]
    assert 4.0 * np.pi * liquid.cross_section(q) == pytest.approx(
        0.5 + 10.0 * liquid.structure_factor(q), rel=1e-12
    )
    assert liquid.number_density == pytest.approx(0.45 * 6.0 / np.pi / 2.5**3)
    assert liquid.envelope(np.array([50.0]))[0] == 1.0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("LiquidWaterH2O_T293.6K", "is not crystalline"),
        ("AcrylicGlass_C5O2H8", "is not crystalline"),
        ("unobtainium", "no simulated sample 'unobtainium'"),
    ],
)
def test_a_sample_that_does_not_do_is_a_sentence(name: str, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        total_structure_factor(name)


@given(q=st.floats(0.0, 9.999), amplitude=st.floats(-3.0, 3.0))
def test_interpolation_is_exact_for_cubic_polynomials(q: float, amplitude: float):
    def cubic(x: np.ndarray) -> np.ndarray:
        return amplitude * (1.0 + 0.3 * x - 0.02 * x**2 + 0.001 * x**3)

    table = EvenTable(0.1, cubic(0.1 * np.arange(101)))
    assert table.structure_factor(np.array([q]))[0] == pytest.approx(cubic(np.array([q]))[0], abs=1e-10)
    assert table.structure_factor(np.array([10.01]))[0] == 1.0


# Files.


def written(folder: Path, text: str) -> Path:
    path = folder / "s.txt"
    path.write_text(text)
    return path


def test_a_file_says_s_of_q(tmp_path: Path):
    path = written(tmp_path, "# silica\n0.5 0.2\n1.5  1.6 # the first peak\n\n10.5\t0.8\n")
    total = read_total_structure(path, "SiO2")
    assert total.structure_factor(np.array([0.1, 0.5, 1.0, 6.0, 10.5, 10.6])) == pytest.approx(
        [0.2, 0.2, 0.9, 1.2, 0.8, 1.0]
    )
    mean = (0.41491 + 2 * 0.5803) / 3.0
    assert total.coherent_sr == pytest.approx(mean**2, rel=2e-3)
    assert 4.0 * np.pi * total.self_sr == pytest.approx((2.167 + 2 * 4.232) / 3.0, rel=1e-3)
    assert (total.name, total.formula, total.number_density, total.first_neighbours) == (
        "SiO2",
        "SiO2",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.5 1.0\n0.6 nan\n", r"s\.txt, line 2: '0.6 nan' is not finite"),
        ("0.5 1.0\ninf 1.0\n", r"line 2: 'inf 1.0' is not finite"),
        ("0.5 1.0\n0.4 1.0\n", r"line 2: Q = 0.4 is not above 0.5 before it"),
        ("0.5 1.0\n0.5 1.0\n", r"line 2: Q = 0.5 is not above 0.5 before it"),
        ("-0.5 1.0\n0.5 1.0\n", r"line 1: Q = -0.5 is not above 0;"),
        ("0.5 1.0\n# here\n0.6 -0.3\n", r"line 3: S\(0.6\) = -0.3, and Ni cannot scatter less than S = 0"),
        ("Q S\n0.5 1.0\n", r"line 1: 'Q S' is not two numbers"),
        ("0.5 1.0 0.1\n", r"line 1: '0.5 1.0 0.1' is not two numbers"),
        ("0.5\n", r"line 1: '0.5' is not two numbers"),
        ("# nothing\n", r"s\.txt has 0 points"),
        ("1.0 1.0\n", r"s\.txt has 1 points"),
        ("", r"s\.txt has 0 points"),
        ("<!DOCTYPE html>\n<html>404</html>\n", r"line 1: '<!DOCTYPE html>' is not two numbers"),
        ("0.5 1.0\n0.6 1e300\n", r"line 2: S\(0.6\) = 1e\+300 is too high"),
        ("0.5 1.0\n9.9 1.0\n", r"from Q = 0.5 to 9.9, and it has to be known from 2 or less to 10 or more"),
        ("2.1 1.0\n30 1.0\n", r"from Q = 2.1 to 30, and it has to be known"),
        ("# \n" * 6_000_000, r"s\.txt has more than 16 MiB"),
    ],
    ids=lambda text: text[:20] if len(text) < 100 else "huge",
)
def test_a_file_that_does_not_do_is_a_sentence(tmp_path: Path, text: str, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        read_total_structure(written(tmp_path, text), "Ni")


def test_a_file_that_is_not_there_or_not_text_is_a_sentence(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"simulate\.s_of_q: .*absent.txt cannot be read"):
        read_total_structure(tmp_path / "absent.txt", "Ni")
    with pytest.raises(ConfigError, match=r"simulate\.s_of_q: .* is not a file"):
        read_total_structure(tmp_path, "Ni")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_total_structure(tmp_path / "b.txt", "Ni")


def test_s_may_be_below_zero_where_scattering_lengths_differ(tmp_path: Path):
    total = read_total_structure(written(tmp_path, "0.1 -0.04\n15 1\n"), "Al2O3")
    assert total.cross_section(np.array([0.1]))[0] > 0.0
    with pytest.raises(ConfigError, match=r"S\(0.1\) = -0.07, and Al2O3 cannot scatter less than S = -0.05"):
        read_total_structure(written(tmp_path, "0.1 -0.07\n15 1\n"), "Al2O3")


@pytest.mark.parametrize(
    ("composition", "sentence"),
    [
        ("Xx2O", r"no scattering length is known for 'Xx' in 'Xx2O'"),
        ("sio2", r"'sio2' is not a chemical formula"),
        ("Si(OH)4", r"'Si\(OH\)4' is not a chemical formula"),
        ("Si0", r"'Si0' is not a chemical formula"),
        ("", r"'' is not a chemical formula"),
        ("Ti0.676Zr0.324", r"mean coherent scattering length of nearly 0"),
    ],
)
def test_a_composition_that_does_not_do_is_a_sentence(tmp_path: Path, composition: str, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        read_total_structure(written(tmp_path, "0.5 1\n11 1\n"), composition)


def test_a_composition_is_counted_whatever_its_order():
    assert [(one.symbol, one.fraction) for one in species_of("HOH")] == [("H", 2 / 3), ("O", 1 / 3)]
    assert [one.fraction for one in species_of("Ge0.2Se0.8")] == pytest.approx([0.2, 0.8])


def test_deuterium_is_an_element():
    deuterium, oxygen = species_of("D2O")
    # Sears 1992: 6.671 fm and 7.64 barn.
    assert (deuterium.symbol, deuterium.fraction, oxygen.symbol) == ("D", 2 / 3, "O")
    assert deuterium.coherent_length == pytest.approx(0.6671, rel=1e-3)
    assert deuterium.scattering_barn == pytest.approx(7.64, rel=2e-3)


@pytest.mark.parametrize("formula", ["SiO2", "D2O"])
def test_without_ncrystal_periodictable_says_the_scattering_lengths(
    monkeypatch: pytest.MonkeyPatch, formula: str
):
    pytest.importorskip("periodictable")
    by_ncrystal = species_of(formula)
    monkeypatch.setitem(sys.modules, "NCrystal", None)
    for one, other in zip(species_of(formula), by_ncrystal, strict=True):
        assert one.coherent_length == pytest.approx(other.coherent_length, rel=2e-3)
        assert one.scattering_barn == pytest.approx(other.scattering_barn, rel=2e-3)
    with pytest.raises(ConfigError, match="no scattering length is known for 'Xx'"):
        species_of("XxO")
    monkeypatch.setitem(sys.modules, "periodictable", None)
    with pytest.raises(BackendUnavailable, match="neither NCrystal nor periodictable is installed"):
        species_of("SiO2")


def test_a_file_and_its_composition_are_set_together(tmp_path: Path):
    with pytest.raises(ValueError, match="s_of_q needs a composition"):
        SimulateConfig(s_of_q=tmp_path / "s.txt")
    with pytest.raises(ValueError, match="composition says of what s_of_q is, which is not set"):
        SimulateConfig(composition="SiO2")
    assert SimulateConfig(s_of_q=tmp_path / "s.txt", composition="SiO2").sample_name == "SiO2"
    assert SimulateConfig(sample="nickel", total_scattering=True).sample_name == "nickel"
