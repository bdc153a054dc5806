"""A watch over what a test leaves behind: threads, files, child processes, environment, settings of the process."""

from __future__ import annotations

import contextlib
import fnmatch
import gc
import glob
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs

from livered_core.testing.resources import Child, resources

if TYPE_CHECKING:
    from types import FrameType

PATIENCE_S: Final = 2.0
"""How long `LeakWatch.check` waits for what is ending, seconds."""

_LOOK_EVERY_S: Final = 0.01
_LONGEST: Final = 80
_ENDS_BY_ITSELF: Final = ("thread", "file", "process")


@attrs.frozen
class Leak:
    """Something that was not there before.

    Attributes
    ----------
    kind
        ``thread``, ``file`` (sockets and pipes too), ``process``, ``variable`` or ``setting``.
    name
        The thread's name, the path, the program, the variable, the setting.
    what
        What it is and where, for people. Never the value of a variable, which may be a password.
    """

    kind: str
    name: str
    what: str

    def matches(self, pattern: str) -> bool:
        """Whether a pattern such as ``thread pool-*`` names it; ``*``, ``?`` and ``[...]`` as in file names."""
        return fnmatch.fnmatchcase(f"{self.kind} {self.name}", pattern)


class LeakWatch:
    """Knows what there was when it began, and says what has been left since.

    Parameters
    ----------
    ignore
        Patterns of what may stay: the kind, a space, and the name, for example ``thread pool-*``, ``file /var/cache/*``,
        ``variable LC_ALL`` or ``setting sys.path``.
    patience_s
        How long `check` waits for threads, files and child processes that are ending, seconds.
    """

    def __init__(self, ignore: Iterable[str] = (), patience_s: float = PATIENCE_S) -> None:
        self._ignored = _patterns(ignore)
        self._patience_s = patience_s
        self._before = resources()

    def ignore(self, *patterns: str) -> None:
        """Let something stay, beside what was said at the beginning."""
        self._ignored += _patterns(patterns)

    def leaks(self) -> list[Leak]:
        """List what has been left at this moment, without what is ignored."""
        now, before = resources(), self._before
        found = [_thread(each) for each in sorted(now.threads - before.threads, key=lambda each: each.name)]
        found += _files(before.files, now.files)
        found += [_child(each) for each in sorted(now.children - before.children, key=lambda each: each.pid)]
        found += [
            Leak("variable", name, f"the environment variable {name}, which is {how}")
            for name, how in _changes(before.variables, now.variables)
        ]
        found += [
            Leak("setting", name, f"the {name}, {_change(before.settings[name], now.settings[name])}")
            for name, _ in _changes(before.settings, now.settings)
        ]
        return [leak for leak in found if not any(map(leak.matches, self._ignored))]

    def check(self) -> None:
        """See that nothing has been left, and wait a little for what is ending.

        Raises
        ------
        AssertionError
            When something has been left, with `sentence`.
        """
        sentence = self.sentence()
        if sentence:
            raise AssertionError(sentence)

    def sentence(self) -> str:
        """Say what has been left, where, and what to do about it, after a little wait for what is ending.

        Returns
        -------
        str
            One sentence; empty when nothing has been left.
        """
        left = self.leaks()
        if _may_end(left):
            # What nobody refers to any more but itself is closed by this.
            gc.collect()
            left = self.leaks()
        limit = time.monotonic() + self._patience_s
        pause = threading.Event()
        while _may_end(left) and time.monotonic() < limit:
            pause.wait(_LOOK_EVERY_S)
            left = self.leaks()
        if not left:
            return ""
        return (
            f"The test has left behind {'; '.join(leak.what for leak in left)}: end, close or restore this "
            f'before the test ends, or let it stay with ignore("{left[0].kind} {glob.escape(left[0].name)}").'
        )


