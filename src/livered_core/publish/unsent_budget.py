"""How much disk the final results take that wait for sinks, and which of them go first when it is too much."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

_NAME: Final = re.compile(r"\d{20}-run(?P<run>\d{1,18})-\d{1,20}\.unsent(?P<damaged>\.damaged)?")


@attrs.frozen
class WaitingFile:
    """A final result on disk; what waits for several sinks takes its room once.

    Attributes
    ----------
    name
        Names sort in the order of publication.
    run
        Number of its run.
    sinks
        Names of those that have not taken it.
    size
        What it takes, bytes.
    damaged
        Whether it was set aside because it cannot be read.
    """

    name: str
    run: int
    sinks: tuple[str, ...]
    size: int
    damaged: bool


def waiting_files(paths: Iterable[Path]) -> list[WaitingFile]:
    """Look at the files of a folder ``unsent``, oldest first; what is not livered's is passed over.

    Parameters
    ----------
    paths
        Files in the folders of the sinks.

    Raises
    ------
    OSError
        When one cannot be looked at.
    """
    sinks: dict[str, list[str]] = {}
    sizes: dict[str, dict[tuple[int, int], int]] = {}
    for path in paths:
        if _NAME.fullmatch(path.name) is None:
            continue
        # A sink may have taken it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            sinks.setdefault(path.name, []).append(path.parent.name)
            sizes.setdefault(path.name, {})[found.st_dev, found.st_ino] = found.st_size
    files = []
    for name in sorted(sinks):
        match = _NAME.fullmatch(name)
        assert match is not None
        size = sum(sizes[name].values())
        files.append(
            WaitingFile(name, int(match["run"]), tuple(sinks[name]), size, match["damaged"] is not None)
        )
    return files


def beyond_budget(files: Iterable[WaitingFile], budget: int) -> list[WaitingFile]:
    """Choose what is given up: the oldest, until the others fit. The newest always stays.

    Parameters
    ----------
    files
        Oldest first.
    budget
        Bytes; 0 for no limit.
    """
    files = list(files)
    too_much = sum(file.size for file in files) - budget
    chosen = []
    for file in files[:-1]:
        if not budget or too_much <= 0:
            break
        chosen.append(file)
        too_much -= file.size
    return chosen
