"""Streams of the simulated NOMAD, with faults in them."""

from __future__ import annotations

import itertools
from functools import lru_cache

import attrs

from beamline_support import PACKAGED_DEFINITION
from faults.beamline import START
from livered_core.config.simulate import SimulateConfig
from livered_core.simulator.beamline import Beamline, build_beamline
from livered_core.simulator.emission import Emission
from livered_core.simulator.stream import emissions

RUN = 7


@lru_cache(maxsize=2)
def _simulated(instrument: str) -> Beamline:
    config = SimulateConfig(
        sample="diamond",
        run_number=RUN,
        idf=PACKAGED_DEFINITION,
        speed=0.0,
        run_length=5.0,
        rate=4000.0,
        n_runs=1,
    )
    return build_beamline(config, instrument)


def stream(*faults: str, instrument: str) -> list[Emission]:
    """Give a run of five seconds of data: about 20,000 events in 300 pulses."""
    beamline = _simulated(instrument)
    beamline = attrs.evolve(beamline, config=attrs.evolve(beamline.config, faults=faults))
    return list(itertools.takewhile(lambda emission: not emission.idle, emissions(beamline, START)))
