"""``livered reduce``: event files, reduced as a live run would have been."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from livered_core.cli import options
from livered_core.cli.reduce_batch import Batch
from livered_core.cli.signals import StopSignals
from livered_core.errors import ConfigError, LiveredError
from livered_core.recording.files import first_of

_EPILOG = """\b
Examples:
  livered reduce NOM_1234.nxs.h5
  livered reduce NOM_*.nxs.h5 --output-dir reduced --config my.toml
  livered reduce night.adara /data/sms/20261124 --workers 8

Exit codes: 0 every file was reduced as a whole, 1 one was not, 2 wrong use or configuration,
130 stopped by Ctrl-C.
"""


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@options.instrument
@options.config_file
@options.output_dir
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Process chunks in N processes of their own on this machine; 0, the default: as [engine] says.",
)
@click.option("--publish", is_flag=True, help="Hand results to the plugins that only publish, too.")
@click.option("--plain", is_flag=True, help="Write lines instead of drawing a bar.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what went wrong.")
def reduce(files: tuple[Path, ...], **arguments: Any) -> None:
    """Reduce each FILE as the run was, or would have been, reduced live; as fast as it can be read.

    A FILE is a NeXus event file, an .adara file, or a folder of the server's files. Its instrument is what it says,
    unless --instrument says otherwise. Plugins that only hand results on, such as to a monitor page, are left out.
    """
    _require_there(files)
    files = tuple(file for file in files if not _is_continued_in(file, files))
    with _own_folder() as folder:
        batch = Batch(files, arguments, os.environ, Path(folder))
        StopSignals(batch.stop, batch.last_words).install()
        batch.run()
    sys.exit(batch.exit_code)


def _require_there(files: Sequence[Path]) -> None:
    problems = []
    for file in files:
        try:
            file.stat()
        except (FileNotFoundError, NotADirectoryError):
            problems.append(f"There is no file {file}: nothing was reduced.")
        except OSError:
            # Said when its turn comes.
            continue
    if problems:
        raise ConfigError(problems)


def _is_continued_in(file: Path, files: Sequence[Path]) -> bool:
    """Tell whether a file is a later part of a recording that is among the files: it is read with that."""
    first = first_of(file)
    return first is not None and first in files


def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a place for a run directory of its own: several may reduce at once, beside those who run live."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = os.path.isabs(runtime) and os.access(runtime, os.W_OK | os.X_OK)  # noqa: PTH117
    try:
        return tempfile.TemporaryDirectory(prefix="livered-reduce-", dir=runtime if usable else None)
    except OSError as error:
        message = (
            f"No folder can be made for what is temporary ({error.strerror or error}): make room, "
            "or set TMPDIR to a folder that can be written."
        )
        raise LiveredError(message) from error
