"""``livered reduce``: event files, reduced as a live run would have been."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.farewell import farewell, said_at_end
from livered_core.cli.logs import start_logging
from livered_core.cli.reading import ReadingView, run_line
from livered_core.cli.screen import Screen, end_now
from livered_core.cli.signals import StopSignals
from livered_core.clocks import SystemClock
from livered_core.config import Layer
from livered_core.engine.health import Health
from livered_core.engine.offline import (
    OfflineReduction,
    offline_configuration,
    output_folder,
    require_apart,
)
from livered_core.engine.recorded_instrument import instrument_names, is_served_by, served_instrument
from livered_core.engine.setup import RECORDED_DEFAULTS, LoadedConfiguration, load_configuration
from livered_core.errors import EXIT_DIED, EXIT_OK, ConfigError, LiveredError
from livered_core.model.text import one_line
from livered_core.publish.files_settings import folder_problem
from livered_core.recording import Recording, open_recording

_log = logging.getLogger(__name__)
_SIGNALLED: Final = 128
"""Added to a signal's number it is the exit code of what was ended by it, as a shell gives it."""
_ENDED_AT_ONCE: Final = "livered: asked to stop again, ended at once; the file in hand is not reduced."

_EPILOG = """\b
Examples:
  livered reduce NOM_1234.nxs.h5
  livered reduce NOM_*.nxs.h5 --output-dir reduced --config my.toml
  livered reduce night.adara /data/sms/20261124

Exit codes: 0 every file was reduced as a whole, 1 one was not, 2 wrong use or configuration,
130 stopped by Ctrl-C.
"""


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@options.instrument
@options.config_file
@options.output_dir
@click.option("--publish", is_flag=True, help="Hand results to the plugins that only publish, too.")
@click.option("--plain", is_flag=True, help="Write lines instead of drawing a bar.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what went wrong.")
def reduce(files: tuple[Path, ...], **arguments: Any) -> None:
    """Reduce each FILE as the run was, or would have been, reduced live; as fast as it can be read.

    A FILE is a NeXus event file, an .adara file, or a folder of the server's files. Its instrument is what it says,
    unless --instrument says otherwise. Plugins that only hand results on, such as to a monitor page, are left out.
    """
    _require_there(files)
    with _own_folder() as folder:
        batch = _Batch(arguments, {**os.environ, "XDG_RUNTIME_DIR": folder})
        StopSignals(batch.stop, batch.last_words).install()
        for index, file in enumerate(files):
            if batch.stopped_by:
                batch.not_begun(files[index:])
                break
            batch.reduce(file, index + 1, len(files))
    sys.exit(batch.exit_code)


def _require_there(files: Sequence[Path]) -> None:
    problems = []
    for file in files:
        try:
            file.stat()
        except (FileNotFoundError, NotADirectoryError):
            problems.append(f"There is no file {file}: nothing was reduced.")
        except OSError:
            # Said when its turn comes.
            continue
    if problems:
        raise ConfigError(problems)


def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a place for a run directory of its own: several may reduce at once, beside those who run live."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = os.path.isabs(runtime) and os.access(runtime, os.W_OK | os.X_OK)  # noqa: PTH117
    try:
        return tempfile.TemporaryDirectory(prefix="livered-reduce-", dir=runtime if usable else None)
    except OSError as error:
        message = (
            f"No folder can be made for what is temporary ({error.strerror or error}): make room, "
            "or set TMPDIR to a folder that can be written."
        )
        raise LiveredError(message) from error


