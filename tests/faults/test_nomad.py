"""NOMAD itself on the simulated NOMAD: killed again and again, its curves are those of an undisturbed run."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from faults.beamline import Beamline
from faults.scenario import Scenario, cases
from faults.simulated import RUN, stream
from faults.stage import CONFIG, Stage

SECTION = "NOMAD"


def nomad(folder: Path, beamline: Beamline) -> Stage:
    stage = Stage(folder, beamline, instrument="NOM", config=CONFIG)
    stage.plugin()
    return stage


def undisturbed(folder: Path) -> Stage:
    """Reduce the run once, in peace."""
    folder.mkdir()
    beamline = Beamline()
    beamline.open()
    stage = nomad(folder, beamline)
    try:
        stage.start()
        beamline.wait_for_client()
        beamline.emit(stream(instrument="NOM"))
        stage.until_ended()
        stage.stop()
    finally:
        stage.close()
        beamline.close()
    return stage


def killed(stage: Stage) -> None:
    peace = undisturbed(stage.folder / "peace")
    stage.instrument = "NOM"
    run = iter(stream(instrument="NOM"))
    line = stage.beamline
    line.pace = 300.0
    for n in (60, 90):
        engine = stage.start()
        line.emit(itertools.islice(run, n))
        good = line.ledger.runs[RUN].good
        stage.until(lambda good=good: stage.events() >= good)
        line.emit(itertools.islice(run, 10))
        engine.kill()
    stage.fault_begins()
    stage.start()
    stage.until_recovered()
    line.emit(run)
    stage.until_ended()
    stage.stop()
    assert "goes on from its checkpoint" in stage.log()
    same, other = (each.read(f"runs/{RUN}.json") for each in (peace, stage))
    for key in ("curves", "images", "metadata", "title", "run"):
        assert same[key] == other[key], key
    assert other["curves"]
    stage.reference = same["curves"]
    stage.notes = "every curve and image bit by bit that of an undisturbed run"


SCENARIOS = (
    Scenario(
        "nomad-killed",
        SECTION,
        "kill -9, twice in a run of NOMAD",
        "livered-nom on the simulated NOMAD, killed with data not yet kept",
        "goes on from the checkpoint, takes each pulse once",
        killed,
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
