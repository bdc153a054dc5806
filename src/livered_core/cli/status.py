"""``livered status``: how the instruments of this user are doing, and what to do where something is wrong."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click

from livered_core.cli.echo import abandon, say
from livered_core.cli.status_document import document
from livered_core.cli.status_findings import Finding, Verdict, exit_code_of, findings_of, verdict_of
from livered_core.cli.status_rows import details
from livered_core.cli.status_sight import Lookout, Sight
from livered_core.cli.status_words import first_line
from livered_core.config.validators import require_instrument_name
from livered_core.errors import LiveredError
from livered_core.model.text import printable

WATCH_EVERY_S: Final = 1.0
"""Seconds between two looks of ``--watch``."""
_COLOURS: Final = {Verdict.HEALTHY: "green", Verdict.NEEDS_SOMEONE: "red", Verdict.NOT_RUNNING: "yellow"}
_EPILOG: Final = """\b
Examples:
  livered status
  livered status --instrument NOM --watch
  livered status --instrument NOM --json

Exit codes: 0 healthy, 1 somebody is needed, 2 wrong arguments, 3 not running.
"""

_Seen = Sequence[tuple[Sight, tuple[Finding, ...]]]


@click.command(epilog=_EPILOG)
@click.option(
    "--instrument",
    "-i",
    metavar="NAME",
    help="Only this one, for example NOM or NOM-simulated. [default: all]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option("--watch", is_flag=True, help="Show it anew every second, until q or Ctrl-C.")
@click.option(
    "--all", "everything", is_flag=True, help="Details of every instrument, with every count and failure."
)
def status(instrument: str | None, as_json: bool, watch: bool, everything: bool) -> None:
    """Say how livered is doing, and what to do where something is wrong.

    It works when livered is dead or hangs, and disturbs nothing.
    """
    lookout = Lookout(os.environ, time.time_ns)
    wanted = None if instrument is None else require_instrument_name(instrument)

    def seen() -> _Seen:
        names = lookout.names() if wanted is None else [_name(wanted, lookout)]
        return [(sight, findings_of(sight)) for sight in lookout.sights(names)]

    def shown(found: _Seen) -> list[str]:
        if as_json:
            return [json.dumps(document(found, time.time_ns()), allow_nan=False, ensure_ascii=True)]
        return _lines(found, lookout, everything=everything, wanted=wanted)

    if watch:
        sys.exit(_watch(seen, shown, plain=as_json))
    found = seen()
    for line in shown(found):
        say(line)
    sys.exit(_code(found))


def _name(wanted: str, lookout: Lookout) -> str:
    """Take a name as it was typed, unless a run directory has it with other capitals, or the plugin has another name."""
    names = lookout.names()
    if wanted in names:
        return wanted
    alike = [name for name in names if name.lower() == wanted.lower()]
    if len(alike) == 1:
        return alike[0]
    from livered_core.hooks.registry import claimed_instrument

    try:
        entry = claimed_instrument(wanted)
    except LiveredError:
        return wanted
    return wanted if entry is None else entry.instrument or entry.name


def _code(found: _Seen) -> int:
    return exit_code_of([verdict_of(sight, findings) for sight, findings in found])


def _lines(found: _Seen, lookout: Lookout, *, everything: bool, wanted: str | None) -> list[str]:
    """Write all instruments; the details where there is only one, where something is wrong, and when asked for."""
    lines = list(lookout.problems())
    for sight, findings in found:
        lines.append(first_line(sight, findings))
        wrong = any(finding.urgent for finding in findings)
        if sight.status and (len(found) == 1 or everything):
            lines += details(sight, findings, everything=everything)
        elif wrong:
            lines += [
                f"  ! {finding.sentence}\n    {finding.advice}" for finding in findings if finding.urgent
            ]
        elif not sight.status:
            lines += _hints(sight, lookout)
    if not found:
        lines.append("livered has not run here: no run directory of this user is there.")
        lines.append("  Try it without a beamline: livered run --instrument NOM --simulate")
    return [part for line in lines for part in line.split("\n")]


def _hints(sight: Sight, lookout: Lookout) -> list[str]:
    """Say of an instrument that has never run which names there are."""
    others = [name for name in lookout.names() if name.lower().startswith(f"{sight.name.lower()}-")]
    if others:
        return [f"  There is {other}: livered status --instrument {other}" for other in others]
    return [f"  It looked for {sight.path}."]


def _watch(seen: Callable[[], _Seen], shown: Callable[[_Seen], list[str]], *, plain: bool) -> int:
    """Show it again and again until asked to end; return the exit code of what was shown last."""
    code = 0
    redraws = not plain and sys.stdout.isatty()
    try:
        with _keys() as wait_for_key:
            while True:
                found = seen()
                code, lines = _code(found), shown(found)
                if redraws:
                    _write(_screen(lines, found))
                else:
                    shown_lines = lines if plain else [first_line(*one) for one in found]
                    _write("".join(f"{printable(line)}\n" for line in shown_lines))
                if wait_for_key(WATCH_EVERY_S):
                    return code
    except KeyboardInterrupt:
        return code
    finally:
        if redraws:
            say("")


def _screen(lines: list[str], found: _Seen) -> str:
    """Make what puts lines over those that are there, as many as there is room for."""
    width, height = _size()
    colours = {first_line(*one): _COLOURS[verdict_of(*one)] for one in found}
    drawn = []
    for line in lines:
        text = printable(line)
        for start in range(0, max(1, len(text)), width):
            part = text[start : start + width]
            drawn.append(click.style(part, fg=colours[line], bold=True) if line in colours else part)
    return "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in drawn[: height - 1]) + "\x1b[J"


def _write(text: str) -> None:
    """Write to stdout; end where nobody reads it any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        abandon(sys.stdout)
        raise KeyboardInterrupt from None


def _size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    # A terminal that does not tell says 0.
    return max(20, (size.columns or 80) - 1), max(2, size.lines or 24)


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Lend a function that waits some seconds, and says whether q was typed meanwhile."""
    try:
        number = sys.stdin.fileno()
        terminal = os.isatty(number)
    except (OSError, ValueError, AttributeError):
        terminal = False
    if not terminal:
        yield _sleep
        return
    import termios
    import tty

    before = termios.tcgetattr(number)

    def wait(seconds: float) -> bool:
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            if not select.select([number], [], [], left_s)[0]:
                return False
            typed = os.read(number, 100)
            if not typed or b"q" in typed.lower():
                return True
        return False

    tty.setcbreak(number)
    try:
        yield wait
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
