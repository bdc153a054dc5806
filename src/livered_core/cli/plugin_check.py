"""``livered plugin check``: look at a plugin for what would go wrong at the beamline."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import tempfile
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.screen import end_now
from livered_core.errors import EXIT_CONFIG, EXIT_DIED, EXIT_OK, ConfigError, DataModelError
from livered_core.hooks.inspection import hook_problems, implemented_hooks
from livered_core.hooks.registry import PluginEntry, import_class
from livered_core.model.text import one_line
from livered_core.testing.checks import Budget, Finding, Verdict, check_plugin
from livered_core.testing.named import NamedPlugin, find_entry
from livered_core.testing.real_chunks import SIMULATE, RecordedRun, chunks_of
from livered_core.testing.trial_configuration import private_places, trial_configuration
from livered_core.testing.trial_left import no_silent_end, threads_left

FORMAT: Final = 1
"""Layout of the document of ``--json``."""
_MARKS: Final = {
    Verdict.OK: "ok",
    Verdict.WRONG: "WRONG",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.NOT_TRIED: "?",
}
_CHUNK_EVENTS: Final = 50_000
_MOST_EVENTS: Final = 200_000
_SHORT: Final = 110

_EPILOG = """\b
Examples:
  livered plugin check NOM
  livered plugin check my_plugin:MyPlugin --source night.adara
  livered plugin check my_sink --config test.toml --publish

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong name or configuration.
"""


@attrs.frozen(eq=False)
class _Request:
    """What was asked for."""

    named: NamedPlugin
    source: str
    instrument: str | None
    config_file: Path | None
    settings: Sequence[str]


@attrs.frozen(eq=False)
class _Prepared:
    """What a plugin is checked with."""

    settings: Any = None
    data: RecordedRun | None = None
    problems: tuple[str, ...] = ()


@click.command(epilog=_EPILOG)
@click.argument("name")
@options.trial_source
@options.trial_config
@options.trial_settings
@click.option(
    "--instrument",
    "-i",
    metavar="NAME",
    help="Instrument of the data, for a plugin that has none of its own; without it a small one of the test kit.",
)
@click.option(
    "--budget",
    metavar="NS",
    type=click.FloatRange(min=0.0, min_open=True),
    default=Budget().ns_per_event,
    show_default=True,
    help="Nanoseconds that process_chunk and accumulate may take for each event.",
)
@click.option(
    "--publish",
    is_flag=True,
    help="Hand made-up results to a sink, too: let --config name a place that is there for tests.",
)
@click.option("--json", "as_json", is_flag=True, help="Write what was found as JSON.")
def check(name: str, **arguments: Any) -> None:
    """Check the plugin NAME: hooks, settings, data, accumulation, state, rare chunks, cost, and sinks.

    NAME is an instrument, a plugin, a distribution, or a class as module:Class. Nothing of yours is touched: files at
    /etc/livered and ~/.config/livered do not count, and no result leaves the process without --publish.
    """
    logging.getLogger("livered_core").addHandler(logging.NullHandler())
    if ":" in name:
        # A class in a file of the working directory is found as Python itself would find it.
        sys.path.append(str(Path.cwd()))
    named = _load(find_entry(name))
    request = _Request(
        named, arguments["source"], arguments["instrument"], arguments["config_file"], arguments["settings"]
    )
    as_json: bool = arguments["as_json"]
    before = threading.enumerate()
    # What hooks print is none of the document.
    prints = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    with (
        no_silent_end(),
        prints,
        tempfile.TemporaryDirectory(prefix="livered-check-") as folder,
        private_places(Path(folder)),
    ):
        prepared = _prepare(request, Path(folder))
        if not as_json:
            _tell_of_data(request, prepared)
        findings = check_plugin(
            named,
            prepared.settings,
            data=prepared.data,
            budget=Budget(ns_per_event=arguments["budget"]),
            publish=arguments["publish"],
            tell=None if as_json else _Teller().tell,
        )
    if as_json:
        say(json.dumps(_document(request, prepared, findings)))
    else:
        _sum_up(findings)
    for problem in prepared.problems:
        say(f"livered: {problem}", err=True)
    code = EXIT_DIED if _number(findings, Verdict.WRONG) else EXIT_OK
    code = EXIT_CONFIG if prepared.problems else code
    if threads_left(before, 0.0):
        end_now(code)
    sys.exit(code)


def _load(entry: PluginEntry) -> NamedPlugin:
    # Its hooks are the first thing to be checked: they may be wrong.
    loaded = import_class(entry)
    return NamedPlugin(entry, loaded, implemented_hooks(loaded))


def _prepare(request: _Request, folder: Path) -> _Prepared:
    """Read the settings and the data; without settings the class can still be checked."""
    named = request.named
    if hook_problems(named.plugin_class):
        return _Prepared()
    try:
        trial = trial_configuration(
            named,
            folder,
            instrument=request.instrument,
            recorded=None if request.source == SIMULATE else (),
            config_file=request.config_file,
            settings=request.settings,
        )
    except ConfigError as error:
        return _Prepared(problems=error.problems)
    data = _data(request) if named.kind in ("instrument", "transforms", "wrapper") else None
    return _Prepared(trial.loaded.config.plugins.get(trial.name), data)


def _data(request: _Request) -> RecordedRun:
    """Read the data, for a plugin that does something with them: the run that has most.

    Raises
    ------
    ConfigError
        When there are none.
    """
    try:
        runs = chunks_of(
            request.source,
            request.named,
            instrument=request.instrument,
            config_file=request.config_file,
            settings=request.settings,
            chunk_events=_CHUNK_EVENTS,
            max_events=_MOST_EVENTS,
        )
    except DataModelError as error:
        raise ConfigError(str(error)) from error
    return max(runs, key=lambda run: (run.n_events, sum(chunk.n_pulses for chunk in run.chunks)))


def _tell_of_data(request: _Request, prepared: _Prepared) -> None:
    entry = request.named.entry
    say(f"{entry.name}: {entry.entry_point.value} of {entry.distribution} {entry.version}")
    if prepared.data is not None:
        data = prepared.data
        where = "simulated" if request.source == SIMULATE else request.source
        say(
            f"data: run {data.run.number} of {data.run.instrument} ({where}), {data.n_events:,} events "
            f"in {len(data.chunks)} chunks"
        )


class _Teller:
    """Tells of findings as they come; of those that were not tried for the same reason, of the first."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()

    def tell(self, finding: Finding) -> None:
        """Write a line."""
        if finding.verdict is Verdict.NOT_APPLICABLE or finding.sentence in self._reasons:
            return
        if finding.verdict is Verdict.NOT_TRIED:
            self._reasons.add(finding.sentence)
        sentence = one_line(finding.sentence)
        if len(sentence) > _SHORT:
            sentence = f"{sentence[:_SHORT]} ..."
        say(f"  {_MARKS[finding.verdict]:6} {finding.check:24} {sentence}")


