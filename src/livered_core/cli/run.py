"""``livered run``: reduce an instrument's data live."""

from __future__ import annotations

from typing import Any

import click

from livered_core.cli import options

_EPILOG = """\b
Examples:
  livered run --instrument NOM --simulate --stop-after-run
  livered run --instrument NOM --config my.toml
  livered run --instrument NOM --source night.adara

Exit codes: 0 asked to stop, 1 died (restart it), 2 wrong configuration (do not).
"""


@click.command(epilog=_EPILOG)
@options.instrument
@options.config_file
@click.option("--simulate", is_flag=True, help="Start a simulated beamline and take data from it.")
@options.idf
@click.option("--address", metavar="HOST:PORT", help="Where the data stream is.")
@click.option(
    "--source",
    metavar="RECORDING",
    help="Take data from a recording: an .adara file, a folder of the server's files, or a NeXus event file.",
)
@options.backend
@options.environment
@click.option("--update-every", metavar="SECONDS", type=float, help="Seconds between two updates.")
@click.option("--from-now", is_flag=True, help="Begin with the data of now, not with the start of the run.")
@click.option("--start-time", metavar="UTC", help="Begin at this time, for example 2026-11-22T10:00:00Z.")
@options.output_dir
@click.option("--stop-after-run", is_flag=True, help="End when the run has ended.")
@click.option("--dashboard", is_flag=True, help="Start a web page as well, which shows what livered does.")
@click.option("--plain", is_flag=True, help="Write lines instead of redrawing the screen.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="Log lines for people, or one JSON object on each line; of the file, and of the screen with --plain.",
)
def run(**arguments: Any) -> None:
    """Reduce an instrument's data live."""
    # What the engine imports would keep the help waiting.
    from livered_core.cli.running import run_live

    run_live(arguments)
