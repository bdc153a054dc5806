"""Carrying what was accumulated from the classes of a plugin's old modules to those of its new ones."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

import attrs

from livered_core.errors import LiveredError
from livered_core.hooks.reloading import is_in
from livered_core.reduction.checkpoint_codec import NotStorable, decode, encode
from livered_core.workspaces import kind_of

_NOTHING: Final = "nothing"
_BYTES: Final = "bytes"
_WORKSPACE: Final = "workspace"
_FOREIGN: Final = "foreign"
_NOT_CARRIED: Final = "not carried"


class NotCarried(LiveredError):  # noqa: N818  (reads as what happened)
    """A value cannot become one of the new classes."""


@attrs.frozen(eq=False)
class Carried:
    """A value on its way; made while the modules of its classes are the ones that are imported.

    Attributes
    ----------
    value
        Of the old classes; it is not changed.
    kind
        How it is held: as bytes, as it is (a workspace of Mantid's, or an object of a package that is not imported
        anew), or not at all.
    data
        The bytes.
    problem
        One sentence on why it is not held.
    """

    value: Any
    kind: str
    data: bytes = attrs.field(default=b"", repr=False)
    problem: str = ""

    @classmethod
    def of(cls, value: Any, name: str, packages: Sequence[str] = ()) -> Carried:
        """Take up a value. Raises nothing.

        Parameters
        ----------
        value
            Anything.
        name
            What it is, for people.
        packages
            Names of the packages whose classes change.
        """
        if value is None:
            return cls(value, _NOTHING)
        if kind_of(value) != "other":
            return cls(value, _WORKSPACE)
        try:
            return cls(value, _BYTES, b"".join(encode(value, name)))
        except NotStorable as error:
            # Nothing can be known of what such an object holds of others, but of one that is no container.
            if error.path == name and not is_in(type(value).__module__, packages):
                return cls(value, _FOREIGN)
            return cls(value, _NOT_CARRIED, problem=str(error))
        except LiveredError as error:
            return cls(value, _NOT_CARRIED, problem=str(error))

    @classmethod
    def lost(cls, problem: str) -> Carried:
        """Say why there is no value to be had."""
        return cls(None, _NOT_CARRIED, problem=problem)

    @property
    def can_be_tried(self) -> bool:
        """Whether `for_trial` gives something of its own."""
        return self.kind in (_BYTES, _FOREIGN)

    @property
    def is_something(self) -> bool:
        """Whether there is a value at all."""
        return self.kind != _NOTHING

    def carried(self) -> Any:
        """Return the value, of the classes that are imported now.

        Raises
        ------
        NotCarried
            When it cannot be made.
        """
        if self.kind == _NOT_CARRIED:
            raise NotCarried(self.problem)
        if self.kind != _BYTES:
            return self.value
        try:
            # The bytes are this process's own: classes may come from wherever they were.
            return decode(self.data, lambda _module: True)
        except LiveredError as error:
            message = f"What is accumulated does not fit the classes of the changed code: {error}."
            raise NotCarried(message) from error

    def for_trial(self) -> Any:
        """Return a copy of `carried` that may be spoilt.

        Raises
        ------
        NotCarried
            When there can be none.
        """
        if self.kind != _FOREIGN:
            return self.carried()
        try:
            return copy.deepcopy(self.value)
        except Exception as error:
            message = f"What is accumulated cannot be copied ({type(error).__name__})."
            raise NotCarried(message) from error
