"""Kill -9 at random moments and at the worst ones; each run goes on, or is replayed, to the same last bit."""

from __future__ import annotations

import random
import shutil
import signal
import threading
from collections.abc import Callable

import pytest

from faults.scenario import Scenario, cases
from faults.stage import RUN, Engine, Stage

SECTION = "livered killed"
BEFORE = 180
AFTER = 90
GOES_ON = "goes on from its checkpoint"
ON = "goes on from the checkpoint, takes each pulse once"
Play = Callable[[Stage], None]


def began(stage: Stage, *, pace: float = 0.0) -> Engine:
    """Start an engine, and a run of which it has shown something and kept it."""
    engine = stage.start()
    line = stage.beamline
    line.begin(RUN)
    line.play(BEFORE)
    stage.until_reduced(BEFORE)
    stage.until(stage.checkpoints)
    line.pace = pace
    return engine


def ended(stage: Stage) -> None:
    """Play the rest of the run, and see its end."""
    stage.beamline.play(AFTER)
    stage.beamline.end()
    stage.until_ended()
    # Its final result was given to the sink, and whatever came again was the same.
    stage.until(stage.finals)
    stage.require_finals()


def comes_back(stage: Stage, more_than: int | None = None) -> Engine:
    """Start again after a kill, and wait for data from after it."""
    least = stage.beamline.ledger.runs[stage.judged].good - 1 if more_than is None else more_than
    stage.fault_begins()
    engine = stage.start()
    stage.until_recovered(least)
    return engine


def at_random(seed: int, kills: int = 2) -> Play:
    """Kill at moments that nothing is synchronised with, while pulses come."""

    def play(stage: Stage) -> None:
        draw = random.Random(seed)
        engine = began(stage, pace=600.0)
        for _ in range(kills):
            killer = threading.Timer(draw.uniform(0.0, 0.4), engine.kill)
            killer.start()
            stage.beamline.play(draw.randint(30, 240))
            killer.join()
            engine = comes_back(stage)
        assert GOES_ON in stage.log()
        ended(stage)

    return play