def _sum_up(findings: Sequence[Finding]) -> None:
    left_out = [finding.check for finding in findings if finding.verdict is Verdict.NOT_APPLICABLE]
    if left_out:
        _say_wrapped(f"Not applicable: {', '.join(left_out)}.")
    remedies: dict[str, list[str]] = {}
    for finding in findings:
        if finding.verdict is Verdict.NOT_TRIED:
            remedies.setdefault(finding.remedy, []).append(finding.check)
    for remedy, names in remedies.items():
        _say_wrapped(f"Not tried: {', '.join(names)}. {one_line(remedy)}")
    for finding in findings:
        if finding.verdict is Verdict.WRONG:
            say("")
            say(f"WRONG: {finding.check}")
            say(f"  {one_line(finding.sentence)}")
            say(f"  What to do: {one_line(finding.remedy)}")
    numbers = (f"{_number(findings, verdict)} {verdict.value}" for verdict in Verdict)
    say("")
    say(f"{len(findings)} checks: {', '.join(numbers)}.")


def _say_wrapped(text: str) -> None:
    for line in textwrap.wrap(text, _SHORT, subsequent_indent="  "):
        say(line)


def _number(findings: Sequence[Finding], verdict: Verdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)


def _document(request: _Request, prepared: _Prepared, findings: Sequence[Finding]) -> dict[str, Any]:
    entry, data = request.named.entry, prepared.data
    return {
        "format": FORMAT,
        "plugin": entry.name,
        "class": entry.entry_point.value,
        "distribution": entry.distribution,
        "version": entry.version,
        "source": request.source,
        "n_events": None if data is None else data.n_events,
        "problems": list(prepared.problems),
        "findings": [
            {
                "subject": finding.subject,
                "check": finding.check,
                "verdict": finding.verdict.value,
                "sentence": one_line(finding.sentence),
                "remedy": one_line(finding.remedy),
            }
            for finding in findings
        ],
    }
