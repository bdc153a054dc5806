from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livered_core.diffraction import (
    DIAMOND_A,
    PeakFinder,
    cubic_reflections,
    linear_edges,
    log_edges,
    nearest_reflection,
    strongest_peak,
)
from livered_core.diffraction.peak_windows import Bins, Search

GOLDEN = Path(__file__).parent / "golden_patterns.npz"
EDGES = log_edges(0.1, 8.0, 6000)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2


def peaked(d: float, fwhm: float, counts: float, edges: Any = EDGES) -> Any:
    """Expected counts per bin of a Gaussian peak; `fwhm` is relative."""
    centres = (edges[1:] + edges[:-1]) / 2
    sigma = d * fwhm / 2.3548
    shape = np.exp(-0.5 * ((centres - d) / sigma) ** 2) * np.diff(edges)
    return counts * shape / shape.sum()


def flat(counts: float, edges: Any = EDGES) -> Any:
    return np.full(len(edges) - 1, counts / (len(edges) - 1))


def moderated(counts: float, spread: float = 0.4) -> Any:
    """A smooth hump, as the spectrum of a moderator makes of an incoherent scatterer."""
    shape = np.exp(-0.5 * (np.log(CENTRES / 1.2) / spread) ** 2) + 0.03
    return counts * shape / shape.sum()


