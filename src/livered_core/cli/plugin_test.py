"""``livered plugin test``: run a plugin over data, and show what it did."""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from livered_core.atomic import write_atomically
from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.screen import end_now
from livered_core.cli.signals import StopSignals
from livered_core.engine.health import Health
from livered_core.errors import EXIT_DIED, EXIT_OK, LiveredError
from livered_core.testing.named import find_plugin
from livered_core.testing.trial import CHUNK_EVENTS, TrialRequest, run_trial
from livered_core.testing.trial_findings import findings
from livered_core.testing.trial_json import trial_json
from livered_core.testing.trial_left import no_silent_end
from livered_core.testing.trial_nouns import Trial
from livered_core.testing.trial_text import near, trial_text

_ENDED_AT_ONCE: Final = "livered: asked to stop again, ended at once."
_ANEW: Final = "\r\x1b[K"
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")

_EPILOG = """\b
Examples:
  livered plugin test NOM
  livered plugin test my_plugin:MyPlugin --source night.adara
  livered plugin test my_sink --set plugins.my_sink.url=http://localhost:8000 --instrument NOM

Exit codes: 0 all is well (warnings do not count), 1 something is wrong, 2 wrong name or configuration.
"""


@click.command(epilog=_EPILOG)
@click.argument("name")
@options.trial_source
@options.trial_config
@options.trial_settings
@click.option(
    "--instrument",
    "-i",
    metavar="NAME",
    help="Instrument beside whose plugin a sink or a wrapper runs; without it livered's own defaults reduce.",
)
@options.output_dir
@click.option(
    "--chunk-events",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    default=CHUNK_EVENTS,
    show_default=True,
    help="Events of a chunk.",
)
@click.option(
    "--budget",
    metavar="NS",
    type=click.FloatRange(min=0.0, min_open=True),
    help="Nanoseconds that the plugin may take for each event.",
)
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="Write it as JSON, too."
)
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Open the page with the curves; by default where there is a display and somebody at a terminal.",
)
def test(name: str, **arguments: Any) -> None:
    """Run the plugin NAME over data with the real engine, and show what it did.

    NAME is an instrument, a plugin, a distribution, or a class as module:Class. Nothing of yours is touched: files at
    /etc/livered and ~/.config/livered do not count, and only the plugins run that are named here.
    """
    if ":" in name:
        # A class in a file of the working directory is found as Python itself would find it.
        sys.path.append(str(Path.cwd()))
    named = find_plugin(name)
    request = TrialRequest(
        output_dir=arguments["output_dir"] or Path("output") / f"{named.name}-trial",
        source=arguments["source"],
        instrument=arguments["instrument"],
        config_file=arguments["config_file"],
        settings=arguments["settings"],
        chunk_events=arguments["chunk_events"],
        budget_ns=arguments["budget"],
    )
    progress = _Progress()
    try:
        with no_silent_end():
            trial = run_trial(named, request, begun=_stopped_by_signals, watch=progress)
    finally:
        progress.clear()
    for line in trial_text(trial):
        say(line)
    if arguments["json_file"] is not None:
        _write(arguments["json_file"], trial_json(trial))
    _show(trial, arguments["opens"])
    code = EXIT_DIED if findings(trial) else EXIT_OK
    if trial.stuck or trial.unfinished or trial.threads:
        end_now(code)
    sys.exit(code)


class _Progress:
    """Says at a terminal how far a trial has come, on a line of stderr that is written anew."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, health: Health | None) -> None:
        if health is None or not sys.stderr.isatty():
            return
        read = health.source.read_fraction
        share = "" if read is None else f", {read:.0%} read"
        self._write(f"{_ANEW}{health.source.counts.get('events', 0):,} events received{share}")
        self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._write(_ANEW)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _stopped_by_signals(stop: Callable[[], None]) -> None:
    def last_words() -> None:
        os.write(2, f"{_ENDED_AT_ONCE}\n".encode())

    StopSignals(lambda _: stop(), last_words).install()


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, f"{text}\n".encode(), durable=False)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror or error}): name another file with --json."
        raise LiveredError(message) from error


def _show(trial: Trial, opens: bool | None) -> None:
    """Say where the page is, and open it."""
    if trial.page is None:
        return
    say(f"The curves: {near(trial.page)}")
    if opens is None:
        opens = sys.stdout.isatty() and (
            sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAYS)
        )
    if opens and not webbrowser.open(trial.page.absolute().as_uri()):
        say("No browser could be opened: open the page yourself.", err=True)
