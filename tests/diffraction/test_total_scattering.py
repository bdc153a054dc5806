from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core import BackendUnavailable, DataModelError
from livered_core.diffraction import (
    BankPatterns,
    SampleScattering,
    StructureFactor,
    TransformOptions,
    TransformPlan,
    coordination_number,
    linear_edges,
    merge_banks,
    pair_distribution,
    sample_scattering,
    statistical_error,
    statistics,
    structure_factor,
    time_to_reach,
)

EDGES = linear_edges(0.0, 30.0, 1500)
Q = (EDGES[:-1] + EDGES[1:]) / 2
R = 0.02 * np.arange(1, 501)
NICKEL = SampleScattering("Ni", coherent_sr=1.06, total_sr=1.47, n_atoms=1.0)
HAS_PYSTOG = hasattr(np, "trapezoid") and pytest.importorskip("pystog", reason="no pystog here") is not None


def test_scattering_lengths_of_elements_and_compounds() -> None:
    nickel = sample_scattering("Ni")
    assert nickel.coherent_sr == pytest.approx(1.061, rel=0.01)  # 10.3 fm
    assert nickel.total_sr == pytest.approx(18.5 / 4 / np.pi, rel=0.01)
    silica = sample_scattering("SiO2")
    assert silica.n_atoms == 3
    assert silica.coherent_sr == pytest.approx(0.01 * ((4.1491 + 2 * 5.803) / 3) ** 2, rel=0.01)
    assert sample_scattering("D2O").coherent_sr > 4 * sample_scattering("HDO").coherent_sr


@pytest.mark.parametrize(
    ("formula", "words"),
    [("Xx", "cannot be read"), ("", "no atoms"), ("Ti0.676Zr0.324", "hardly anything"), ("At", "no neutron")],
)
def test_compositions_that_have_no_structure_factor(formula: str, words: str) -> None:
    with pytest.raises(DataModelError, match=words):
        sample_scattering(formula)


def pair_structure(r0: float = 2.5, width: float = 0.08, number: float = 6.0) -> Any:
    return 1 + number * np.sin(Q * r0) / (Q * r0) * np.exp(-0.5 * (Q * width) ** 2)


def banks_of(s: Any, exposure: float, rng: np.random.Generator | None, n_banks: int = 3) -> BankPatterns:
    """Banks that see S(Q) of nickel with Poisson counts; each has its own part of Q, and they overlap."""
    shape = np.stack([np.exp(-(((Q - 6 - 7 * bank) / 9) ** 2)) for bank in range(n_banks)])
    vanadium = 40.0 * shape
    expected = vanadium * (NICKEL.coherent_sr * (s - 1) + NICKEL.total_sr)
    counts = expected * exposure if rng is None else rng.poisson(expected * exposure)
    return BankPatterns(EDGES, counts / exposure, counts / exposure**2, vanadium)


def structure_of(s: Any, exposure: float = 100.0, rng: np.random.Generator | None = None) -> StructureFactor:
    return structure_factor(merge_banks(banks_of(s, exposure, rng)), NICKEL, (20.0, 28.0))


def test_structure_factor_comes_back() -> None:
    s = pair_structure()
    structure = structure_of(s)
    covered = structure.covered
    assert covered.sum() > 1000
    assert structure.s[covered] == pytest.approx(s[covered], abs=0.02)  # the level is S's own mean there
    assert (structure.s[~covered] == 1).all()
    assert np.isfinite(structure.s).all()
    assert np.isfinite(structure.error).all()


@pytest.mark.parametrize("exposure", [0.05, 5.0])
def test_scatter_and_mean_of_s_are_as_stated_however_few_the_counts(exposure: float) -> None:
    rng = np.random.default_rng(5)
    s = pair_structure()
    drawn = [structure_of(s, exposure, rng) for _ in range(200)]
    values = np.array([one.s for one in drawn])
    good = drawn[0].covered & (Q > 2)
    stated = np.sqrt(np.mean([one.counts_variance + one.floor_variance for one in drawn], axis=0))
    pull = (values.mean(axis=0) - s)[good] / (values.std(axis=0)[good] / np.sqrt(200))
    # The level's error is common to all bins: their mean pull is one of its own.
    assert abs(pull.mean()) < 1.0
    ratio = values.std(axis=0)[good] / stated[good]
    assert ratio.mean() == pytest.approx(1, abs=0.03)


