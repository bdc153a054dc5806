"""How the last attempts to take up changes went: the entry ``reload`` of ``status.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

_MOST_ANSWERS: Final = 20


@attrs.frozen
class ReloadStatus:
    """How it went.

    Attributes
    ----------
    state
        ``"none"`` before the first attempt, ``"ok"``, or ``"refused"`` as long as what is on disk is not what runs.
    sentence
        What happened, for people.
    time_ns
        When, nanoseconds UTC; 0 before the first.
    reloaded, refused
        How often plugins were replaced, and how often a change was refused.
    next_start
        Keys of the configuration that count from the next start.
    answers
        The text of each of the last requests, to the state that answered it.
    """

    state: str = "none"
    sentence: str = ""
    time_ns: int = 0
    reloaded: int = 0
    refused: int = 0
    next_start: tuple[str, ...] = ()
    answers: Mapping[str, str] = attrs.field(factory=dict)

    def with_success(
        self, sentence: str, time_ns: int, tokens: Sequence[str], *, swapped: bool, next_start: Sequence[str]
    ) -> ReloadStatus:
        """Note that a change was taken up, or that there was none."""
        return attrs.evolve(
            self,
            state="ok",
            sentence=sentence,
            time_ns=time_ns,
            reloaded=self.reloaded + swapped,
            next_start=tuple(next_start),
            answers=self._answered(tokens, "ok"),
        )

    def with_refusal(self, sentence: str, time_ns: int, tokens: Sequence[str]) -> ReloadStatus:
        """Note that a change was refused."""
        return attrs.evolve(
            self,
            state="refused",
            sentence=sentence,
            time_ns=time_ns,
            refused=self.refused + 1,
            answers=self._answered(tokens, "refused"),
        )

    def mended(self, time_ns: int) -> ReloadStatus:
        """Note that what was refused is no longer on disk."""
        if self.state != "refused":
            return self
        sentence = "The files are again as they were loaded."
        return attrs.evolve(self, state="ok", sentence=sentence, time_ns=time_ns)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**attrs.asdict(self), "next_start": list(self.next_start), "answers": dict(self.answers)}

    def _answered(self, tokens: Sequence[str], state: str) -> dict[str, str]:
        answers = {**self.answers, **dict.fromkeys(tokens, state)}
        return dict(list(answers.items())[-_MOST_ANSWERS:])
