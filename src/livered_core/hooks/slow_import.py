"""A word about an import that does not come back: until then nothing else could say why nothing happens."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SLOW_S: Final = 10.0
"""An import that takes longer is told of; seconds."""

_log = logging.getLogger(__name__)


@contextmanager
def told_when_slow(what: str, module: str, slow_s: float = SLOW_S) -> Iterator[None]:
    """Log a warning, once, when what is done within takes long.

    The warning comes from a thread of its own. Before the log is set up it goes to stderr.

    Parameters
    ----------
    what
        Who is imported, for example a plugin with its distribution.
    module
        Name of the module that is imported.
    slow_s
        After how many seconds.
    """
    timer = threading.Timer(slow_s, _tell, (what, module, threading.get_ident(), slow_s))
    timer.name = "livered-slow-import"
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(what: str, module: str, thread: int, slow_s: float) -> None:
    file = getattr(sys.modules.get(module), "__file__", None) or module
    where = ""
    frame = sys._current_frames().get(thread)
    # The innermost place may be in a library: the plugin's own says more.
    while frame is not None:
        if frame.f_code.co_filename == file:
            where = f" It is at line {frame.f_lineno}."
            break
        frame = frame.f_back
    _log.warning(
        "Plugin %s (%s) has been importing for %g s: what it does at import should take no time.%s Ctrl-C ends it.",
        what,
        file,
        slow_s,
        where,
    )
