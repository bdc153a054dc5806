"""Where livered hung or crashed: the stacks of all threads, written by the dying process and told by the next one.

A process that gets on no more is ended by systemd with SIGABRT; `faulthandler` then writes, without help of the
interpreter, what each thread was doing. It does the same for a crash in compiled code.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import fcntl
import logging
import os
import re
import stat
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from livered_core.model.text import one_line

_log = logging.getLogger(__name__)

SUFFIX: Final = ".crash"
"""What the file is called more than the log beside it."""
MOST_BYTES: Final = 200_000
"""So much of a file is read; `faulthandler` itself stops after 100 threads of 100 frames."""
_PRIVATE: Final = 0o600
_FRAME: Final = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$', re.MULTILINE)
_THREAD: Final = re.compile(r"^(?=(?:Current thread|Thread) 0x)", re.MULTILINE)
_CAUSE: Final = re.compile(r"^Fatal Python error: (.*)$", re.MULTILINE)
_REDUCTION: Final = ("livered_core/reduction/pipeline.py", "livered_core/engine/session.py")
"""Files whose functions are in the stack of the thread that reduces, the surest first."""
_REDUCES: Final = "_reduce"
_LIBRARY: Final = Path(os.__file__).parent


@contextlib.contextmanager
def stacks_kept(log: Path | None, watchdog_s: float = 0.0) -> Iterator[None]:
    """Tell the log how the last life ended, if it died; and let this one write its stacks when it dies.

    Parameters
    ----------
    log
        The log's file, beside which the stacks go; None, and what is no ordinary file, for none.
    watchdog_s
        After so many seconds without a sign of life systemd ends the process; 0 for never.
    """
    if log is None or not log.is_file():
        yield
        return
    path = log.with_name(log.name + SUFFIX)
    try:
        descriptor = _open_private(path)
    except OSError as error:
        _log.warning(
            "%s cannot be written (%s): if livered hangs, nothing will say where; see to its permissions.",
            path,
            error.strerror,
        )
        yield
        return
    try:
        # Others may run in this folder, too: who has the file open keeps it there.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        _tell(descriptor, watchdog_s)
        faulthandler.enable(descriptor, all_threads=True)
        yield
    finally:
        faulthandler.disable()
        _remove_empty(path, descriptor)
        os.close(descriptor)


def left_behind(log: Path) -> str:
    """Say where a life that died was, as long as no other has begun; empty where it left nothing.

    Parameters
    ----------
    log
        The log's file.
    """
    try:
        with log.with_name(log.name + SUFFIX).open("rb") as file:
            return hung_at(file.read(MOST_BYTES).decode("utf-8", "replace"))
    except OSError:
        return ""


def stacks_now() -> str:
    """Write what each thread of this process is doing, in the form of a traceback."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"Thread {names.get(number, number)}:\n{''.join(traceback.format_stack(frame)).rstrip()}"
        for number, frame in sys._current_frames().items()
    )


def hung_at(stacks: str) -> str:
    """Say where the thread that reduces was, or the main one where none reduces; empty where nothing says it.

    Parameters
    ----------
    stacks
        What `faulthandler` wrote.
    """
    threads = _THREAD.split(stacks)[1:]
    for who, thread in (("the reduction", _reduction_of(threads)), ("the main thread", _main_of(threads))):
        frames = _FRAME.findall(thread)
        if frames:
            # Above it are often only the standard library's waits.
            own = next((frame for frame in frames if not _is_library(frame[0])), frames[0])
            text = f"{who} was in {_words(own)}"
            return text if own == frames[0] else f"{text}, at {_words(frames[0])}"
    return ""


def _reduction_of(threads: list[str]) -> str:
    for file in _REDUCTION:
        for thread in threads:
            if any(
                frame[0].endswith(file) and (frame[2] == _REDUCES or "pipeline" in file)
                for frame in _FRAME.findall(thread)
            ):
                return thread
    return ""


def _main_of(threads: list[str]) -> str:
    # The thread that began first is written last.
    return threads[-1] if threads else ""


def _is_library(file: str) -> bool:
    """Say whether a file is of Python's own; a distribution in its folder is not."""
    return file.startswith("<") or (_LIBRARY in Path(file).parents and "site-packages" not in file)


def _words(frame: tuple[str, str, str]) -> str:
    file, line, name = frame
    return one_line(f"{name} ({Path(file).name} line {line})")


def _tell(descriptor: int, watchdog_s: float) -> None:
    """Put what the last life left into the log, and empty the file."""
    text = os.pread(descriptor, MOST_BYTES, 0).decode("utf-8", "replace")
    os.ftruncate(descriptor, 0)
    if not text.strip():
        return
    found = _CAUSE.search(text)
    cause = one_line(found[1]) if found else "the stacks do not say how"
    if cause == "Aborted" and watchdog_s:
        cause = f"aborted, as systemd does when nothing gets on for {watchdog_s:g} s"
    where = hung_at(text)
    _log.error(
        "The last life of livered did not end by itself: %s%s. What its threads were doing:\n%s",
        cause,
        f"; {where}" if where else "",
        text.rstrip("\n"),
    )


def _open_private(path: Path) -> int:
    descriptor = os.open(
        path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _PRIVATE
    )
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            message = "it is no file of yours"
            raise PermissionError(errno.EPERM, message)
        os.fchmod(descriptor, _PRIVATE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove_empty(path: Path, descriptor: int) -> None:
    """Remove the file where it is empty: it appears for those only whom it concerns."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(descriptor).st_size and os.path.samestat(path.lstat(), os.fstat(descriptor)):
            path.unlink()
