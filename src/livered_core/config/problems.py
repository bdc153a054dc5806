"""What travels with a value while it is read, and what is said when it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from livered_core.config.layers import Source, join_origins
from livered_core.config.toml import dotted
from livered_core.config.wording import found, wanted

DEFAULT_ORIGIN = "built in"
"""Origin of values that no layer gives."""


@attrs.frozen
class Given:
    """A value on its way: where it stands, what it is, where it is from."""

    path: tuple[str | int, ...]
    value: Any
    source: Source


@attrs.frozen
class Problem:
    """One thing that is wrong."""

    path: tuple[str | int, ...]
    sentence: str


class Problems(Exception):  # noqa: N818  (several, and none of them an accident)
    """Everything that is wrong with a value and what is in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(item.sentence for item in self.problems))


@attrs.frozen
class Place:
    """What the reading of values needs to know about their surroundings.

    Attributes
    ----------
    environ
        Variables for ``$NAME`` and ``~`` in paths.
    defaults
        Source of values that no layer gives.
    sources
        Where each leaf is from, by dotted path.
    instrument
        What ``{instrument}`` in paths stands for.
    known_keys
        Dotted paths of the core's keys, for "did you mean".
    """

    environ: Mapping[str, str]
    defaults: Source
    sources: Mapping[str, Source]
    instrument: str
    known_keys: tuple[str, ...]

    def given(self, path: tuple[str | int, ...], value: Any) -> Given:
        """Find the source of a value: its own, that of the value it is in, or those of the values in it."""
        for length in range(len(path), 0, -1):
            source = self.sources.get(dotted(path[:length]))
            if source is not None:
                return Given(path, value, source)
        prefix = dotted(path)
        inside = [
            source.origin
            for leaf, source in self.sources.items()
            if not prefix or leaf.startswith((f"{prefix}.", f"{prefix}["))
        ]
        return Given(
            path, value, attrs.evolve(self.defaults, origin=join_origins(inside) or self.defaults.origin)
        )


def problem(given: Given, what: str) -> Problem:
    """Make a problem; `what` is the rest of the sentence after path and origin, without its full stop."""
    where = dotted(given.path) or "The configuration"
    end = "" if what.endswith((".", "?", "!")) else "."
    return Problem(given.path, f"{where} ({given.source.origin}) {what}{end}")


def refuse(given: Given, what: str) -> Problems:
    """Make the exception for one problem."""
    return Problems([problem(given, what)])


def mismatch(given: Given, kind: Any, hint: str = "") -> Problems:
    """Make the exception for a value of another type than `kind`; the hint says what to do."""
    return refuse(given, f"must be {wanted(kind)}, not {found(given.value)}" + (f": {hint}" if hint else ""))
