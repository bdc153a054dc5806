"""Sentences on stdout and stderr, whatever is in them and whoever still reads them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, Any

import click

from livered_core.model.text import printable


def say(text: object, *, err: bool = False) -> None:
    """Write one line.

    Parameters
    ----------
    text
        Its text; control characters become blanks.
    err
        Whether it goes to stderr.
    """
    try:
        click.echo(printable(str(text)), err=err)
    except OSError:
        abandon(sys.stderr if err else sys.stdout)


def abandon(stream: IO[Any] | None) -> None:
    """Give up a stream that cannot be written any more: what is still written to it goes nowhere.

    Without it the interpreter tries at its end to write what is left, fails, and exits with 120.

    Parameters
    ----------
    stream
        The stream, stdout or stderr; its descriptor then leads to the null device.
    """
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
