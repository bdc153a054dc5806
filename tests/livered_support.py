"""Running the real program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

WAIT = 60.0


def private_environment(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which livered sees nothing of this machine's configuration and run directories."""
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIVERED_", "XDG_"))}
    return {**kept, "HOME": str(folder), "XDG_RUNTIME_DIR": str(run), "COLUMNS": "200", **more}


def livered(
    folder: Path, *arguments: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``livered`` in a folder and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "livered_core", *map(str, arguments)],
        cwd=folder,
        env=dict(environment or private_environment(folder)),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


@contextmanager
def started(
    folder: Path, *arguments: object, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run ``livered`` in a folder; its screen is the process's stdout. It is killed if it still runs at the end."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "livered_core", *map(str, arguments)],
        cwd=folder,
        env=dict(environment or private_environment(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
