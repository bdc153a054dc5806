from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livered_core import DataModelError
from livered_core.diffraction import (
    Patterns,
    VanadiumOptions,
    VanadiumRod,
    butterworth_error,
    butterworth_smooth,
    cubic_reflections,
    log_edges,
    prepare_vanadium,
    rod_factor,
    strip_vanadium_peaks,
)

Arrays = Mapping[str, Any]
BANKS = range(5)  # the calibration uses one pixel of the sixth
REFLECTIONS = np.array([reflection.d for reflection in cubic_reflections(3.024, "bcc", 0.48)])


@pytest.fixture(scope="module")
def golden(shared: Path) -> Arrays:
    arrays: dict[str, Any] = {}
    for name in ("sample", "vanadium"):
        with np.load(shared / f"reference/golden/nomad_vanadium_chain_{name}.npz") as file:
            arrays |= {key: file[key] for key in file.files}
    return arrays


def per_charge(golden: Arrays, step: str, run: str) -> Patterns:
    counts, charge = golden[f"{step}_focused_counts_y"], float(golden[f"{run}_charge_uAh"])
    return Patterns(golden["edges"], counts / charge, np.sqrt(counts) / charge, "counts/uAh")


# Mantid's weights of events are float32.
def equal(ours: Any, mantids: Any) -> None:
    np.testing.assert_allclose(ours, mantids, rtol=2e-7, atol=2e-7 * np.abs(mantids).max())


def test_normalisation_and_differences_are_mantids(golden: Arrays) -> None:
    sample, container = per_charge(golden, "s0", "sample"), per_charge(golden, "c0", "empty")
    vanadium = per_charge(golden, "v0", "vanadium")
    equal(container.y, golden["c1_normalised_y"])
    equal(vanadium.minus(container).y, golden["v2_minus_background_y"])
    # From here on Mantid's events are compressed: a few are in the next bin.
    moved = np.abs(sample.y - golden["s2_normalised_y"]).sum() / sample.y.sum()
    assert moved < 0.01
    difference = sample.minus(container)
    assert np.abs(difference.y - golden["s3_minus_empty_y"]).sum() / sample.y.sum() < 0.01
    same = golden["s0_focused_counts_y"] == golden["s1_compress_y"]
    equal(difference.y[same], golden["s3_minus_empty_y"][same])
    equal(difference.e[same], golden["s3_minus_empty_e"][same])


def test_smoothing_is_mantids(golden: Arrays) -> None:
    smooth = butterworth_smooth(golden["v4_strip_y"])
    mantids = golden["v6_smooth_y"]
    np.testing.assert_allclose(smooth, mantids, rtol=1e-12, atol=1e-12 * np.abs(mantids).max())


