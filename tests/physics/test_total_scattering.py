"""What is simulated is what is reduced: events of known samples, through NOMAD's whole reduction.

With NOMAD's own definition and calibration where they are present (`shared`), else with the packaged beamline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest

from beamline_support import PACKAGED_DEFINITION, count_run, simulated_run
from hooks_support import update
from livered_core import Chunk, Curve, Result, RunInfo, SessionInfo
from livered_core.diffraction import DIAMOND_A, cubic_reflections
from livered_core.references import read_run
from livered_core.simulator.total_structure import TotalStructure, total_structure_factor
from livered_nom.counts import NomCounts
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nomad"
SECONDS = 5.0
FORMULAS = {"silicon": "Si", "nickel": "Ni", "diamond": "C"}
N_BANKS = 6
UPDATE = attrs.evolve(
    update(final=True), proton_charge_pc=1.0, first_pulse_ns=0, last_pulse_ns=int(SECONDS * 1e9)
)
Floats = npt.NDArray[np.float64]


@attrs.frozen
class Beamline:
    """Where the pixels are, what is known of them, and how many events a second are wanted of them."""

    idf: Path
    calibration: Path | None
    rate: float


@attrs.frozen(eq=False)
class Reduced:
    counts: NomCounts
    result: Result
    curves: Mapping[str, Curve]


@pytest.fixture(scope="module")
def beamline() -> Beamline:
    if SHARED.is_dir():
        # A third of the pixels is in use.
        return Beamline(
            SHARED / "NOMAD_Definition.xml", SHARED / "NOMAD_243451_2026-06-09_shifter.h5", rate=2.5e6
        )
    return Beamline(PACKAGED_DEFINITION, None, rate=1.6e6)


@pytest.fixture(scope="module")
def run_of(beamline: Beamline, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("runs")
    made: dict[str, Path] = {}

    def make(name: str, sample: str, number: int, **config: Any) -> Path:
        if name not in made:
            options = {
                "rate": beamline.rate,
                "run_length": SECONDS,
                "seed": number,
                "recycle": "never",
                **config,
            }
            path = folder / f"{name}.adara"
            made[name] = simulated_run(
                path, sample, number, idf=beamline.idf, calibration=beamline.calibration, **options
            )
        return made[name]

    return make


@pytest.fixture(scope="module")
def reduce(
    beamline: Beamline, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, Path | None, str], Reduced]:
    def go(path: Path, vanadium: Path | None, formula: str, **settings: Any) -> Reduced:
        plugin = NomPlugin(
            NomSettings(
                calibration=beamline.calibration,
                references=ReferenceSettings(vanadium=vanadium),
                # So few events leave G(r) noisy without it: 0.02 Angstrom for a peak's place.
                total_scattering=TotalScatteringSettings(composition=formula, lorch=True),
                **settings,
            )
        )
        plugin.session_started(SessionInfo("NOM", "native", "", "", 0, "", {}, live=False))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
            counts, run = count_run(plugin, path)
            result = plugin.post_process(counts, run, UPDATE)
        plugin.session_ended()
        return Reduced(counts, result, {curve.label: curve for curve in result.curves})

    return go


@pytest.fixture(scope="module")
def total(run_of: Callable[..., Path], reduce: Callable[..., Reduced]) -> Callable[[str], Reduced]:
    """Reduce a sample that scatters by its total S(Q), with vanadium; once."""
    done: dict[str, Reduced] = {}

    def go(sample: str) -> Reduced:
        if sample not in done:
            number = 10 + list(FORMULAS).index(sample)
            path = run_of(f"total-{sample}", sample, number, total_scattering=True)
            done[sample] = reduce(path, run_of("vanadium", "vanadium", 1), FORMULAS[sample])
        return done[sample]

    return go


def mean_in_bins(structure: TotalStructure, edges: Floats) -> Floats:
    """Return the true S(Q), averaged over each bin."""
    part = (np.arange(20) + 0.5) / 20
    q = edges[:-1, None] + part * np.diff(edges)[:, None]
    return structure.structure_factor(q.ravel()).reshape(q.shape).mean(axis=1)


def centres(edges: Floats) -> Floats:
    return (edges[:-1] + edges[1:]) / 2


def test_diamond_stands_at_its_d_in_every_bank(
    run_of: Callable[..., Path], reduce: Callable[..., Reduced]
) -> None:
    reduced = reduce(run_of("diamond", "diamond", 2, run_length=1.0), None, "C")
    banks = reduced.result.curves[:N_BANKS]
    enough = [curve for curve in banks if curve.metadata["counts"] > 1000]
    # Bank 6 of the real calibration has a single pixel in use.
    assert len(enough) >= N_BANKS - 1
    for curve in enough:
        assert abs(curve.metadata["peak_difference_percent"]) < 0.05, curve.label


@pytest.mark.parametrize("sample", FORMULAS)
def test_s_of_q_is_the_true_one_within_its_errors(sample: str, total: Callable[[str], Reduced]) -> None:
    curve = total(sample).curves["S(Q)"]
    truth = mean_in_bins(total_structure_factor(sample), curve.x)
    q = centres(curve.x)
    z = (curve.y - truth) / curve.e
    for low, high in ((1.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, 40.0)):
        here = (q > low) & (q < high)
        # Peaks are narrower than what a bin of TOF and the width of vanadium's smoothing leave of them.
        assert 0.6 < np.mean(z[here] ** 2) < 2.5, (low, high)
        # The scale is known as well as vanadium is smooth.
        assert abs(np.mean((curve.y - truth)[here])) < 0.02, (low, high)


@pytest.mark.parametrize("sample", ["silicon", "diamond"])
def test_the_mean_error_in_q_is_small(sample: str, total: Callable[[str], Reduced]) -> None:
    curve = total(sample).curves["S(Q)"]
    truth = mean_in_bins(total_structure_factor(sample), curve.x)
    q = centres(curve.x)
    a = {"silicon": 5.4310, "diamond": DIAMOND_A}[sample]
    expected = np.sort([2 * np.pi / each.d for each in cubic_reflections(a, "diamond", 2 * np.pi / 15, a)])
    gap = np.minimum(np.diff(expected, prepend=0.0), np.diff(expected, append=99.0))
    errors = []
    for place in expected[gap > 0.25]:
        here = np.abs(q - place) < 0.12
        seen, known = (np.sum(q[here] * y[here]) / np.sum(y[here]) for y in (curve.y, truth))
        errors.append(seen - known)
    assert len(errors) >= 5
    assert abs(np.mean(errors)) < 0.0005


@pytest.mark.parametrize(
    ("sample", "distance", "neighbours"),
    [("nickel", 2.49, 12), ("silicon", 2.35, 4), ("diamond", 1.545, 4)],
)
def test_first_neighbours_stand_at_their_distance_in_their_number(
    sample: str, distance: float, neighbours: int, total: Callable[[str], Reduced]
) -> None:
    curve = total(sample).curves["G(r)"]
    structure = total_structure_factor(sample)
    assert structure.first_neighbours is not None
    assert structure.number_density is not None
    assert structure.first_neighbours[0] == pytest.approx(distance, abs=0.01)
    near = np.flatnonzero(np.abs(curve.x - distance) < 0.4)
    highest = near[np.argmax(curve.y[near])]
    top = slice(highest - 4, highest + 5)
    curvature, slope, _ = np.polyfit(curve.x[top] - distance, curve.y[top], 2)
    assert -slope / (2 * curvature) == pytest.approx(0.0, abs=0.02)
    shell = np.abs(curve.x - distance) < 0.35
    # A small crystal has fewer pairs, by a factor that is known: what is left is that of an endless one.
    endless = curve.y / structure.envelope(curve.x) + 4 * np.pi * structure.number_density * curve.x
    step = curve.x[1] - curve.x[0]
    assert np.sum((curve.x * endless)[shell]) * step == pytest.approx(neighbours, rel=0.05)


def test_vanadium_over_vanadium_is_one_within_its_errors(
    run_of: Callable[..., Path], reduce: Callable[..., Reduced]
) -> None:
    other = run_of("other-vanadium", "vanadium", 3)
    reduced = reduce(other, run_of("vanadium", "vanadium", 1), "V")
    for bank, curve in enumerate(reduced.result.curves[:N_BANKS]):
        counts = reduced.counts.d.counts[bank]
        # Chosen by the neighbours: choosing by the count itself would leave out those that are low by chance.
        good = np.convolve(counts, np.full(101, 1 / 101), "same") > 40
        if np.count_nonzero(good) < 1000:
            continue
        z = (curve.y[good] - 1.0) / curve.e[good]
        assert 0.8 < np.mean(z**2) < 1.3, curve.label
        mean = np.average(curve.y[good], weights=curve.e[good] ** -2)
        assert mean == pytest.approx(1.0, abs=0.05), curve.label
        # No slope: the halves agree.
        halves = np.array_split(np.flatnonzero(good), 2)
        means = [np.sum(counts[half]) / np.sum(counts[half] / curve.y[half]) for half in halves]
        assert means[0] == pytest.approx(means[1], abs=0.02), curve.label


def test_every_event_is_accounted_for(run_of: Callable[..., Path], reduce: Callable[..., Reduced]) -> None:
    path = run_of("vetoed", "silicon", 4, run_length=1.0, vetoed=0.2)
    reduced = reduce(path, None, "Si", leave_out_vetoed=True, prompt_pulse_width_us=500.0, tof_min_us=1000.0)
    received, n_filtered = 0, 0

    def count(chunk: Chunk, _run: RunInfo) -> None:
        nonlocal received, n_filtered
        received += chunk.n_events
        events = chunk.events
        vetoed = np.repeat(events.flags & 0x4 != 0, np.diff(events.event_offset))
        after = np.minimum(events.tof % 166_667, 166_667) / 10
        n_filtered += int(np.count_nonzero(vetoed | (after < 500.0)))

    read_run(path, count)
    for histogram in (reduced.counts.d, reduced.counts.q, reduced.counts.view):
        parts = [
            histogram.n_binned,
            histogram.n_out_of_range,
            histogram.n_masked,
            histogram.n_unknown,
            histogram.n_filtered,
        ]
        assert sum(parts) == histogram.n_events == received
        assert histogram.counts.sum() == histogram.n_binned
    assert reduced.counts.pixels.sum() + reduced.counts.d.n_filtered == received
    assert reduced.counts.d.n_filtered == n_filtered > 0.2 * received
    account = {key: value for key, value in reduced.result.metadata.items() if key.startswith("n_")}
    assert account["n_events"] == received
    assert sum(account.values()) - account["n_events"] == received