class _Batch:
    """Files that are reduced one after the other."""

    def __init__(self, arguments: Mapping[str, Any], environ: dict[str, str]) -> None:
        self._arguments = arguments
        self._environ = environ
        self._clock = SystemClock()
        self._configurations: dict[str, LoadedConfiguration] = {}
        self._reduced: dict[Path, dict[int, str]] = {}
        self._reduction: OfflineReduction | None = None
        self._screen: Screen | None = None
        self.stopped_by = ""
        """The signal that asked to stop; empty while none has."""
        self.exit_code: int = EXIT_OK
        """What the process is to end with."""
        if arguments["instrument"]:
            # Wrong, it is wrong for every file.
            self._configuration(arguments["instrument"])

    def stop(self, name: str) -> None:
        """Take a signal: the file in hand is left, and none is begun."""
        self.stopped_by = name
        self.exit_code = _SIGNALLED + signal.Signals[name]
        _log.info("Asked to stop by %s; asked again later, livered ends at once.", name)
        screen, reduction = self._screen, self._reduction
        if screen is not None and not self._arguments["quiet"]:
            screen.line("Stopping; asked again, livered ends at once.")
        if reduction is not None:
            reduction.session.stop()

    def last_words(self) -> None:
        """Say that the process is ended at once; in a signal handler."""
        screen = self._screen
        if screen is not None:
            screen.last_words(_ENDED_AT_ONCE)

    def not_begun(self, files: Sequence[Path]) -> None:
        """Say what is left."""
        for file in files:
            self._fail(file, "not begun: livered was asked to stop.")

    def reduce(self, file: Path, number: int, of: int) -> None:
        """Reduce a file, and say what came of it.

        Raises
        ------
        ConfigError
            When the configuration is wrong: then it is for the next file, too.
        """
        began_s = self._clock.monotonic()
        try:
            recording = open_recording(file)
            names = instrument_names(recording)
            instrument = self._arguments["instrument"] or served_instrument(recording, names)
        except LiveredError as error:
            self._fail(file, str(error))
            return
        loaded = self._configuration(instrument)
        if names and not is_served_by(names, loaded.instrument) and not self._arguments["quiet"]:
            said = " or ".join(repr(each) for each in names)
            say(f"{file} says that it is of {said}: it is reduced as {instrument}, as asked.", err=True)
        try:
            require_apart(file, loaded.config)
        except LiveredError as error:
            self._fail(file, str(error))
            return
        name = file.name or str(file)
        name = name if of == 1 else f"{name} ({number} of {of})"
        self._run(file, recording, loaded, name, began_s)

    def _configuration(self, instrument: str) -> LoadedConfiguration:
        """Return what an instrument is reduced with, read once."""
        if instrument not in self._configurations:
            loaded, left_out = offline_configuration(
                load_configuration(
                    instrument,
                    self._arguments["config_file"],
                    {"output_dir": options.absolute(self._arguments["output_dir"])},
                    defaults=Layer("livered reduce", RECORDED_DEFAULTS, Path.cwd()),
                ),
                publish=self._arguments["publish"],
            )
            problem = folder_problem(output_folder(loaded.config))
            if problem is not None:
                raise ConfigError(problem)
            if left_out and not self._arguments["quiet"]:
                say(f"Left out: {', '.join(left_out)}. With --publish they get the results, too.", err=True)
            self._configurations[instrument] = loaded
        return self._configurations[instrument]

    def _run(
        self, file: Path, recording: Recording, loaded: LoadedConfiguration, name: str, began_s: float
    ) -> None:
        earlier = self._reduced.setdefault(output_folder(loaded.config), {})
        reduction = OfflineReduction(loaded, recording, self._clock, earlier, self._environ)
        session, quiet = reduction.session, self._arguments["quiet"]
        screen = self._screen = Screen(sys.stderr, plain=self._arguments["plain"] or quiet)
        view = ReadingView(reduction, screen, self._clock, name, quiet=quiet)
        self._reduction = reduction
        if self.stopped_by:
            session.stop()
        try:
            packages = [cls.__module__.partition(".")[0] for _, cls in loaded.plugins]
            level = logging.ERROR if quiet else logging.WARNING
            start_logging(
                loaded.config.log,
                packages,
                screen.line,
                level,
                lambda line: (
                    one_line(line) in said_at_end(session) or line.partition(": ")[2] in reduction.missing
                ),
            )
            with screen.takes_prints():
                session.run(view)
        except BaseException as error:
            if not screen.close():
                _log.critical("%s", error, exc_info=error)
                end_now(getattr(error, "exit_code", EXIT_DIED))
            raise
        if not screen.close():
            end_now(self.exit_code or EXIT_DIED)
        self._tell(file, reduction, self._clock.monotonic() - began_s)
        earlier.update((each.run.number, str(file)) for each in reduction.runs if each.update is not None)

    def _tell(self, file: Path, reduction: OfflineReduction, seconds: float) -> None:
        """Say what came of a file: a line for each run, and a sentence for each thing that went wrong."""
        health = reduction.session.health()
        only = len(reduction.runs) == 1
        for each in reduction.runs:
            if each.update is None:
                continue
            if not self._arguments["quiet"]:
                say(f"{file}: {run_line(each, seconds if only else each.seconds, health)}")
            if not each.update.complete:
                self._fail(file, f"run {each.run.number} is INCOMPLETE: {' '.join(each.update.missing)}")
        problems = reduction.problems()
        if not problems:
            problems = self._nothing_made(reduction, health)
        for sentence in problems:
            self._fail(file, sentence)

    def _nothing_made(self, reduction: OfflineReduction, health: Health | None) -> list[str]:
        """Say of which runs there is no result, and why."""
        if reduction.ended_early and not any(each.update is not None for each in reduction.runs):
            run = reduction.last_run.run if reduction.last_run is not None else None
            what = "it is not reduced" if run is None else f"run {run.number} is not reduced"
            return [f"{what}, and nothing was written of it: livered was asked to stop."]
        if all(each.update is None for each in reduction.runs):
            return [str(part) for part in farewell(health, reduction.last_run, (), None, EXIT_OK)]
        return [
            f"no result was made of run {each.run.number}: the log says why."
            for each in reduction.runs
            if each.update is None
        ]

    def _fail(self, file: Path, sentence: str) -> None:
        if self.exit_code == EXIT_OK:
            self.exit_code = EXIT_DIED
        named = sentence if f" {file} " in f" {sentence} " else f"{file}: {sentence}"
        say(f"livered: {one_line(named)}", err=True)
