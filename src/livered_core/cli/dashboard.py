"""``livered dashboard``: a web page that shows what livered does."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from livered_core.cli.echo import say
from livered_core.cli.logs import ScreenFormatter
from livered_core.config import DashboardConfig
from livered_core.config.validators import require_instrument_name

_EPILOG = """\b
Examples:
  livered dashboard
  livered dashboard --instrument NOM --port 8800
  livered dashboard --host 0.0.0.0 --token-file ~/.config/livered/dashboard.token

\b
From another machine, without a token:
  ssh -L 8712:127.0.0.1:8712 THIS_MACHINE     and then open http://localhost:8712/

Exit codes: 0 asked to stop, 1 died (restart it), 2 wrong configuration (do not).
"""
_DEFAULTS = DashboardConfig()


@click.command(epilog=_EPILOG)
@click.option(
    "--instrument",
    "-i",
    "instruments",
    metavar="NAME",
    multiple=True,
    help="Show this instrument only; may be given often. Without it, all are shown.",
)
@click.option(
    "--host", metavar="HOST", default=_DEFAULTS.host, show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    default=_DEFAULTS.port,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with a token that readers must give. Needed where other machines can connect.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    metavar="NAME",
    multiple=True,
    help="Another name by which the page may be opened, such as that of a proxy; may be given often.",
)
def dashboard(
    instruments: tuple[str, ...],
    host: str,
    port: int,
    token_file: Path | None,
    allow_hosts: tuple[str, ...],
) -> None:
    """Show what livered does on a web page.

    It only reads, survives livered, and may be started before or after it.
    """
    from livered_core.dashboard.gate import read_token
    from livered_core.dashboard.serve import DashboardSettings, serve

    for name in instruments:
        require_instrument_name(name)
    screen = logging.StreamHandler()
    screen.setFormatter(ScreenFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[screen])
    token = None if token_file is None else read_token(token_file.expanduser())
    settings = DashboardSettings(host, port, token, instruments, allow_hosts)
    serve(settings, lambda address: say(f"livered's dashboard is at {address}"))