def test_scatter_of_g_is_as_stated() -> None:
    rng = np.random.default_rng(7)
    s = pair_structure()
    options = TransformOptions(q_min=1.0, q_max=25.0, fourier_cutoff=1.2, engine="own")
    plan = TransformPlan(Q, R, options)
    pairs = [pair_distribution(plan, structure_of(s, 1.0, rng)) for _ in range(300)]
    scatter = np.std([pair.g for pair in pairs], axis=0)
    stated = np.sqrt(np.mean([pair.e**2 for pair in pairs], axis=0))
    good = stated > 0.05 * stated.max()
    assert (scatter / stated)[good].mean() == pytest.approx(1, abs=0.05)
    assert (scatter / stated)[good] == pytest.approx(np.ones(good.sum()), abs=0.25)


@pytest.mark.parametrize("lorch", [False, True])
def test_a_pair_distance_is_a_peak_of_its_area(lorch: bool) -> None:
    options = TransformOptions(q_min=0.5, q_max=28.0, lorch=lorch, engine="own")
    pair = pair_distribution(TransformPlan(Q, R, options), structure_of(pair_structure()))
    near = (R > 1.9) & (R < 3.1)
    centre = (R[near] * pair.g[near]).sum() / pair.g[near].sum()
    assert centre == pytest.approx(2.5, abs=0.01)
    # r G(r) integrates to the number of neighbours.
    number, _ = coordination_number(pair, 0.0, 1.9, 3.1)
    assert number == pytest.approx(6.0, rel=0.03)
    assert pair.n_interpolated == 0


def test_no_structure_gives_no_pairs() -> None:
    options = TransformOptions(q_max=28.0, fourier_cutoff=1.5, engine="own")
    pair = pair_distribution(TransformPlan(Q, R, options), structure_of(np.ones_like(Q)))
    assert np.abs(pair.g).max() < 1e-9


@pytest.mark.skipif(not HAS_PYSTOG, reason="pystog needs numpy 2")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lorch": True},
        {"fourier_cutoff": 1.3},
        {"fourier_cutoff": 1.3, "number_density": 0.09, "lorch": True},
    ],
)
def test_our_transform_is_pystogs(changes: dict[str, Any]) -> None:
    structure = structure_of(pair_structure(), 1.0, np.random.default_rng(1))
    pairs = [
        pair_distribution(
            TransformPlan(Q, R, TransformOptions(q_min=0.8, q_max=26.0, engine=engine, **changes)), structure
        )
        for engine in ("own", "pystog")
    ]
    assert pairs[0].g == pytest.approx(pairs[1].g, rel=1e-9, abs=1e-9 * np.abs(pairs[1].g).max())


def test_the_filter_takes_out_what_is_below_the_first_distance() -> None:
    s = pair_structure() + 0.5 * np.sin(Q * 0.6) / (Q * 0.6)
    plans = [
        TransformPlan(Q, R, TransformOptions(q_max=28.0, fourier_cutoff=cutoff, engine="own"))
        for cutoff in (None, 1.5)
    ]
    raw, filtered = (pair_distribution(plan, structure_of(s)) for plan in plans)
    low, peak = R < 1.0, (R > 2.2) & (R < 2.8)
    assert np.abs(filtered.g[low]).max() < 0.3 * np.abs(raw.g[low]).max()
    assert filtered.g[peak] == pytest.approx(raw.g[peak], abs=0.12 * raw.g.max())


def test_gaps_are_interpolated_and_counted() -> None:
    banks = banks_of(pair_structure(), 100.0, None)
    holed = banks.vanadium.copy()
    holed[:, 400:410] = 0.0
    merged = merge_banks(BankPatterns(EDGES, banks.sample, banks.variance, holed))
    structure = structure_factor(merged, NICKEL, (20.0, 28.0))
    plan = TransformPlan(Q, R, TransformOptions(q_max=28.0, engine="own"))
    pair = pair_distribution(plan, structure)
    assert pair.n_interpolated == 10
    whole = pair_distribution(plan, structure_of(pair_structure()))
    assert pair.g == pytest.approx(whole.g, abs=0.03 * whole.g.max())


