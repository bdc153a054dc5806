from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import livered_nom
from livered_core import Chunk, Instrument, InstrumentDefinition, RunInfo, SessionInfo
from livered_core import testing as kit
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
        """Make a chunk of one pulse; times of flight are in ticks of 100 ns."""
        events = kit.make_events(pixel, np.asarray(tof) / 10, proton_charge_pc=charge)
        return kit.make_chunk(events, instrument=definition)

    return make


@pytest.fixture
def run() -> RunInfo:
    return kit.make_run(7, instrument="NOM", title="Diamond <powder>")


@pytest.fixture
def session() -> SessionInfo:
    return kit.make_session(instrument="NOM")
