from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from livered_core import EventBatch, Instrument

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data and golden numbers, which is not part of the repository."""
    if not (SHARED / "reference" / "golden").is_dir():
        pytest.skip("real data and golden numbers are not here: no folder `shared` beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., EventBatch]:
    def make(pixel: object, tof: object, charge: object = (0.0,)) -> EventBatch:
        charges = np.asarray(charge, np.float64)
        tofs = np.asarray(tof, np.uint32)
        return EventBatch(
            pixel_id=np.asarray(pixel, np.uint32),
            tof=tofs,
            pulse_time_ns=np.arange(len(charges), dtype=np.int64),
            proton_charge_pc=charges,
            event_offset=np.array([0] * len(charges) + [len(tofs)], np.int64),
            flags=np.zeros(len(charges), np.uint32),
        )

    return make


@pytest.fixture(scope="session")
def make_instrument() -> Callable[..., Instrument]:
    def make(pixel_id: object, name: str = "NOMAD") -> Instrument:
        ids = np.asarray(pixel_id, np.int32)
        angle = np.linspace(0.2, 2.9, len(ids))
        position = np.column_stack([2 * np.sin(angle), np.zeros(len(ids)), 2 * np.cos(angle)])
        return Instrument(
            name=name,
            pixel_id=ids,
            position=position,
            bank=np.zeros(len(ids), np.int32),
            bank_names=("bank1",),
            source_position=np.array([0.0, 0.0, -19.5]),
            sample_position=np.zeros(3),
            monitor_id=np.empty(0, np.int32),
            monitor_position=np.empty((0, 3)),
        )

    return make
