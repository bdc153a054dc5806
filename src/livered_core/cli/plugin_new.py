"""``livered plugin new``: a complete package with a plugin in it, to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from livered_core.cli.echo import say


@click.command("new")
@click.argument("name")
@click.option(
    "--instrument",
    "-i",
    metavar="NAME",
    help="Instrument that it reduces, for example POWGEN; left out, its own name in capitals.",
)
@click.option(
    "--kind",
    type=click.Choice(("instrument", "sink", "scripts")),
    default="instrument",
    show_default=True,
    help="An instrument's reduction, somewhere to send results, or scripts of Mantid's live reduction.",
)
@click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the folder of the plugin is made, instead of here.",
)
@click.option(
    "--idf",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Instrument definition that the package gets a copy of, instead of a small one of two panels.",
)
def new(name: str, instrument: str | None, kind: str, folder: Path, idf: Path | None) -> None:
    """Make a complete package with a plugin in it, which installs, passes its tests and reduces at once.

    NAME is that of the folder and of the Python package, for example my_instrument. At the end it says what to type next.
    """
    from livered_core.scaffold import KINDS, Request, make_plugin

    (known,) = (each for each in KINDS if each == kind)
    made = make_plugin(Request(name, known, instrument, folder, idf))
    say(f"Made {made.folder}:")
    for file in made.files:
        say(f"  {file}")
    say("Next:")
    for command in made.commands:
        say(f"  {command}")
