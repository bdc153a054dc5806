"""The last calls of plugins, which may not keep a process from its end."""

from __future__ import annotations

import logging
import threading
from typing import Final

from livered_core.clocks import Clock
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import SessionInfo

_log = logging.getLogger(__name__)
_OF_SINKS: Final = "post_publish"


def end_within(hooks: Dispatcher, info: SessionInfo, seconds: float, clock: Clock) -> str:
    """Call session_ended of every plugin, and wait no longer than a time for all of them.

    Parameters
    ----------
    hooks
        The session's.
    info
        The session.
    seconds
        That they may take together.
    clock
        The clocks.

    Returns
    -------
    str
        One sentence, which is in the log, when they have not come back: the process must not wait for the thread that
        they are on. Empty when they have.

    Raises
    ------
    BaseException
        What is none of a plugin's failures, such as KeyboardInterrupt.
    """
    done, raised = threading.Event(), list[BaseException]()

    def end() -> None:
        try:
            hooks.session_ended(info)
        except BaseException as error:  # noqa: BLE001  (raised on the thread that waits)
            raised.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=end, name="livered-session-ended", daemon=True)
    thread.start()
    if clock.wait(done, seconds):
        if raised:
            raise raised[0]
        return ""
    sentence = (
        f"{whose_call(hooks, clock.monotonic(), 'session_ended') or 'session_ended of a plugin hangs'}: "
        "the process ends without it, and what it would have put away is lost."
    )
    _log.error("%s", sentence)
    return sentence


def whose_call(hooks: Dispatcher, now_s: float, hook: str = "") -> str:
    """Say which call of a plugin does not come back, sinks left out; empty where there is none.

    Parameters
    ----------
    hooks
        The session's.
    now_s
        Monotonic seconds.
    hook
        Only calls of this hook.
    """
    calls = [call for call in hooks.running() if call.hook != _OF_SINKS and hook in ("", call.hook)]
    if not calls:
        return ""
    # The innermost: a wrapper waits for what it wraps.
    call = calls[-1]
    return f"Plugin {call.plugin} has been in {call.hook} for {now_s - call.since_s:.0f} s"
