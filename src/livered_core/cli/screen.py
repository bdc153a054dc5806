"""The screen of a session: one thread writes to it, so that a slow, blocked or closed one disturbs nobody."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NoReturn, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from livered_core.cli.echo import abandon
from livered_core.model.text import one_line

_log = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
"""Lines that wait for a screen that does not take them; more are counted and dropped."""
CLOSE_WAIT_S: Final = 3.0
"""How long the end waits for a screen that does not take its lines."""
_LONGEST_PART: Final = 10_000
_SHOW_CURSOR: Final = "\x1b[?25h"


def text(value: object, style: str = "") -> Text:
    """Make text for the screen of anything: one line, no markup, no control characters.

    Parameters
    ----------
    value
        What is shown, for example a title from the stream.
    style
        A style of rich.
    """
    return Text(one_line(str(value)), style)


def end_now(code: int) -> NoReturn:
    """End the process although a screen's thread cannot end."""
    logging.shutdown()
    os._exit(code)


class Screen:
    """A terminal or a pipe, written to by a thread of its own.

    All methods may be called from any thread and return at once, but `close`, which waits a little. A screen that
    was closed by its reader, or hung up, is given up silently: what is written then goes nowhere.

    Parameters
    ----------
    stream
        Where it writes; None (stdout was closed from the beginning) writes nowhere. Not closed by this class.
    plain
        Whether to write lines even where the screen could be redrawn.
    most_waiting
        How many lines may wait.
    wrap
        Makes of a line what is written where the screen is not redrawn, such as JSON in ASCII; None for the line.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        plain: bool = False,
        most_waiting: int = MOST_WAITING,
        wrap: Callable[[str], str] | None = None,
    ) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        self._stream = stream
        self._console = _Console(file=stream if stream is not None else io.StringIO())
        self._live: Live | None = None
        self.live = self._console.is_terminal and not plain
        """Whether the screen is redrawn."""
        self._wrap = None if self.live else wrap
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._view: Callable[[], RenderableType] | None = None
        self._lost = 0
        self._closing = stream is None
        self._broken = False
        self._thread = threading.Thread(target=self._work, name="livered-screen", daemon=True)
        self._thread.start()

    def line(self, sentence: str, style: str = "") -> None:
        """Write a line; when too many wait, count it instead."""
        self._put(text(sentence, style) if self._wrap is None else Text(self._wrap(sentence)))

    def written(self, line: str) -> None:
        """Write a line as it is, which is in printable ASCII; when too many wait, count it instead."""
        self._put(Text(line))

    def _put(self, shown: Text) -> None:
        with self._changed:
            if self._closing:
                return
            if len(self._waiting) >= self._most_waiting:
                self._lost += 1
                return
            self._waiting.append(partial(self._print, shown))
            self._changed.notify()

    def show(self, draw: Callable[[], RenderableType]) -> None:
        """Redraw the view below the lines; of several that wait, the newest is drawn.

        Parameters
        ----------
        draw
            Makes the view; called on the screen's thread.
        """
        with self._changed:
            if not self._closing:
                self._view = draw
                self._changed.notify()

    def close(self, last: tuple[RenderableType, ...] = (), timeout_s: float = CLOSE_WAIT_S) -> bool:
        """Take the view away, write the last things, and end.

        Parameters
        ----------
        last
            What is left on the screen, in order.
        timeout_s
            How long to wait for it.

        Returns
        -------
        bool
            False when the screen is blocked. Its thread then holds stdout's buffer, over which the interpreter
            dies when it ends in the ordinary way: the caller must end the process with `os._exit`.
        """
        with self._changed:
            if not self._closing:
                self._waiting.append(self._end_view)
                self._waiting.extend(partial(self._print, item) for item in last)
                self._view = None
                self._closing = True
                self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def last_words(self, sentence: str) -> None:
        """Show the cursor again and write a sentence past everything that waits.

        For the signal that ends the process at once: takes no lock, and does not wait.
        """
        if self._stream is None:
            return
        cursor = _SHOW_CURSOR if self._console.is_terminal else ""
        line = one_line(sentence) if self._wrap is None else self._wrap(sentence)
        with contextlib.suppress(OSError, ValueError):
            number = self._stream.fileno()
            if select.select([], [number], [], 0)[1]:
                os.write(number, f"{cursor}\n{line}\n".encode(errors="replace"))

    @contextlib.contextmanager
    def takes_prints(self) -> Iterator[None]:
        """Take what anybody prints to stdout and stderr, such as a plugin, and write it line by line."""
        printed = _Printed(self.line, self._stream)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                yield
            finally:
                printed.finish()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._view or self._closing)
                actions = list(self._waiting)
                self._waiting.clear()
                lost, self._lost = self._lost, 0
                view, self._view = self._view, None
                closing = self._closing
            if lost:
                # Lines are lost while the queue is full only, and it was emptied just now: the place is right.
                notice = text(f"{lost} lines were not shown.", "yellow")
                if self._wrap is not None:
                    notice = Text(self._wrap(notice.plain))
                actions.insert(self._most_waiting, partial(self._print, notice))
            for action in actions:
                self._attempt(action)
            if view is not None:
                self._attempt(partial(self._draw, view))
            if closing:
                return

    def _attempt(self, action: Callable[[], None]) -> None:
        if self._stream is None:
            return
        try:
            action()
        except BlockingIOError:
            # Somebody made the descriptor non-blocking, and it is full.
            with self._changed:
                self._lost += 1
        except (OSError, SystemExit):
            abandon(self._stream)
        except Exception as error:  # noqa: BLE001  (a view that cannot be drawn must not end the session)
            if not self._broken:
                self._broken = True
                _log.exception("The screen cannot be drawn: %s: %s.", type(error).__name__, error)

    def _print(self, item: RenderableType) -> None:
        self._console.print(item, soft_wrap=isinstance(item, Text))

    def _draw(self, draw: Callable[[], RenderableType]) -> None:
        view = draw()
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(view, refresh=True)

    def _end_view(self) -> None:
        if self._live is not None:
            self._live.stop()


class _Console(Console):
    """A console whose broken pipe is its caller's to handle; rich would end the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Printed(io.TextIOBase):
    """Stands in for stdout and stderr: hands on whole lines."""

    def __init__(self, write_line: Callable[[str], None], original: TextIO | None) -> None:
        self._write_line = write_line
        self._original = original
        self._lock = threading.Lock()
        self._part = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._original is None:
            raise io.UnsupportedOperation
        return self._original.fileno()

    def write(self, printed: str, /) -> int:
        with self._lock:
            *lines, self._part = (self._part + printed).split("\n")
            if len(self._part) > _LONGEST_PART:
                lines.append(self._part)
                self._part = ""
        for line in lines:
            self._write_line(line)
        return len(printed)

    def finish(self) -> None:
        """Hand on the line that has no end yet."""
        if self._part:
            self.write("\n")
