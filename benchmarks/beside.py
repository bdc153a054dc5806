"""Focus the same events with the same calibration by livered, numpy, scipp, a plain numba loop, and Mantid where it imports.

    python benchmarks/beside.py [--events MILLIONS]

All give counts in the six banks' bins of d-spacing, with DIFC, DIFA and TZERO of each pixel, on one thread; scipp uses all
cores, as it does by itself. Those that count otherwise than livered say so. Events are in memory as columns; what a library
needs to make of these first is counted with its time, as it has to be done for each chunk of a stream.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from banks_alone import BANKS_BEGIN, N_PIXELS
from focus import TOF_US, events, made_up_calibration, tables
from limits import compiled
from rows import Row, arguments, best_of, finish
from sessions import DEFINITION

from livered_core import EventBatch
from livered_core.diffraction import Calibration, FocusTable, focus, write_calibration

BLOCK = 1 << 18
"""Events that numpy works on at a time: more would leave the cache."""

Counts = npt.NDArray[np.int64]


class Coefficients:
    """The calibration of each pixel, solved for d: of TOF = DIFC d + DIFA d^2 + TZERO the root that goes on from DIFA = 0."""

    def __init__(self, calibration: Calibration) -> None:
        difc, difa, tzero = calibration.difc, calibration.difa, calibration.tzero
        self.a = -0.5 * difc / difa
        self.b = 1.0 / difa
        self.c = self.a * self.a - tzero / difa
        self.bank = np.searchsorted(BANKS_BEGIN, np.arange(N_PIXELS), side="right") - 1


def with_numpy(batch: EventBatch, of: Coefficients, edges: npt.NDArray[np.float64]) -> Counts:
    """Count as somebody would who knows numpy well: whole columns, blocks that stay in the cache."""
    n_banks, n_bins = len(edges), edges.shape[1] - 1
    counts = np.zeros((n_banks, n_bins), np.int64)
    for start in range(0, batch.n_events, BLOCK):
        pixel = batch.pixel_id[start : start + BLOCK]
        tof = batch.tof[start : start + BLOCK] / 10.0
        a = of.a[pixel]
        s = np.sqrt(tof * of.b[pixel] + of.c[pixel])
        d = np.where(s < a, a - s, a + s)
        bank = of.bank[pixel]
        in_time = (tof >= TOF_US[0]) & (tof < TOF_US[1])
        for number in range(n_banks):
            of_bank = d[in_time & (bank == number)]
            found = np.searchsorted(edges[number], of_bank, side="right") - 1
            counts[number] += np.bincount(found[(found >= 0) & (found < n_bins)], minlength=n_bins)
    return counts


def plain_loop(
    pixel_id: npt.NDArray[np.uint32],
    tof_ticks: npt.NDArray[np.uint32],
    coefficients: tuple[Any, Any, Any, Any],
    edges: npt.NDArray[np.float64],
    tof_us: tuple[float, float],
) -> Counts:
    """Count one event after the other: the bin that the logarithm says, put right by the edges. For numba."""
    a, b, c, bank = coefficients
    n_bins = edges.shape[1] - 1
    counts = np.zeros((edges.shape[0], n_bins), np.int64)
    for index in range(len(pixel_id)):
        pixel = pixel_id[index]
        tof = tof_ticks[index] / 10.0
        if not tof_us[0] <= tof < tof_us[1]:
            continue
        s = math.sqrt(tof * b[pixel] + c[pixel])
        d = a[pixel] - s if s < a[pixel] else a[pixel] + s
        own = edges[bank[pixel]]
        if not own[0] <= d < own[n_bins]:
            continue
        scale = n_bins / math.log(own[n_bins] / own[0])
        found = min(max(int(math.log(d / own[0]) * scale), 0), n_bins - 1)
        while d < own[found]:
            found -= 1
        while d >= own[found + 1]:
            found += 1
        counts[bank[pixel], found] += 1
    return counts


class Scipp:
    """As a user of scipp does it: events grouped by pixel, a graph for d-spacing, a histogram for each bank."""

    def __init__(self, calibration: Calibration, edges: npt.NDArray[np.float64]) -> None:
        import scipp

        self.sc = sc = scipp
        per_us = sc.Unit("us/angstrom")
        self.coords = {
            "difc": sc.array(dims=["pixel"], values=calibration.difc, unit=per_us),
            "difa": sc.array(dims=["pixel"], values=calibration.difa, unit=per_us / sc.Unit("angstrom")),
            "tzero": sc.array(dims=["pixel"], values=calibration.tzero, unit="us"),
        }
        self.pixels = sc.arange("pixel", N_PIXELS, unit=None, dtype="int32")
        self.edges = [sc.array(dims=["dspacing"], values=each, unit="angstrom") for each in edges]
        self.bounds = [*BANKS_BEGIN, N_PIXELS]

    def dspacing(self, tof: Any, difc: Any, difa: Any, tzero: Any) -> Any:
        sc = self.sc
        a = -0.5 * difc / difa
        s = sc.sqrt(tof * (1.0 / difa) + (a * a - tzero / difa))
        return sc.where(s < a, a - s, a + s)

    def __call__(self, batch: EventBatch) -> Counts:
        sc = self.sc
        table = sc.DataArray(
            sc.ones(dims=["event"], shape=[batch.n_events], unit="counts", dtype="float32"),
            coords={
                "tof": sc.array(dims=["event"], values=batch.tof / 10.0, unit="us"),
                "pixel": sc.array(dims=["event"], values=batch.pixel_id.astype(np.int32), unit=None),
            },
        )
        # No event is outside the times of flight that are counted; others would have to be left out here.
        binned = table.group(self.pixels).assign_coords(self.coords)
        aligned = binned.transform_coords(
            "dspacing", graph={"dspacing": self.dspacing}, keep_inputs=False, quiet=True
        )
        found = [
            aligned["pixel", self.bounds[bank] : self.bounds[bank + 1]]
            .hist(dspacing=edges, dim="pixel")
            .values
            for bank, edges in enumerate(self.edges)
        ]
        return np.asarray(np.rint(np.stack(found)), np.int64)


class Mantid:
    """AlignDetectors, DiffractionFocussing and Rebin on an EventWorkspace that is there before."""

    def __init__(self, batch: EventBatch, calibration: Calibration, edges: npt.NDArray[np.float64]) -> None:
        from mantid import simpleapi
        from mantid.kernel import DateAndTime

        self.api = simpleapi
        simpleapi.LoadEmptyInstrument(
            Filename=str(DEFINITION), OutputWorkspace="beside", MakeEventWorkspace=True
        )
        workspace = simpleapi.mtd["beside"]
        index_of = workspace.getDetectorIDToWorkspaceIndexMap()
        when = DateAndTime(0)
        for pixel, tof in zip(batch.pixel_id.tolist(), (batch.tof / 10.0).tolist(), strict=True):
            workspace.getSpectrum(index_of[pixel]).addEventQuickly(tof, when)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "calibration.h5"
            write_calibration(path, calibration)
            simpleapi.LoadDiffCal(InputWorkspace="beside", Filename=str(path), WorkspaceName="beside")
        self.params = (
            f"{edges.min()},-{math.log(edges[0, -1] / edges[0, 0]) / (edges.shape[1] - 1)},{edges.max()}"
        )

    def __call__(self) -> None:
        api = self.api
        api.AlignDetectors(
            InputWorkspace="beside", OutputWorkspace="beside_d", CalibrationWorkspace="beside_cal"
        )
        api.DiffractionFocussing(
            InputWorkspace="beside_d", OutputWorkspace="beside_d", GroupingWorkspace="beside_group"
        )
        api.Rebin(
            InputWorkspace="beside_d", OutputWorkspace="beside_d", Params=self.params, PreserveEvents=False
        )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=float, default=5.0, help="millions of events")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure all that is installed, by turns."""
    rng = np.random.default_rng(1)
    calibration = made_up_calibration(rng)
    batch = events(rng, int(options.events * 1e6) // (3 if options.quick else 1))
    table, _ = tables(calibration)
    ours, rates = measured(batch, calibration, table, 1.5 if options.quick else 8.0)
    rows = []
    for key, (rate, counts) in rates.items():
        different = 0 if counts is None else int(np.abs(counts - ours).sum())
        if key in MUST_BE_EQUAL and different:
            raise RuntimeError(f"{NAMES[key]} counts {different} of {batch.n_events} events in other bins.")
        same = "every count as livered's" if not different else f"{different} counts differ from livered's"
        rows.append(
            Row(
                key=f"beside.{key}",
                what=NAMES[key],
                value=rate,
                unit="million events/s",
                beside="livered's `focus`",
                ratio=rate / rates["livered"][0],
                note="" if key == "livered" else "other bins than livered's" if counts is None else same,
            )
        )
    rows[0] = against_numpy(rates, [key for key in NAMES if key not in rates])
    return rows


NAMES = {
    "livered": "focused by livered",
    "numba": "by a plain loop that numba compiles",
    "numpy": "by numpy, whole columns",
    "scipp": "by scipp: group by pixel, d-spacing, histograms",
    "mantid": "by Mantid: AlignDetectors, DiffractionFocussing, Rebin",
}
MUST_BE_EQUAL = ("numba", "numpy")


def against_numpy(rates: dict[str, tuple[float, Counts | None]], missing: list[str]) -> Row:
    absent = " and ".join(each.capitalize() if each == "mantid" else each for each in missing)
    return Row(
        key="beside.livered",
        what=NAMES["livered"],
        value=rates["livered"][0],
        unit="million events/s",
        beside="numpy",
        ratio=rates["livered"][0] / rates["numpy"][0],
        held=True,
        note=f"not installed here: {absent}" if missing else "",
    )


def measured(
    batch: EventBatch, calibration: Calibration, table: FocusTable, seconds: float
) -> tuple[Counts, dict[str, tuple[float, Counts | None]]]:
    """Give livered's counts, and of each way its million events/s and counts."""
    edges, coefficients = table.edges, Coefficients(calibration)
    loop = compiled(plain_loop)
    columns = (coefficients.a, coefficients.b, coefficients.c, coefficients.bank)
    ways: dict[str, Any] = {
        "livered": lambda: focus(batch, table).counts,
        "numba": lambda: loop(batch.pixel_id, batch.tof, columns, edges, TOF_US),
        "numpy": lambda: with_numpy(batch, coefficients, edges),
    }
    if importlib.util.find_spec("scipp") is not None:
        with_scipp = Scipp(calibration, edges)
        ways["scipp"] = lambda: with_scipp(batch)
    if importlib.util.find_spec("mantid") is not None:
        ways["mantid"] = Mantid(batch, calibration, edges)
    took = best_of(seconds, *ways.values(), least=2)
    found = {}
    for (key, way), each in zip(ways.items(), took, strict=True):
        found[key] = batch.n_events / each / 1e6, way()
    ours = found["livered"][1]
    assert ours is not None
    return np.asarray(ours), found


if __name__ == "__main__":
    main()
