"""``livered plugins``: what is installed, why each plugin runs or does not, and how those that run are doing."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from livered_core.cli import options
from livered_core.cli.echo import say
from livered_core.cli.plugins_seen import hook_lines
from livered_core.cli.plugins_table import ListedPlugin, table, uses_in
from livered_core.cli.plugins_wanted import Wanted, wanted_of
from livered_core.cli.status_facts import safe
from livered_core.cli.status_sight import Lookout
from livered_core.config.validators import require_instrument_name
from livered_core.dashboard.directories import is_wanted
from livered_core.engine.plugin_look import look_at
from livered_core.engine.plugin_points import installed_plugins
from livered_core.errors import EXIT_CONFIG, EXIT_OK

FORMAT: Final = 1
"""Layout of the document of ``--json``."""
_KINDS_OF_DATA: Final = ("-simulated", "-recorded")
_EPILOG: Final = """\b
Examples:
  livered plugins
  livered plugins --instrument NOM
  livered plugins --instrument NOM --json

Exit codes: 0 listed, 2 wrong arguments, or the configuration of the instrument cannot be read.
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--instrument",
    "-i",
    metavar="NAME",
    help="What the configuration of this one wants, and what its livered does; for example NOM or NOM-simulated.",
)
@options.config_file
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def plugins(instrument: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the plugins that are installed, and how those that run are doing.

    A plugin that is broken, or hangs when it is imported, is a line of the list, with why.
    """
    lookout = Lookout(os.environ, time.time_ns)
    wanted = None
    names = lookout.names()
    if instrument is not None:
        asked = require_instrument_name(instrument)
        wanted = wanted_of(_without_kind(asked), config_file, os.environ)
        names = [name for name in names if _is_meant(name, asked, wanted)]
    installed = installed_plugins()
    rows = table(
        installed,
        look_at([plugin.entry_point for plugin in installed]),
        uses_in(lookout.sights(names)),
        wanted,
    )
    problems = [*lookout.problems(), *(wanted.problems if wanted is not None else ())]
    if as_json:
        document = {
            "format": FORMAT,
            "now_ns": time.time_ns(),
            "instrument": None if wanted is None else wanted.instrument,
            "problems": [safe(problem) for problem in problems],
            "plugins": [row.as_dict() for row in rows],
        }
        say(json.dumps(document, allow_nan=False, ensure_ascii=True))
    else:
        for line in _lines(rows, everything=instrument is not None):
            say(line)
        for problem in problems:
            say(f"livered: {safe(problem)}", err=True)
    sys.exit(EXIT_CONFIG if wanted is not None and wanted.problems else EXIT_OK)


def _without_kind(name: str) -> str:
    """Take the instrument's name of that of a run directory."""
    for suffix in _KINDS_OF_DATA:
        name = name.removesuffix(suffix)
    return name


def _is_meant(folder: str, asked: str, wanted: Wanted) -> bool:
    """Say whether a run directory is of what was asked for: of an instrument, its simulated and recorded runs, too."""
    if asked.endswith(_KINDS_OF_DATA):
        kind = asked[len(_without_kind(asked)) :]
        return folder.lower() in (asked.lower(), f"{wanted.instrument}{kind}".lower())
    return is_wanted(folder, (asked, wanted.instrument)) or folder.lower() == asked.lower()


def _lines(rows: Sequence[ListedPlugin], *, everything: bool) -> Iterator[str]:
    """Write the list for people; with what hooks have done where one instrument was asked for."""
    for row in rows:
        yield f"{row.name}{f' {row.version}' if row.version else ''}: {row.state.upper() if row.is_bad else row.state}"
        for label, text in _facts(row):
            yield f"  {label:<12}{text}"
        for use in row.uses if everything else ():
            lines = list(hook_lines(use.row))
            when = "" if use.runs else ", when it was last heard"
            if lines:
                yield f"  hooks in {use.instrument}{when}:"
            for line in lines:
                yield f"    {line}"
    if not rows:
        yield "No plugin is installed."


def _facts(row: ListedPlugin) -> Iterator[tuple[str, str]]:
    yield "why", row.reason
    kind = row.kind + (f" of {', '.join(row.instruments)}" if row.instruments else "")
    models = f"{' and '.join(row.data_models)} data" if row.data_models else ""
    what = "; ".join(filter(None, [kind, models]))
    if what:
        yield "what", what
    if row.hooks and not any(use.row["hooks"] for use in row.uses):
        yield (
            "hooks",
            ", ".join(hook if role == "owner" else f"{hook} ({role})" for hook, role in row.hooks.items()),
        )
    origin = f"{row.distribution} {row.version}".strip()
    if origin:
        yield "package", origin
    if row.file:
        yield "file", row.file
