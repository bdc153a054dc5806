"""What is wrong with an instrument, how urgent that is, and what to do about it.

Everything here is a pure function of what was seen.
"""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from livered_core.cli.plugins_seen import rows_in
from livered_core.cli.status_facts import (
    BEGINS_S,
    SINK_FAILS_S,
    begins_for,
    died,
    hangs_for,
    is_running,
    is_silent,
    memory_of,
    plugin_failures,
    safe,
    sinks_of,
    waits_for,
)
from livered_core.cli.status_sight import Sight
from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.dashboard.state import NEVER_STARTED, STOPPED, Process
from livered_core.dashboard.times import clock_time, span
from livered_core.errors import EXIT_CONFIG

NOT_CONNECTED_S: Final = 120.0
"""Without a connection, or without pulses in a run, for longer than this somebody should look; seconds."""
PLUGIN_FAILED_S: Final = 600.0
"""A failure of a plugin is news for so long; seconds."""


class Verdict(enum.Enum):
    """What an instrument needs; its value is a word for people and programs."""

    HEALTHY = "healthy"
    NEEDS_SOMEONE = "needs someone"
    NOT_RUNNING = "not running"


EXIT_CODES: Final[Mapping[Verdict, int]] = {
    Verdict.HEALTHY: 0,
    Verdict.NEEDS_SOMEONE: 1,
    Verdict.NOT_RUNNING: 3,
}
"""Exit codes of ``livered status``; 2 is for what is wrong with its arguments."""


@attrs.frozen
class Finding:
    """Something that is not as it should be.

    Attributes
    ----------
    kind
        One word for programs: ``died``, ``hanging``, ``not-connected``, ...
    sentence
        What is wrong.
    advice
        What to do, one or two sentences.
    urgent
        Whether somebody should see to it: it decides the exit code.
    """

    kind: str
    sentence: str
    advice: str
    urgent: bool = True


def findings_of(sight: Sight) -> tuple[Finding, ...]:
    """Say what is wrong with an instrument, what matters most first."""
    found = [*_engine(sight), *_unit(sight)]
    if is_running(sight):
        found += [*_plugins(sight), *_sinks(sight), *_safety(sight), *_incomplete(sight)]
    return tuple(
        attrs.evolve(finding, sentence=safe(finding.sentence), advice=safe(finding.advice))
        for finding in sorted(found, key=lambda finding: not finding.urgent)
    )


def verdict_of(sight: Sight, findings: Sequence[Finding]) -> Verdict:
    """Judge an instrument by what is wrong with it."""
    if any(finding.urgent for finding in findings):
        return Verdict.NEEDS_SOMEONE
    if sight.starting_ns or is_running(sight):
        return Verdict.HEALTHY
    return Verdict.NOT_RUNNING


def exit_code_of(verdicts: Sequence[Verdict]) -> int:
    """Give the exit code for several instruments: somebody is needed, else one runs, else none does."""
    for verdict in (Verdict.NEEDS_SOMEONE, Verdict.HEALTHY):
        if verdict in verdicts:
            return EXIT_CODES[verdict]
    return EXIT_CODES[Verdict.NOT_RUNNING]


def name_of(sight: Sight) -> str:
    """Give the instrument as it is written in a command."""
    return f"--instrument {sight.name}"


def _check_command(sight: Sight) -> str:
    """Give the command that looks at the configuration with which the instrument's service runs."""
    config = "" if sight.unit is None else sight.unit.config
    return f"livered check {name_of(sight)}" + (f" --config {shlex.quote(config)}" if config else "")


def _log_advice(sight: Sight) -> str:
    if sight.unit is not None:
        return f"Type: livered service logs {name_of(sight)}"
    log = sight.status.get("log_file")
    return f"Its log says more: {log}" if log else "Its log says more."


def _start_advice(sight: Sight) -> str:
    if sight.unit is not None:
        return f"Type: livered service restart {name_of(sight)}"
    name, _, kind = sight.name.rpartition("-")
    if kind == "simulated" and name:
        again = f"livered run --instrument {name} --simulate"
    else:
        # A recording is read once: nothing waits for it.
        again = "" if kind == "recorded" and name else f"livered run {name_of(sight)}"
    if sight.starting_ns or is_running(sight) or (is_silent(sight) and sight.process is Process.ALIVE):
        return "End it with Ctrl-C where it runs" + (f", then type: {again}" if again else "")
    return f"Start it again: {again}" if again else ""


def _then_start(sight: Sight) -> str:
    advice = _start_advice(sight)
    return f" {advice}" if advice else ""


