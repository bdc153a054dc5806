"""Short runs of other programs, with a time limit that holds."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

import attrs


class TookTooLong(Exception):  # noqa: N818  (reads as what happened)
    """The program did not end in its time, and was killed."""


@attrs.frozen
class Finished:
    """A program that has ended.

    Attributes
    ----------
    status
        Its exit status; negative for the signal that ended it.
    output
        What it wrote to stdout.
    last_words
        The last line that it wrote to stderr, without the line's end; empty for none.
    """

    status: int
    output: bytes
    last_words: str


def run_briefly(arguments: Sequence[str], environ: Mapping[str, str], seconds: float) -> Finished:
    """Run a program and wait for its end.

    Its output goes through files: a process that it leaves behind in the background can hold a pipe open for ever.

    Parameters
    ----------
    arguments
        The program and what it is given.
    environ
        All of its environment variables.
    seconds
        Its time; then the program and those that it started in its process group are killed.

    Raises
    ------
    TookTooLong
        When it did not end in its time.
    OSError
        When it cannot be started.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as words:
        process = subprocess.Popen(  # noqa: S603  (an environment that the configuration names)
            arguments,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=words,
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TookTooLong from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        words.seek(0)
        lines = words.read().decode("utf-8", "replace").strip().splitlines()
        return Finished(status, output.read(), lines[-1].strip() if lines else "")
