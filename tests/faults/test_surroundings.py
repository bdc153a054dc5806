"""What is around livered: disks, the monitor, and a second livered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.monitor import Monitor
from faults.places import Place, install_leaping_clock, place, small_disk
from faults.scenario import Scenario, cases
from faults.stage import RUN, Engine, Stage

DISK = "Disk"
MONITOR = "Monitor"
TWO = "Two of them"
BEFORE = 180
AFTER = 90
HOURS = 3600.0
Play = Callable[[Stage], None]


def began(stage: Stage) -> None:
    line = stage.beamline
    stage.start()
    line.begin(RUN)
    line.play(BEFORE)
    stage.until_reduced(BEFORE)


def sink(stage: Stage, name: str) -> dict[str, object]:
    found = [sink for sink in stage.status().get("sinks", []) if sink["name"] == name]
    return found[0] if found else {}


@contextlib.contextmanager
def on_small_disks(stage: Stage, *folders: Path) -> Iterator[Place]:
    """Let engines run where some folders are disks of a megabyte."""
    stage.config = stage.config.replace("[source]", f'output_dir = "{stage.folder / "out"}"\n[source]', 1)
    stage.config += "[limits]\ndisk_free = 0\n"
    with place(*(small_disk(folder) for folder in folders)) as here:
        stage.prefix, stage.seen = here.prefix(stage.folder), here.seen
        yield here
        stage.stop()
        stage.keep()


def output_full(stage: Stage) -> None:
    out = stage.folder / "out"
    with on_small_disks(stage, out) as here:
        began(stage)
        here.fill(out)
        stage.beamline.play(AFTER)
        stage.beamline.end()
        stage.until_ended()
        stage.until(lambda: sink(stage, "files").get("last_error"))
        assert not written(stage)
        stage.fault_begins()
        here.empty(out)
        stage.until(lambda: written(stage))
        stage.recovered()


def output_read_only(stage: Stage) -> None:
    out = stage.folder / "out"
    with on_small_disks(stage, out) as here:
        began(stage)
        here.run("mount", "-o", "remount,bind,ro", "tmpfs", str(out))
        stage.beamline.play(AFTER)
        stage.beamline.end()
        stage.until_ended()
        stage.until(lambda: sink(stage, "files").get("last_error"))
        stage.fault_begins()
        here.run("mount", "-o", "remount,bind,rw", "tmpfs", str(out))
        stage.until(lambda: written(stage))
        stage.recovered()


def written(stage: Stage) -> list[Path]:
    """Give the files of the final result that the sink has said that it wrote."""
    return [
        path for path in stage.seen(stage.folder / "out").rglob("*") if path.is_file() and path.name != "full"
    ]


def all_full(stage: Stage, *, killed: bool) -> None:
    """No disk takes anything: results, run directory, state, log."""
    folders = [stage.folder / name for name in ("out", "run", ".local", "log")]
    stage.config += f'[log]\nfile = "{stage.folder / "log" / "livered.log"}"\n'
    with on_small_disks(stage, *folders) as here:
        began(stage)
        for folder in folders:
            here.fill(folder)
        for _ in range(3):
            stage.beamline.pace = 300.0
            stage.beamline.play(AFTER)
        if killed:
            stage.engines[-1].kill()
            stage.start()
            stage.beamline.play(AFTER)
        stage.fault_begins()
        for folder in folders:
            here.empty(folder)
        stage.beamline.play(AFTER)
        if killed and stage.engines[-1].process.poll() is not None:
            # It could not begin: the service manager starts it again.
            assert stage.engines[-1].process.returncode == 1, stage.engines[-1].said()
            stage.start()
        stage.until_recovered(stage.beamline.ledger.runs[RUN].good - 1)
        stage.beamline.end()
        stage.until_ended()


@contextlib.contextmanager
def posting(stage: Stage) -> Iterator[Monitor]:
    monitor = Monitor()
    login = stage.folder / "login.toml"
    login.write_text('username = "live"\npassword = "secret"\n')
    login.chmod(0o600)
    stage.config += f'stop_timeout = 0.5\n[plugins.publish_monitor]\nurl = "{monitor.url}"\ncredentials_file = "{login}"\n'
    try:
        yield monitor
    finally:
        monitor.down()


def waits(stage: Stage, finals: int) -> bool:
    return sink(stage, "publish_monitor").get("unsent_finals") == finals


def monitor_down(stage: Stage) -> None:
    """The monitor is down over the end of two runs and a restart, for twelve hours of the wall clock."""
    stage.plugin()
    install_leaping_clock(stage.site)
    with posting(stage) as monitor:
        began(stage)
        stage.beamline.end()
        stage.until_ended()
        stage.beamline.begin(RUN + 1)
        stage.beamline.play(BEFORE)
        stage.beamline.end()
        stage.until_ended(RUN + 1)
        stage.until(lambda: waits(stage, 2))
        (stage.folder / "leap").write_text(str(12 * HOURS))
        stage.engines[-1].kill()
        stage.start()
        stage.until(lambda: waits(stage, 2))
        assert not monitor.taken
        stage.fault_begins()
        monitor.up()
        stage.until(lambda: {RUN, RUN + 1} <= set(monitor.taken))
        stage.recovered()
        stage.until(lambda: waits(stage, 0))
        stage.keep()


def monitor_trouble(trouble: Callable[[Monitor], None]) -> Play:
    """Let the monitor be in trouble during a run: results go on, and it gets the final one."""

    def play(stage: Stage) -> None:
        with posting(stage) as monitor:
            trouble(monitor)
            began(stage)
            stage.beamline.play(AFTER)
            stage.until_reduced(BEFORE + AFTER)
            stage.until(lambda: sink(stage, "publish_monitor").get("last_error"))
            assert not monitor.taken
            stage.beamline.end()
            stage.until_ended()
            stage.fault_begins()
            monitor.up()
            stage.until(lambda: RUN in monitor.taken and waits(stage, 0))
            stage.recovered()

    return play


def monitor_unknown(stage: Stage) -> None:
    """The monitor's name cannot be resolved."""
    with posting(stage) as monitor:
        stage.config = stage.config.replace(
            f"http://127.0.0.1:{monitor.port}", "https://monitor.example.invalid"
        )
        began(stage)
        stage.beamline.play(AFTER)
        stage.until_reduced(BEFORE + AFTER)
        stage.beamline.end()
        stage.until_ended()
        stage.until(lambda: waits(stage, 1))