def _engine(sight: Sight) -> Iterator[Finding]:
    status, state = sight.status, sight.state
    if "" in sight.problems or (not status and "status.json" in sight.problems):
        sentence = sight.problems.get("", "") or sight.problems["status.json"]
        advice = f"Look at {sight.path}; what livered did not write there can be removed.{_then_start(sight)}"
        yield Finding("unreadable", sentence, advice)
        return
    if sight.starting_ns:
        for_s = (sight.now_ns - sight.starting_ns) / 1e9
        if for_s > BEGINS_S:
            sentence = f"livered has been starting for {span(for_s)}: a plugin may hang, or the disk."
            yield Finding("hanging", sentence, f"{_log_advice(sight)}.{_then_start(sight)}")
        return
    if not status or state.word == NEVER_STARTED:
        return
    if state.word == "failed":
        yield Finding("failed", state.sentence, f"{_log_advice(sight)}.{_then_start(sight)}")
    elif died(sight):
        beat_ns = time_of(status, "now_ns")
        sentence = (
            f"The engine died {span((sight.now_ns - beat_ns) / 1e9)} ago: its process is gone; "
            f"the last sign of life was at {clock_time(beat_ns, sight.now_ns)}."
        )
        unit = None if sight.unit is None else sight.unit.state
        # Where systemd waits or has given up, what to do is said there.
        told = unit is not None and (unit.active == "failed" or unit.restart_in_s is not None)
        advice = _log_advice(sight) if told else f"{_log_advice(sight)}.{_then_start(sight)}"
        yield Finding("died", sentence, advice)
    elif is_silent(sight):
        yield _silence(sight)
    elif state.word != STOPPED:
        yield from _at_work(sight)


def _silence(sight: Sight) -> Finding:
    if time_of(sight.status, "now_ns") > sight.now_ns:
        return Finding(
            "clock", sight.state.sentence, "Set the clock of this machine right: chronyc tracking."
        )
    if sight.process is Process.ALIVE and sight.no_room:
        sentence = f"{sight.state.sentence} Its folder cannot be written: the disk of {sight.path} is full."
        return Finding("no-room", sentence, "Make room there: livered may be well, and cannot say so.")
    if sight.process is Process.ALIVE:
        advice = f"{_start_advice(sight)}. If that does not end it: kill -9 {sight.status.get('pid')}"
        return Finding("not-answering", sight.state.sentence, advice)
    host = sight.status.get("host")
    advice = f"Look on the machine {host}, where it ran: livered status {name_of(sight)}"
    return Finding("silent", sight.state.sentence, advice)


def _at_work(sight: Sight) -> Iterator[Finding]:
    """Look at an engine that gives signs of life."""
    status, state = sight.status, sight.state
    hangs_s = hangs_for(sight)
    since_s = (sight.now_ns - sight.phase_since_ns) / 1e9 if sight.phase_since_ns else 0.0
    if hangs_s:
        at = status.get("standing_at")
        where = _hook_under_way(sight) + (f" It is at {at}." if at else "")
        begun = bool(number_of(table_of(status, "source"), "turns"))
        what = (
            f"The reduction has not got on for {span(hangs_s)}: a hook, a script or Mantid hangs, or takes long."
            if begun
            else f"The plugins have been beginning for {span(hangs_s)}."
        )
        yield Finding("hanging", f"{what}{where}", f"{_log_advice(sight)}.{_then_start(sight)}")
    elif begins_for(sight):
        return
    elif state.word in ("not connected", "connecting"):
        problem = table_of(status, "source").get("problem") or state.sentence
        sentence = f"Not connected for {span(since_s)}: {problem}" if since_s else str(problem)
        advice = f"See whether the data server runs, and the address is right: {_check_command(sight)}"
        yield Finding("not-connected", sentence, advice, urgent=since_s > NOT_CONNECTED_S)
    elif state.word == "no pulses":
        silent_s = number_of(table_of(status, "source"), "silent_s") or since_s
        advice = "The connection is there and brings nothing: ask whoever looks after the data acquisition."
        yield Finding("no-pulses", state.sentence, advice, urgent=silent_s > NOT_CONNECTED_S)
    elif state.kind in ("warn", "bad"):
        yield Finding("stale", state.sentence, f"{_log_advice(sight)}.{_then_start(sight)}")


def _hook_under_way(sight: Sight) -> str:
    """Name the plugin that does not come back; empty where none is in a call. Sinks have threads of their own."""
    calls = [
        (hook["running_s"], row["name"], hook["hook"])
        for row in rows_in(sight.status)
        for hook in row["hooks"]
        if hook["running_s"] and hook["hook"] != "post_publish"
    ]
    if not calls:
        return ""
    # Of a wrapper and what it wraps, the one called last is at work.
    for_s, plugin, hook = min(calls)
    return f" Plugin {plugin} has been in {hook} for {span(for_s)}."


