"""Plugins that raise, hang, leak, or return nonsense."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from faults.scenario import Scenario, cases
from faults.stage import RUN, Engine, Stage

SECTION = "Plugin"
BEFORE = 180
AFTER = 90
LOST = "lost to a plugin's failure"
COUNTED = "leaves that chunk out, counts it, says whose fault it is, reduces on"
Play = Callable[[Stage], None]


def began(stage: Stage) -> Engine:
    line = stage.beamline
    engine = stage.start()
    line.begin(RUN)
    line.play(BEFORE)
    stage.until_reduced(BEFORE)
    return engine


def ended(stage: Stage) -> None:
    stage.beamline.end()
    stage.until_ended()


def fails(*, chunks: bool, **wrong: str) -> Play:
    """Let a hook do something wrong once."""

    def play(stage: Stage) -> None:
        told = "if is_told('wrong'):\n    (FOLDER / 'wrong').unlink()\n    "
        stage.plugin(**{hook: told + what for hook, what in wrong.items()})
        began(stage)
        stage.tell("wrong")
        stage.beamline.play(AFTER)
        stage.until(lambda: stage.read("failures.json").get("failures"))
        stage.fault_begins()
        stage.beamline.play(AFTER)
        stage.until_recovered()
        ended(stage)
        (failure, *_) = stage.read("failures.json")["failures"]
        # What a plugin returns may be of no use only to the next one.
        assert failure["plugin"] in ("tst", "livered defaults")
        assert bool(stage.read(f"runs/{RUN}.json")["update"]["dropped_events"]) == chunks

    return play


def always_fails(stage: Stage) -> None:
    """Five failures in a row end livered; what is mended is started again."""
    stage.plugin(process="if is_told('wrong'):\n    raise ValueError('a detector is upside down')")
    engine = began(stage)
    stage.tell("wrong")
    stage.beamline.pace = 300.0
    while engine.process.poll() is None:
        stage.beamline.play(30)
    assert engine.process.returncode == 1, engine.said()
    assert "Gave up after 5 failures in a row" in engine.said()
    stage.plugin(code="mended")
    stage.fault_begins()
    stage.start()
    stage.until_recovered(stage.beamline.ledger.runs[RUN].good - 1)
    ended(stage)


def hangs(*, forever: bool) -> Play:
    """Let a chunk take long; or for ever, and the service manager's watchdog kill what stands still."""

    def play(stage: Stage) -> None:
        stage.plugin(process="while is_told('hang'):\n    time.sleep(0.01)")
        engine = began(stage)
        stage.tell("hang")
        stage.beamline.play(AFTER)
        stage.until(lambda: stage.status().get("standing_s", 0.0) > 1.0)
        stage.beamline.play(AFTER)
        if forever:
            # What systemd does.
            engine.process.send_signal(signal.SIGABRT)
            engine.process.wait(30)
            stage.tell("hang", yes=False)
            stage.fault_begins()
            stage.start()
        else:
            stage.tell("hang", yes=False)
            stage.fault_begins()
        stage.until_recovered()
        stage.beamline.play(AFTER)
        ended(stage)

    return play


def slow(stage: Stage) -> None:
    """Each chunk takes longer than there is between two updates."""
    stage.plugin(process="time.sleep(0.5)")
    stage.beamline.pace = 600.0
    stage.start()
    stage.beamline.wait_for_client()
    stage.beamline.begin(RUN)
    stage.beamline.play(4 * BEFORE)
    ended(stage)


def leaks(stage: Stage) -> None:
    """Memory grows with each chunk, up to the limit."""
    stage.plugin(process="if is_told('leak'):\n    KEPT.append(np.ones(5_000_000))", before="KEPT = []")
    stage.config += '[limits]\nmemory = "500 MB"\n'
    engine = began(stage)
    stage.tell("leak")
    stage.beamline.pace = 300.0
    while engine.process.poll() is None:
        stage.beamline.play(30)
    assert engine.process.returncode == 1, engine.said()
    stage.tell("leak", yes=False)
    stage.fault_begins()
    stage.start()
    stage.until_recovered(stage.beamline.ledger.runs[RUN].good - 1)
    ended(stage)


def scenario(name: str, fault: str, done: str, livered: str, play: Play, **more: object) -> Scenario:
    return Scenario(f"plugin-{name}", SECTION, fault, done, livered, play, **more)


def failing(name: str, what: str, process: str) -> Scenario:
    play = fails(chunks=True, process=process)
    return scenario(name, what, "in `process_chunk`", COUNTED, play, exact=False, said=LOST)


SCENARIOS = (
    failing("raises", "a plugin raises", "raise ValueError('upside down')"),
    failing("exits", "a plugin calls sys.exit", "raise SystemExit(0)"),
    failing("nonsense", "a plugin returns nonsense", "return 'nonsense'"),
    scenario(
        "result-raises",
        "a plugin raises while it makes a result",
        "in `post_process`",
        "shows the result before, says so; the next result has everything",
        fails(chunks=False, post="raise ValueError('upside down')"),
    ),
    scenario(
        "result-nonsense",
        "a plugin returns something that is no result",
        "in `post_process`",
        "shows the result before, says so; the next result has everything",
        fails(chunks=False, post="return 42"),
    ),
    scenario(
        "sink-raises",
        "a sink raises",
        "in `post_publish`",
        "reduces on, tries again",
        fails(chunks=False, publish="raise OSError('no such planet')"),
    ),
    scenario(
        "always-raises",
        "a plugin raises at every chunk",
        "in `process_chunk`; it is mended, and livered started again",
        "ends after five in a row with exit code 1; with other code the run is replayed",
        always_fails,
    ),
    scenario(
        "hangs",
        "a plugin hangs, and comes back",
        "in `process_chunk`, for a few seconds",
        "says where it stands; the data wait, and are reduced then",
        hangs(forever=False),
    ),
    scenario(
        "hangs-for-ever",
        "a plugin hangs for ever",
        "in `process_chunk`; killed as systemd's watchdog does, and started again",
        "goes on from the checkpoint",
        hangs(forever=True),
    ),
    scenario("slow", "a plugin is slower than the beam", "0.5 s for each chunk", "takes longer chunks", slow),
    scenario(
        "leaks",
        "a plugin leaks memory",
        "40 MB with each chunk, limit 500 MB; started again",
        "at the limit keeps the run and ends with exit code 1; goes on from the checkpoint",
        leaks,
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
