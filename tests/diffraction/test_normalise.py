from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from livered_core.diffraction import NO_CHARGE, normalise_by_charge


def test_counts_per_charge_with_poisson_errors() -> None:
    counts = np.array([[0, 1], [4, 100]], np.int64)
    intensity = normalise_by_charge(counts, 3.6e9 * 2)  # 2 uAh
    np.testing.assert_allclose(intensity.y, [[0, 0.5], [2, 50]], rtol=1e-14)
    np.testing.assert_allclose(intensity.e, [[0, 0.5], [1, 5]], rtol=1e-14)
    assert (intensity.unit, intensity.note) == ("counts/uAh", "")
    assert counts.tolist() == [[0, 1], [4, 100]]


@pytest.mark.parametrize("charge", [0.0, -1.0, float("nan"), float("inf")])
def test_without_charge_the_counts_come_back_and_it_is_said(charge: float) -> None:
    intensity = normalise_by_charge(np.array([0, 9], np.int64), charge)
    assert intensity.y.tolist() == [0, 9]
    assert intensity.e.tolist() == [0, 3]
    assert (intensity.unit, intensity.note) == ("counts", NO_CHARGE)


def test_mantid_normalises_the_same(shared: Path) -> None:
    with (
        np.load(shared / "reference/golden/nomad_focus_n500k.npz") as golden,
        np.load(shared / "reference/golden/nomad_events_500k.npz") as events,
    ):
        intensity = normalise_by_charge(
            golden["masked_dlin"].astype(np.int64), float(events["charge_pC"].sum(dtype=np.float64))
        )
        # Mantid's event weights are float32.
        np.testing.assert_allclose(intensity.y, golden["dlin_normalised"], rtol=1e-7)
        np.testing.assert_allclose(intensity.e, golden["dlin_normalised_e"], rtol=1e-7)
