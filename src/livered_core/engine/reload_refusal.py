"""Why a change is not taken up."""

from __future__ import annotations

import traceback
from importlib.metadata import version

from livered_core.errors import ConfigError, HookError, LiveredError
from livered_core.model import HookFailure
from livered_core.model.text import one_line

_HOOK = "reload"
_STAYS = "What ran before still runs."


class Refused(LiveredError):  # noqa: N818  (reads as what happened)
    """A change is not taken up; its text is a sentence.

    Parameters
    ----------
    sentence
        What is wrong.
    plugin, plugin_version
        Who is to blame; empty for livered's own configuration.
    trace
        For the log.
    """

    def __init__(self, sentence: str, plugin: str = "", plugin_version: str = "", trace: str = "") -> None:
        self.sentence = one_line(sentence)
        self._plugin = plugin
        self._version = plugin_version
        self._trace = trace
        super().__init__(self.sentence)

    @classmethod
    def because_of(cls, error: BaseException) -> Refused:
        """Say what an error means for a change."""
        if isinstance(error, Refused):
            return error
        if isinstance(error, HookError):
            failure = error.failure
            sentence = f"it failed in {failure.hook} when it was tried: {failure.error}"
            return cls(sentence, failure.plugin, failure.version, failure.traceback)
        if isinstance(error, ConfigError):
            return cls(" ".join(error.problems), trace=_cause(error))
        if isinstance(error, LiveredError):
            return cls(str(error), trace=_cause(error))
        trace = "".join(traceback.format_exception(error))
        return cls(f"{type(error).__name__}: {error}", trace=trace)

    def failure(self) -> HookFailure:
        """Return the failure that everyone is told of."""
        return HookFailure(
            plugin=self._plugin or "livered",
            version=self._version or version("livered-core"),
            hook=_HOOK,
            error=f"{self.sentence.rstrip('.')}. {_STAYS}",
            traceback=self._trace,
            chunk_sequence=None,
            consecutive=1,
        )


class UntilTheRunEnds(Refused):
    """What is accumulated of the run in hand keeps a change from being taken up."""


def _cause(error: BaseException) -> str:
    """Return the traceback of what a sentence was made of; the sentence needs none of its own."""
    cause = error.__cause__
    return "" if cause is None else "".join(traceback.format_exception(cause))
