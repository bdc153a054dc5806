"""What is kept between updates changes nothing in them, and is made anew with what it follows from."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest

from livered_core import Result, RunInfo
from livered_core.diffraction import (
    DIAMOND_A,
    FocusedHistogram,
    Patterns,
    VanadiumOptions,
    cubic_reflections,
    log_edges,
    prepare_vanadium,
    strongest_peak,
)
from livered_core.testing import make_update
from livered_nom.banks import bank_edges, momentum_edges
from livered_nom.counts import NomCounts
from livered_nom.curves import bank_curves, make_bank_plan
from livered_nom.divisor import Usable
from livered_nom.exposure import exposure_of
from livered_nom.measured import Measured
from livered_nom.once import Once
from livered_nom.references import Corrections
from livered_nom.result import Reduction, make_result
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings
from livered_nom.standing import Standing

SETTINGS = NomSettings(
    n_bins=600,
    references=ReferenceSettings(container_scale=0.25),
    total_scattering=TotalScatteringSettings(
        q_step=0.1, r_step=0.1, r_max=20.0, fourier_cutoff=1.5, engine="own"
    ),
)
EDGES = bank_edges(SETTINGS)
UPDATE = make_update(n_pulses=1, proton_charge_pc=3.6e9, last_pulse_ns=1_700_000_060_000_000_000)


def histogram(seed: int, edges: Any, axis: Any = "d_spacing") -> FocusedHistogram:
    rng = np.random.default_rng(seed)
    centre = (edges[:, 1:] + edges[:, :-1]) / 2
    counts = rng.poisson(200 + 3000 * np.exp(-0.5 * ((centre / 1.2612 - 1) / 0.006) ** 2))
    n = int(counts.sum())
    return FocusedHistogram(edges, counts, 3.6e9, n, n, 0, 0, 0, 0, axis)


def counted(seed: int, edges: Any = EDGES) -> NomCounts:
    q = np.tile(momentum_edges(SETTINGS.total_scattering), (len(edges), 1))
    view = np.array([[0.5, 1.0, 2.0]])
    return NomCounts(
        histogram(seed, edges), histogram(seed, q, "momentum_transfer"), histogram(seed, view), np.arange(300)
    )


def measured(seed: int) -> Measured:
    counts = counted(seed)
    return Measured.of(counts, exposure_of(counts, "proton_charge"))


def in_d_alone(seed: int) -> Measured:
    return Measured(measured(seed).d, None)


def vanadium(seed: int) -> Any:
    d = measured(seed).d
    return prepare_vanadium(
        Patterns(d.edges, d.y + 2000, d.e, d.unit), None, VanadiumOptions(strip_peaks=False)
    )


def reduced(standing: Standing, counts: NomCounts, corrections: Corrections, formula: str) -> Result:
    scattering, problem = standing.scattering(formula)
    reduction = Reduction(
        settings=SETTINGS,
        tables=None,
        corrections=corrections,
        usable=standing.usable(corrections),
        scattering=scattering,
        scattering_problem=problem,
        plan=standing.plan,
        bank_plan=standing.bank_plan,
    )
    return make_result(counts, reduction, RunInfo(1, "NOM"), UPDATE, {})


def content(result: Result) -> Any:
    curves = [(c.label, c.x.tobytes(), c.y.tobytes(), c.e.tobytes(), c.metadata) for c in result.curves]
    return curves, result.metadata


def test_updates_are_those_of_a_plugin_that_has_kept_nothing() -> None:
    first, second = vanadium(1), vanadium(2)
    behind = [measured(3), in_d_alone(4)]
    steps = [
        (Corrections(), "Si"),
        (Corrections(first), "Si"),
        (Corrections(first), "SiO2"),
        (Corrections(first, behind[0]), "SiO2"),
        (Corrections(second, behind[0]), "no formula"),
        (Corrections(second, behind[1]), "SiO2"),
        (Corrections(None, behind[1]), "Si"),
        (Corrections(first), "Si"),
    ]
    standing, counts = Standing(SETTINGS), counted(5)
    updates = []
    for number, (corrections, formula) in enumerate(steps):
        counts = counts + counted(6 + number)
        updates.append(content(reduced(standing, counts, corrections, formula)))
        assert updates[-1] == content(reduced(Standing(SETTINGS), counts, corrections, formula))
    drawn = [[label for label, *_ in curves][6:] for curves, _ in updates]
    assert ["G(r)" in labels for labels in drawn] == [False, True, True, True, False, True, False, True]
    assert "no formula" in updates[4][1]["total_scattering"]


def test_what_does_not_change_is_worked_out_once() -> None:
    standing = Standing(SETTINGS)
    one, other, behind = vanadium(1), vanadium(1), in_d_alone(2)
    before = standing.usable(Corrections(one, behind))
    again = standing.usable(Corrections(one, behind, {"vanadium": "said anew"}))
    assert again.divisor is before.divisor
    assert again.container is before.container
    assert standing.usable(Corrections(other, behind)).divisor is not before.divisor
    assert standing.usable(Corrections(other, in_d_alone(2))).container is not before.container
    assert standing.scattering("Si")[0] is standing.scattering("Si")[0]


def test_the_container_is_scaled_in_momentum_transfer_too() -> None:
    behind = in_d_alone(2)
    container = Standing(SETTINGS).usable(Corrections(None, behind)).container
    assert container is not None
    assert container.q is not None
    edges = momentum_edges(SETTINGS.total_scattering)
    np.testing.assert_array_equal(container.d.y, behind.d.y * 0.25)
    np.testing.assert_allclose(container.q.y, behind.in_q(edges).y * 0.25, rtol=1e-9, atol=1e-9)


def test_once_keeps_what_it_was_made_of() -> None:
    made: list[Any] = []
    once: Once[int] = Once(lambda *parts: made.append(parts) or len(made))
    a, b = [1], [1]
    assert [once.of(a), once.of(a), once.of(b), once.of(a), once.of(a, b), once.of(a, b)] == [
        1,
        1,
        2,
        3,
        4,
        4,
    ]
    assert made == [(a,), (b,), (a,), (a, b)]


def test_peaks_are_found_on_bins_that_are_not_those_of_the_settings() -> None:
    edges = np.stack([log_edges(0.3, 4.0 + bank, 700) for bank in range(len(EDGES))])
    counts = counted(1, edges)
    sample = Measured.of(counts, exposure_of(counts, "proton_charge"))
    curves = bank_curves(counts.d, sample, Usable(), make_bank_plan(EDGES), SETTINGS.bank_labels, "diamond")
    for curve, of_bank, counted_there in zip(curves, edges, counts.d.counts, strict=True):
        peak = strongest_peak(of_bank, counted_there)
        assert peak is not None
        assert curve.metadata["strongest_peak_angstrom"] == round(peak.d, 4)
        assert curve.metadata["expected_peak_angstrom"] == 1.2612


@pytest.mark.parametrize("smallest", [0.06, 0.1, 0.2, 0.5, 1.2612, 1.3, DIAMOND_A / 2])
def test_reflections_kept_are_those_that_are_listed_anew(smallest: float) -> None:
    plan = make_bank_plan(np.array([[0.25, 0.5, 4.0]]))
    assert plan.diamond_from == pytest.approx(0.2)
    assert tuple(plan.reflections(smallest)) == cubic_reflections(DIAMOND_A, "diamond", smallest)
    assert attrs.evolve(plan, diamond=()).reflections(0.3) == []
