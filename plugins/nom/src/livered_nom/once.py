"""What is made once and kept: as long as it would be made of the same objects again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class Once(Generic[_T]):
    """Keeps the last thing that was made, and the objects it was made of, which must not change. For one thread.

    Parameters
    ----------
    make
        Makes it.
    """

    def __init__(self, make: Callable[..., _T]) -> None:
        self._make = make
        self._kept: tuple[tuple[Any, ...], _T] | None = None

    def of(self, *parts: Any) -> _T:
        """Return what is made of these objects; the same as before where each is the very same object as before."""
        kept = self._kept
        if (
            kept is None
            or len(kept[0]) != len(parts)
            or any(a is not b for a, b in zip(kept[0], parts, strict=True))
        ):
            # The parts are kept, too: another object cannot take the place of one that is gone.
            kept = self._kept = (parts, self._make(*parts))
        return kept[1]
