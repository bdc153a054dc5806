"""The failures of a session, as it wrote them down, put together for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import pluggy

import livered_core
from livered_core.hooks.calls import FinishedCall
from livered_core.testing.trial_parts import Failed

_FRAME: Final = '  File "'
_CALLERS: Final = tuple(str(Path(package.__file__ or "").parent) for package in (livered_core, pluggy))


def read_failures(path: Path, calls: Sequence[FinishedCall]) -> tuple[Failed, ...]:
    """Read ``failures.json`` of a session.

    Parameters
    ----------
    path
        The file; it need not be there.
    calls
        All calls of the session, to count the failures: the file holds the newest only.

    Returns
    -------
    tuple of Failed
        Each kind of failure once, the oldest first.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))["failures"]
    except FileNotFoundError:
        return ()
    found: dict[tuple[str, str, str], Failed] = {}
    for each in reversed(written):
        key = (each["plugin"], each["hook"], each["error"])
        before = found.get(key)
        if before is not None:
            found[key] = attrs.evolve(before, count=before.count + 1)
            continue
        found[key] = Failed(*key, each["chunk_sequence"], 1, own_frames(each["traceback"]))
    return tuple(
        attrs.evolve(failed, count=max(failed.count, _raised(failed, calls))) for failed in found.values()
    )


def _raised(failed: Failed, calls: Sequence[FinishedCall]) -> int:
    return sum(
        call.outcome == "raised"
        and (call.plugin, call.hook, call.error) == (failed.plugin, failed.hook, failed.error)
        for call in calls
    )


def own_frames(traceback: str) -> str:
    """Leave out the frames with which livered called a hook, up to the first that is not livered's.

    Parameters
    ----------
    traceback
        As Python writes it.

    Returns
    -------
    str
        All of it where every frame is livered's.
    """
    lines = traceback.splitlines(keepends=True)
    frames = [index for index, line in enumerate(lines) if line.startswith(_FRAME)]
    own = next((index for index in frames if not _is_callers(lines[index])), None)
    if own is None:
        return traceback
    return "".join([*lines[: frames[0]], *lines[own:]])


def _is_callers(line: str) -> bool:
    return any(line.startswith(f"{_FRAME}{folder}/") for folder in _CALLERS)
