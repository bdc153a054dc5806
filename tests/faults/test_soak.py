"""Long ones, by command (``make soak``): kills for an hour, a day of pulses, thousands of runs; memory stays flat.

SOAK_MINUTES says for how long livered is killed, SOAK_HOURS how many hours of pulses at 60 Hz the long run has, and
SOAK_RUNS how many runs there are one after the other.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from faults.scenario import Scenario, cases
from faults.stage import RUN, Engine, Stage
from livered_core.config.faults import CONNECTION_FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.soak]

SECTION = "Soak"
MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))
HOURS = float(os.environ.get("SOAK_HOURS", "24"))
RUNS = int(os.environ.get("SOAK_RUNS", "3000"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
MB = 1_000_000
MAY_GROW = 60 * MB
_LIMIT_S = 1800.0


def memory(engine: Engine) -> int:
    """Return the resident memory of a process, bytes."""
    text = Path(f"/proc/{engine.process.pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def wait_long(stage: Stage, number: int) -> None:
    """Wait for a run's final result, as long as there is progress."""
    deadline, last = time.monotonic() + _LIMIT_S, -1
    while time.monotonic() < deadline:
        try:
            stage.until_ended(number)
        except AssertionError:
            now = stage.status().get("source", {}).get("counts", {}).get("events", 0)
            if now == last:
                raise
            last = now
        else:
            return
    raise AssertionError("the run does not end")


def killed_at_random(stage: Stage) -> None:
    """For SOAK_MINUTES: runs, in which it is killed, stopped, cut off and fed bad bytes at random moments."""
    draw = random.Random(SEED)
    stage.config = stage.config.replace("[source]\n", "[source]\nsilence_timeout = 0.6\n")
    line = stage.beamline
    line.pace = 600.0
    number, kills, stops, faults = RUN, 0, 0, 0
    until = time.monotonic() + 60.0 * MINUTES
    engine = stage.start()
    line.wait_for_client()
    while time.monotonic() < until:
        line.begin(number)
        stage.judged = number
        for _ in range(draw.randint(1, 6)):
            what = draw.choice(["kill", "kill", "kill", "stop", "fault"])
            if what == "fault":
                name = draw.choice(sorted(set(CONNECTION_FAULTS) - {"stall", "trickle"}))
                line.play(draw.randint(1, 200))
                line.fault(f"{name}@0")
                line.play(draw.randint(1, 200))
                faults += 1
                continue
            end = engine.kill if what == "kill" else engine.stop
            timer = threading.Timer(draw.uniform(0.0, 1.5), end)
            timer.start()
            line.play(draw.randint(30, 600))
            timer.join()
            kills, stops = kills + (what == "kill"), stops + (what == "stop")
            engine = stage.start()
        # The server has a run only as long as it goes on: the last engine must have come to its end before.
        line.play(6)
        good = line.ledger.runs[number].good
        stage.until(lambda good=good: stage.events() >= good)
        line.end()
        stage.until_ended()
        number += 1
    stage.until(lambda: {final.run for final in stage.finals()} == set(range(RUN, number)))
    stage.require_finals()
    total = sum(line.ledger.runs[each].good for each in range(RUN, number))
    twice = len(stage.finals()) - (number - RUN)
    stage.notes = (
        f"{MINUTES:g} min: {number - RUN} runs with {total:,} events, {kills} kills, {stops} stops, "
        f"{faults} faults of the connection; every run exact; {twice} finals sent twice"
    )


def long_run(stage: Stage) -> None:
    """One run of SOAK_HOURS at 60 Hz, as fast as it can be sent."""
    line = stage.beamline
    line.events = 8
    engine = stage.start()
    line.wait_for_client()
    line.begin(RUN)
    n_pulses = round(HOURS * 3600 * 60)
    began, seen = time.monotonic(), []
    for part in range(8):
        line.repeat(n_pulses // 8)
        good = line.ledger.runs[RUN].good
        while stage.events() < good:
            before = stage.events()
            stage.until(lambda before=before: stage.events() > before)
        seen.append(memory(engine))
        print(f"part {part + 1}: {seen[-1] / MB:.0f} MB after {time.monotonic() - began:.0f} s", flush=True)
    line.end()
    wait_long(stage, RUN)
    took = time.monotonic() - began
    half = seen[len(seen) // 2 - 1]
    assert seen[-1] - half < MAY_GROW, seen
    stage.notes = (
        f"{n_pulses // 8 * 8:,} pulses ({HOURS:g} h at 60 Hz) in {took:.0f} s; memory {half / MB:.0f} MB after a "
        f"half, {seen[-1] / MB:.0f} MB at the end"
    )


def many_runs(stage: Stage) -> None:
    """SOAK_RUNS runs, one after the other."""
    line = stage.beamline
    engine = stage.start()
    line.wait_for_client()
    last = RUN + RUNS - 1
    began, seen = time.monotonic(), []
    for number in range(RUN, last + 1):
        line.begin(number)
        line.play(5)
        if number % 3 or number == last:
            line.end()
        if number % 20 == 0:
            # Sinks take one final result after the other: here it is to be seen what stays, not what waits.
            stage.until(lambda number=number: len(stage.finals()) >= number - RUN - 20)
        if number % 100 == 0:
            seen.append(memory(engine))
    wait_long(stage, last)
    stage.until(lambda: len(stage.finals()) == RUNS)
    assert [final.run for final in stage.finals()] == list(range(RUN, last + 1))
    stage.require_finals()
    took = time.monotonic() - began
    early, late = seen[len(seen) // 2 - 1], seen[-1]
    assert late - early < MAY_GROW, seen
    stage.judged = last
    stage.notes = (
        f"{RUNS} runs in {took:.0f} s, each exact, each final once; memory {early / MB:.0f} MB after a half, "
        f"{late / MB:.0f} MB at the end"
    )


SCENARIOS = (
    Scenario(
        "soak-kills",
        SECTION,
        "kill -9, stops and faults of the connection at random moments",
        "as long as SOAK_MINUTES says",
        "every run exact",
        killed_at_random,
    ),
    Scenario(
        "soak-day",
        SECTION,
        "a run of a day",
        "24 hours of pulses at 60 Hz, as fast as they are taken",
        "exact, memory flat",
        long_run,
    ),
    Scenario(
        "soak-runs",
        SECTION,
        "thousands of changes of runs",
        "runs of five pulses one after the other",
        "each exact, each final result once, memory flat",
        many_runs,
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
