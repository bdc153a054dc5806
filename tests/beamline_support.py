"""Runs of the simulated beamline as recordings, made as fast as the machine can, and counted."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import livered_nom
from livered_core import Chunk, RunInfo
from livered_core.config.simulate import SimulateConfig
from livered_core.references import read_run
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.stream import emissions
from livered_nom.counts import NomCounts
from livered_nom.plugin import NomPlugin

PACKAGED_DEFINITION = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
START_NS = 1_700_000_000_000_000_000


def simulated_run(
    path: Path, sample: str, number: int, *, idf: Path = PACKAGED_DEFINITION, **config: Any
) -> Path:
    """Write a whole run of a sample, and return where."""
    simulate = SimulateConfig(sample=sample, run_number=number, idf=idf, speed=0.0, **config)
    run = itertools.takewhile(
        lambda emission: not emission.idle, emissions(build_beamline(simulate, "NOM"), START_NS)
    )
    with path.open("wb") as file:
        for emission in run:
            file.write(emission.data)
    return path


def count_run(plugin: NomPlugin, path: Path) -> tuple[NomCounts, RunInfo]:
    """Have a plugin count a recorded run; returns what is accumulated, and the run as it was last described."""
    parts: list[NomCounts] = []
    runs: list[RunInfo] = []

    def take(chunk: Chunk, run: RunInfo) -> None:
        runs.append(run)
        parts.append(plugin.process_chunk(chunk))

    read_run(path, take)
    return sum(parts[1:], parts[0]), runs[-1]
