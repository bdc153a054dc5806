"""What tests may set: long times, and the data of the scripted listener. Defaults are those of the real thing."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

PREFIX = "MANTID_DOUBLE_"


class Knobs:
    """Numbers can also be set by environment variables, for child processes: ``MANTID_DOUBLE_BLOCK=0.2``."""

    block: float
    """Seconds for which extractData waits for the geometry."""
    retry: float
    """Seconds between two attempts of LoadLiveData when the listener is not ready."""
    receive_timeout: float
    """Seconds after which the SNS listener's thread looks up from a silent socket."""
    start_delay: float
    """Seconds until a monitor's thread has begun, and isRunning is true."""
    gap: float
    """Seconds for which the edge of a run waits while a chunk is handed over. The real thing does not wait, and throws
    away what has come since; so does this one when a script takes longer, but not by chance on a busy machine."""
    remove_delay: float
    """Seconds between the end of a processing script and the removal of its chunk from the data service."""
    available_memory: float
    """Bytes that RunTransitionBehavior=Rename believes to be free."""
    crash_at_exit: bool
    """Whether leaving the interpreter with a running monitor crashes the process."""
    script: Callable[[], Iterable[Any]] | Iterable[Any] | None
    """What the ScriptedListener gives (see `mantid._live._scripted`)."""

    _numbers: ClassVar[dict[str, float]] = {
        "block": 10.0,
        "retry": 10.0,
        "receive_timeout": 30.0,
        "start_delay": 0.005,
        "remove_delay": 0.0,
        "gap": 0.3,
        "available_memory": 8e9,
        "crash_at_exit": 1.0,
    }

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        for name, default in self._numbers.items():
            setattr(self, name, float(os.environ.get(PREFIX + name.upper(), default)))
        self.script = _named_script(os.environ.get(PREFIX + "SCRIPT", ""))


def _named_script(text: str) -> Callable[[], Iterable[Any]] | None:
    """Return what ``module:function`` names."""
    if not text:
        return None
    module, _, name = text.partition(":")

    def script() -> Iterable[Any]:
        return getattr(importlib.import_module(module), name)()

    return script


knobs = Knobs()
