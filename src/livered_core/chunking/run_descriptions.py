"""What the stream says of runs beside their numbers: titles, proposals, samples."""

from __future__ import annotations

from typing import Final

import attrs

from livered_core.adara import RunDetails
from livered_core.model import RunInfo

_MOST_RUNS: Final = 1000
_MOST_CHARACTERS: Final = 16 * 1024 * 1024
"""Characters of the documents of which the descriptions are kept."""


class RunDescriptions:
    """Keeps descriptions of runs, which may come before their runs; belongs to the reader's thread."""

    def __init__(self) -> None:
        self._details: dict[int, RunDetails] = {}
        self._sizes: dict[int, int] = {}

    def add(self, details: RunDetails, size: int) -> None:
        """Keep what the stream says of a run, and forget what was said first of others.

        Parameters
        ----------
        details
            The description.
        size
            Characters of its document.
        """
        number = details.run_number
        self._details.pop(number, None)
        self._sizes.pop(number, None)
        self._details[number], self._sizes[number] = details, size
        while len(self._details) > 1 and (
            len(self._details) > _MOST_RUNS or sum(self._sizes.values()) > _MOST_CHARACTERS
        ):
            oldest = next(iter(self._details))
            del self._details[oldest], self._sizes[oldest]

    def described(self, run: RunInfo) -> RunInfo:
        """Return a run with what is known of it."""
        details = self._details.get(run.number)
        if details is None:
            return run
        return attrs.evolve(run, title=details.title, proposal=details.proposal_id, sample=details.sample)
