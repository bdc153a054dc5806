"""``livered inspect``: what is in a recording."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import click
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from livered_core.adara import Skipped
from livered_core.cli.echo import say
from livered_core.cli.numbers import in_si, in_uah
from livered_core.cli.screen import text
from livered_core.errors import EXIT_DIED, ConfigError
from livered_core.model import format_utc
from livered_core.recording import (
    ConnectionOpened,
    FileRecording,
    Recording,
    RunSummary,
    Summary,
    open_recording,
    packets_of,
    summarise,
)
from livered_core.recording.lines import packet_line
from livered_core.recording.summary import skipped_sentence

_NARROWEST: Final = 100
"""Columns of a table that goes into a file or a pipe."""

_EPILOG = """\b
Examples:
  livered inspect run.adara
  livered inspect run.adara --packets | grep "run status"
  livered inspect /data/sms/20261124 --json
  livered inspect NOM_1234.nxs.h5

Exit codes: 0 all of it can be read, 1 some of it cannot, 2 it is not a recording.
"""


@click.command(epilog=_EPILOG)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--packets", is_flag=True, help="One line for each packet instead of the summary.")
@click.option("--json", "as_json", is_flag=True, help="The summary for programs.")
def inspect(recording: Path, packets: bool, as_json: bool) -> None:
    """Say what is in RECORDING: packets, runs, pulses, events, rate, charge, gaps, flags, damage."""
    opened = open_recording(recording)
    if packets:
        sys.exit(_list_packets(opened))
    with _progress(opened) as progress:
        summary = summarise(opened, progress)
    if not summary.packets:
        message = f"{recording} is not a recording of an ADARA stream. {' '.join(summary.damage)}"
        raise ConfigError(message)
    if as_json:
        say(json.dumps(_as_dict(summary)))
    else:
        _show(opened, summary)
    if summary.is_damaged:
        for sentence in summary.damage:
            say(f"livered: {sentence}", err=True)
        say(f"livered: {_damage(summary)}", err=True)
        sys.exit(EXIT_DIED)


def _list_packets(recording: Recording) -> int:
    code = 0
    for each in packets_of(recording):
        if isinstance(each, Skipped):
            code = EXIT_DIED
            say(f"SKIPPED: {skipped_sentence(each)}")
        elif isinstance(each, ConnectionOpened):
            say("-- a connection begins")
        else:
            line = packet_line(each)
            code = EXIT_DIED if ": DAMAGED: " in line else code
            say(line)
    return code


@contextmanager
def _progress(recording: Recording) -> Iterator[Callable[[int], None] | None]:
    """Draw a bar on a terminal, on stderr, so that stdout stays clean; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    # The size of files is in bytes, that of other recordings in pulses.
    amount = DownloadColumn() if isinstance(recording, FileRecording) else MofNCompleteColumn()
    columns = (TextColumn("reading"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=recording.size)
        yield lambda position: bar.update(task, completed=position)


def _as_dict(summary: Summary) -> dict[str, Any]:
    runs = [{**attrs.asdict(run), "rate": run.rate} for run in summary.runs]
    return {"format": 1, **attrs.asdict(summary), "runs": runs}


def _show(recording: Recording, summary: Summary) -> None:
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(_NARROWEST, console.width))
    console.print(text(f"{recording.name}: {sum(summary.packet_bytes.values()):,} bytes in packets"))
    if summary.n_connections > 1:
        console.print(
            text(f"Recorded over {summary.n_connections} connections: the server may have sent data twice.")
        )
    console.print(_packet_table(summary))
    for run in summary.runs:
        if run.number or run.n_pulses:
            console.print(_run_table(run))


def _packet_table(summary: Summary) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("packets of type")
    table.add_column("number", justify="right")
    table.add_column("bytes", justify="right")
    for name, number in summary.packets.most_common():
        table.add_row(text(name), f"{number:,}", f"{summary.packet_bytes[name]:,}")
    return table


def _run_table(run: RunSummary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    rows = [("run", str(run.number) if run.number else "between runs")]
    if run.title:
        rows.append(("title", run.title))
    if run.number:
        rows.append(("start", format_utc(run.start_ns) if run.start_ns else "not said"))
        rows.append(("in here", _edges(run)))
    rows += _pulse_rows(run) if run.n_pulses else [("pulses", "0")]
    for name, value in rows:
        table.add_row(name, text(value))
    table.add_row("", "")
    return table


def _edges(run: RunSummary) -> str:
    if run.begins and run.ends:
        return "all of it"
    if run.begins:
        return "its beginning, not its end"
    return "its end, not its beginning" if run.ends else "neither its beginning nor its end"


def _pulse_rows(run: RunSummary) -> list[tuple[str, str]]:
    first, last = format_utc(run.first_pulse_ns), format_utc(run.last_pulse_ns)
    seconds = (run.last_pulse_ns - run.first_pulse_ns) / 1e9
    rate = f"{in_si(run.rate)}/s" if run.rate is not None else "-"
    rows = [
        ("pulses", f"{run.n_pulses:,} from {first} to {last}, {seconds:,.1f} s"),
        ("events", f"{run.n_events:,}, {rate}"),
        ("proton charge", in_uah(run.proton_charge_pc)),
        ("gaps", _gaps(run)),
    ]
    flags = ", ".join(f"{name} {number:,}" for name, number in sorted(run.flags.items()))
    rows.append(("flags of pulses", flags or "none"))
    if run.n_error_pixel or run.n_unmapped:
        rows.append(("no pixel", f"{run.n_error_pixel:,} in error pixels, {run.n_unmapped:,} unmapped"))
    if run.n_pauses:
        rows.append(("pauses", str(run.n_pauses)))
    if run.n_repeated:
        rows.append(("pulses again", f"{run.n_repeated:,}, not counted above"))
    if run.n_disordered:
        rows.append(("out of order", f"{run.n_disordered:,} pulses"))
    return rows


def _gaps(run: RunSummary) -> str:
    if not run.n_gaps:
        return "none of more than 1 s"
    return f"{run.n_gaps:,} of more than 1 s, the longest {run.longest_gap_ns / 1e9:,.1f} s"


def _damage(summary: Summary) -> str:
    return (
        f"{summary.n_damaged} packets cannot be read, and {summary.n_skipped_bytes} bytes are not packets; "
        "all else is counted above."
    )
