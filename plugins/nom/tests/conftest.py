from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import livered_nom
from livered_core import Chunk, EventBatch, Instrument, InstrumentDefinition, RunInfo, SessionInfo
from livered_core.geometry import read_instrument

SHARED = Path(__file__).parents[4] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data and golden numbers, which is not part of the repository."""
    if not (SHARED / "reference" / "golden").is_dir():
        pytest.skip("real data and golden numbers are not here: no folder `shared` beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def definition() -> InstrumentDefinition:
    """The packaged definition of the simulated beamline."""
    path = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    return InstrumentDefinition("NOM", path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def instrument(definition: InstrumentDefinition) -> Instrument:
    return read_instrument(definition)


@pytest.fixture(scope="session")
def make_chunk() -> Callable[..., Chunk]:
    def make(pixel: Any, tof: Any, definition: InstrumentDefinition | None, charge: float = 3.6e9) -> Chunk:
        tofs = np.asarray(tof, np.uint32)
        batch = EventBatch(
            pixel_id=np.asarray(pixel, np.uint32),
            tof=tofs,
            pulse_time_ns=np.array([1_700_000_000_000_000_000]),
            proton_charge_pc=np.array([charge]),
            event_offset=np.array([0, len(tofs)], np.int64),
            flags=np.zeros(1, np.uint32),
        )
        time_ns = 1_700_000_000_000_000_000
        return Chunk(1, "native", batch, time_ns, time_ns, 1, len(tofs), charge, {}, definition)

    return make


@pytest.fixture
def run() -> RunInfo:
    return RunInfo(number=7, instrument="NOM", title="Diamond <powder>")


@pytest.fixture
def session() -> SessionInfo:
    return SessionInfo("NOM", "native", "adara://localhost:31415", "", 0, "0.1.0", {})