@pytest.mark.parametrize("fwhm", [0.003, 0.008, 0.02, 0.06])
@pytest.mark.parametrize("seed", range(3))
def test_a_peak_is_found_where_it_is(fwhm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pattern = rng.poisson(peaked(1.2612, fwhm, 3000) + moderated(30_000))
    peak = strongest_peak(EDGES, pattern)
    assert peak is not None
    # Three standard deviations of the mean of 3000 counts, and as much again for the background.
    assert abs(peak.d / 1.2612 - 1) < 6 * fwhm / 2.3548 / np.sqrt(3000)
    assert peak.fwhm / peak.d == pytest.approx(fwhm, rel=0.3)
    assert peak.significance > 10


@pytest.mark.parametrize("seed", range(5))
def test_forty_counts_are_enough_among_6000_bins(seed: int) -> None:
    # On average 0.02 counts of background in a bin, never more than a few in any.
    pattern = np.random.default_rng(seed).poisson(peaked(2.0595, 0.01, 40) + flat(120))
    peak = strongest_peak(EDGES, pattern)
    assert peak is not None
    assert abs(peak.d / 2.0595 - 1) < 0.003


def test_height_is_in_counts_per_bin_above_the_background() -> None:
    expected = peaked(1.0755, 0.01, 1e6)
    peak = strongest_peak(EDGES, np.round(expected + flat(6e5)).astype(np.int64))
    assert peak is not None
    assert peak.height == pytest.approx(expected.max(), rel=0.01)


def test_the_most_significant_of_several_peaks_is_taken() -> None:
    pattern = np.random.default_rng(3).poisson(
        peaked(2.0595, 0.008, 500) + peaked(1.2612, 0.008, 4000) + peaked(1.0755, 0.008, 800) + flat(5000)
    )
    peak = strongest_peak(EDGES, pattern)
    assert peak is not None
    assert peak.d == pytest.approx(1.2612, rel=1e-3)


@pytest.mark.parametrize("total", [10, 1000, 100_000, 10_000_000])
@pytest.mark.parametrize("shape", ["flat", "hump", "steeper hump", "edge", "slope"])
def test_there_is_no_peak_where_there_is_none(shape: str, total: int) -> None:
    expected = {
        "flat": flat(1.0),
        "hump": moderated(1.0),
        "steeper hump": moderated(1.0, 0.22),
        "edge": np.where(CENTRES > 1.1, 1.0, 0.05),
        "slope": CENTRES**3,
    }[shape]
    rng = np.random.default_rng(8)
    for _ in range(5):
        assert strongest_peak(EDGES, rng.poisson(expected * total / expected.sum())) is None


def test_linear_edges_from_zero_work() -> None:
    edges = linear_edges(0.0, 5.0, 1000)
    pattern = np.random.default_rng(2).poisson(peaked(2.0595, 0.015, 2000, edges) + flat(10_000, edges))
    peak = strongest_peak(edges, pattern)
    assert peak is not None
    assert peak.d == pytest.approx(2.0595, rel=1e-3)


@pytest.mark.parametrize(
    ("edges", "counts"),
    [
        (EDGES, np.zeros(6000, np.int64)),
        (np.array([1.0, 2.0]), np.array([5])),
        (np.array([-2.0, -1.0]), np.array([5])),
        (np.array([1.0, 2.0, 3.0]), np.array([0, 10**12])),
    ],
)
def test_patterns_that_cannot_have_a_peak(edges: Any, counts: Any) -> None:
    assert strongest_peak(edges, counts) is None


def test_inputs_are_not_modified() -> None:
    counts = np.random.default_rng(1).poisson(peaked(1.0, 0.01, 500) + flat(500))
    edges, before = EDGES.copy(), counts.copy()
    strongest_peak(edges, counts)
    np.testing.assert_array_equal(edges, EDGES)
    np.testing.assert_array_equal(counts, before)


def test_the_peaks_of_diamond_in_patterns_of_mantid() -> None:
    reflections = cubic_reflections(DIAMOND_A, "diamond", 0.3)
    with np.load(GOLDEN) as golden:
        edges, patterns = golden["rebin_log_edges"], golden["masked_log_counts"]
    found = [strongest_peak(edges, pattern.astype(np.int64)) for pattern in patterns]
    assert found[5] is None  # six counts in the one pixel in use
    for peak, hkl in zip(found[:5], [(1, 1, 1)] * 3 + [(2, 2, 0)] * 2, strict=True):
        assert peak is not None
        nearest = nearest_reflection(peak.d, reflections)
        assert nearest is not None
        assert nearest.hkl == hkl
        assert abs(peak.d / nearest.d - 1) < 2e-4
        # The events were made with sigma from 0.2 to 0.5 percent.
        assert 0.005 < peak.fwhm / peak.d < 0.011


def plain_significance(edges: Any, counts: Any, width: float) -> Any:
    """Li and Ma's significance of each bin's window over both bands beside it, bin by bin."""
    log_edges_ = np.log(edges)
    found = np.zeros(len(counts))

    def window(low: float, high: float) -> tuple[float, float]:
        inside = np.flatnonzero((log_edges_[:-1] >= low) & (log_edges_[1:] <= high))
        if len(inside) == 0:
            return 0.0, 0.0
        return float(counts[inside].sum()), float(log_edges_[inside[-1] + 1] - log_edges_[inside[0]])

    for place, centre in enumerate((log_edges_[1:] + log_edges_[:-1]) / 2):
        if centre - 3 * width < log_edges_[0] or centre + 3 * width > log_edges_[-1]:
            continue
        on, on_width = window(centre - width / 2, centre + width / 2)
        sides = [
            window(centre - 3 * width, centre - 1.5 * width),
            window(centre + 1.5 * width, centre + 3 * width),
        ]
        if on_width == 0 or any(of_band == 0 for _, of_band in sides):
            continue
        both = []
        for off, off_width in sides:
            ratio = on_width / off_width
            if on <= ratio * off:
                both.append(0.0)
                continue
            likelihood = on * np.log((1 + ratio) / ratio * on / (on + off))
            likelihood += off * np.log((1 + ratio) * off / (on + off)) if off else 0.0
            both.append(np.sqrt(2 * max(likelihood, 0.0)))
        found[place] = min(both)
    return found


@pytest.mark.parametrize("least", [0.0, 3.0, 6.0])
@pytest.mark.parametrize("width", [0.008, 0.03])
@pytest.mark.parametrize("counts", [300, 30_000])
def test_what_is_not_significant_is_left_out_and_nothing_else(
    least: float, width: float, counts: float
) -> None:
    edges = log_edges(0.5, 3.0, 700)
    expected = peaked(1.2612, width, counts / 3, edges) + peaked(2.0595, width, counts / 30, edges)
    pattern = np.random.default_rng(int(counts)).poisson(expected + flat(counts, edges))
    plain = plain_significance(edges, pattern, width)
    found = Search.of(Bins.of(edges), width).significance(np.concatenate(([0.0], np.cumsum(pattern))), least)
    left_out = found == 0
    np.testing.assert_allclose(found[~left_out], plain[~left_out], rtol=1e-9, atol=1e-6)
    assert np.all(plain[left_out] <= least)
    assert plain.max() > 6
    if least:
        # Most of the work is left out with them.
        assert np.count_nonzero(found) < 2 * np.count_nonzero(plain > least) + 20


def test_a_finder_finds_in_each_pattern_what_is_found_in_it_alone() -> None:
    finder = PeakFinder(EDGES)
    for seed, (d, counts) in enumerate([(1.2612, 3000), (2.0595, 400), (1.0, 0), (0.8917, 90_000)]):
        pattern = np.random.default_rng(seed).poisson(peaked(d, 0.01, counts) + moderated(20_000))
        assert finder.strongest(pattern) == strongest_peak(EDGES, pattern)
        assert (finder.strongest(pattern) is None) == (counts == 0)
    assert finder.strongest(pattern, min_significance=1e9) is None
    assert finder.strongest(pattern, min_contrast=1e9) is None
    np.testing.assert_array_equal(finder.edges, EDGES)
