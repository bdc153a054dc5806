"""``livered simulate``: a simulated beamline by itself."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.logs import ScreenFormatter
from livered_core.cli.signals import StopSignals
from livered_core.clocks import SystemClock
from livered_core.config.faults import CONNECTION_FAULTS, STREAM_FAULTS
from livered_core.config.simulate import SCENARIOS
from livered_core.engine.setup import load_configuration, simulated_defaults
from livered_core.simulator.play import serve
from livered_core.simulator.server import Address

_EPILOG = """\b
Examples:
  livered simulate --instrument NOM
  livered simulate --instrument NOM --scenario day --speed 10
  livered simulate --instrument NOM --sample corundum --rate 25e6 --run-length 600
  livered simulate --instrument NOM --sample nickel --total-scattering
  livered simulate --instrument NOM --s-of-q silica.txt --composition SiO2
  livered simulate --instrument NOM --pause 20-30 --no-beam 40-50 --scan 0-10
  livered simulate --instrument NOM --fault reset@10 --fault stall@20:60
  livered simulate --instrument NOM --idf NOMAD_Definition.xml

\b
Faults, as NAME@SECONDS after the first pulse, some with a measure as NAME@SECONDS:MEASURE:
""" + "\n".join(f"  {name:<15} {what}" for name, what in {**CONNECTION_FAULTS, **STREAM_FAULTS}.items())

_SIMPLE = (
    "rate",
    "run_length",
    "n_runs",
    "gap",
    "sample",
    "total_scattering",
    "composition",
    "seed",
    "speed",
    "ramp",
    "vetoed",
    "partial",
    "roll_mb",
    "recycle",
    "hold_for_client",
)
_REPEATED = ("pauses", "no_beam", "scans", "faults")


@click.command(epilog=_EPILOG)
@options.instrument
@options.config_file
@options.idf
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=31415, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--scenario", type=click.Choice(sorted(SCENARIOS)), help="Many options at once: a whole day.")
@click.option("--rate", type=float, metavar="EVENTS", help="Mean number of detected neutrons per second.")
@click.option("--run-length", type=float, metavar="SECONDS", help="Length of a run.")
@click.option("--runs", "n_runs", type=int, metavar="N", help="Number of runs; 0 for runs without end.")
@click.option("--gap", type=float, metavar="SECONDS", help="Time between two runs.")
@click.option(
    "--sample",
    metavar="NAME",
    help="diamond, silicon, nickel, vanadium, container, liquid, or any crystalline material of NCrystal's library.",
)
@click.option(
    "--total-scattering",
    is_flag=True,
    default=None,
    help="The sample scatters by its total S(Q), without resolution, in place of Bragg peaks on a background.",
)
@click.option(
    "--s-of-q",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Total S(Q) in place of a sample's: text in two columns, Q (1/Angstrom) and S.",
)
@click.option("--composition", metavar="FORMULA", help="What --s-of-q is of, for example SiO2.")
@click.option(
    "--pause",
    "pauses",
    multiple=True,
    metavar="FROM-TO",
    help="When each run is paused, seconds after its start; may be given often.",
)
@click.option(
    "--no-beam",
    "no_beam",
    multiple=True,
    metavar="FROM-TO",
    help="When there is no beam, seconds after the start of each run; may be given often.",
)
@click.option(
    "--scan",
    "scans",
    multiple=True,
    metavar="FROM-TO",
    help="A scan within each run, 10 K warmer than the one before; may be given often.",
)
@click.option("--ramp", type=float, metavar="K/MIN", help="Drift of the sample temperature.")
@click.option("--vetoed", type=float, metavar="PART", help="Part of the pulses that are flagged as vetoed.")
@click.option("--partial", type=float, metavar="PART", help="Part of the pulses flagged as partial data.")
@click.option("--roll-mb", type=float, metavar="MB", help="Size at which the server begins a new file.")
@click.option(
    "--recycle",
    type=click.Choice(["auto", "always", "never"]),
    help="Send a bounded number of pulses again and again; auto does at high rates.",
)
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME@SECONDS", help="Something goes wrong; see below."
)
@click.option(
    "--hold-for-client",
    is_flag=True,
    default=None,
    help="Begin the first run when the first client has connected, and not at once.",
)
@click.option("--seed", type=int, help="Seed of the random numbers.")
@click.option("--speed", type=float, help="Simulated seconds per second; 0 plays as fast as the machine can.")
def simulate(**arguments: Any) -> None:
    """Play a simulated beamline, so that anything that speaks ADARA can connect."""
    given: dict[str, Any] = dict(SCENARIOS.get(arguments["scenario"] or "", {}))
    given.update({name: arguments[name] for name in _SIMPLE if arguments[name] is not None})
    given.update({name: list(arguments[name]) for name in _REPEATED if arguments[name]})
    for name in ("idf", "s_of_q"):
        path: Path | None = arguments[name]
        given[name] = None if path is None else str(path.absolute())
    loaded = load_configuration(
        arguments["instrument"], arguments["config_file"], {"simulate": given}, defaults=simulated_defaults()
    )
    screen = logging.StreamHandler()
    screen.setFormatter(ScreenFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[screen])
    stop = threading.Event()
    StopSignals(lambda name: stop.set(), lambda: None).install()
    config = loaded.config

    def announce(address: Address) -> None:
        say(
            f"{config.instrument} simulated at {address}; Ctrl-C ends it. Reduce it with: "
            f"livered run --instrument {config.instrument} --address {address}"
        )

    listen = Address(arguments["host"], arguments["port"])
    serve(config.simulate, config.instrument, listen, stop, SystemClock(), announce)
