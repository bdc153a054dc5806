"""What ``[plugins.scripts]`` may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import attrs

from livered_core.config.metadata import about

Accumulation = Literal["add", "replace", "append"]
WhenChanged = Literal["keep", "restart"]


@attrs.frozen
class ScriptsSettings:
    """Which scripts of Mantid's live data run, and how their results are accumulated.

    Attributes
    ----------
    process, post_process
        Files of Python, run for each chunk and for each update; at least one of them.
    accumulate
        ``"add"`` with Mantid's Plus (what holds everything since the start of the run replaces), ``"replace"`` what was
        there, or ``"append"`` the spectra.
    preserve_events
        False makes a histogram of what comes of each chunk, in the bins that the script gave it.
    when_changed
        What becomes of the accumulated data when the content of `process` changes.
    protect_accumulation
        Give `post_process` a copy of the accumulated data.
    """

    process: Path | None = attrs.field(
        default=None, metadata=about("script that is run with each chunk as input")
    )
    post_process: Path | None = attrs.field(
        default=None, metadata=about("script that is run for each update with the accumulated data as input")
    )
    accumulate: Accumulation = attrs.field(
        default="add", metadata=about("how chunks come together: add, replace or append (their spectra)")
    )
    preserve_events: bool = attrs.field(
        default=True,
        metadata=about("false: make a histogram of each processed chunk; the script must rebin it"),
    )
    when_changed: WhenChanged = attrs.field(
        default="keep",
        metadata=about(
            "when the content of process changes: keep what is accumulated, or restart the run: it is replayed"
        ),
    )
    protect_accumulation: bool = attrs.field(
        default=True,
        metadata=about(
            "give post_process a copy of the accumulated data, so that what it changes in place is not accumulated; "
            "false saves the copy's memory"
        ),
    )

    def __attrs_post_init__(self) -> None:
        if self.process is None and self.post_process is None:
            message = "must name a script, process or post_process, or both"
            raise ValueError(message)
