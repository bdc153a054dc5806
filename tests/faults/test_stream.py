"""Faults of the stream itself: what a beamline sends on bad days, and clocks that leap."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.places import install_leaping_clock
from faults.scenario import Scenario, cases
from faults.simulated import stream
from faults.stage import RUN, Stage

SECTION = "Stream and clocks"
BEFORE = 180
AFTER = 120
HOUR = 3600.0
Play = Callable[[Stage], None]


def sends(*faults: str, pace: float = 0.0) -> Play:
    """Send a run of the simulated beamline with faults in its stream."""

    def play(stage: Stage) -> None:
        stage.beamline.pace = pace
        stage.start()
        stage.beamline.wait_for_client()
        stage.beamline.emit(stream(*faults, instrument="TST"))
        stage.until_ended()

    return play


def fault(name: str, what: str, livered: str) -> Scenario:
    return Scenario(f"stream-{name}", SECTION, what, f"simulator fault `{name}`", livered, sends(f"{name}@2"))


def paused(stage: Stage) -> None:
    stage.start()
    line = stage.beamline
    line.wait_for_client()
    line.begin(RUN)
    line.play(BEFORE)
    line.pause()
    line.play(AFTER)
    line.resume()
    line.play(AFTER)
    line.end()
    stage.until_ended()
    stage.until(lambda: stage.status()["source"]["counts"]["paused_events"])


def beamline_leaps(*leaps: float, lost: bool = False) -> Play:
    """Let the beamline's clock leap, by no whole number of pulses: none comes at the time of another."""

    def play(stage: Stage) -> None:
        line = stage.under_way(BEFORE)
        for leap in leaps:
            stage.fault_begins()
            line.jump(leap)
            line.play(AFTER)
            stage.until_recovered()
            if lost:
                line.fault("reset@0")
                line.play(AFTER)
                stage.until_recovered()
        line.end()
        stage.until_ended()

    return play


def machine_leaps(*leaps: float) -> Play:
    """Let the clock of livered's machine leap, and the connection be lost after it."""

    def play(stage: Stage) -> None:
        stage.plugin()
        install_leaping_clock(stage.site)
        line = stage.under_way(BEFORE)
        for leap in leaps:
            (stage.folder / "leap").write_text(str(leap))
            stage.fault_begins()
            line.play(AFTER)
            stage.until_recovered()
            line.fault("reset@0")
            line.play(AFTER)
            stage.until_recovered()
        line.end()
        stage.until_ended()

    return play


def transitions(n: int) -> Play:
    """Play runs of a few pulses without a pause; each must have its own final result, once."""

    def play(stage: Stage) -> None:
        stage.start()
        line = stage.beamline
        line.wait_for_client()
        last = RUN + n - 1
        for number in range(RUN, last + 1):
            line.begin(number)
            line.play(5)
            # Some runs end only with the begin of the next.
            if number % 3 or number == last:
                line.end()
        stage.until_ended(last)
        stage.until(lambda: len(stage.finals()) == n)
        assert [final.run for final in stage.finals()] == list(range(RUN, last + 1))
        stage.require_finals()
        stage.judged = last
        stage.notes = f"{n} runs, each exact, each final once"

    return play


SCENARIOS = (
    fault("run-eof", "the server begins a new file in mid-run", "goes on with the run"),
    fault("repeat-new-run", "the begin of the run is said again", "goes on with the run"),
    fault(
        "status-1",
        "values of the sample environment come as read errors",
        "takes the events; the logs say so",
    ),
    fault(
        "bad-pixels",
        "half of the events are in error pixels, unmapped, or nowhere",
        "counts them as left out",
    ),
    fault("duplicate", "pulses come twice", "takes each once"),
    fault("disorder", "pulses come in the opposite order", "takes each once"),
    Scenario(
        "stream-all",
        SECTION,
        "all of these in one run, and the connection reset between them",
        "seven faults of the simulator",
        "as with each",
        sends(
            "status-1@0.5",
            "run-eof@1",
            "duplicate@1.5",
            "reset@1.6",
            "disorder@2",
            "repeat-new-run@3",
            "bad-pixels@3.5:0.5",
            # The server replays the current run only: it must not be over before the connection is there again.
            pace=300.0,
        ),
    ),
    Scenario(
        "paused",
        SECTION,
        "the run is paused",
        "120 pulses come in a pause",
        "leaves them out and counts them",
        paused,
    ),
    Scenario(
        "beamline-clock-ahead",
        SECTION,
        "the beamline's clock leaps ahead by two hours",
        "times of pulses leap, then the connection is reset",
        "goes on; takes each pulse once",
        beamline_leaps(2 * HOUR + 0.0071, lost=True),
    ),
    Scenario(
        "beamline-clock-back",
        SECTION,
        "the beamline's clock leaps back by two hours",
        "times of pulses leap, then the connection is reset",
        "goes on; takes each pulse once",
        beamline_leaps(-2 * HOUR + 0.0071, lost=True),
    ),
    Scenario(
        "beamline-clock-to-and-fro",
        SECTION,
        "the beamline's clock leaps by half a second to and fro",
        "times of pulses leap four times",
        "goes on; takes each pulse once",
        beamline_leaps(-0.5071, 0.5071, -0.5113, 0.5113),
    ),
    Scenario(
        "machine-clock",
        SECTION,
        "the clock of livered's machine leaps ahead by a day, then back by three years",
        "the process's wall clock leaps; the connection is reset after each leap",
        "goes on: the clock is only shown",
        machine_leaps(24 * HOUR, -3 * 365 * 24 * HOUR),
    ),
    Scenario(
        "run-transitions",
        SECTION,
        "one run after the other",
        "60 runs of five pulses as fast as they can be sent",
        "gives each its own final result",
        transitions(60),
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
