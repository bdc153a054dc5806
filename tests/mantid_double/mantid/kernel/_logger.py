"""Mantid's log: lines on stderr, notice and above."""

from __future__ import annotations

import sys
import threading

_LEVELS = {"fatal": 1, "critical": 2, "error": 3, "warning": 4, "notice": 5, "information": 6, "debug": 7}
_lock = threading.Lock()
level = [_LEVELS["notice"]]
"""The lowest level that is written, in a list of one."""


class Logger:
    def __init__(self, name: str) -> None:
        self._name = name

    def _write(self, kind: str, message: object) -> None:
        if _LEVELS[kind] > level[0]:
            return
        text = str(message)
        with _lock:
            sys.stderr.write(f"{self._name}-[{kind.capitalize()}] {text}\n")

    def fatal(self, message: object) -> None:
        self._write("fatal", message)

    def error(self, message: object) -> None:
        self._write("error", message)

    def warning(self, message: object) -> None:
        self._write("warning", message)

    def notice(self, message: object) -> None:
        self._write("notice", message)

    def information(self, message: object) -> None:
        self._write("information", message)

    def debug(self, message: object) -> None:
        self._write("debug", message)


logger = Logger("Python")