def _unit(sight: Sight) -> Iterator[Finding]:
    state = None if sight.unit is None else sight.unit.state
    if sight.unit is None or state is None:
        return
    name = sight.unit.name
    if state.active == "failed":
        said = f" It said: {state.status}" if state.status else ""
        sentence = f"systemd has given the service {name} up: {state.last_end()}.{said}"
        logs = f"livered service logs {name_of(sight)}"
        first = _check_command(sight) if state.ended_by == EXIT_CONFIG else logs
        advice = f"Type: {first}, then: livered service restart {name_of(sight)}"
        # Somebody may run it by hand meanwhile.
        yield Finding("service-failed", sentence, advice, urgent=not is_running(sight))
    elif state.restart_in_s is not None:
        sentence = (
            f"systemd starts the service {name} again in {state.restart_in_s:.0f} s: {state.last_end()}."
        )
        yield Finding("service-restarts", sentence, f"Type: livered service logs {name_of(sight)}")


def _plugins(sight: Sight) -> Iterator[Finding]:
    told = set()
    for failure in plugin_failures(sight):
        age_s = (sight.now_ns - time_of(failure, "time_ns")) / 1e9
        plugin = failure.get("plugin")
        # A change that is refused is told by itself, and what ran before goes on.
        if age_s > PLUGIN_FAILED_S or plugin in told or failure.get("hook") == "reload":
            continue
        told.add(plugin)
        what = safe(failure.get("sentence")).rstrip(".")
        sentence = f"{what}. That was {span(max(0.0, age_s))} ago."
        advice = f"Mend the plugin {plugin}: the log has the traceback. {_log_advice(sight)}"
        yield Finding("plugin-failing", sentence, advice)


def _sinks(sight: Sight) -> Iterator[Finding]:
    for sink in sinks_of(sight):
        if not sink.get("last_error"):
            yield from _silent_sink(sight, sink)
            continue
        since_ns = time_of(sink, "failing_since_ns")
        for_s = (sight.now_ns - since_ns) / 1e9 if since_ns else 0.0
        waiting = number_of(sink, "unsent_finals") or 0
        wait = f"; {waiting:.0f} final{'s wait' if waiting != 1 else ' waits'} on disk" if waiting else ""
        since = f" for {span(for_s)}" if since_ns else ""
        sentence = f"The sink {sink.get('name')} fails{since}{wait}: {sink.get('last_error')}"
        advice = "Mend the other side: livered sends what waits by itself. What waits: livered unsent list"
        yield Finding("sink-failing", sentence, advice, urgent=for_s > SINK_FAILS_S)


def _silent_sink(sight: Sight, sink: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at a sink that does not fail: it may hang in a call."""
    for_s = waits_for(sight, sink)
    if for_s > SINK_FAILS_S:
        waiting = number_of(sink, "unsent_finals") or 0
        sentence = (
            f"The sink {sink.get('name')} has taken nothing for {span(for_s)}, and {waiting:.0f} final "
            f"result{'s wait' if waiting != 1 else ' waits'}: it hangs, or it puts them off."
        )
        yield Finding("sink-failing", sentence, f"{_log_advice(sight)}. What waits: livered unsent list")


def _safety(sight: Sight) -> Iterator[Finding]:
    """Look at the parts that are there for the day when something goes wrong."""
    executor = table_of(sight.status, "executor")
    if executor.get("no_workers") is True:
        sentence = f"The reduction waits for a worker: none is ready at {executor.get('where')}."
        advice = f"Start workers, or see why they ended: {_check_command(sight)}"
        yield Finding("no-workers", sentence, advice)
    problem = table_of(sight.status, "checkpoint").get("problem")
    if problem:
        folder = f"~/.local/state/livered/{sight.name}, or the same below XDG_STATE_HOME"
        advice = f"Make room on the disk of the state folder ({folder}), or mend its permissions."
        yield Finding("checkpoint", str(problem), advice)
    problems = table_of(sight.status, "disk").get("problems")
    for sentence in problems if isinstance(problems, list) else []:
        yield Finding("disk", str(sentence), "Make room, or see [limits] in the configuration.")
    reload = table_of(sight.status, "reload")
    if reload.get("state") == "refused":
        advice = f"What ran before goes on. Mend it: livered takes it up by itself. {_log_advice(sight)}"
        yield Finding(
            "reload-refused", f"A change is refused: {reload.get('sentence')}", advice, urgent=False
        )
    level = memory_of(sight).get("level")
    if level in ("shedding", "over the limit"):
        sentence = f"Memory is short: {level}."
        advice = "livered helps itself and starts anew if it must; see [limits], and what else runs on the machine."
        yield Finding("memory", sentence, advice, urgent=level != "shedding")


def _incomplete(sight: Sight) -> Iterator[Finding]:
    missing = sight.status.get("missing")
    if sight.status.get("run") is None or not isinstance(missing, list) or not missing:
        return
    sentence = "The run is incomplete: " + " ".join(map(str, missing))
    advice = (
        "Its final result says so; when the run is over, livered reduce makes it whole from the event file."
    )
    yield Finding("incomplete", sentence, advice, urgent=False)