def while_replaying(stage: Stage) -> None:
    """The run is old when livered starts, and its replay takes a while."""
    stage.config = stage.config.replace(
        "[source]", "max_chunk_events = 4000\n[source]\nqueue_events = 4000", 1
    )
    stage.plugin(process="if is_told('slow'):\n    time.sleep(0.05)")
    stage.tell("slow")
    line = stage.beamline
    line.begin(RUN)
    line.play(20 * BEFORE)
    engine = stage.start()
    for part in (4, 2):
        stage.until(lambda part=part: stage.events() > line.ledger.runs[RUN].good // part)
        assert stage.events() < line.ledger.runs[RUN].good
        engine.kill()
        stage.fault_begins()
        engine = stage.start()
    stage.tell("slow", yes=False)
    stage.until_recovered()
    assert GOES_ON in stage.log()
    ended(stage)


def again_and_again(stage: Stage) -> None:
    """Kill it eight times on its way up, before it can have kept anything."""
    draw = random.Random(3)
    engine = began(stage)
    for _ in range(8):
        stage.beamline.play(10)
        engine.kill()
        engine = stage.start()
        with_luck = threading.Event()
        with_luck.wait(draw.uniform(0.0, 0.8))
    engine.kill()
    comes_back(stage)
    ended(stage)


def in_the_plugin(hook: str, *, final: bool) -> Play:
    """Kill it inside a hook."""
    condition = 'is_told("die") and update.final' if final else 'is_told("die")'
    # At the end of a run the thread that keeps it has its time: else the server is asked for what is not kept.
    dies = f'if {condition}:\n    (FOLDER / "die").unlink()\n    time.sleep({1.0 * final})\n    os.kill(os.getpid(), 9)'

    def play(stage: Stage) -> None:
        stage.plugin(**{hook: dies})
        engine = began(stage)
        stage.tell("die")
        stage.beamline.play(AFTER)
        if final:
            stage.beamline.end()
        engine.process.wait(30)
        assert engine.process.returncode == -signal.SIGKILL
        stage.fault_begins()
        stage.start()
        if final:
            stage.until_ended()
            stage.until(stage.finals)
            stage.require_finals()
            return
        stage.until_recovered()
        ended(stage)

    return play


def in_a_checkpoint(where: str) -> Play:
    """Kill it as it writes a checkpoint."""

    def play(stage: Stage) -> None:
        stage.plugin()
        stage.install_trap()
        engine = began(stage)
        stage.tell(f"trap-{where}")
        stage.beamline.pace = 300.0
        while engine.process.poll() is None:
            stage.beamline.play(30)
        assert engine.process.returncode == -signal.SIGKILL
        comes_back(stage)
        assert GOES_ON in stage.log()
        ended(stage)

    return play


def spoilt(spoil: Callable[[Stage], None], *, goes_on: bool) -> Play:
    """Do something between the kill and the next start."""

    def play(stage: Stage) -> None:
        engine = began(stage, pace=600.0)
        # Two checkpoints, so that there is one before the newest; each is made at the end of a chunk.
        while len(stage.checkpoints()) < 2:
            stage.beamline.play(30)
        engine.kill()
        spoil(stage)
        stage.beamline.play(AFTER)
        comes_back(stage)
        assert (GOES_ON in stage.log()) == goes_on, stage.log()
        ended(stage)

    return play


def newest(change: Callable[[bytes], bytes]) -> Callable[[Stage], None]:
    def spoil(stage: Stage) -> None:
        path = stage.checkpoints()[-1]
        path.write_bytes(change(path.read_bytes()))

    return spoil


def flipped(data: bytes) -> bytes:
    place = len(data) * 2 // 3
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def all_torn(stage: Stage) -> None:
    for path in stage.checkpoints():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder_in_its_place(stage: Stage) -> None:
    path = stage.checkpoints()[-1]
    path.unlink()
    path.mkdir()
    (path / "something").touch()


def other_code(stage: Stage) -> None:
    stage.plugin(code="two", version="1.1")


def other_settings(stage: Stage) -> None:
    stage.config = stage.config.replace("[source]", "[source]\nkeep_paused = true", 1)


def rebooted(stage: Stage) -> None:
    """What lies in memory is gone."""
    shutil.rmtree(stage.folder / "run")


def nothing(_stage: Stage) -> None:
    pass


def clock_back(stage: Stage) -> None:
    """The times of pulses go back before the kill: the place in the stream is no time."""
    engine = began(stage)
    before = stage.checkpoints()[-1]
    stage.beamline.jump(-7200.0071)
    stage.beamline.play(AFTER)
    stage.until_reduced(BEFORE + AFTER)
    stage.beamline.play(AFTER)
    stage.until(lambda: stage.checkpoints()[-1] != before)
    engine.kill()
    stage.beamline.play(AFTER)
    comes_back(stage)
    assert GOES_ON in stage.log()
    ended(stage)


def stopped(stage: Stage) -> None:
    """Ask it to stop in mid-run and start it again, twice."""
    engine = began(stage)
    for _ in range(2):
        stage.beamline.play(AFTER)
        assert engine.stop() == 0
        stage.beamline.play(AFTER)
        engine = comes_back(stage)
    assert stage.log().count(GOES_ON) == 2
    ended(stage)


def frozen(stage: Stage) -> None:
    """The process is not run for a while, as in a machine that sleeps."""
    engine = began(stage, pace=600.0)
    engine.process.send_signal(signal.SIGSTOP)
    stage.beamline.play(4 * AFTER)
    stage.fault_begins()
    engine.process.send_signal(signal.SIGCONT)
    stage.until_recovered()
    ended(stage)


def server_forgot(stage: Stage) -> None:
    engine = began(stage)
    engine.kill()
    stage.beamline.close()
    stage.beamline.play(AFTER)
    stage.beamline.forget()
    stage.beamline.play(AFTER)
    comes_back(stage, BEFORE * stage.beamline.events)
    stage.beamline.end()
    stage.until_ended()


def all_is_other(stage: Stage) -> None:
    """Neither the checkpoint can be used nor can the run be replayed from its start."""
    engine = began(stage)
    engine.kill()
    stage.plugin(code="two")
    stage.beamline.forget()
    stage.beamline.play(AFTER)
    stage.fault_begins()
    stage.start()
    stage.until(lambda: stage.read("latest.json")["metadata"]["code"] == "two")
    stage.recovered()
    stage.beamline.end()
    stage.until_ended()


def run_ended(*, next_run: bool) -> Play:
    """The run ends while livered is down, and perhaps the next one has begun; the server has the current one only."""

    def play(stage: Stage) -> None:
        engine = began(stage)
        line = stage.beamline
        line.play(AFTER)
        engine.kill()
        line.play(AFTER)
        if next_run:
            line.replace(RUN + 1)
            line.play(AFTER)
        else:
            line.end()
            line.heartbeat()
        stage.fault_begins()
        stage.start()
        stage.until_ended()
        if next_run:
            stage.judged = RUN + 1
            stage.until_recovered(0)
            line.end()
            stage.until_ended()
            assert stage.outcome().exact
            stage.judged = RUN

    return play


def scenario(name: str, fault: str, done: str, play: Play, livered: str = ON, **more: object) -> Scenario:
    return Scenario(f"killed-{name}", SECTION, fault, done, livered, play, **more)


REPLAYED = "says what is wrong, replays the run from its start"
OLDER = "says what is wrong, goes on from the checkpoint before"
SCENARIOS = (
    *(
        scenario(f"at-random-{seed}", "kill -9 at a random moment, twice", f"seed {seed}", at_random(seed))
        for seed in range(2)
    ),
    scenario(
        "while-replaying",
        "kill -9 while a run is replayed",
        "at a quarter and at half of it",
        while_replaying,
    ),
    scenario(
        "again-and-again",
        "kill -9 eight times on the way up",
        "at random moments of the start",
        again_and_again,
    ),
    scenario(
        "in-process-chunk",
        "kill -9 while a chunk is reduced",
        "by the plugin",
        in_the_plugin("process", final=False),
    ),
    scenario(
        "before-final",
        "kill -9 between the end of the run and its final result",
        "by the plugin, in the last `post_process`",
        in_the_plugin("post", final=True),
        "makes the final result at the next start",
    ),
    scenario(
        "final-being-sent",
        "kill -9 while the final result is being sent",
        "by the plugin, in `post_publish`",
        in_the_plugin("publish", final=True),
        "sends it again at the next start",
    ),
    scenario(
        "in-checkpoint-rename",
        "kill -9 within the writing of a checkpoint",
        "before it gets its name",
        in_a_checkpoint("os.rename"),
    ),
    scenario(
        "in-checkpoint-remove",
        "kill -9 within the writing of a checkpoint",
        "before the oldest is removed",
        in_a_checkpoint("os.remove"),
    ),
    scenario(
        "rebooted",
        "the machine is rebooted",
        "kill -9; what lies in memory is gone",
        spoilt(rebooted, goes_on=True),
    ),
    scenario(
        "torn",
        "kill -9, and the newest checkpoint is torn",
        "cut in half",
        spoilt(newest(lambda data: data[: len(data) // 2]), goes_on=True),
        OLDER,
    ),
    scenario(
        "empty",
        "kill -9, and the newest checkpoint is empty",
        "truncated to nothing",
        spoilt(newest(lambda _: b""), goes_on=True),
        OLDER,
    ),
    scenario(
        "flipped",
        "kill -9, and a bit of the newest checkpoint is wrong",
        "one bit flipped",
        spoilt(newest(flipped), goes_on=True),
        OLDER,
    ),
    scenario(
        "folder",
        "kill -9, and a folder is where the newest checkpoint was",
        "made by hand",
        spoilt(folder_in_its_place, goes_on=True),
        OLDER,
    ),
    scenario(
        "all-torn",
        "kill -9, and all checkpoints are torn",
        "each cut in half",
        spoilt(all_torn, goes_on=False),
        REPLAYED,
    ),
    scenario(
        "other-code",
        "kill -9, and the plugin's code is another",
        "installed anew before the next start",
        spoilt(other_code, goes_on=False),
        REPLAYED,
    ),
    scenario(
        "other-settings",
        "kill -9, and the settings are others",
        "`source.keep_paused` changed",
        spoilt(other_settings, goes_on=False),
        REPLAYED,
    ),
    scenario(
        "clock-back",
        "kill -9 after the beamline's clock leapt back by two hours",
        "times of pulses leap in mid-run",
        clock_back,
    ),
    scenario("stopped", "asked to stop in mid-run and started again", "SIGTERM, twice", stopped),
    scenario("frozen", "the process is not run for a while", "SIGSTOP, SIGCONT", frozen, "catches up"),
    scenario(
        "server-forgot",
        "kill -9, and the server lost its history meanwhile",
        "the server is restarted without it",
        server_forgot,
        "goes on, and says that pulses are missing",
        exact=False,
        said="could not replay",
    ),
    scenario(
        "server-forgot-other-code",
        "kill -9, the server lost its history, and the plugin's code is another",
        "all of it between the kill and the next start",
        all_is_other,
        "takes what comes, and says that the beginning is missing",
        exact=False,
        said="joined after its start",
    ),
    scenario(
        "run-ended",
        "kill -9, and the run ends meanwhile",
        "no run goes on at the next start",
        run_ended(next_run=False),
        "shows the run as ended and incomplete, with what is missing",
        exact=False,
        said="end of the run was not seen.* is missing",
    ),
    scenario(
        "next-run",
        "kill -9, and the next run has begun meanwhile",
        "the server replays the current run only",
        run_ended(next_run=True),
        "shows the run as ended and incomplete, the next one complete",
        exact=False,
        said="end of the run was not seen.* is missing",
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