def second_engine(stage: Stage) -> None:
    began(stage)
    second = stage.start()
    code = second.process.wait(60)
    assert code in (1, 2), second.said()
    assert "already" in second.said() or "another" in second.said().lower(), second.said()
    stage.notes = f"the second ends with exit code {code}"
    stage.fault_begins()
    stage.beamline.play(AFTER)
    stage.until_recovered()
    stage.beamline.end()
    stage.until_ended()


def both_at_once(stage: Stage) -> None:
    """Two engines are started in the same moment; one of them has it."""
    line = stage.beamline
    first, second = stage.start(), stage.start()
    line.begin(RUN)
    line.play(BEFORE)
    stage.until_reduced(BEFORE)
    stage.until(lambda: ends(first) != ends(second))
    line.play(AFTER)
    line.end()
    stage.until_ended()
    stage.until(lambda: len(stage.finals()) == 1)


def ends(engine: Engine) -> bool:
    return engine.process.poll() is not None


SCENARIOS = (
    Scenario(
        "disk-output-full",
        DISK,
        "the disk of the reduced files is full",
        "a disk of 1 MB is filled to the last byte, over the end of the run",
        "reduces on; keeps the final result, and writes it when there is room",
        output_full,
    ),
    Scenario(
        "disk-output-read-only",
        DISK,
        "the folder of the reduced files cannot be written",
        "it is mounted read-only over the end of the run",
        "reduces on; keeps the final result, and writes it when that is possible",
        output_read_only,
    ),
    Scenario(
        "disk-all-full",
        DISK,
        "every disk is full",
        "reduced files, run directory, state and log: disks of 1 MB, filled in mid-run, then emptied",
        "reduces on; shows it again as soon as there is room",
        lambda stage: all_full(stage, killed=False),
    ),
    Scenario(
        "disk-all-full-killed",
        DISK,
        "every disk is full, and livered is killed",
        "kill -9 and a start while the disks are full",
        "goes on from an older checkpoint, or replays the run",
        lambda stage: all_full(stage, killed=True),
    ),
    Scenario(
        "monitor-down",
        MONITOR,
        "the monitor is down for twelve hours",
        "over the ends of two runs and a kill -9; the wall clock leaps by twelve hours",
        "keeps both final results on disk and sends them when it is up",
        monitor_down,
    ),
    Scenario(
        "monitor-refuses",
        MONITOR,
        "the monitor answers with status 500",
        "over the end of the run",
        "reduces on, tries again",
        monitor_trouble(lambda monitor: monitor.up(500)),
    ),
    Scenario(
        "monitor-name-unknown",
        MONITOR,
        "the monitor's name cannot be resolved",
        "a host that does not exist",
        "reduces on; the final result waits",
        monitor_unknown,
    ),
    Scenario(
        "two-engines",
        TWO,
        "a second livered is started for the same instrument",
        "while the first reduces",
        "the second one says who is there and ends; the first goes on",
        second_engine,
    ),
    Scenario(
        "two-at-once",
        TWO,
        "two are started in the same moment",
        "two processes",
        "one of them goes on, the other one ends",
        both_at_once,
    ),
)


@pytest.mark.parametrize("scenario", cases(SCENARIOS))
def test_fault(scenario: Scenario, act):
    act(scenario)
