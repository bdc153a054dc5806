"""A result, its run and its updates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from livered_core.model import Curve, Result, RunInfo, Update

SECOND = 1_000_000_000
NOON = 1_795_348_800 * SECOND


@pytest.fixture
def result() -> Result:
    edges = np.geomspace(0.3, 3.0, 51)
    y = np.linspace(0.1, 5.0, 50)
    bank = Curve(
        "bank 2 - 31 deg",
        edges,
        y,
        np.sqrt(y),
        "angstrom",
        "counts/uC",
        "d-spacing",
        "intensity",
        {"strongest d": 2.0597, "pixels": 23552},
    )
    points = Curve("S(Q)", np.arange(5.0), np.ones(5), np.full(5, 0.1), "1/angstrom", "dimensionless")
    return Result(7, "diamond powder", (bank, points), (), {"strongest": "bank 2", "in range": True})


@pytest.fixture
def run() -> RunInfo:
    return RunInfo(7, "NOM", "IPTS-1", "diamond", NOON - 600 * SECOND, {"name": "diamond", "mass (g)": "1.5"})


@pytest.fixture
def make_update() -> Callable[..., Update]:
    def make(sequence: int = 1, *, final: bool = True, missing: tuple[str, ...] = ()) -> Update:
        return Update(
            sequence=sequence,
            final=final,
            n_chunks=sequence,
            n_pulses=36000,
            n_events=1234567,
            proton_charge_pc=7.2e9,
            first_pulse_ns=NOON - 600 * SECOND,
            last_pulse_ns=NOON - 5 * SECOND,
            skipped_chunks=4,
            skipped_events=1600000,
            dropped_chunks=len(missing),
            dropped_events=0,
            complete=not missing,
            missing=missing,
            lag_ns=5 * SECOND,
        )

    return make
