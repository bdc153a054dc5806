"""Looking at the classes of plugins from outside: another Python imports them, and may fail, hang or die of it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import attrs

from livered_core.interpreter import module_arguments

PATIENCE_S: Final = 20.0
"""Seconds that one plugin may take to be imported."""
_START_S: Final = 60.0
"""Seconds that a Python may take to begin; that of a folder on another machine takes its time."""
_LONGEST_LINE: Final = 1 << 20


@attrs.frozen
class Look:
    """What importing a plugin has shown.

    Attributes
    ----------
    problem
        Why it cannot be loaded, one sentence; empty where it can.
    class_name
        Where its class is defined: ``module:Class``; may be elsewhere than the entry point says. Empty with a problem.
    file
        Of the class; empty with a problem.
    hooks
        Each hook that it has, to ``"owner"`` or ``"wrapper"``.
    data_models
        Kinds of data that it works with.
    """

    problem: str = ""
    class_name: str = ""
    file: str = ""
    hooks: Mapping[str, str] = attrs.field(factory=dict)
    data_models: tuple[str, ...] = ()


def look_at(entry_points: Sequence[str], *, patience_s: float = PATIENCE_S) -> list[Look]:
    """Import plugins in a Python of their own, and say what they are.

    Whatever a plugin does there, the others are looked at: one that hangs or ends its Python is given up, and another
    Python goes on after it.

    Parameters
    ----------
    entry_points
        ``module:Class`` of each.
    patience_s
        Seconds for one plugin.

    Returns
    -------
    list of Look
        One for each of `entry_points`.
    """
    looks: list[Look] = []
    while len(looks) < len(entry_points):
        rest = entry_points[len(looks) :]
        before = len(looks)
        looks += _looks(rest, patience_s)
        if len(looks) == before:
            looks.append(Look("the Python that was to import it does not begin."))
    return looks


def _looks(entry_points: Sequence[str], patience_s: float) -> list[Look]:
    """Look at plugins up to the first that hangs or ends the Python that imports it."""
    looks: list[Look] = []
    try:
        with _child(entry_points) as (process, answers):
            lines = _lines(answers, patience_s)
            if next(lines, None) is None:
                return looks
            while len(looks) < len(entry_points):
                try:
                    line = next(lines, None)
                except TimeoutError:
                    looks.append(Look(f"importing it does not come to an end within {patience_s:g} s."))
                    break
                if line is None:
                    looks.append(Look(f"importing it ends Python ({_end_of(process)})."))
                    break
                looks.append(_understood(line))
    except TimeoutError:
        return looks
    except OSError as error:
        looks.append(Look(f"it cannot be tried ({error.strerror or error})."))
    return looks


@contextmanager
def _child(entry_points: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the Python that imports; its answers come through a pipe of their own, whatever plugins print."""
    answers, theirs = os.pipe()
    try:
        task = json.dumps(
            {"answers": theirs, "path": [p for p in sys.path if p], "points": list(entry_points)}
        )
        process = subprocess.Popen(  # noqa: S603  (this Python, and a module of livered)
            [sys.executable, *module_arguments("livered_core.engine.plugin_look_child"), task],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs,),
            start_new_session=True,
        )
    except BaseException:
        os.close(answers)
        raise
    finally:
        os.close(theirs)
    try:
        yield process, answers
    finally:
        os.close(answers)
        # As long as nobody has waited for it, its number is its own; what plugins have started goes with it.
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _lines(descriptor: int, patience_s: float) -> Iterator[bytes]:
    """Give the lines of a pipe, of which the first says that it begins; `TimeoutError` when one is not there in time."""
    buffer, within_s = b"", _START_S
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            until_s = time.monotonic() + within_s
            while b"\n" not in buffer:
                if not selector.select(max(0.0, until_s - time.monotonic())) or len(buffer) > _LONGEST_LINE:
                    raise TimeoutError
                data = os.read(descriptor, 65_536)
                if not data:
                    return
                buffer += data
            within_s = patience_s
            line, _, buffer = buffer.partition(b"\n")
            yield line


def _understood(line: bytes) -> Look:
    try:
        told: Mapping[str, Any] = json.loads(line)
        return Look(
            problem=str(told["problem"]),
            class_name=str(told["class"]),
            file=str(told["file"]),
            hooks={str(hook): str(role) for hook, role in told["hooks"].items()},
            data_models=tuple(map(str, told["data_models"])),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Look("the Python that imported it told something that is not understood.")


def _end_of(process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(1.0)
    except subprocess.TimeoutExpired:
        return "it closed all that was open"
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
