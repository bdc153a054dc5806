from __future__ import annotations

import io

import attrs
import pytest
from rich.console import Console

from hooks_support import update
from livered_core import Curve, Receipt, Result, RunInfo
from livered_core.cli.view import LineTimes, render, status_line
from livered_core.engine.event_rate import EventRate
from livered_core.engine.health import Health, Phase, health_as_dict, phase_of
from livered_core.publish.sinks import SinkStatus
from livered_core.sources.base import Connection, SourceStatus

RUN = RunInfo(number=4711, instrument="TST", title="Diamond [bold]powder[/bold]")
SOURCE = SourceStatus(
    "adara://here:1", Connection.CONNECTED, "", RUN, False, 90 * 10**9, 0.1, 0, 1, {"events": 5}
)
PEAKS = {"counts": 1234567, "strongest_peak_angstrom": 1.2611, "expected_peak_angstrom": 1.2612}
RESULT = Result(
    4711,
    "t",
    (
        Curve("bank 5", [0.0], [1.0], [1.0], "Angstrom", "counts", metadata=PEAKS),
        Curve("bank 6", [0.0], [1.0], [1.0], "Angstrom", "counts", metadata={"counts": 3}),
    ),
)
HEALTH = Health(
    phase=Phase.LIVE,
    source=SOURCE,
    run=RUN,
    now_ns=92 * 10**9,
    n_chunks=3,
    n_updates=2,
    n_events=12_345_678,
    n_pulses=60,
    proton_charge_pc=3.6e9,
    last_pulse_ns=90 * 10**9,
    dropped_chunks=0,
    skipped_chunks=0,
    missing=(),
    result=RESULT,
    update=update(),
    sinks=(),
)


def screen(health, rate=200_000.0, page=""):
    console = Console(file=io.StringIO(), width=120)
    console.print(render(health, rate, page))
    return console.file.getvalue()


def test_what_the_plugin_says_of_the_result_stands_below_its_curves():
    said = {"statistics": "error of S(Q) 0.04", "n_binned": 7, "vanadium": "not used: [bold]no[/bold] file"}
    lines = screen(attrs.evolve(HEALTH, result=attrs.evolve(RESULT, metadata=said))).splitlines()
    below = lines[next(i for i, line in enumerate(lines) if "bank 6" in line) :]
    assert any(line.split() == ["statistics", "error", "of", "S(Q)", "0.04"] for line in below)
    assert any("not used: [bold]no[/bold] file" in line for line in below)
    assert not any("n binned" in line for line in lines)


def test_notes_of_few_curves_have_no_column():
    curve = Curve("G(r)", [0.0], [1.0], [1.0], "Angstrom", "1", metadata={"transformed_to": 31.4})
    shown = screen(attrs.evolve(HEALTH, result=attrs.evolve(RESULT, curves=(*RESULT.curves, curve))))
    assert "counts" in shown
    assert "G(r)" in shown
    assert "transformed to" not in shown


def test_everything_that_one_wants_to_know_is_on_the_screen():
    text = screen(HEALTH)
    for words in (
        "4711",
        "Diamond [bold]powder[/bold]",
        "live",
        "12,345,678",
        "200 k/s",
        "1.000 uAh",
        "2.0 s",
        "yes",
    ):
        assert words in text
    chunk_line = next(line for line in text.splitlines() if line.startswith("chunk"))
    assert chunk_line.split() == ["chunk", "3", "update", "2"]
    bank = next(line for line in text.splitlines() if "bank 5" in line)
    assert bank.split() == ["bank", "5", "1,234,567", "1.2611", "1.2612"]
    assert next(line for line in text.splitlines() if "bank 6" in line).split() == [
        "bank",
        "6",
        "3",
        "-",
        "-",
    ]


def test_numbers_are_whole_in_a_narrow_terminal():
    console = Console(file=io.StringIO(), width=60)
    console.print(render(HEALTH, 1.0))
    bank = next(line for line in console.file.getvalue().splitlines() if "bank 5" in line)
    assert bank.split() == ["bank", "5", "1,234,567", "1.2611", "1.2612"]


def test_what_is_missing_and_what_is_wrong_is_on_the_screen():
    problem = attrs.evolve(SOURCE, connection=Connection.WAITING, problem="Cannot connect to here:1.")
    sink = SinkStatus("monitor", 0, 0, 1, None, "no route")
    health = attrs.evolve(
        HEALTH, phase=Phase.DISCONNECTED, source=problem, missing=("A gap.",), dropped_chunks=2, sinks=(sink,)
    )
    text = screen(health)
    for words in ("not connected", "Cannot connect to here:1.", "NO: A gap.", "monitor: no route"):
        assert words in text
    assert "INCOMPLETE: A gap." in status_line(health, 0.0)


def test_where_the_page_is_is_on_the_screen_when_there_is_one():
    assert "http://127.0.0.1:8712/" in screen(HEALTH, page="http://127.0.0.1:8712/")
    assert "page" not in screen(HEALTH)


