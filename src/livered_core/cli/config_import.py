"""``livered config import``: settings of the livereduce service become settings of livered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.errors import ConfigError

if TYPE_CHECKING:
    from livered_core.config.post_processing import Login


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False)
)
@options.instrument
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file, for example ~/.config/livered/NOM.toml, and a login beside it.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
def import_settings(
    files: tuple[Path, ...], instrument: str | None, output: Path | None, force: bool
) -> None:
    """Make a configuration of livereduce.conf, of post_processing.conf, or of both.

    It is printed, or written with --output. What is not carried over is named in comments. A password is never printed:
    with --output it goes into a file of its own that only you can read.
    """
    text, name, login, left_out = _imported(files, instrument, output)
    if left_out:
        say(f"Not carried over: {', '.join(left_out)}; the comments at the end say why.", err=True)
    if output is None:
        click.echo(text, nl=False)
        where = f"~/.config/livered/{name or 'NOM'}.toml"
        say(f"Nothing was written. To use it: --output {where}", err=True)
        return
    output = output.expanduser()
    contents = [(output, text, 0o666)]
    if login is not None:
        contents.append((_credentials_file(output), login.toml(), 0o600))
    _require_new([path for path, _, _ in contents], force)
    # The login first: the configuration that names it must not be there without it.
    for path, content, mode in reversed(contents):
        _write(path, content, mode)
        say(f"Written: {path}")


def _imported(
    files: Sequence[Path], instrument: str | None, output: Path | None
) -> tuple[str, str, Login | None, Sequence[str]]:
    """Return the document, livered's name of the instrument, the login, and the names of what is left out."""
    from livered_core.config.importing import Document, read_json
    from livered_core.config.livereduce import KEYS, Installed, import_livereduce
    from livered_core.config.post_processing import import_post_processing, is_post_processing
    from livered_core.hooks.registry import claimed_instrument

    def claimed(name: str) -> str | None:
        entry = claimed_instrument(name)
        return None if entry is None else entry.instrument

    document, name, login = Document(), "", None
    seen: set[bool] = set()
    problems: list[str] = []
    for path in files:
        try:
            values = read_json(path)
            is_publishing = is_post_processing(values)
            if is_publishing in seen:
                what = "post_processing.conf" if is_publishing else "livereduce.conf"
                message = f"{path} is a second {what}: give one of each kind."
                raise ConfigError(message)
            seen.add(is_publishing)
            if is_publishing:
                credentials = _credentials_file(output or Path("NOM.toml")).name
                login = import_post_processing(values, str(path), credentials, document)
                continue
            if values and not any(key in KEYS for key in values):
                message = f"{path} has no key of a livereduce.conf or post_processing.conf: give one of these files."
                raise ConfigError(message)
            name = import_livereduce(values, str(path), instrument, Installed(claimed, Path.cwd()), document)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    sources = " and ".join(str(path.absolute()) for path in files)
    return document.text(f"Made by `livered config import` of {sources}."), name, login, document.left_out


def _credentials_file(output: Path) -> Path:
    return output.with_name(f"{output.stem}_credentials.toml")


def _require_new(paths: Sequence[Path], force: bool) -> None:
    there = [path for path in paths if os.path.lexists(path)]
    if there and not force:
        raise ConfigError([f"{path} is there already: name another file, or use --force." for path in there])


def _write(path: Path, content: str, mode: int) -> None:
    from livered_core.atomic import atomic_path

    try:
        with atomic_path(path) as temporary:
            # Before anything is in it.
            if mode == 0o600:
                temporary.chmod(mode)
            temporary.write_text(content, encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror or error}): name another file."
        raise ConfigError(message) from error