def test_division_is_mantids(golden: Arrays) -> None:
    sample = Patterns(golden["edges"], golden["s3_minus_empty_y"], golden["s3_minus_empty_e"], "counts/uAh")
    smooth = golden["v6_smooth_y"]
    vanadium = Patterns(golden["edges"], smooth, np.zeros_like(smooth), "counts/uAh")
    ratio = sample.divided_by(vanadium, "1").patterns
    good = smooth > 0
    mantids = golden["s4_divided_histograms_y"]
    np.testing.assert_allclose(ratio.y[good], mantids[good], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(ratio.e[good], golden["s4_divided_histograms_e"][good], rtol=1e-6, atol=1e-12)
    assert (ratio.y[~good] == 0).all()


def test_stripping_agrees_with_mantid_in_integral_and_smoothed(golden: Arrays) -> None:
    background = per_charge(golden, "c0", "empty")
    prepared = prepare_vanadium(per_charge(golden, "v0", "vanadium"), background, VanadiumOptions())
    removed = (prepared.raw.y - prepared.stripped.y).sum(axis=1)
    mantids = (golden["v3_compress_y"] - golden["v4_strip_y"]).sum(axis=1)
    # Mantid takes noise away, too, where it finds peaks in it.
    np.testing.assert_allclose(removed[:5], mantids[:5], rtol=0.15)
    centre = (golden["edges"][:, :-1] + golden["edges"][:, 1:]) / 2
    for bank in BANKS:
        smooth, theirs = prepared.smooth.y[bank], golden["v6_smooth_y"][bank]
        far = np.abs(centre[bank][:, np.newaxis] / REFLECTIONS - 1).min(axis=1) > 0.012
        chosen = far & (theirs > 0.1 * theirs.max())
        assert np.sqrt(np.mean((smooth[chosen] / theirs[chosen] - 1) ** 2)) < 0.02


def smooth_vanadium(n_bins: int = 3000) -> tuple[Any, Any]:
    """Edges, and expected counts without peaks."""
    edges = log_edges(0.3, 3.0, n_bins)[np.newaxis]
    d = (edges[0, :-1] + edges[0, 1:]) / 2
    return edges, 400 + 300 * np.exp(-((np.log(d / 1.1) / 0.5) ** 2))


def with_peaks(expected: Any, edges: Any, width: float) -> Any:
    d = (edges[0, :-1] + edges[0, 1:]) / 2
    total = expected.copy()
    for place, reflection in enumerate(REFLECTIONS):
        total += 30_000 / (1 + place) * np.exp(-0.5 * ((d / reflection - 1) / (width / 2.355)) ** 2)
    return total


@pytest.mark.parametrize("width", [0.004, 0.01, 0.03])
def test_peaks_go_and_what_is_under_them_stays(width: float) -> None:
    edges, expected = smooth_vanadium()
    rng = np.random.default_rng(2)
    expected = 100 * expected
    counts = rng.poisson(with_peaks(expected, edges, width))[np.newaxis]
    stripped = strip_vanadium_peaks(Patterns(edges, counts, np.sqrt(counts), "counts"))
    assert stripped.widths[0] == pytest.approx(width, rel=0.7)
    smooth = butterworth_smooth(stripped.patterns.y)[0]
    unstripped = butterworth_smooth(counts.astype(float))[0]
    d = (edges[0, :-1] + edges[0, 1:]) / 2
    here = (d > 0.9) & (d < 2.5)
    left = np.sqrt(np.mean((smooth[here] / expected[here] - 1) ** 2))
    assert left < 0.02
    assert left < 0.35 * np.sqrt(np.mean((unstripped[here] / expected[here] - 1) ** 2))
    for peak in stripped.peaks:
        assert peak.significance > 3
        assert peak.removed > 0


def test_noise_is_not_taken_for_peaks() -> None:
    edges, expected = smooth_vanadium()
    rng = np.random.default_rng(4)
    removed, n_peaks = 0.0, 0
    for _ in range(40):
        counts = rng.poisson(expected)[np.newaxis]
        stripped = strip_vanadium_peaks(Patterns(edges, counts, np.sqrt(counts), "counts"))
        removed += (counts - stripped.patterns.y).sum()
        n_peaks += len(stripped.peaks)
    assert n_peaks < 5
    assert abs(removed) < 0.001 * 40 * expected.sum()


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_empty_and_negative_patterns_stay_as_they_are(value: float) -> None:
    edges, expected = smooth_vanadium()
    y = np.full((1, len(expected)), value)
    prepared = prepare_vanadium(Patterns(edges, y, np.zeros_like(y), "counts"), None, VanadiumOptions())
    assert prepared.peaks == ()
    assert np.isfinite(prepared.smooth.y).all()
    assert prepared.smooth.y == pytest.approx(y)


def test_errors_after_smoothing_are_the_scatter() -> None:
    rng = np.random.default_rng(6)
    n = 800
    scatter = butterworth_smooth(rng.normal(0.0, 1.0, (6000, n))).std(axis=0)
    stated = butterworth_error(np.ones(n))
    assert (scatter / stated)[50:-50] == pytest.approx(np.ones(n - 100), abs=0.05)
    assert (scatter / stated) == pytest.approx(np.ones(n), abs=0.12)


def test_smoothing_keeps_a_constant_and_takes_no_short_data() -> None:
    assert butterworth_smooth(np.full((2, 100), 7.0)) == pytest.approx(np.full((2, 100), 7.0))
    with pytest.raises(DataModelError, match="cannot smooth 10 points"):
        butterworth_smooth(np.ones(10))


def test_the_rod_is_divided_out() -> None:
    edges, expected = smooth_vanadium()
    rod, angle = VanadiumRod(), 1.2
    d = (edges[0, :-1] + edges[0, 1:]) / 2
    seen = expected * rod_factor(rod, 2 * d * np.sin(angle / 2), angle)
    options = VanadiumOptions(strip_peaks=False, rod=rod, two_theta=(angle,))
    prepared = prepare_vanadium(Patterns(edges, seen[np.newaxis], seen[np.newaxis] * 0, "c"), None, options)
    assert prepared.smooth.y[0][100:-100] == pytest.approx(expected[100:-100], rel=0.01)
    with pytest.raises(DataModelError, match="0 angles for 1 groups"):
        prepare_vanadium(prepared.raw, None, VanadiumOptions(rod=rod))