@contextlib.contextmanager
def no_leaks(ignore: Iterable[str] = (), patience_s: float = PATIENCE_S) -> Iterator[LeakWatch]:
    """See that what is done inside leaves nothing behind. The pytest fixture of this name does so for a whole test.

    Threads, open files, sockets and pipes, child processes, variables of the environment, the working directory, umask,
    ``sys.path``, ``sys.argv``, locale, handlers of signals, and handlers and level of the root logger are looked at.

    Parameters
    ----------
    ignore, patience_s
        As of `LeakWatch`.

    Yields
    ------
    LeakWatch
        Takes more to ignore.

    Raises
    ------
    AssertionError
        At the end, when something has been left. What is raised inside goes through, and nothing is looked at then.

    Examples
    --------
    >>> with no_leaks():
    ...     threading.Thread(target=print, args=("done",)).start()
    done
    """
    watch = LeakWatch(ignore, patience_s)
    yield watch
    watch.check()


def _may_end(left: Iterable[Leak]) -> bool:
    return any(leak.kind in _ENDS_BY_ITSELF for leak in left)


def _patterns(texts: Iterable[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        message = f"ignore is the text {texts!r}: give a list of patterns such as ['thread pool-*']."
        raise TypeError(message)
    patterns = tuple(texts)
    for pattern in patterns:
        kind, _, name = pattern.partition(" ")
        if kind not in (*_ENDS_BY_ITSELF, "variable", "setting", "*") or not name:
            message = (
                f"The pattern {pattern!r} names nothing: write thread, file, process, variable or setting, "
                "a space, and a name, for example 'thread pool-*'."
            )
            raise ValueError(message)
    return patterns


def _thread(thread: threading.Thread) -> Leak:
    where = ""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is not None:
        body = _body(frame)
        where = f", which runs {body.f_code.co_name} in {body.f_code.co_filename}:{body.f_lineno}"
    return Leak("thread", thread.name, f"the thread {thread.name!r}{where}")


def _body(frame: FrameType) -> FrameType:
    """Find the first call of a thread that is not the machinery of threads."""
    frames = [frame]
    while frames[-1].f_back is not None:
        frames.append(frames[-1].f_back)
    frames.reverse()
    own = (threading.__file__, os.path.join("concurrent", "futures", "thread.py"))  # noqa: PTH118
    return next((each for each in frames if not each.f_code.co_filename.endswith(own)), frames[-1])


def _files(before: dict[int, str], now: dict[int, str]) -> Iterator[Leak]:
    """Find targets that are open more often than before: a file may be closed and opened again under another number."""
    more = Counter(now.values()) - Counter(before.values())
    # The newest have the numbers that were not in use.
    for number in sorted(now, key=lambda number: (before.get(number) == now[number], number)):
        target = now[number]
        if more[target] > 0:
            more[target] -= 1
            yield _file(number, target)


def _file(number: int, target: str) -> Leak:
    if target.startswith("socket:"):
        name = f"socket{_addresses(number)}"
        return Leak("file", name, f"the {name} (descriptor {number})")
    if target.startswith("pipe:"):
        return Leak("file", "pipe", f"an end of a pipe (descriptor {number})")
    return Leak("file", target, f"the open file {target} (descriptor {number})")


def _addresses(number: int) -> str:
    """Say where a socket is bound and connected, as far as it is."""
    try:
        duplicate = socket.socket(fileno=os.dup(number))
    except OSError:
        return ""
    with duplicate:
        parts = []
        for preposition, ask in (("at", duplicate.getsockname), ("to", duplicate.getpeername)):
            with contextlib.suppress(OSError):
                address = ask()
                if address:
                    text = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
                    parts.append(f" {preposition} {text}")
    return "".join(parts)


def _child(child: Child) -> Leak:
    how = "which has ended and for which nobody has waited" if child.ended else "which still runs"
    return Leak("process", child.name, f"the child process {child.pid} ({_short(child.command)}), {how}")


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | now.keys()):
        if name not in before:
            yield name, "new"
        elif name not in now:
            yield name, "gone"
        elif before[name] != now[name]:
            yield name, "changed"


def _change(before: Any, now: Any) -> str:
    if isinstance(before, tuple) and isinstance(now, tuple):
        more = [_short(repr(each)) for each in now if each not in before]
        less = [_short(repr(each)) for each in before if each not in now]
        said = [f"which has {each} more" for each in more] + [f"which lacks {each}" for each in less]
        return " and ".join(said) or "whose order has changed"
    was, now = (each if isinstance(each, str) else repr(each) for each in (before, now))
    return f"which was {_short(was)} and is {_short(now)}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
