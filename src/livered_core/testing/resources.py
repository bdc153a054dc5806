"""What a process has at a moment: threads, open files, child processes, environment, and settings of the interpreter."""

from __future__ import annotations

import contextlib
import locale
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

_FILES: Final = Path("/proc/self/fd")
_TASKS: Final = Path("/proc/self/task")
_STATUS: Final = Path("/proc/self/status")

_OPENED_ONCE: Final = ("/dev/urandom", "/dev/random", "/dev/nvidia", "/dev/kfd", "/dev/dri/")
"""What Python and numerical libraries open when they first need it, and keep."""
_OF_PYTEST: Final = frozenset({"PYTEST_CURRENT_TEST"})


@attrs.frozen
class Child:
    """A child process.

    Attributes
    ----------
    pid
        Its number.
    started
        When it started, ticks since the machine did: numbers are given again.
    name
        Name of its program, of which the kernel keeps 15 characters.
    command
        Its command line, for people; the name where it has none.
    ended
        Whether it has ended, and nobody has waited for it.
    """

    pid: int
    started: int
    name: str = attrs.field(eq=False)
    command: str = attrs.field(eq=False)
    ended: bool = attrs.field(eq=False)


@attrs.frozen(eq=False)
class Resources:
    """What there was at a moment.

    Attributes
    ----------
    threads
        Threads of Python that run, except those of a debugger.
    files
        Descriptor to what it stands for: a path, or ``socket:[12345]``, ``pipe:[12345]``, ``anon_inode:[eventpoll]``.
    children
        Child processes. Grandchildren are not seen.
    variables
        The environment, except what pytest writes there.
    settings
        Settings of the whole process that a test may change and forget, by their names for people.
    """

    threads: frozenset[threading.Thread]
    files: dict[int, str]
    children: frozenset[Child]
    variables: dict[str, str]
    settings: dict[str, Any]


def resources() -> Resources:
    """Look at what the process has. Needs Linux: without ``/proc`` files and children are not seen."""
    children, files = _of_multiprocessing()
    return Resources(
        threads=frozenset(thread for thread in threading.enumerate() if not _is_foreign(thread)),
        files={number: target for number, target in _open_files() if number not in files},
        children=frozenset(child for child in _children() if child.pid not in children),
        variables={name: value for name, value in os.environ.items() if name not in _OF_PYTEST},
        settings=dict(_settings()),
    )


def _is_foreign(thread: threading.Thread) -> bool:
    """Say whether a thread is a debugger's, or one of a library that has only called Python once."""
    is_dummy = type(thread).__name__ == "_DummyThread"
    return is_dummy or bool(getattr(thread, "is_pydev_daemon_thread", False))


def _open_files() -> Iterator[tuple[int, str]]:
    if not _FILES.is_dir():
        return
    # The descriptor with which the folder is read is in the list, and closed afterwards.
    for name in os.listdir(_FILES):  # noqa: PTH208  (Path.iterdir may still hold it)
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(_FILES / name)  # noqa: PTH115  (it need not be a path)
            if not target.startswith(_OPENED_ONCE):
                yield int(name), target


def _of_multiprocessing() -> tuple[frozenset[int], frozenset[int]]:
    """Find processes and descriptors that multiprocessing begins once and keeps until the interpreter ends."""
    tracker = getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", None)
    server = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    pids = (getattr(tracker, "_pid", None), getattr(server, "_forkserver_pid", None))
    files = (getattr(tracker, "_fd", None), getattr(server, "_forkserver_alive_fd", None))
    return (
        frozenset(pid for pid in pids if pid is not None),
        frozenset(number for number in files if number is not None),
    )


def _children() -> Iterator[Child]:
    if not _TASKS.is_dir():
        return
    for task in os.listdir(_TASKS):  # noqa: PTH208
        # A thread may end meanwhile; its children are then those of another one.
        with contextlib.suppress(OSError):
            for pid in (_TASKS / task / "children").read_text().split():
                child = _child(int(pid))
                if child is not None:
                    yield child


def _child(pid: int) -> Child | None:
    folder = Path("/proc") / str(pid)
    try:
        fields = (folder / "stat").read_text()
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").split()
    except OSError:
        return None
    name = fields[fields.index("(") + 1 : fields.rindex(")")]
    state, *rest = fields[fields.rindex(")") + 1 :].split()
    return Child(pid, int(rest[18]), name, " ".join(words) or name, state in "ZX")


def _settings() -> Iterator[tuple[str, Any]]:
    yield "working directory", _working_directory()
    yield "umask", _umask()
    yield "sys.path", tuple(sys.path)
    yield "sys.argv", tuple(sys.argv)
    yield "locale", locale.setlocale(locale.LC_ALL)
    yield "default timeout of sockets", socket.getdefaulttimeout()
    yield "recursion limit", sys.getrecursionlimit()
    root = logging.getLogger()
    yield "level of the root logger", logging.getLevelName(root.level)
    yield "handlers of the root logger", tuple(root.handlers)
    for number in sorted(signal.valid_signals()):
        yield f"handler of {_signal_name(number)}", signal.getsignal(number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  (it may be gone)
    except FileNotFoundError:
        return "a folder that is gone"


def _umask() -> str:
    """Read the umask without setting it, which other threads would notice."""
    if not _STATUS.is_file():
        return ""
    lines = _STATUS.read_text().splitlines()
    return next((line.split()[1] for line in lines if line.startswith("Umask:")), "")