def test_before_the_first_run_nothing_is_claimed():
    health = attrs.evolve(
        HEALTH, phase=Phase.BETWEEN_RUNS, run=None, result=None, n_events=0, last_pulse_ns=0
    )
    text = screen(health)
    assert "between runs" in text
    assert "no data yet" in text
    assert "yes" not in text
    assert status_line(health, 0.0) == "between runs; adara://here:1"


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_can_be_drawn(phase):
    assert phase.value in screen(attrs.evolve(HEALTH, phase=phase))


def test_a_change_of_state_makes_a_line_at_once_and_the_same_state_every_five_seconds():
    def due(now_s, phase, run=None):
        return times.due(now_s, attrs.evolve(HEALTH, phase=phase, run=run))

    times = LineTimes()
    assert due(0.0, Phase.CONNECTING)
    assert not due(0.25, Phase.CONNECTING)
    assert not due(0.5, Phase.DISCONNECTED)
    assert due(5.0, Phase.CONNECTING)
    assert due(5.25, Phase.BETWEEN_RUNS)
    assert not due(10.0, Phase.BETWEEN_RUNS)
    assert due(10.25, Phase.BETWEEN_RUNS)
    assert due(10.5, Phase.LIVE, RUN)
    assert not due(10.75, Phase.LIVE, RUN)
    assert due(11.0, Phase.LIVE, attrs.evolve(RUN, number=4712))
    assert not due(30.0, Phase.STOPPED)


def test_texts_of_the_stream_and_of_plugins_move_nothing():
    nasty = "a\x1b[31mb\x9b32mc\u202ed\u2028e\nf"
    curve = Curve(nasty, [0.0], [1.0], [1.0], "Angstrom", "counts", metadata={"note": nasty})
    health = attrs.evolve(
        HEALTH,
        run=attrs.evolve(RUN, title=nasty),
        source=attrs.evolve(SOURCE, where=nasty, problem=nasty),
        missing=(nasty,),
        result=Result(4711, "t", (curve,)),
        sinks=(SinkStatus(nasty, 0, 0, 1, None, nasty),),
    )
    text = screen(health)
    assert text.count("a [31mb 32mc d e f") >= 5
    assert not set(text) & set("\x1b\x9b\u202e\u2028")


def test_status_line():
    assert status_line(HEALTH, 1.5e6) == (
        "run 4711: live, 2.0 s old, 12,345,678 events (1.5 M/s), 1.000 uAh, chunk 3, update 2, complete"
    )


@pytest.mark.parametrize(
    ("changes", "run", "now_s", "phase"),
    [
        ({}, RUN, 91, Phase.LIVE),
        ({}, RUN, 96, Phase.CATCHING_UP),
        ({"paused": True, "silent_s": 60.0}, RUN, 91, Phase.PAUSED),
        ({"silent_s": 6.0}, RUN, 91, Phase.NO_PULSES),
        ({"silent_s": 6.0}, RUN, 99, Phase.NO_PULSES),
        ({"silent_s": 6.0, "beam_off_s": 9.0}, RUN, 91, Phase.NO_PULSES),
        ({"silent_s": 0.1, "beam_off_s": 9.0}, RUN, 91, Phase.NO_BEAM),
        ({"silent_s": 0.1, "beam_off_s": 4.0}, RUN, 91, Phase.LIVE),
        ({"paused": True, "beam_off_s": 9.0}, RUN, 91, Phase.PAUSED),
        ({"run": None}, None, 91, Phase.BETWEEN_RUNS),
        ({"run": None}, RUN, 91, Phase.LIVE),
        ({"connection": Connection.CONNECTING}, RUN, 91, Phase.CONNECTING),
        ({"connection": Connection.WAITING}, RUN, 91, Phase.DISCONNECTED),
        ({"connection": Connection.CLOSED}, RUN, 91, Phase.STOPPED),
    ],
)
def test_the_phase_is_what_is_going_on(changes, run, now_s, phase):
    assert phase_of(attrs.evolve(SOURCE, **changes), run, now_s * 10**9) is phase


def test_the_event_rate_is_that_of_the_last_seconds():
    rate = EventRate()
    assert rate.update(0.0, 0) == 0.0
    assert rate.update(1.0, 1000) == 1000.0
    for second in range(2, 20):
        last = rate.update(float(second), 1000 + (second - 1) * 50)
    assert last == 50.0


def test_health_is_plain_json():
    import json

    sink = SinkStatus("monitor", 1, 0, 0, Receipt("there", 5, 6), "")
    plain = json.loads(json.dumps(health_as_dict(attrs.evolve(HEALTH, sinks=(sink,)))))
    assert plain["phase"] == "live"
    assert plain["lag_s"] == 2.0
    assert plain["run"]["number"] == 4711
    assert plain["complete"] is True
    assert plain["source"]["connection"] == "connected"
    assert plain["sinks"][0]["last_receipt"]["where"] == "there"
