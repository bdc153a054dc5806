"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

instrument: Final = click.option("--instrument", "-i", metavar="NAME", help="Instrument, for example NOM.")
config_file: Final = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file (TOML), laid over those in /etc/livered and ~/.config/livered.",
)
CONFIGURED: Final = ""
"""Value of ``--env`` without a name: the environment that the configuration names."""
environment: Final = click.option(
    "--env",
    metavar="[NAME]",
    is_flag=False,
    flag_value=CONFIGURED,
    help="Run in this environment: conda:NAME, pixi:FOLDER or a folder; without NAME in that of [mantid].",
)
backend: Final = click.option("--backend", metavar="NAME", help="native, mantid, or auto.")
idf: Final = click.option(
    "--idf",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Instrument definition of the simulated beamline, in place of the plugin's.",
)
output_dir: Final = click.option(
    "--output-dir",
    "-o",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for reduced files.",
)
trial_source: Final = click.option(
    "--source",
    metavar="RECORDING",
    default="simulate",
    show_default=True,
    help="The data: simulate, an .adara file, a folder of the server's files, or a NeXus event file.",
)
trial_config: Final = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file (TOML); no other file counts.",
)
trial_settings: Final = click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="A value of the configuration, for example plugins.nom.calibration=nom.h5; can be given again.",
)


def absolute(path: Path | None) -> str | None:
    """Return the text of a path that was given relative to the working directory; None for none."""
    return None if path is None else str(path.absolute())
