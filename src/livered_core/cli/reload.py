"""``livered reload``: have a running livered load its plugins and settings anew."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.config import run_directory
from livered_core.config.layers import instrument_name
from livered_core.engine.reload_request import write_request
from livered_core.errors import EXIT_DIED, EXIT_OK, LiveredError
from livered_core.hooks.registry import claimed_instrument

_LARGEST: Final = 4_000_000
_SILENT_S: Final = 10.0
_POLL_S: Final = 0.2
_OVER: Final = ("stopped", "failed", "stopping")
_EPILOG: Final = """\b
Examples:
  livered reload --instrument NOM
  livered reload --instrument NOM --simulate

Exit codes: 0 taken up, 1 refused (what ran before still runs), not running, or no answer in time.
"""


@click.command(epilog=_EPILOG)
@options.instrument
@options.config_file
@click.option("--simulate", is_flag=True, help="The one that was started with --simulate.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait so long for the answer; by default two chunks and the time that a trial may take.",
)
def reload(instrument: str | None, config_file: Path | None, simulate: bool, wait_s: float | None) -> None:
    """Have a running livered load its plugins and settings anew.

    They are tried on the newest data first, and taken up at the boundary of a chunk; what does not work is refused.
    """
    name = _name(instrument, config_file, simulate=simulate)
    folder = run_directory(name, os.environ, create=False)
    status = _running(folder, name)
    token = _asked(folder, name)
    if wait_s is None:
        wait_s = (
            2.0 * _number(status, "update_every_s", 30.0)
            + _number(_table(status, "reload"), "limit_s", 60.0)
            + 10.0
        )
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        answer = _table(_running(folder, name), "reload")
        state = _table(answer, "answers").get(token)
        if state is not None:
            say(str(answer.get("sentence") or state))
            sys.exit(EXIT_OK if state == "ok" else EXIT_DIED)
        time.sleep(_POLL_S)
    message = (
        f"livered for {name} was asked, and has not answered within {wait_s:.0f} s: it does so at the next boundary of a "
        "chunk; livered status tells how it went."
    )
    raise LiveredError(message)


def _name(instrument: str | None, config_file: Path | None, *, simulate: bool) -> str:
    """Name the run directory: by the plugin's own name of the instrument."""
    asked = instrument_name(instrument, config_file, os.environ)
    entry = claimed_instrument(asked)
    name = asked if entry is None else entry.instrument or entry.name
    name = f"{name}-simulated" if simulate else name
    # Its plugin may be installed in another environment only: then the name is the one that a run directory has.
    others = run_directory(name, os.environ, create=False).parent
    try:
        there = [path.name for path in others.iterdir()]
    except OSError:
        return name
    return next((other for other in there if name not in there and other.lower() == name.lower()), name)


def _asked(folder: Path, name: str) -> str:
    try:
        return write_request(folder)
    except OSError as error:
        message = (
            f"livered for {name} cannot be asked ({error.strerror}): {folder} must be writable for you, "
            "who must be the one who started it."
        )
        raise LiveredError(message) from None


def _running(folder: Path, name: str) -> Mapping[str, Any]:
    """Read the status of an engine that runs.

    Raises
    ------
    LiveredError
        When there is none.
    """
    try:
        with (folder / "status.json").open("rb") as file:
            status = json.loads(file.read(_LARGEST))
    except FileNotFoundError:
        message = f"livered does not run for {name} here: {folder} has no status.json. Start it, and it loads what there is."
        raise LiveredError(message) from None
    except (OSError, ValueError) as error:
        message = f"{folder / 'status.json'} cannot be read ({type(error).__name__}): see what is there."
        raise LiveredError(message) from None
    host, pid, phase = status.get("host"), status.get("pid"), status.get("phase")
    if host != socket.gethostname():
        message = f"livered for {name} runs on {host}, not here: type this there."
        raise LiveredError(message)
    silent_s = time.time() - _number(status, "now_ns", 0.0) / 1e9
    gone = isinstance(pid, int) and not Path(f"/proc/{pid}").exists()
    if phase in _OVER or gone or silent_s > _SILENT_S:
        what = str(phase) if phase in _OVER else f"gone or hangs, silent for {silent_s:.0f} s"
        message = f"livered does not run for {name} here (process {pid} is {what}): start it, and it loads what there is."
        raise LiveredError(message)
    return dict(status)


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(values: Mapping[str, Any], key: str, default: float) -> float:
    found = values.get(key)
    return float(found) if isinstance(found, int | float) else default
