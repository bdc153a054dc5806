"""``livered simulate``: a simulated beamline by itself."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Any

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.logs import ScreenFormatter
from livered_core.clocks import SystemClock
from livered_core.engine.setup import load_configuration, simulated_defaults
from livered_core.simulator.play import serve
from livered_core.simulator.server import Address

_EPILOG = """\b
Examples:
  livered simulate --instrument NOM
  livered simulate --instrument NOM --port 31415 --rate 200000 --run-length 60
"""


@click.command(epilog=_EPILOG)
@options.instrument
@options.config_file
@options.idf
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=31415, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--rate", type=float, metavar="EVENTS", help="Mean number of detected neutrons per second.")
@click.option("--run-length", type=float, metavar="SECONDS", help="Length of a run.")
@click.option("--runs", "n_runs", type=int, metavar="N", help="Number of runs; 0 for runs without end.")
@click.option("--gap", type=float, metavar="SECONDS", help="Time between two runs.")
@click.option("--sample", metavar="NAME", help="Powder in the beam: diamond, silicon or nickel.")
@click.option("--seed", type=int, help="Seed of the random numbers.")
@click.option("--speed", type=float, help="Simulated seconds per second; 0 plays as fast as the machine can.")
def simulate(**arguments: Any) -> None:
    """Play a simulated beamline, so that anything that speaks ADARA can connect."""
    idf: Path | None = arguments["idf"]
    names = ("rate", "run_length", "n_runs", "gap", "sample", "seed", "speed")
    given = {name: arguments[name] for name in names}
    given["idf"] = None if idf is None else str(idf.absolute())
    loaded = load_configuration(
        arguments["instrument"], arguments["config_file"], {"simulate": given}, defaults=simulated_defaults()
    )
    screen = logging.StreamHandler()
    screen.setFormatter(ScreenFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[screen])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    config = loaded.config

    def announce(address: Address) -> None:
        say(
            f"{config.instrument} simulated at {address}; Ctrl-C ends it. Reduce it with: "
            f"livered run --instrument {config.instrument} --address {address}"
        )

    listen = Address(arguments["host"], arguments["port"])
    serve(config.simulate, config.instrument, listen, stop, SystemClock(), announce)
