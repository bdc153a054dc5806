r"""Where log lines go: a rotating private file, and the screen.

The file gets everything, tracebacks included; the screen gets the first line of each record. What follows the
first line feed of a message's format (``"%s\n%s"``) is a traceback by convention, and stands indented in the
file: no text from the stream or from a plugin can begin a line of the log. Lines that repeat are limited, see
`livered_core.cli.log_rates`; as JSON they are written by `livered_core.cli.log_json`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import logging.handlers
import os
import stat
import sys
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from livered_core.cli.log_json import JsonFormatter, screen_json
from livered_core.cli.log_rates import RateLimit
from livered_core.clocks import Clock, SystemClock
from livered_core.config import LogConfig
from livered_core.errors import ConfigError
from livered_core.model.text import one_line, printable

_INDENT: Final = "    "
_TRACEBACK: Final = "\x00\n"
"""Marks where a message's format has its first line feed, while its arguments are put in."""
_PRIVATE: Final = 0o600


def message_lines(record: logging.LogRecord) -> list[str]:
    """Return a record's message, and then the lines of its traceback.

    Returns
    -------
    list of str
        First what stands before the first line feed of the message's format, with its arguments and the line
        feeds that these may hold; then one item for each line that follows.
    """
    try:
        text = str(record.msg).replace("\n", _TRACEBACK, 1)
        if record.args:
            text = text % record.args
    except Exception as error:  # noqa: BLE001  (arguments of any type, from plugins too, write themselves here)
        text = (
            f"A message of {record.pathname} line {record.lineno} cannot be written: {type(error).__name__}."
        )
    first, mark, rest = text.partition(_TRACEBACK)
    lines = [first, *(rest.split("\n") if mark else ())]
    if record.exc_info:
        lines += logging.Formatter().formatException(record.exc_info).split("\n")
    repeated = record.__dict__.get("repeated_trace")
    return [first, f"(the traceback is the same as at {repeated})"] if repeated else lines


class LogFormatter(logging.Formatter):
    """Time, level, logger and message on one line; what follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        first, *more = message_lines(record)
        head = one_line(f"{self.formatTime(record)} {record.levelname} {record.name}: {first}")
        return "\n".join([head, *(f"{_INDENT}{printable(line)}".rstrip() for line in more)]).rstrip("\n")


class ScreenFormatter(logging.Formatter):
    """Time and the first line of the message: tracebacks are for the file."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        return one_line(f"{self.formatTime(record, '%H:%M:%S')} {message_lines(record)[0]}")


