"""What a check of a plugin says."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs

from livered_core.errors import HookError


class Verdict(enum.Enum):
    """What came of a check."""

    OK = "ok"
    WRONG = "wrong"
    NOT_APPLICABLE = "not applicable"
    """There is nothing to check: the plugin has no settings, or no such hook."""
    NOT_TRIED = "not tried"
    """There would be something to check, and it could not be done here; the sentence says why."""


@attrs.frozen
class Finding:
    """What one check found.

    Attributes
    ----------
    subject
        What the check is about: ``class``, ``settings``, ``data``, ``accumulation``, ``state``, ``budget`` or ``sinks``.
    check
        Name of the check, unique.
    verdict
        What came of it.
    sentence
        One sentence: what was found, or why nothing was looked for.
    remedy
        What to do; empty where there is nothing to do.
    """

    subject: str
    check: str
    verdict: Verdict
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.check}: {self.sentence}"
        return f"{text} {self.remedy}" if self.remedy else text


@attrs.frozen
class Found:
    """What a check says, before it is known which check it was."""

    verdict: Verdict
    sentence: str
    remedy: str = ""


def ok(sentence: str) -> Found:
    """Say that all is well."""
    return Found(Verdict.OK, sentence)


def wrong(sentence: str, remedy: str) -> Found:
    """Say what is wrong, and what to do."""
    return Found(Verdict.WRONG, sentence, remedy)


def not_applicable(sentence: str) -> Found:
    """Say why there is nothing to check."""
    return Found(Verdict.NOT_APPLICABLE, sentence)


def not_tried(sentence: str, remedy: str = "") -> Found:
    """Say why a check was left out, and what would make it possible."""
    return Found(Verdict.NOT_TRIED, sentence, remedy)


def first_wrong(problems: Iterable[str], remedy: str, otherwise: str) -> Found:
    """Say what is wrong, all of it in one sentence after the other, or that all is well."""
    said = list(problems)
    return wrong(" ".join(said), remedy) if said else ok(otherwise)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 curve``, ``2,000 points``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def failing(error: HookError) -> str:
    """Say which hook failed and how, without a full stop."""
    failure = error.failure
    where = "" if failure.chunk_sequence is None else f" on chunk {failure.chunk_sequence}"
    return f"{failure.hook} fails{where}: {failure.error.rstrip('.')}"


class CannotTell(Exception):  # noqa: N818  (a verdict, not an accident)
    """Raised by what checks share, when a check cannot go on.

    Parameters
    ----------
    found
        What the check says then.
    """

    def __init__(self, found: Found) -> None:
        self.found = found
        super().__init__(found.sentence)


def problems(findings: Iterable[Finding]) -> list[str]:
    """Say what is wrong: ``assert not problems(check_plugin(MyPlugin))`` is a test of a plugin.

    Parameters
    ----------
    findings
        What `check_plugin` returned.

    Returns
    -------
    list of str
        Of each finding that is wrong its check, what was found, and what to do; empty when nothing is wrong.
    """
    return [str(finding) for finding in findings if finding.verdict is Verdict.WRONG]
