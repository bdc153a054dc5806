"""``livered unsent``: the final results that wait on disk for a sink."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import attrs
import click

from livered_core.cli.echo import say
from livered_core.cli.numbers import in_si
from livered_core.config.validators import require_instrument_name
from livered_core.config.xdg import xdg_folder
from livered_core.errors import EXIT_DIED, ConfigError
from livered_core.model.utc import format_utc
from livered_core.publish.outbox import DAMAGED, UNSENT_FOLDER, UnsentFile, files_below, unsent_files

_EPILOG: Final = """\b
Examples:
  livered unsent list
  livered unsent drop 4711
  livered unsent drop --all --sink old_monitor
"""
_of: Final = click.option(
    "--instrument", "-i", metavar="NAME", help="Only of this one, for example NOM or NOM-simulated."
)
_sink: Final = click.option("--sink", metavar="NAME", help="Only what waits for this sink.")


@attrs.frozen
class _Waiting:
    instrument: str
    path: Path
    file: UnsentFile


@click.group(epilog=_EPILOG)
def unsent() -> None:
    """List or drop final results that wait on disk for a sink.

    livered sends them as soon as the sink takes them, in the order of the runs.
    """


@unsent.command("list")
@_of
@_sink
def list_unsent(instrument: str | None, sink: str | None) -> None:
    """List what waits, oldest first."""
    folders = _folders(instrument)
    waiting = _waiting(folders, lambda file: sink in (None, file.sink))
    if waiting:
        _show(waiting)
    else:
        say(f"No final result waits{_whose(instrument, sink)}.")
    for path in _damaged(folders, sink):
        say(f"Set aside because it cannot be read: {path}")


@unsent.command(epilog=_EPILOG)
@click.argument("run", type=click.IntRange(min=1), required=False)
@_of
@_sink
@click.option("--all", "every", is_flag=True, help="Drop the results of all runs, and what was set aside.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(run: int | None, instrument: str | None, sink: str | None, every: bool, yes: bool) -> None:
    """Drop the final result of a run, so that it is never sent.

    A livered that runs notices it. What it is sending at this moment still goes out.
    """
    if (run is None) != every:
        message = "Name a run, as in livered unsent drop 4711, or say --all; not both."
        raise ConfigError(message)
    folders = _folders(instrument)
    waiting = _waiting(folders, lambda file: sink in (None, file.sink) and run in (None, file.run))
    damaged = _damaged(folders, sink) if every else []
    if not waiting and not damaged:
        what = "final result" if run is None else f"final result of run {run}"
        say(f"livered: no {what} waits{_whose(instrument, sink)}: see livered unsent list.", err=True)
        sys.exit(EXIT_DIED)
    _show(waiting)
    for path in damaged:
        say(f"Set aside because it cannot be read: {path}")
    number = len(waiting) + len(damaged)
    if not yes and not click.confirm(f"Drop {'this' if number == 1 else f'these {number}'} for ever?"):
        say("Nothing was dropped.")
        sys.exit(EXIT_DIED)
    _drop([*(entry.path for entry in waiting), *damaged])


def _drop(paths: Sequence[Path]) -> None:
    dropped = 0
    for path in paths:
        try:
            path.unlink()
        except FileNotFoundError:
            say(f"{path.name} is gone already: it was sent meanwhile, or dropped by somebody else.")
        except OSError as error:
            message = f"{path} cannot be removed ({error.strerror}): mend the permissions of its folder."
            raise ConfigError(message) from None
        else:
            dropped += 1
    say(f"Dropped {dropped}.")


def _folders(instrument: str | None) -> list[Path]:
    """Give the state folders of one instrument or of all; they need not hold anything."""
    base = xdg_folder(os.environ, "XDG_STATE_HOME", ".local/state") / "livered"
    if instrument is not None:
        return [base / require_instrument_name(instrument)]
    try:
        return sorted(path for path in base.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(_unreadable(base, error)) from None


def _waiting(folders: Iterable[Path], wanted: Callable[[UnsentFile], bool]) -> list[_Waiting]:
    found = []
    for state in folders:
        folder = state / UNSENT_FOLDER
        try:
            files = [file for file in unsent_files(folder) if wanted(file)]
        except OSError as error:
            raise ConfigError(_unreadable(folder, error)) from None
        found += [_Waiting(state.name, folder / file.sink / file.name, file) for file in files]
    return sorted(found, key=lambda entry: (entry.instrument, entry.file.name, entry.file.sink))


def _damaged(folders: Iterable[Path], sink: str | None) -> list[Path]:
    return sorted(
        path
        for state in folders
        for path in files_below(state / UNSENT_FOLDER)
        if path.name.endswith(DAMAGED) and sink in (None, path.parent.name)
    )


def _show(waiting: Sequence[_Waiting]) -> None:
    now_ns = time.time_ns()
    for entry in waiting:
        file = entry.file
        hours = max(0, now_ns - file.since_ns) / 3.6e12
        say(
            f"{entry.instrument}  run {file.run}  for {file.sink}  since {format_utc(file.since_ns)} ({hours:.1f} h)  "
            f"{_size(entry.path)}"
        )


def _size(path: Path) -> str:
    try:
        return f"{in_si(path.stat().st_size)}B"
    except OSError:
        return "gone meanwhile"


def _whose(instrument: str | None, sink: str | None) -> str:
    return f"{f' for the sink {sink}' if sink else ''}{f' of {instrument}' if instrument else ''}"


def _unreadable(folder: Path, error: OSError) -> str:
    return f"{folder} cannot be read ({error.strerror}): mend its permissions."
