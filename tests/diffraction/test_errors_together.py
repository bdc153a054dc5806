"""Errors that smoothing leaves in common to neighbours: of vanadium, in S(Q) and G(r)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from livered_core import DataModelError
from livered_core.diffraction import (
    BankPatterns,
    MergedPattern,
    SampleScattering,
    TransformOptions,
    TransformPlan,
    bins_together,
    butterworth_error,
    butterworth_smooth,
    linear_edges,
    merge_banks,
    pair_distribution,
    structure_factor,
)

EDGES = linear_edges(0.0, 30.0, 1500)
Q = (EDGES[:-1] + EDGES[1:]) / 2
PLAN = TransformPlan(
    q=Q, r=0.05 * np.arange(1, 401), options=TransformOptions(q_min=0.5, q_max=25.0, engine="own")
)
NICKEL = SampleScattering("Ni", coherent_sr=1.06, total_sr=1.47, n_atoms=1.0)
CUTOFF, ORDER = 60, 2
VANADIUM = 400.0
"""Counts in a bin; the sample is so long measured that it has no error."""


def merged(counts: npt.NDArray[np.float64], block: npt.NDArray[np.int64] | None) -> MergedPattern:
    smooth = butterworth_smooth(counts, CUTOFF, ORDER)
    error = butterworth_error(np.sqrt(np.maximum(counts, 0.0)), CUTOFF, ORDER)
    expected = VANADIUM * (1.0 + 0.4 * np.sin(2.5 * Q) / Q)
    return merge_banks(
        BankPatterns(
            EDGES,
            expected[None],
            np.zeros_like(Q)[None],
            smooth[None],
            vanadium_variance=error[None] ** 2,
            vanadium_block=None if block is None else block[None],
        )
    )


def blocks() -> npt.NDArray[np.int64]:
    return (np.arange(len(Q)) / bins_together(len(Q), CUTOFF, ORDER)).astype(np.int64)


def test_the_error_of_g_is_its_scatter() -> None:
    rng = np.random.default_rng(4)
    drawn, foretold = [], []
    for _ in range(150):
        structure = structure_factor(
            merged(rng.poisson(VANADIUM, len(Q)).astype(float), blocks()), NICKEL, (15.0, 25.0)
        )
        pair = pair_distribution(PLAN, structure)
        drawn.append(pair.g)
        foretold.append(pair.e)
    scatter, error = np.std(drawn, axis=0), np.sqrt(np.mean(np.square(foretold), axis=0))
    # Vanadium is averaged over some tenths of 1/Angstrom: it moves G(r) up to some Angstrom, and hardly beyond.
    near = (PLAN.r > 1.0) & (PLAN.r < 4.0)
    assert np.mean(error[near]) == pytest.approx(np.mean(scatter[near]), rel=0.15)
    far = PLAN.r > 15.0
    assert np.mean(scatter[far]) < 0.2 * np.mean(scatter[near])
    assert np.mean(error[far]) < 0.3 * np.mean(error[near])


def test_blocks_of_one_bin_are_independent_bins() -> None:
    counts = np.random.default_rng(1).poisson(VANADIUM, len(Q)).astype(float)
    plan = TransformPlan(q=Q, r=0.1 * np.arange(1, 101), options=PLAN.options)
    alone = structure_factor(merged(counts, None), NICKEL, (15.0, 25.0))
    each = structure_factor(merged(counts, np.arange(len(Q))), NICKEL, (15.0, 25.0))
    np.testing.assert_allclose(each.error, alone.error, rtol=1e-12)
    assert each.scale_error == pytest.approx(alone.scale_error, rel=1e-9)
    np.testing.assert_allclose(pair_distribution(plan, each).e, pair_distribution(plan, alone).e, rtol=1e-9)
    assert not np.any(each.independent_error > 1e-6 * alone.independent_error.max())


def test_a_filter_averages_over_as_many_bins_as_it_leaves_of_the_variance() -> None:
    n = 3000
    together = bins_together(n, CUTOFF, ORDER)
    smooth = butterworth_smooth(np.random.default_rng(2).standard_normal((200, n)), CUTOFF, ORDER)
    assert np.var(smooth[:, 500:2500]) == pytest.approx(1 / together, rel=0.03)
    assert bins_together(100, 1, 50) == pytest.approx(1.0, abs=0.02)


def test_blocks_of_another_shape_are_refused() -> None:
    ones = np.ones((1, len(Q)))
    with pytest.raises(DataModelError, match=r"vanadium_block\[1, 3\]"):
        BankPatterns(EDGES, ones, ones, ones, vanadium_block=np.zeros((1, 3), np.int64))
