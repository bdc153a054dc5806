"""The command line: one module for each command, imported only when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from livered_core.cli.lazy import LazyCommand, LazyGroup
from livered_core.errors import EXIT_DIED, EXIT_OK, ConfigError, LiveredError

_COMMANDS: Final = {
    "check": LazyCommand("livered_core.cli.check:check", "Say whether everything is in place to run."),
    "config": LazyCommand(
        "livered_core.cli.config:config", "Show the configuration, or import one of livereduce."
    ),
    "dashboard": LazyCommand("livered_core.cli.dashboard:dashboard", "Show what livered does on a web page."),
    "inspect": LazyCommand("livered_core.cli.inspect:inspect", "Say what is in a recorded stream."),
    "plugin": LazyCommand("livered_core.cli.plugin:plugin", "Make a plugin, try it on data, and check it."),
    "plugins": LazyCommand(
        "livered_core.cli.plugins:plugins",
        "List the plugins that are installed, and how those that run are doing.",
    ),
    "record": LazyCommand("livered_core.cli.record:record", "Write a live stream to disk."),
    "reduce": LazyCommand(
        "livered_core.cli.reduce:reduce", "Reduce event files, as a live run would have been."
    ),
    "reload": LazyCommand(
        "livered_core.cli.reload:reload", "Have a running livered load its plugins and settings anew."
    ),
    "replay": LazyCommand("livered_core.cli.replay:replay", "Serve a recorded stream."),
    "run": LazyCommand("livered_core.cli.run:run", "Reduce an instrument's data live."),
    "service": LazyCommand(
        "livered_core.cli.service:service", "Run livered as a service of your own systemd."
    ),
    "simulate": LazyCommand(
        "livered_core.cli.simulate:simulate", "Play a simulated beamline for anything that speaks ADARA."
    ),
    "status": LazyCommand(
        "livered_core.cli.status:status", "Say how livered is doing, and what to do about it."
    ),
    "unsent": LazyCommand(
        "livered_core.cli.unsent:unsent", "List or drop final results that wait for a sink."
    ),
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="livered-core", prog_name="livered")
def app() -> None:
    """Live data reduction for neutron beamlines.

    Try it without a beamline: livered run --instrument NOM --simulate
    """


def main() -> None:
    """Run the command line; what goes wrong becomes one sentence and an exit code."""
    try:
        answer = app.main(prog_name="livered", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(["ended by Ctrl-C."], EXIT_DIED)
    except ConfigError as error:
        _fail(error.problems, error.exit_code)
    except LiveredError as error:
        _fail([str(error)], error.exit_code)
    except Exception as error:  # noqa: BLE001  (the last resort: a person gets a sentence, the log the traceback)
        _fail_unexpectedly(error)
    sys.exit(answer if isinstance(answer, int) else EXIT_OK)


def _fail(sentences: Sequence[str], code: int) -> NoReturn:
    from livered_core.cli.echo import say

    for sentence in sentences:
        say(f"livered: {sentence}", err=True)
    if "NOTIFY_SOCKET" in os.environ:
        from livered_core.service.notify import Notifier

        Notifier.of(os.environ).last_words(" ".join(sentences))
    sys.exit(code)


def _fail_unexpectedly(error: Exception) -> NoReturn:
    import logging
    import traceback

    from livered_core.cli.echo import say
    from livered_core.cli.logs import log_file

    what = f"stopped by an error of its own: {type(error).__name__}: {error}"
    if log_file() is not None:
        logging.getLogger(__name__).critical("livered %s", what, exc_info=error)
        _fail([f"{what}; the traceback is in the log ({log_file()})."], EXIT_DIED)
    say(f"livered: {what}; the traceback follows, because there is no log yet.", err=True)
    for line in "".join(traceback.format_exception(error)).splitlines():
        say(line, err=True)
    sys.exit(EXIT_DIED)