@given(st.floats(0.1, 0.9), st.integers(0, 2**32 - 1))
def test_a_bank_in_two_parts_is_the_same_bank(part: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    banks = banks_of(pair_structure(), 1.0, rng, n_banks=1)
    shares = np.array([[part], [1 - part]])
    split = BankPatterns(EDGES, banks.sample * shares, banks.variance * shares, banks.vanadium * shares)
    one, two = merge_banks(banks), merge_banks(split)
    assert two.intensity == pytest.approx(one.intensity, rel=1e-12, abs=1e-15)
    assert two.error == pytest.approx(one.error, rel=1e-12, abs=1e-15)


def test_limits_of_banks_hold() -> None:
    banks = banks_of(pair_structure(), 100.0, None)
    merged = merge_banks(banks, [None, 10.0, None], [8.0, 12.0, None])
    assert merged.n_banks[(EDGES[:-1] > 8.01) & (EDGES[1:] < 9.99)].max() == 1
    with pytest.raises(DataModelError, match="2 limits for 3 banks"):
        merge_banks(banks, [None, None])


@pytest.mark.parametrize(
    ("level", "words"), [((29.9, 29.91), "no bank covers"), ((40.0, 50.0), "no bank covers")]
)
def test_a_level_that_is_not_there(level: tuple[float, float], words: str) -> None:
    with pytest.raises(DataModelError, match=words):
        structure_factor(merge_banks(banks_of(pair_structure(), 1.0, None)), NICKEL, level)


def test_no_counts_have_no_level() -> None:
    banks = banks_of(pair_structure(), 1.0, None)
    empty = BankPatterns(EDGES, 0 * banks.sample, 0 * banks.sample, banks.vanadium)
    with pytest.raises(DataModelError, match="not above 0: wait for more counts"):
        structure_factor(merge_banks(empty), NICKEL, (20.0, 28.0))


def test_transforms_that_cannot_be() -> None:
    with pytest.raises(DataModelError, match="fewer than two bins"):
        TransformPlan(Q, R, TransformOptions(q_min=29.99, q_max=30.0))
    with pytest.raises(DataModelError, match="give 0 <= q_min < q_max"):
        TransformOptions(q_min=3.0, q_max=2.0)
    with pytest.raises(DataModelError, match="fourier_cutoff"):
        TransformOptions(fourier_cutoff=-1.0)
    plan = TransformPlan(Q[:-1], R, TransformOptions())
    with pytest.raises(DataModelError, match="make a TransformPlan for these bins"):
        pair_distribution(plan, structure_of(pair_structure()))


def test_pystog_that_is_asked_for_and_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pystog", None)
    assert not TransformPlan(Q, R, TransformOptions()).uses_pystog
    with pytest.raises(BackendUnavailable, match=r"livered-core\[pystog\]"):
        TransformPlan(Q, R, TransformOptions(engine="pystog"))


def test_the_error_falls_as_time_goes_on_and_the_rest_of_it_is_foretold() -> None:
    s, q_range = pair_structure(), (10.0, 20.0)
    rng = np.random.default_rng(3)
    early = statistical_error(structure_of(s, 1.0, rng), q_range)
    late = statistical_error(structure_of(s, 16.0, rng), q_range)
    assert late.total == pytest.approx(early.total / 4, rel=0.05)
    left = time_to_reach(early, late.total, elapsed_s=100.0)
    assert left == pytest.approx(1500, rel=0.1)


def test_a_floor_is_never_passed() -> None:
    banks = banks_of(pair_structure(), 10.0, None)
    noisy = BankPatterns(
        EDGES, banks.sample, banks.variance, banks.vanadium, container_variance=100 * banks.variance
    )
    structure = structure_factor(merge_banks(noisy), NICKEL, (20.0, 28.0))
    error = statistical_error(structure, (10.0, 20.0))
    assert error.floor == pytest.approx(10 * error.falling, rel=0.01)
    said = statistics(structure, (10.0, 20.0), error.falling, 60.0)
    assert said.seconds_left is None
    assert "never" in said.sentence
    reached = statistics(structure, (10.0, 20.0), 2 * error.total, 60.0)
    assert (reached.seconds_left, reached.sentence[-7:]) == (0.0, "reached")
    assert statistics(None, (10.0, 20.0), 0.1, 0.0).error is None
    assert "no bank counts" in statistics(structure, (40.0, 50.0), 0.1, 60.0).sentence
