"""Saying what comes again and again: each time at first, then ever more seldom, so that no log fills with it."""

from __future__ import annotations

from typing import Final

SAID_EACH_TIME: Final = 20
"""Sentences of a kind that are all said; after these the 100th, the 1000th and so on."""


class Repetitions:
    """Counts sentences by their kind. The caller names few kinds: they are remembered for good."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def worded(self, kind: str, sentence: str) -> str:
        """Say how a sentence is to be said this time.

        Parameters
        ----------
        kind
            What it has in common with others.
        sentence
            The sentence.

        Returns
        -------
        str
            The sentence, perhaps with how many there have been; empty when it is only counted.
        """
        times = self._times.get(kind, 0) + 1
        self._times[kind] = times
        if times < SAID_EACH_TIME:
            return sentence
        if times == SAID_EACH_TIME:
            return f"{sentence} This is number {times} of its kind: of those that follow, few are said."
        return f"{sentence} This is number {times} of its kind." if _is_round(times) else ""


def _is_round(number: int) -> bool:
    return number >= 100 and set(str(number)[1:]) == {"0"} and str(number)[0] == "1"