class _ScreenHandler(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001  (logging must not end the session; this is how handlers say it)
            self.handleError(record)


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner may read; one that cannot be written any more is told of once.

    When somebody else moves or removes the file, another process that rotates it or logrotate, the next record goes
    into a new one.
    """

    def __init__(self, config: LogConfig, tell: Callable[[str], None], at_end: Callable[[], None]) -> None:
        self._tell = tell
        self._told = False
        self._at_end = at_end
        super().__init__(config.file, maxBytes=config.max_bytes, backupCount=config.backups, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        stream: Any = open(self.baseFilename, self.mode, encoding=self.encoding, opener=_open_private)  # noqa: SIM115
        return stream  # type: ignore[no-any-return]

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._is_another():
                self._open_anew()
        except OSError:
            # What is written into the old one is lost with it, at worst.
            self.handleError(record)
        super().emit(record)

    def _is_another(self) -> bool:
        """Say whether the file is not the one that is open."""
        if self.stream is None:
            return False
        mine = os.fstat(self.stream.fileno())
        if not stat.S_ISREG(mine.st_mode):
            return False
        try:
            there = os.stat(self.baseFilename)  # noqa: PTH116  (a path as text)
        except FileNotFoundError:
            return True
        return (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino)

    def _open_anew(self) -> None:
        before, self.stream = self.stream, self._open()
        if before is not None:
            before.close()

    def doRollover(self) -> None:  # noqa: N802  (the name that logging calls)
        if self.stream is None:
            super().doRollover()
            return
        # Of two processes that find the file full, one rotates it; the other then finds another file. The lock is held
        # by a descriptor of its own until the file has its new name: rotating closes the stream first.
        held = os.dup(self.stream.fileno())
        try:
            with contextlib.suppress(OSError):  # on a file system without locks
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
            if self._is_another():
                self._open_anew()
                return
            super().doRollover()
        finally:
            os.close(held)

    def close(self) -> None:
        self._at_end()
        # What is left of a log that could not be written was told of.
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name that logging calls)
        # Each record is tried: after room was made, the log goes on.
        if self._told:
            return
        self._told = True
        error = sys.exc_info()[1]
        self._tell(
            f"The log {self.baseFilename} cannot be written ({_reason(error)}): livered goes on without it; "
            "make room, or choose another place (log.file)."
        )


def _open_private(path: str, flags: int) -> int:
    """Open a log for its owner alone, not through a link that another user made, nor into what is another user's."""
    # A pipe that nobody reads is not waited for: all threads that log would wait, too.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        number = os.open(path, flags, _PRIVATE)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        # The superuser's links are the system's own, such as /dev/stdout.
        if Path(path).lstat().st_uid not in (os.geteuid(), 0):
            message = "it is a symbolic link of another user"
            raise PermissionError(errno.EPERM, message) from error
        number = os.open(os.path.realpath(path), flags, _PRIVATE)
    try:
        found = os.fstat(number)
        if stat.S_ISREG(found.st_mode):
            os.fchmod(number, _PRIVATE)
        elif stat.S_ISFIFO(found.st_mode) and found.st_uid not in (os.geteuid(), 0):
            message = "it is a pipe of another user"
            raise PermissionError(errno.EPERM, message)
        os.set_blocking(number, True)
    except BaseException:
        os.close(number)
        raise
    return number


def start_logging(
    config: LogConfig,
    packages: Iterable[str],
    write: Callable[[str], None],
    screen_level: int,
    hidden: Callable[[str], bool] = lambda _: False,
    *,
    screen_as_json: bool = False,
    clock: Clock | None = None,
) -> None:
    """Send the log of livered and its plugins to its file and to the screen; of other libraries, warnings only.

    Parameters
    ----------
    config
        The file and the least severity that goes into it, its form, and how many lines may be the same.
    packages
        Top-level packages of the plugins.
    write
        Puts a line on the screen; called from any thread; must return at once.
    screen_level
        Least severity for the screen.
    hidden
        Whether a sentence is not for the screen, because it comes there in another way.
    screen_as_json
        Whether lines for the screen are JSON objects, and not for people.
    clock
        For the rates; by default the system's.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    limit = RateLimit(config.rate, message_lines, clock or SystemClock())
    screen = _ScreenHandler(write)
    screen.setLevel(screen_level)
    screen.setFormatter(JsonFormatter(message_lines) if screen_as_json else ScreenFormatter())
    screen.addFilter(lambda record: not hidden(message_lines(record)[0]))
    tell = (lambda line: write(screen_json(line))) if screen_as_json else write
    file = _file_handler(config, tell, limit.flush)
    for handler in (screen, file):
        handler.addFilter(limit)
    root = logging.getLogger()
    for before in list(root.handlers):
        before.close()
        root.removeHandler(before)
    root.setLevel(logging.WARNING)
    root.addHandler(screen)
    root.addHandler(file)
    level = min(logging.getLevelName(config.level), screen_level)
    for package in {"livered_core", *packages}:
        logging.getLogger(package).setLevel(level)


def log_file() -> Path | None:
    """Return the log that `start_logging` opened; None without one."""
    files = (handler for handler in logging.getLogger().handlers if isinstance(handler, _PrivateRotatingFile))
    return next((Path(handler.baseFilename) for handler in files), None)


def _file_handler(
    config: LogConfig, tell: Callable[[str], None], at_end: Callable[[], None]
) -> logging.Handler:
    path = Path(config.file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _PrivateRotatingFile(config, tell, at_end)
    except OSError as error:
        message = f"log.file: {path} cannot be written ({_reason(error)}): choose another place for the log."
        raise ConfigError(message) from error
    handler.setLevel(config.level)
    handler.setFormatter(JsonFormatter(message_lines) if config.format == "json" else LogFormatter())
    return handler


def _reason(error: BaseException | None) -> str:
    return ((isinstance(error, OSError) and error.strerror) or str(error)).lower()
