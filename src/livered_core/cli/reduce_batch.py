"""Files that are reduced one after the other by one process, with what they share: settings, workers, the screen."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.cli import options
from livered_core.cli.batch_work import BatchWork, end_words, size_of
from livered_core.cli.echo import say
from livered_core.cli.farewell import said_at_end
from livered_core.cli.logs import start_logging
from livered_core.cli.reading import ReadingView
from livered_core.cli.reduce_workers import SharedExecutor
from livered_core.cli.reduced_file import outcome
from livered_core.cli.screen import Screen, end_now
from livered_core.clocks import SystemClock
from livered_core.config import EngineConfig, Layer, LogConfig
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


class Batch:
    """Files that are reduced one after the other.

    Parameters
    ----------
    files
        The files.
    arguments
        From the command line.
    environ
        The environment.
    folder
        Empty, for the run directories of the sessions.

    Raises
    ------
    ConfigError
        When the configuration of the instrument that was asked for is wrong.
    """

    def __init__(
        self, files: Sequence[Path], arguments: Mapping[str, Any], environ: Mapping[str, str], folder: Path
    ) -> None:
        self._files = files
        self._arguments = arguments
        self._environ = environ
        self._folder = folder
        self._clock = SystemClock()
        self._quiet = bool(arguments["quiet"])
        self._configurations: dict[str, LoadedConfiguration] = {}
        self._served: dict[tuple[str, ...], str] = {}
        self._reduced: dict[Path, dict[int, str]] = {}
        self._executors: dict[EngineConfig, SharedExecutor] = {}
        self._executor: SharedExecutor | None = None
        self._reduction: OfflineReduction | None = None
        self._screen: Screen | None = None
        self._logs_to: tuple[LogConfig, frozenset[str]] | None = None
        self._failed = False
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
        if screen is not None and not self._quiet:
            screen.line("Stopping; asked again, livered ends at once.")
        if reduction is not None:
            reduction.session.stop()

    def last_words(self) -> None:
        """Say that the process is ended at once; in a signal handler."""
        screen = self._screen
        if screen is not None:
            screen.last_words(_ENDED_AT_ONCE)

    def run(self) -> None:
        """Reduce the files, and say what came of them.

        Raises
        ------
        ConfigError
            When the configuration is wrong: then it is for the next file, too.
        LiveredError
            When there is no way to the workers.
        """
        with self._a_screen() as screen, ExitStack() as stack:
            work = BatchWork([size_of(file) for file in self._files], self._clock)
            view = ReadingView(
                screen, self._clock, work, len(self._files), self._worker_words, quiet=self._quiet
            )
            for index, file in enumerate(self._files):
                if self.stopped_by:
                    for left in self._files[index:]:
                        self._fail(left, "not begun: livered was asked to stop.")
                    break
                self._failed = False
                work.begin()
                view.begin(self._name(file, index))
                self._reduce(file, view, stack)
                work.end(failed=self._failed)
            if len(self._files) > 1 and not self._quiet:
                screen.line(end_words(work.state()))

    @contextmanager
    def _a_screen(self) -> Iterator[Screen]:
        screen = self._screen = Screen(sys.stderr, plain=self._arguments["plain"] or self._quiet)
        try:
            yield screen
        except BaseException as error:
            if not screen.close():
                _log.critical("%s", error, exc_info=error)
                end_now(getattr(error, "exit_code", EXIT_DIED))
            raise
        stuck = self._reduction is not None and self._reduction.session.stuck
        if not screen.close() or stuck:
            end_now(self.exit_code or EXIT_DIED)

    def _name(self, file: Path, index: int) -> str:
        name = file.name or str(file)
        return name if len(self._files) == 1 else f"{name} ({index + 1} of {len(self._files)})"

    def _reduce(self, file: Path, view: ReadingView, stack: ExitStack) -> None:
        """Reduce a file, and say what came of it."""
        began_s = self._clock.monotonic()
        try:
            recording = open_recording(file)
            names = instrument_names(recording)
            instrument = self._arguments["instrument"] or self._instrument(recording, names)
        except LiveredError as error:
            self._fail(file, str(error))
            return
        loaded = self._configuration(instrument)
        if names and not self._quiet and not self._is_served(names, loaded):
            said = " or ".join(repr(each) for each in names)
            self._note(f"{file} says that it is of {said}: it is reduced as {instrument}, as asked.")
        try:
            require_apart(file, loaded.config)
        except LiveredError as error:
            self._fail(file, str(error))
            return
        self._executor = self._shared(loaded.config.engine, stack)
        self._run(file, recording, loaded, view)
        self._tell(file, self._clock.monotonic() - began_s)

    def _instrument(self, recording: Recording, names: tuple[str, ...]) -> str:
        """Return what reduces a file that says these names, looked for once."""
        if names not in self._served:
            self._served[names] = served_instrument(recording, names)
        return self._served[names]

    def _is_served(self, names: tuple[str, ...], loaded: LoadedConfiguration) -> bool:
        # Where it is not asked for, it is what the file says.
        return not self._arguments["instrument"] or is_served_by(names, loaded.instrument)

    def _configuration(self, instrument: str) -> LoadedConfiguration:
        """Return what an instrument is reduced with, read once."""
        if instrument not in self._configurations:
            workers = self._arguments["workers"]
            engine = {"executor": "dask", "scheduler": "", "workers": workers} if workers else None
            loaded, left_out = offline_configuration(
                load_configuration(
                    instrument,
                    self._arguments["config_file"],
                    {"output_dir": options.absolute(self._arguments["output_dir"]), "engine": engine},
                    defaults=Layer("livered reduce", RECORDED_DEFAULTS, Path.cwd()),
                ),
                publish=self._arguments["publish"],
            )
            problem = folder_problem(output_folder(loaded.config))
            if problem is not None:
                raise ConfigError(problem)
            if left_out and not self._quiet:
                self._note(f"Left out: {', '.join(left_out)}. With --publish they get the results, too.")
            # What plugins that say so have read and prepared serves all files.
            self._configurations[instrument] = attrs.evolve(loaded, kept={})
        return self._configurations[instrument]

    def _shared(self, config: EngineConfig, stack: ExitStack) -> SharedExecutor | None:
        """Return what processes chunks, one for all files with the same settings of it; None for this process."""
        if config.executor == "single":
            return None
        if config not in self._executors:
            tell = self._keep_silent if self._quiet else self._note
            self._executors[config] = SharedExecutor(config, stack, tell)
        return self._executors[config]

    def _worker_words(self) -> str:
        return "" if self._executor is None else self._executor.words()

    def _keep_silent(self, _sentence: str) -> None:
        """Say nothing."""

    def _run(self, file: Path, recording: Recording, loaded: LoadedConfiguration, view: ReadingView) -> None:
        screen = self._screen
        assert screen is not None
        # A folder of its own: a session looks at what the one before left in its.
        folder = self._folder / "session"
        folder.mkdir(mode=0o700)
        earlier = self._reduced.setdefault(output_folder(loaded.config), {})
        environ = {**self._environ, "XDG_RUNTIME_DIR": str(folder)}
        reduction = OfflineReduction(loaded, recording, self._clock, earlier, environ, self._executor)
        self._reduction = reduction
        view.reduces(reduction)
        if self.stopped_by:
            reduction.session.stop()
        self._start_logging(loaded, screen)
        with screen.takes_prints():
            reduction.session.run(view)
        shutil.rmtree(folder, ignore_errors=True)
        if reduction.session.failure is not None and loaded.kept is not None:
            loaded.kept.clear()
        earlier.update((each.run.number, str(file)) for each in reduction.runs if each.update is not None)

    def _start_logging(self, loaded: LoadedConfiguration, screen: Screen) -> None:
        """Have the log go to its file, and warnings to the screen but for what is said at the end of a file."""
        packages = frozenset(
            cls.__module__.partition(".")[0]
            for each in self._configurations.values()
            for _, cls in each.plugins
        )
        if self._logs_to != (loaded.config.log, packages):
            level = logging.ERROR if self._quiet else logging.WARNING
            start_logging(loaded.config.log, packages, screen.line, level, self._is_said_at_end)
            self._logs_to = (loaded.config.log, packages)

    def _is_said_at_end(self, line: str) -> bool:
        reduction = self._reduction
        if reduction is None:
            return False
        said = said_at_end(reduction.session)
        return one_line(line) in said or line.partition(": ")[2] in reduction.missing

    def _tell(self, file: Path, seconds: float) -> None:
        """Say what came of a file."""
        reduction = self._reduction
        assert reduction is not None
        made, problems = outcome(reduction, seconds)
        if not self._quiet:
            for line in made:
                self._result(f"{file}: {line}")
        for sentence in problems:
            self._fail(file, sentence)

    def _result(self, line: str) -> None:
        """Write what came of a run to stdout; past the bars where they are drawn on the same terminal."""
        screen = self._screen
        if screen is not None and screen.live and sys.stdout is not None and sys.stdout.isatty():
            screen.line(line)
        else:
            say(line)

    def _note(self, sentence: str) -> None:
        """Write a sentence to stderr."""
        if self._screen is None:
            say(sentence, err=True)
        else:
            self._screen.line(sentence)

    def _fail(self, file: Path, sentence: str) -> None:
        self._failed = True
        if self.exit_code == EXIT_OK:
            self.exit_code = EXIT_DIED
        named = sentence if f" {file} " in f" {sentence} " else f"{file}: {sentence}"
        self._note(f"livered: {one_line(named)}")
