"""Where log lines go: a rotating private file, and the screen.

The file gets everything, tracebacks included; the screen gets the first line of each record.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from livered_core.config import LogConfig
from livered_core.errors import ConfigError

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner may read."""

    def _open(self) -> TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        stream: Any = open(self.baseFilename, self.mode, encoding=self.encoding, opener=opener)  # noqa: SIM115
        return stream  # type: ignore[no-any-return]


class _ScreenFormatter(logging.Formatter):
    """Time and the first line of the message: tracebacks are for the file."""

    def format(self, record: logging.LogRecord) -> str:
        lines = record.getMessage().splitlines() or [""]
        return f"{self.formatTime(record, '%H:%M:%S')} {lines[0]}"


class _ScreenHandler(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001  (logging must not end the session; this is how handlers say it)
            self.handleError(record)


def start_logging(
    config: LogConfig, packages: Iterable[str], write: Callable[[str], None], screen_level: int
) -> None:
    """Send the log of livered and its plugins to its file and to the screen; of other libraries, warnings only.

    Parameters
    ----------
    config
        The file and the least severity that goes into it.
    packages
        Top-level packages of the plugins.
    write
        Puts a line on the screen; called from any thread.
    screen_level
        Least severity for the screen.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    screen = _ScreenHandler(write)
    screen.setLevel(screen_level)
    screen.setFormatter(_ScreenFormatter())
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.WARNING)
    root.addHandler(screen)
    root.addHandler(_file_handler(config))
    level = min(logging.getLevelName(config.level), screen_level)
    for package in {"livered_core", *packages}:
        logging.getLogger(package).setLevel(level)


def _file_handler(config: LogConfig) -> logging.Handler:
    path = Path(config.file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _PrivateRotatingFile(
            path, maxBytes=config.max_bytes, backupCount=config.backups, encoding="utf-8"
        )
    except OSError as error:
        message = f"log.file: {path} cannot be written ({(error.strerror or str(error)).lower()}): choose another place for the log."
        raise ConfigError(message) from error
    handler.setLevel(config.level)
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
